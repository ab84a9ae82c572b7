//! GGUF metadata made from a `config.json`: what llama.cpp's converter would write, and where each value came from.

use std::collections::HashMap;

use super::Config;
use crate::error::Result;
use crate::gguf::{Array, Value};

/// Metadata and tensors that a folder's settings stand for.
#[derive(Debug)]
pub(crate) struct Keys {
    architecture: &'static str,
    pub(super) metadata: Vec<(String, Value)>,
    /// The key of `config.json` that a metadata key was read from.
    pub(super) written: HashMap<String, &'static str>,
    /// Vectors that GGUF keeps as tensors, f32.
    pub(super) vectors: Vec<(&'static str, Vec<f32>)>,
}

impl Keys {
    /// Keys of an architecture as `general.architecture` names it.
    pub(crate) fn new(architecture: &'static str) -> Self {
        let metadata = vec![("general.architecture".to_owned(), Value::String(architecture.to_owned()))];
        Self { architecture, metadata, written: HashMap::new(), vectors: Vec::new() }
    }

    pub(crate) fn architecture(&self) -> &'static str {
        self.architecture
    }

    fn key(&self, leaf: &str) -> String {
        format!("{}.{leaf}", self.architecture)
    }

    /// A size that must be in `config`, under its name in GGUF.
    pub(crate) fn size(&mut self, config: &Config, written: &'static str, leaf: &str) -> Result<u32> {
        let size = config.size(written)?;
        self.written.insert(self.key(leaf), written);
        self.number(leaf, size);
        Ok(size)
    }

    /// A whole number.
    pub(crate) fn number(&mut self, leaf: &str, number: u32) {
        self.metadata.push((self.key(leaf), Value::U32(number)));
    }

    /// A decimal number.
    pub(crate) fn decimal(&mut self, leaf: &str, number: f64) {
        self.metadata.push((self.key(leaf), Value::F32(number as f32)));
    }

    /// A text.
    pub(crate) fn text(&mut self, leaf: &str, text: &str) {
        self.metadata.push((self.key(leaf), Value::String(text.to_owned())));
    }

    /// One truth value for each layer.
    pub(crate) fn flags(&mut self, leaf: &str, flags: Vec<bool>) {
        self.metadata.push((self.key(leaf), Value::Array(Array::Bool(flags))));
    }

    /// A vector that GGUF keeps as a tensor.
    pub(crate) fn vector(&mut self, tensor: &'static str, values: Vec<f32>) {
        self.vectors.push((tensor, values));
    }
}
