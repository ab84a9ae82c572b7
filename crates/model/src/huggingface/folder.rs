//! A folder as it lies on disk: which files there are, and the tensors in them under GGUF's names.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;

use super::safetensors::{Stored, parse};
use super::{Config, config, names, tokenizer};
use crate::arch;
use crate::error::{ModelError, Result};
use crate::gguf::{TensorEntry, Value};
use crate::source::{Bytes, Contents, map};

const TOKENIZER: &str = "tokenizer.json";
const INDEX: &str = "model.safetensors.index.json";
/// The largest `tokenizer.json` that is read, bytes; Gemma 3's takes 33 MB.
const MAX_TOKENIZER_BYTES: u64 = 256 << 20;

/// What only a Hugging Face folder has.
#[derive(Debug)]
pub(crate) struct Folder {
    /// What the folder calls a tensor, by GGUF's name.
    pub(crate) names: HashMap<String, String>,
    /// What `config.json` calls a metadata key, by GGUF's name.
    pub(crate) keys: HashMap<String, &'static str>,
    pub(crate) tokenizer: Tokenizer,
    /// The small files, for a digest of the whole.
    files: Vec<Vec<u8>>,
}

/// What a folder's tokenizer is made from.
#[derive(Debug)]
pub(crate) struct Tokenizer {
    /// `tokenizer.json`.
    json: Option<Vec<u8>>,
    settings: tokenizer::Settings,
    /// Rows of the embedding.
    rows: usize,
}

impl Tokenizer {
    /// `tokenizer.json`.
    ///
    /// # Errors
    /// [`ModelError::MissingFile`] when the folder has none.
    pub(crate) fn json(&self, folder: &Path) -> Result<&[u8]> {
        let missing = || ModelError::MissingFile { folder: folder.to_owned(), file: TOKENIZER.to_owned() };
        self.json.as_deref().ok_or_else(missing)
    }

    /// Whether special tokens swallow the white space after them.
    fn drops_white_space(&self) -> bool {
        self.json.as_deref().is_some_and(tokenizer::drops_white_space)
    }

    /// The metadata that a GGUF file would have for it.
    ///
    /// # Errors
    /// When the folder has none, it is damaged, or of a kind that GGUF has no word for.
    pub(crate) fn keys(&self, folder: &Path) -> Result<Vec<(String, Value)>> {
        tokenizer::metadata(&folder.join(TOKENIZER), self.json(folder)?, &self.settings, self.rows)
    }
}

impl Folder {
    /// The small files, for a digest of the whole.
    pub(crate) fn files(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().map(Vec::as_slice).chain(self.tokenizer.json.as_deref())
    }
}

