//! A `config.json`, read value by value; every complaint names the file and the key.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::{ModelError, Result};

/// The largest JSON file beside the weights that is read, `tokenizer.json` apart; bytes.
const MAX_BYTES: u64 = 16 << 20;

/// A JSON object of a model's folder, or a part of one.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    path: PathBuf,
    /// What stands before a key in messages, e.g. `rope_parameters.`.
    prefix: String,
    values: Map<String, Value>,
}

/// Reads a small file of the folder, if it is there.
pub(super) fn bytes_of(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    if !path.is_file() {
        return Ok(None);
    }
    let size = hone_job::fs::metadata(path)?.len();
    if size > limit {
        let problem = format!("it is {size} bytes long, at most {limit} are read");
        return Err(ModelError::Damaged { path: path.to_owned(), place: "the whole file".to_owned(), problem });
    }
    Ok(Some(hone_job::fs::read(path)?))
}

impl Config {
    /// Reads a JSON file, if it is there, and returns its bytes too.
    pub(super) fn read(path: &Path) -> Result<Option<(Self, Vec<u8>)>> {
        let Some(bytes) = bytes_of(path, MAX_BYTES)? else { return Ok(None) };
        let values = serde_json::from_slice(&bytes).map_err(|error| ModelError::Damaged {
            path: path.to_owned(),
            place: format!("line {}, column {}", error.line(), error.column()),
            problem: error.to_string(),
        })?;
        Ok(Some((Self { path: path.to_owned(), prefix: String::new(), values }, bytes)))
    }

    /// One without any values, for a file that may be missing.
    pub(super) fn empty(path: &Path) -> Self {
        Self { path: path.to_owned(), prefix: String::new(), values: Map::new() }
    }

    /// A value; `null` counts as missing.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// The object under a key.
    pub(crate) fn section(&self, key: &str) -> Result<Option<Self>> {
        let read = |value: &Value| value.as_object().cloned();
        let values = self.typed(key, "an object", read)?;
        let prefix = format!("{}{key}.", self.prefix);
        Ok(values.map(|values| Self { path: self.path.clone(), prefix, values }))
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let found = match value {
            Value::Null => "nothing",
            Value::Bool(_) => "a truth value",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        let key = format!("{}{key}", self.prefix);
        read(value).map(Some).ok_or_else(|| ModelError::KeyType { path: self.path.clone(), key, expected, found })
    }

    /// A value that no model of the family can have, or none that Hone computes.
    pub(crate) fn wrong(&self, key: &str, problem: &'static str) -> ModelError {
        let value = self.get(key).map_or_else(
            || "missing".to_owned(),
            |value| {
                let mut text = value.to_string();
                if text.len() > 80 {
                    text = format!("{}…", text.chars().take(80).collect::<String>());
                }
                text
            },
        );
        ModelError::Configuration { path: self.path.clone(), key: format!("{}{key}", self.prefix), value, problem }
    }

    fn missing(&self, key: &str) -> ModelError {
        ModelError::MissingKey { path: self.path.clone(), key: format!("{}{key}", self.prefix) }
    }

    /// A whole number of up to 32 bits, if it is there.
    pub(crate) fn number(&self, key: &str) -> Result<Option<u32>> {
        let read = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
        self.typed(key, "a whole number below 2^32", read)
    }

    /// A size that must be there and above 0.
    pub(crate) fn size(&self, key: &str) -> Result<u32> {
        match self.number(key)? {
            None => Err(self.missing(key)),
            Some(0) => Err(self.wrong(key, "which no model can have")),
            Some(size) => Ok(size),
        }
    }

    /// A size above 0, or `default` when the key is missing.
    pub(crate) fn size_or(&self, key: &str, default: u32) -> Result<u32> {
        if self.get(key).is_some() { self.size(key) } else { Ok(default) }
    }

    /// A decimal number, if it is there.
    pub(crate) fn decimal(&self, key: &str) -> Result<Option<f64>> {
        let number = self.typed(key, "a number", Value::as_f64)?;
        if number.is_some_and(|number| !number.is_finite()) {
            return Err(self.wrong(key, "not a finite number"));
        }
        Ok(number)
    }

    /// A decimal number that must be there.
    pub(crate) fn decimal_needed(&self, key: &str) -> Result<f64> {
        self.decimal(key)?.ok_or_else(|| self.missing(key))
    }

    /// A truth value, or `default` when the key is missing.
    pub(crate) fn flag_or(&self, key: &str, default: bool) -> Result<bool> {
        Ok(self.typed(key, "a truth value", Value::as_bool)?.unwrap_or(default))
    }

    /// A text, if it is there.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, "a text", Value::as_str)
    }

    /// A list of texts, if it is there.
    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<&str>>> {
        self.typed(key, "a list of texts", |value| value.as_array()?.iter().map(Value::as_str).collect())
    }

    /// A list of decimal numbers that must be there.
    pub(crate) fn decimals(&self, key: &str) -> Result<Vec<f32>> {
        let read = |value: &Value| value.as_array()?.iter().map(|n| n.as_f64().map(|n| n as f32)).collect();
        self.typed(key, "a list of numbers", read)?.ok_or_else(|| self.missing(key))
    }

    /// The names of all values.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// All values, which must be texts.
    pub(super) fn all_texts(&self) -> Result<Vec<&str>> {
        self.values.keys().filter_map(|key| self.text(key).transpose()).collect()
    }
}
