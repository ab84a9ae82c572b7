//! Llama 2 and 3 (<https://arxiv.org/abs/2307.09288>, <https://arxiv.org/abs/2407.21783>), and what is stored as such: Mistral,
//! `SmolLM2`, `TinyLlama`, Yi.
//!
//! The plain decoder. llama.cpp's converter interleaves the rows of queries and keys; a folder has them in halves. Llama 3.1 and
//! later divide the frequencies by factors, which GGUF keeps in `rope_freqs.weight`. Early Mistrals have a sliding window.

use super::Reader;
use super::settings;
use crate::config::DecoderConfig;
use crate::error::Result;
use crate::huggingface::{Config, Keys};

pub(super) fn read(reader: &Reader<'_>) -> Result<DecoderConfig> {
    Ok(DecoderConfig { paired_rows: !reader.file.is_folder(), ..reader.plain()? })
}

pub(super) fn keys(config: &Config, keys: &mut Keys) -> Result<()> {
    settings::plain(config, keys).map(drop)
}

pub(super) fn mistral_keys(config: &Config, keys: &mut Keys) -> Result<()> {
    let shape = settings::plain(config, keys)?;
    if let Some(window) = config.number("sliding_window")?.filter(|window| (1..shape.context_length).contains(window)) {
        keys.number("attention.sliding_window", window);
    }
    Ok(())
}
