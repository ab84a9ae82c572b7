//! An open base model: a GGUF file, or a Hugging Face folder read as one.
//!
//! Everything else in Hone knows a model by GGUF's words: metadata keys such as `llama.block_count`, tensors such as
//! `blk.0.attn_q.weight`. A folder is translated into them once, when it is opened (`huggingface/`), so that decoder, tokenizer, chat
//! format, plan and export have one way to read a model.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use memmap2::Mmap;
use sha2::{Digest, Sha256};

use crate::error::{ModelError, Result};
use crate::gguf::{Array, Refusal, TensorEntry, Value, parse};
use crate::huggingface::{self, Folder};

/// A base model whose headers were validated: every tensor lies inside its file, in a type that is read.
///
/// The tensor data is mapped, not read: opening a file of any size takes a fraction of a second.
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    parts: Vec<Part>,
    metadata: Vec<(String, Value)>,
    /// Where each metadata value lies in the parts, its type number included; same order as `metadata`.
    raw: Vec<Range<usize>>,
    tensors: Vec<TensorEntry>,
    architecture: String,
    keys: HashMap<String, usize>,
    names: HashMap<String, usize>,
    folder: Option<Folder>,
    sha256: OnceLock<String>,
}

/// A stretch of the model's bytes; offsets count through all parts as if they were one file.
#[derive(Debug)]
struct Part {
    start: usize,
    bytes: Bytes,
}

/// Where bytes of a model come from.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// A file.
    Mapped(Mmap),
    /// Made while a folder was read: metadata, and tensors that GGUF stores otherwise.
    Made(Vec<u8>),
}

impl Bytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Made(bytes) => bytes,
        }
    }
}

/// What a model is put together from.
pub(crate) struct Contents {
    pub(crate) parts: Vec<Bytes>,
    pub(crate) metadata: Vec<(String, Value)>,
    pub(crate) raw: Vec<Range<usize>>,
    pub(crate) tensors: Vec<TensorEntry>,
    pub(crate) folder: Option<Folder>,
}

impl ModelFile {
    /// Opens and validates a GGUF file or a Hugging Face folder, which its `config.json` stands for too: a window that chooses files
    /// can choose that.
    ///
    /// # Errors
    /// When it cannot be read, is neither of the two, is damaged, or holds a tensor type that is not read.
    pub fn open(path: &Path) -> Result<Self> {
        let parent = || path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = if path.ends_with("config.json") { parent() } else { path };
        if folder.is_dir() {
            return Self::new(folder, huggingface::open(folder)?);
        }
        Self::gguf(path, Bytes::Mapped(map(path)?))
    }

