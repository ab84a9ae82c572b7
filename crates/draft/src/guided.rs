//! Fills a form without a grammar in the sampler: the form's fixed parts are written for the model, and it is asked only
//! for the words inside quotation marks. So every answer has the form, whatever the model is.

use serde_json::Value;

/// Writes an answer of the form `schema`: objects, arrays of `maxItems`, words of an `enum` by turns, and text.
///
/// `say` is given everything written so far, an opened quotation mark last, and answers what the model writes there up
/// to its closing mark.
pub(crate) fn fill<E>(schema: &Value, say: &mut dyn FnMut(&str) -> Result<String, E>) -> Result<String, E> {
    let mut out = String::new();
    part(schema, 0, &mut out, say)?;
    Ok(out)
}

fn part<E>(
    schema: &Value,
    turn: usize,
    out: &mut String,
    say: &mut dyn FnMut(&str) -> Result<String, E>,
) -> Result<(), E> {
    match schema["type"].as_str() {
        Some("object") => {
            out.push('{');
            let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            for (at, name) in names.enumerate() {
                *out += if at > 0 { ", " } else { "" };
                *out += &format!("{}: ", Value::from(name));
                part(&schema["properties"][name], turn, out, say)?;
            }
            out.push('}');
        }
        Some("array") => {
            out.push('[');
            for at in 0..schema["maxItems"].as_u64().unwrap_or(1) as usize {
                *out += if at > 0 { ", " } else { "" };
                part(&schema["items"], at, out, say)?;
            }
            out.push(']');
        }
        _ => match schema["enum"].as_array() {
            Some(words) if !words.is_empty() => *out += &words[turn % words.len()].to_string(),
            _ => {
                out.push('"');
                let said = said(&say(out)?);
                out.pop();
                *out += &Value::from(said.trim()).to_string();
            }
        },
    }
    Ok(())
}

/// What stands in a JSON text, escapes read; where the model's escapes are none, their backslashes are left out.
fn said(raw: &str) -> String {
    serde_json::from_str(&format!("\"{raw}\"")).unwrap_or_else(|_| raw.replace('\\', "").replace(char::is_control, " "))
}

/// Where the text ends: at the first quotation mark that is not escaped, or at a line break.
pub(crate) fn end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' | '\n' => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use hone_data::draft::{DraftKind, DraftSettings, parse, schema};

    use super::*;

    fn filled(answers: &[&str]) -> (String, Vec<String>) {
        let settings = DraftSettings {
            kinds: vec![DraftKind::Fact, DraftKind::Definition],
            per_passage: 2,
            ..DraftSettings::default()
        };
        let mut seen = Vec::new();
        let mut answers = answers.iter();
        let text = fill(&schema(&settings), &mut |so_far| {
            seen.push(so_far.to_owned());
            Ok::<_, ()>((*answers.next().unwrap()).to_owned())
        });
        let text = text.unwrap();
        assert!(parse(&text, &settings).is_ok(), "{text}");
        (text, seen)
    }

    #[test]
    fn whatever_is_said_the_form_holds() {
        let (text, seen) = filled(&["When?", "At \\\"nine\\\".", "l\\x", "Who\t?", "Ada", " "]);
        assert_eq!(
            text,
            r#"{"drafts": [{"kind": "fact", "question": "When?", "answer": "At \"nine\".", "quote": "lx"}, {"kind": "definition", "question": "Who ?", "answer": "Ada", "quote": ""}]}"#
        );
        assert_eq!(seen[1], r#"{"drafts": [{"kind": "fact", "question": "When?", "answer": ""#);
    }

    #[test]
    fn a_text_ends_at_its_mark_or_at_the_line() {
        assert_eq!(end(r#"a \" b" c"#), Some(6));
        assert_eq!(end("a\nb"), Some(1));
        assert_eq!(end(r"a \"), None);
    }
}