/// Reads a folder's headers and translates them.
///
/// # Errors
/// When a file is missing, damaged, or of a kind that Hone does not read.
pub(crate) fn open(folder: &Path) -> Result<Contents> {
    let path = folder.join("config.json");
    let Some((config, config_bytes)) = Config::read(&path)? else {
        let reason = "it is a folder without `config.json`, so no Hugging Face model".to_owned();
        return Err(ModelError::NotABaseModel { path: folder.to_owned(), reason });
    };
    refuse_quantised(folder, &config)?;
    let mut keys = arch::keys_of(folder, &config)?;
    let shards = shards(folder)?;
    let mut files = vec![config_bytes];

    let tokenizer = config::bytes_of(&folder.join(TOKENIZER), MAX_TOKENIZER_BYTES)?;
    let settings = tokenizer::Settings::read(folder, &config, &mut files)?;

    let mut parts = Vec::new();
    let mut stored = Vec::new();
    for shard in &shards {
        let bytes = map(shard)?;
        stored.push(parse(&bytes, shard)?);
        parts.push(bytes);
    }
    let tied = config.flag_or("tie_word_embeddings", keys.architecture().starts_with("gemma"))?;
    let mut tensors = Tensors::new(keys.architecture(), folder);
    let mut first = 0;
    for ((shard, stored), bytes) in shards.iter().zip(stored).zip(&parts) {
        for tensor in stored {
            if tied && tensor.name == "lm_head.weight" || names::is_derived(&tensor.name) {
                continue;
            }
            tensors.add(&tensor, shard, &bytes[..], first)?;
        }
        first += bytes.len();
    }
    check_index(folder, &tensors, tied)?;
    if !tied && !tensors.names.contains_key("output.weight") {
        return Err(ModelError::MissingTensor { path: folder.to_owned(), tensor: "lm_head.weight".to_owned() });
    }
    let Some(rows) = tensors.entries.iter().find(|e| e.name == "token_embd.weight").map(|e| e.shape[0]) else {
        let tensor = "model.embed_tokens.weight".to_owned();
        return Err(ModelError::MissingTensor { path: folder.to_owned(), tensor });
    };
    if config.size("vocab_size")? as usize != rows {
        return Err(config.wrong("vocab_size", "not the number of rows of `model.embed_tokens.weight`"));
    }
    for (name, values) in std::mem::take(&mut keys.vectors) {
        tensors.make(name, &values);
    }
    // A tokenizer that cannot be used is no reason not to compute: whoever needs it asks `Folder::tokenizer`.
    let tokenizer = Tokenizer { json: tokenizer, settings, rows };
    let name = folder.canonicalize().ok().and_then(|f| Some(f.file_name()?.to_string_lossy().into_owned()));
    let mut name = name.unwrap_or_default();
    // llama.cpp drops the white space after control tokens, as such a tokenizer does, in models of this name.
    let called_so = ["phi-3", "phi3"].iter().any(|called| name.to_lowercase().contains(called));
    if keys.architecture() == "phi3" && !called_so && tokenizer.drops_white_space() {
        name = format!("Phi-3 {name}");
    }
    keys.metadata.extend([
        ("general.type".to_owned(), Value::String("model".to_owned())),
        ("general.name".to_owned(), Value::String(name)),
        ("general.file_type".to_owned(), Value::U32(tensors.file_type())),
        ("general.quantization_version".to_owned(), Value::U32(2)),
    ]);
    keys.metadata.extend(tokenizer.keys(folder).unwrap_or_default());

    // The bytes that were made come first: vectors, then metadata. The mapped files follow.
    let Tensors { mut entries, names, mut made, made_entries, .. } = tensors;
    let mut raw = Vec::new();
    for (_, value) in &keys.metadata {
        let start = made.len();
        value.write(&mut made);
        raw.push(start..made.len());
    }
    for entry in entries.iter_mut().filter(|entry| !made_entries.contains(&entry.name)) {
        entry.offset += made.len() as u64;
    }
    let mut bytes = vec![Bytes::Made(made)];
    bytes.extend(parts.into_iter().map(Bytes::Mapped));
    let folder = Folder { names, keys: keys.written, tokenizer, files };
    Ok(Contents { parts: bytes, metadata: keys.metadata, raw, tensors: entries, folder: Some(folder) })
}

fn refuse_quantised(folder: &Path, config: &Config) -> Result<()> {
    let Some(section) = config.section("quantization_config")? else { return Ok(()) };
    let method = section.text("quant_method")?.unwrap_or("unknown").to_owned();
    Err(ModelError::QuantisedCheckpoint { path: folder.to_owned(), method })
}

/// The files with weights: those that the index names, or the one there is.
fn shards(folder: &Path) -> Result<Vec<PathBuf>> {
    let missing = |file: &str| ModelError::MissingFile { folder: folder.to_owned(), file: file.to_owned() };
    if let Some((index, _)) = Config::read(&folder.join(INDEX))? {
        let Some(weights) = index.section("weight_map")? else { return Err(index.wrong("weight_map", "not a list")) };
        let mut files: Vec<&str> = Vec::new();
        for file in weights.all_texts()? {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files.sort_unstable();
        if files.is_empty() {
            return Err(index.wrong("weight_map", "empty"));
        }
        return files
            .into_iter()
            .map(|file| {
                let plain = Path::new(file).file_name().is_some_and(|name| name == file);
                if !plain || !file.ends_with(".safetensors") {
                    return Err(index.wrong("weight_map", "a list that leads to files of another kind or place"));
                }
                let path = folder.join(file);
                if path.is_file() { Ok(path) } else { Err(missing(file)) }
            })
            .collect();
    }
    let single = folder.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let files = hone_job::fs::list_dir(folder)?;
    let ends = |path: &PathBuf, ends: &[&str]| {
        path.extension().is_some_and(|extension| ends.iter().any(|end| extension.eq_ignore_ascii_case(end)))
    };
    if let Some(pickle) = files.iter().find(|path| ends(path, &["bin", "pt", "pth", "ckpt"])) {
        return Err(ModelError::Pickle { path: pickle.clone() });
    }
    if files.iter().any(|path| ends(path, &["safetensors"])) {
        return Err(missing(INDEX));
    }
    Err(missing("model.safetensors"))
}

/// Every tensor that the index promises is there.
fn check_index(folder: &Path, tensors: &Tensors<'_>, tied: bool) -> Result<()> {
    let path = folder.join(INDEX);
    let Some((index, _)) = Config::read(&path)? else { return Ok(()) };
    let Some(weights) = index.section("weight_map")? else { return Ok(()) };
    let there: HashSet<&str> = tensors.names.values().map(String::as_str).collect();
    let skipped = |name: &str| tied && name == "lm_head.weight" || names::is_derived(name);
    match weights.keys().find(|name| !there.contains(name) && !skipped(name)) {
        Some(name) => Err(ModelError::MissingTensor { path: folder.to_owned(), tensor: name.to_owned() }),
        None => Ok(()),
    }
}

/// The tensors of a folder under GGUF's names.
struct Tensors<'a> {
    architecture: &'static str,
    folder: &'a Path,
    entries: Vec<TensorEntry>,
    /// By GGUF's name.
    names: HashMap<String, String>,
    /// Bytes of tensors that are not as the folder has them.
    made: Vec<u8>,
    made_entries: HashSet<String>,
}