    /// Validates a GGUF file that lies in memory; `path` is what it is called in messages.
    ///
    /// # Errors
    /// As [`ModelFile::open`].
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        Self::gguf(path, Bytes::Made(bytes))
    }

    fn gguf(path: &Path, bytes: Bytes) -> Result<Self> {
        let header = parse(bytes.as_slice()).map_err(|refusal| refused(path, refusal))?;
        let (metadata, raw, tensors) = (header.metadata, header.raw, header.tensors);
        Self::new(path, Contents { parts: vec![bytes], metadata, raw, tensors, folder: None })
    }

    fn new(path: &Path, contents: Contents) -> Result<Self> {
        let Contents { parts, metadata, raw, tensors, folder } = contents;
        let keys = metadata.iter().enumerate().map(|(index, (key, _))| (key.clone(), index)).collect();
        let names = tensors.iter().enumerate().map(|(index, entry)| (entry.name.clone(), index)).collect();
        let mut start = 0;
        let place = |bytes: Bytes| {
            let part = Part { start, bytes };
            start += part.bytes.as_slice().len();
            part
        };
        let parts = parts.into_iter().map(place).collect();
        let (path, architecture, sha256) = (path.to_owned(), String::new(), OnceLock::new());
        let mut file = Self { path, parts, metadata, raw, tensors, architecture, keys, names, folder, sha256 };
        file.architecture = file.string("general.architecture")?.to_owned();
        Ok(file)
    }

    /// What only a Hugging Face folder has; `None` for a GGUF file.
    pub(crate) fn folder(&self) -> Option<&Folder> {
        self.folder.as_ref()
    }

    /// Whether this is a Hugging Face folder.
    pub fn is_folder(&self) -> bool {
        self.folder.is_some()
    }

    /// What the model's own files call a tensor, whether they have it or not.
    pub(crate) fn written_name(&self, tensor: &str) -> String {
        let Some(folder) = &self.folder else { return tensor.to_owned() };
        let name = folder.names.get(tensor).cloned();
        name.or_else(|| huggingface::written_name(tensor, &self.architecture)).unwrap_or_else(|| tensor.to_owned())
    }

    /// What the model's own files call a metadata key.
    pub(crate) fn written_key<'a>(&'a self, key: &'a str) -> &'a str {
        self.folder.as_ref().and_then(|folder| folder.keys.get(key)).map_or(key, |written| *written)
    }

    fn slice(&self, range: Range<usize>) -> Option<&[u8]> {
        let part = self.parts.get(self.parts.partition_point(|part| part.start <= range.start).checked_sub(1)?)?;
        part.bytes.as_slice().get(range.start - part.start..range.end.checked_sub(part.start)?)
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
        } else if self.tensors.is_empty() {
            "it holds no tensors".to_owned()
        } else {
            return Ok(());
        };
        Err(ModelError::NotABaseModel { path: self.path.clone(), reason })
    }

    /// Where the file or folder lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the file, or of all files with weights, in bytes.
    pub fn file_bytes(&self) -> u64 {
        let mapped = self.parts.iter().filter(|part| matches!(part.bytes, Bytes::Mapped(_)));
        mapped.map(|part| part.bytes.as_slice().len() as u64).sum()
    }

    /// All metadata, in the file's order.
    pub fn metadata(&self) -> &[(String, Value)] {
        &self.metadata
    }

    /// A metadata value as it stands in a GGUF file: type number and value, to be copied unchanged.
    pub fn raw(&self, key: &str) -> Option<&[u8]> {
        self.keys.get(key).and_then(|index| self.slice(self.raw[*index].clone()))
    }

    /// A metadata value.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.keys.get(key).map(|index| &self.metadata[*index].1)
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
            key: self.written_key(key).to_owned(),
            expected,
            found,
        })
    }

    fn missing(&self, key: &str) -> ModelError {
        ModelError::MissingKey { path: self.path.clone(), key: self.written_key(key).to_owned() }
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
    /// When it is missing, of another type or not finite.
    pub fn f32(&self, key: &str) -> Result<f32> {
        let number = self.typed(key, "a decimal number", Value::as_f64)?.ok_or_else(|| self.missing(key))? as f32;
        if number.is_finite() {
            return Ok(number);
        }
        Err(ModelError::Configuration {
            path: self.path.clone(),
            key: self.written_key(key).to_owned(),
            value: number.to_string(),
            problem: "not a finite number",
        })
    }

    /// A decimal number, or `default` when the key is missing.
    ///
    /// # Errors
    /// When it is of another type or not finite.
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
        &self.tensors
    }

    /// The tensor of that name.
    pub fn tensor(&self, name: &str) -> Option<&TensorEntry> {
        self.names.get(name).map(|index| &self.tensors[*index])
    }

    /// The stored bytes of a tensor of this file; empty for an entry of another file that lies outside this one.
    pub fn bytes(&self, tensor: &TensorEntry) -> &[u8] {
        let start = tensor.offset as usize;
        start.checked_add(tensor.byte_len).and_then(|end| self.slice(start..end)).unwrap_or_default()
    }

    /// The rows of a head of this tensor, when a folder has them in halves and a GGUF file would have them in pairs: queries and keys
    /// of the architecture `llama`.
    pub fn paired_in_gguf(&self, tensor: &TensorEntry) -> Option<usize> {
        let turned = [".attn_q.", ".attn_k."].iter().any(|leaf| tensor.name.contains(leaf));
        let head = self.get("llama.attention.key_length").and_then(Value::as_u64)? as usize;
        let whole = head > 0 && tensor.shape.first().is_some_and(|rows| rows.is_multiple_of(head));
        (self.is_folder() && turned && whole).then_some(head)
    }

    /// `general.architecture`, e.g. `gemma3`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// SHA-256 of the whole file, lower-case hex; of a folder's files one after the other. Reads them once, then remembers.
    pub fn sha256(&self) -> String {
        let digest = || {
            let mut hash = Sha256::new();
            for bytes in self.folder.iter().flat_map(Folder::files) {
                hash.update(bytes);
            }
            for part in &self.parts {
                if let Bytes::Mapped(map) = &part.bytes {
                    hash.update(&map[..]);
                }
            }
            hex(&hash.finalize())
        };
        self.sha256.get_or_init(digest).clone()
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Maps a file for reading.
pub(crate) fn map(path: &Path) -> Result<Mmap> {
    let file = hone_job::fs::open(path)?;
    // SAFETY: the mapping is read-only and private to this process. Another program that shortens the file while it
    // is mapped would end this process with a bus error: that is why the worker is a process of its own, and why
    // models that others manage are copied or linked into Hone's folder before a training begins.
    #[allow(unsafe_code)]
    let map = unsafe { Mmap::map(&file) };
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
