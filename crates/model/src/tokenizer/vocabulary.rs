//! The tokens of a GGUF file: their text, kind and score.

use std::collections::HashMap;

use crate::error::{ModelError, Result};
use crate::gguf::{Array, Value};
use crate::source::ModelFile;

/// What a token is for (`enum llama_token_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Unknown,
    /// Steers the model; never made from a user's text.
    Control,
    /// Text that is always one token.
    UserDefined,
    Unused,
    /// One byte, written `<0x0A>`.
    Byte(u8),
}

/// Texts that llama.cpp treats as control tokens whatever the file says (`llama-vocab.cpp`: the end-of-generation set).
const CONTROL_TEXTS: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end▁of▁sentence|>",
    "<end_of_utterance>",
];

#[derive(Debug)]
pub(super) struct Vocabulary {
    pub(super) texts: Vec<String>,
    pub(super) kinds: Vec<Kind>,
    pub(super) scores: Vec<f32>,
    pub(super) ids: HashMap<String, u32>,
    /// Token id of each byte value.
    pub(super) bytes: Vec<Option<u32>>,
    pub(super) unknown: Option<u32>,
}

impl Vocabulary {
    /// The tokens of a GGUF file, with the kinds that llama.cpp gives them.
    pub(super) fn from_gguf(file: &ModelFile) -> Result<Self> {
        Self::read(file, CONTROL_TEXTS)
    }

    /// The tokens of a folder, with the kinds that `tokenizer.json` gives them.
    pub(super) fn of_folder(file: &ModelFile) -> Result<Self> {
        Self::read(file, &[])
    }

    fn read(file: &ModelFile, controls: &[&str]) -> Result<Self> {
        let mut texts = file.strings("tokenizer.ggml.tokens")?.to_vec();
        // Some files list more tokens than the embedding has rows: what has no row cannot be a token.
        if let Some(embedding) = file.tensor("token_embd.weight") {
            texts.truncate(embedding.shape[0]);
        }
        let count = texts.len();
        let types = list(file, "tokenizer.ggml.token_type", count)?;
        let Array::I32(types) = types else {
            return Err(unequal(file, "tokenizer.ggml.token_type", "not of whole numbers"));
        };
        // Byte-level BPE ranks its merges, not its tokens.
        let scores = match file.get("tokenizer.ggml.scores") {
            None if file.string("tokenizer.ggml.model")? == "gpt2" => vec![0.0; count],
            _ => match list(file, "tokenizer.ggml.scores", count)? {
                Array::F32(scores) => scores[..count].to_vec(),
                _ => return Err(unequal(file, "tokenizer.ggml.scores", "not of decimal numbers")),
            },
        };
        let mut ids = HashMap::with_capacity(count);
        for (id, text) in texts.iter().enumerate() {
            ids.entry(text.clone()).or_insert(id as u32);
        }
        let kinds: Vec<Kind> = texts.iter().zip(types).map(|(text, kind)| kind_of(text, *kind, controls)).collect();
        let mut bytes = vec![None; 256];
        for (id, kind) in kinds.iter().enumerate() {
            if let Kind::Byte(byte) = kind {
                bytes[usize::from(*byte)] = Some(id as u32);
            }
        }
        let unknown = file.get("tokenizer.ggml.unknown_token_id").and_then(Value::as_u64).map(|id| id as u32);
        Ok(Self { texts, kinds, scores, ids, bytes, unknown })
    }

    /// The id of a token that ordinary text may become, with its score.
    pub(super) fn normal(&self, text: &str) -> Option<(u32, f32)> {
        let id = *self.ids.get(text)?;
        (self.kinds[id as usize] == Kind::Normal).then(|| (id, self.scores[id as usize]))
    }
}

fn list<'a>(file: &'a ModelFile, key: &str, at_least: usize) -> Result<&'a Array> {
    let missing = || ModelError::MissingKey { path: file.path().to_owned(), key: key.to_owned() };
    let array = file.get(key).and_then(Value::as_array).ok_or_else(missing)?;
    if array.len() < at_least {
        return Err(unequal(file, key, "shorter than the list of tokens"));
    }
    Ok(array)
}

fn unequal(file: &ModelFile, key: &str, problem: &'static str) -> ModelError {
    let value = "a list".to_owned();
    ModelError::Configuration { path: file.path().to_owned(), key: key.to_owned(), value, problem }
}

fn kind_of(text: &str, kind: i32, controls: &[&str]) -> Kind {
    if controls.contains(&text) {
        return Kind::Control;
    }
    match kind {
        2 => Kind::Unknown,
        3 => Kind::Control,
        4 => Kind::UserDefined,
        5 => Kind::Unused,
        6 => byte_of(text).map_or(Kind::Unused, Kind::Byte),
        _ => Kind::Normal,
    }
}

fn byte_of(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}