impl<'a> Tensors<'a> {
    fn new(architecture: &'static str, folder: &'a Path) -> Self {
        let (entries, made, made_entries) = (Vec::new(), Vec::new(), HashSet::new());
        Self { architecture, folder, entries, names: HashMap::new(), made, made_entries }
    }

    /// A tensor of the file `bytes`, which begins `first` bytes behind the start of all files.
    fn add(&mut self, tensor: &Stored, shard: &Path, bytes: &[u8], first: usize) -> Result<()> {
        let Some(name) = names::gguf_name(&tensor.name, self.architecture) else {
            let reason = format!("it holds `{}`, a part that Hone does not compute for this family", tensor.name);
            return Err(ModelError::NotABaseModel { path: self.folder.to_owned(), reason });
        };
        let damaged = |problem: String| ModelError::Damaged {
            path: shard.to_owned(),
            place: format!("tensor `{}`", tensor.name),
            problem,
        };
        if let Some(other) = self.names.insert(name.clone(), tensor.name.clone()) {
            return Err(damaged(format!("`{other}` was read in its place already")));
        }
        let dtype = match tensor.dtype.as_str() {
            "F32" => GgmlDType::F32,
            "F16" => GgmlDType::F16,
            "BF16" => GgmlDType::BF16,
            other => {
                let (path, tensor, dtype) = (shard.to_owned(), tensor.name.clone(), other.to_owned());
                return Err(ModelError::UnsupportedDtype { path, tensor, dtype });
            }
        };
        let (Some(row), 1..=2) = (tensor.shape.last(), tensor.shape.len()) else {
            return Err(damaged(format!("its shape {:?} is that of no matrix and no vector", tensor.shape)));
        };
        if tensor.shape.contains(&0) {
            return Err(damaged(format!("one of its dimensions {:?} is 0", tensor.shape)));
        }
        let values = &bytes[tensor.start..tensor.end];
        if tensor.shape.len() == 1 {
            let mut vector = vec![0.0; *row];
            crate::ops::dequantise(dtype, values, &mut vector).map_err(damaged)?;
            // Gemma multiplies by 1 + w; GGUF holds the sum.
            if self.architecture.starts_with("gemma") && name.ends_with("norm.weight") {
                for value in &mut vector {
                    *value += 1.0;
                }
            }
            self.make(&name, &vector);
            return Ok(());
        }
        let (shape, offset, byte_len) = (tensor.shape.clone(), (first + tensor.start) as u64, values.len());
        self.entries.push(TensorEntry { name, shape, dtype, offset, byte_len });
        Ok(())
    }

    /// A vector that is no part of any file.
    fn make(&mut self, name: &str, values: &[f32]) {
        let offset = self.made.len() as u64;
        self.made.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let byte_len = size_of_val(values);
        let (name, shape, dtype) = (name.to_owned(), vec![values.len()], GgmlDType::F32);
        self.made_entries.insert(name.clone());
        self.entries.push(TensorEntry { name, shape, dtype, offset, byte_len });
    }

    /// `general.file_type`: what most of the matrices are stored as.
    fn file_type(&self) -> u32 {
        let bytes =
            |dtype| self.entries.iter().filter(|e| e.dtype == dtype && e.shape.len() == 2).map(|e| e.byte_len).sum();
        let kinds: [(usize, u32); 3] =
            [(bytes(GgmlDType::F32), 0), (bytes(GgmlDType::F16), 1), (bytes(GgmlDType::BF16), 32)];
        kinds.into_iter().max().map_or(0, |(_, number)| number)
    }
}
