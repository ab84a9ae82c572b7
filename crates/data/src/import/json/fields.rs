//! The record of one line without a tree of values: most records are names with texts.

use std::borrow::Cow;
use std::fmt::{Formatter, Result as Written};

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The names and values of an object: by name, each once with what was said last, as [`Map`] has them.
pub(super) struct Fields<'a>(pub(super) Vec<(Cow<'a, str>, Field<'a>)>);

pub(super) enum Field<'a> {
    Text(Cow<'a, str>),
    Other(Value),
}

impl From<Map<String, Value>> for Fields<'_> {
    fn from(object: Map<String, Value>) -> Self {
        let fields = object.into_iter().map(|(name, value)| match value {
            Value::String(text) => (name.into(), Field::Text(text.into())),
            other => (name.into(), Field::Other(other)),
        });
        Self(fields.collect())
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut Formatter) -> Written {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields<'de>, A::Error> {
        let mut fields: Vec<(Cow<str>, Field)> = Vec::with_capacity(4);
        while let Some((Text(name), field)) = object.next_entry()? {
            fields.push((name, field));
        }
        // Stable: of the same name the last one stays last.
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields.reverse();
        fields.dedup_by(|earlier, later| earlier.0 == later.0);
        fields.reverse();
        Ok(Fields(fields))
    }
}

struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match from.deserialize_str(Any)? {
            Field::Text(text) => Ok(Self(text)),
            Field::Other(_) => Err(D::Error::custom("a name is no text")),
        }
    }
}

impl<'de> Deserialize<'de> for Field<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut Formatter) -> Written {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(text.to_owned().into()))
    }

    fn visit_unit<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Other(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Field<'de>, E> {
        Ok(Field::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Field<'de>, E> {
        Ok(Field::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Field<'de>, E> {
        Ok(Field::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Field<'de>, E> {
        Ok(Field::Other(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Field<'de>, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(list)).map(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Field<'de>, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(object)).map(Field::Other)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(fields: &Fields) -> Vec<(String, Value)> {
        let value = |field: &Field| match field {
            Field::Text(text) => Value::from(text.as_ref()),
            Field::Other(value) => value.clone(),
        };
        fields.0.iter().map(|(name, field)| (name.to_string(), value(field))).collect()
    }

    fn check(line: &str) {
        let map: Option<Map<String, Value>> = serde_json::from_str(line).ok();
        let fields: Option<Fields> = serde_json::from_str(line).ok();
        assert_eq!(fields.as_ref().map(told), map.map(|map| map.into_iter().collect()), "{line}");
    }

    #[test]
    fn a_record_says_what_its_map_says() {
        for line in [
            r#"{"question": "a\nb", "answer": "ü\u00fc", "n": 1, "m": -2.50, "yes": true, "none": null}"#,
            r#"{"b": "1", "a": "2", "b": "3", "c": ["x", {"y": []}], "a": {"z": 1}}"#,
            r#"{"big": 18446744073709551615, "bigger": 18446744073709551616, "small": 1e-400, "\u0061": "x"}"#,
            "{}",
            r#"{"a": "cut off"#,
            r#"{"a": 1} {"b": 2}"#,
            "[1]",
            "\"text\"",
        ] {
            check(line);
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_as_its_map(line in r#"\{("[ab]": ?("[a-c\\"u0]{0,6}"|[0-9.e-]{1,5}|null|\[1\]),? ?){0,4}\}?"#) {
            check(&line);
        }
    }
}
