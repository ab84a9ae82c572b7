//! An open GGUF file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use memmap2::Mmap;
use sha2::{Digest, Sha256};

use super::header::{Header, Refusal, TensorEntry, parse};
use super::value::{Array, Value};
use crate::error::{ModelError, Result};

/// A GGUF file whose header was validated: every tensor lies inside the file, in a type that is read.
///
/// The tensor data is mapped, not read: opening a file of any size takes a fraction of a second.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    map: Mmap,
    header: Header,
    architecture: String,
    keys: HashMap<String, usize>,
    names: HashMap<String, usize>,
    sha256: OnceLock<String>,
}

impl GgufFile {
    /// Opens and validates a file.
    ///
    /// # Errors
    /// When it cannot be read, is no GGUF file, is damaged, or holds a tensor type that is not read.
    pub fn open(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        let file = hone_job::fs::open(&path)?;
        if hone_job::fs::metadata(&path)?.is_dir() {
            return Err(ModelError::NotGguf { path, found: "is a folder".to_owned() });
        }
        let map = map(&file, &path)?;
        let header = parse(&map).map_err(|refusal| refused(&path, refusal))?;
        let keys = header.metadata.iter().enumerate().map(|(index, (key, _))| (key.clone(), index)).collect();
        let names = header.tensors.iter().enumerate().map(|(index, entry)| (entry.name.clone(), index)).collect();
        let mut file = Self { path, map, header, architecture: String::new(), keys, names, sha256: OnceLock::new() };
        file.architecture = file.string("general.architecture")?.to_owned();
        Ok(file)
    }

    /// Says by name why this file cannot be a base model, if it cannot.
    ///
    /// # Errors
    /// For adapters, parts of split files and files without tensors.
    pub fn check_whole_model(&self) -> Result<()> {
        let kind = self.get("general.type").and_then(Value::as_str).unwrap_or("model");
        let parts = self.get("split.count").and_then(Value::as_u64).unwrap_or(1);
        let reason = if kind != "model" {
            format!("it is of the kind `{kind}`, not a model")
        } else if parts > 1 {
            format!("it is one of {parts} parts; join them with llama.cpp's `gguf-split --merge` first")
        } else if self.header.tensors.is_empty() {
            "it holds no tensors".to_owned()
        } else {
            return Ok(());
        };
        Err(ModelError::NotABaseModel { path: self.path.clone(), reason })
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the file in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// All metadata, in the file's order.
    pub fn metadata(&self) -> &[(String, Value)] {
        &self.header.metadata
    }

    /// A metadata value as it stands in the file: type number and value, to be copied unchanged.
    pub fn raw(&self, key: &str) -> Option<&[u8]> {
        self.keys.get(key).map(|index| &self.map[self.header.raw[*index].clone()])
    }

    /// A metadata value.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.keys.get(key).map(|index| &self.header.metadata[*index].1)
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let found = value.kind();
        read(value).map(Some).ok_or_else(|| ModelError::KeyType {
            path: self.path.clone(),
            key: key.to_owned(),
            expected,
            found,
        })
    }

    fn missing(&self, key: &str) -> ModelError {
        ModelError::MissingKey { path: self.path.clone(), key: key.to_owned() }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn string(&self, key: &str) -> Result<&str> {
        self.typed(key, "a text", Value::as_str)?.ok_or_else(|| self.missing(key))
    }

    /// A text list that must be there.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn strings(&self, key: &str) -> Result<&[String]> {
        let read = |value| match value {
            &Value::Array(Array::String(ref list)) => Some(list.as_slice()),
            _ => None,
        };
        self.typed(key, "a list of texts", read)?.ok_or_else(|| self.missing(key))
    }

    /// A whole number that must be there, stored in any width.
    ///
    /// # Errors
    /// When it is missing, of another type or larger than 32 bits.
    pub fn u32(&self, key: &str) -> Result<u32> {
        let read = |value: &Value| value.as_u64().and_then(|number| number.try_into().ok());
        self.typed(key, "a whole number below 2^32", read)?.ok_or_else(|| self.missing(key))
    }

    /// A whole number, or `default` when the key is missing.
    ///
    /// # Errors
    /// When it is of another type or larger than 32 bits.
    pub fn u32_or(&self, key: &str, default: u32) -> Result<u32> {
        if self.get(key).is_some() { self.u32(key) } else { Ok(default) }
    }

    /// A decimal number that must be there.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn f32(&self, key: &str) -> Result<f32> {
        let number = self.typed(key, "a decimal number", Value::as_f64)?;
        number.map(|number| number as f32).ok_or_else(|| self.missing(key))
    }

    /// A decimal number, or `default` when the key is missing.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn f32_or(&self, key: &str, default: f32) -> Result<f32> {
        if self.get(key).is_some() { self.f32(key) } else { Ok(default) }
    }

    /// A truth value, or `default` when the key is missing.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn bool_or(&self, key: &str, default: bool) -> Result<bool> {
        Ok(self.typed(key, "a truth value", Value::as_bool)?.unwrap_or(default))
    }

    /// All tensors, in the file's order.
    pub fn tensors(&self) -> &[TensorEntry] {
        &self.header.tensors
    }

    /// The tensor of that name.
    pub fn tensor(&self, name: &str) -> Option<&TensorEntry> {
        self.names.get(name).map(|index| &self.header.tensors[*index])
    }

    /// The stored bytes of a tensor of this file; empty for an entry of another file that lies outside this one.
    pub fn bytes(&self, tensor: &TensorEntry) -> &[u8] {
        let start = tensor.offset as usize;
        start.checked_add(tensor.byte_len).and_then(|end| self.map.get(start..end)).unwrap_or_default()
    }

    /// `general.architecture`, e.g. `gemma3`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// SHA-256 of the whole file, lower-case hex. Reads it once, then remembers.
    pub fn sha256(&self) -> String {
        self.sha256.get_or_init(|| hex(&Sha256::digest(&self.map[..]))).clone()
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn map(file: &std::fs::File, path: &Path) -> Result<Mmap> {
    // SAFETY: the mapping is read-only and private to this process. Another program that shortens the file while it
    // is mapped would end this process with a bus error: that is why the worker is a process of its own, and why
    // models that others manage are copied or linked into Hone's folder before a training begins.
    #[allow(unsafe_code)]
    let map = unsafe { Mmap::map(file) };
    map.map_err(|source| hone_job::fs::FsError { action: "map into memory", path: path.to_owned(), source }.into())
}

fn refused(path: &Path, refusal: Refusal) -> ModelError {
    let path = path.to_owned();
    match refusal {
        Refusal::NotGguf(found) => ModelError::NotGguf { path, found },
        Refusal::Damaged { place, problem } => ModelError::Damaged { path, place, problem },
        Refusal::Dtype { tensor, dtype } => ModelError::UnsupportedDtype { path, tensor, dtype },
    }
}
