//! Llama 2 and 3 (<https://arxiv.org/abs/2307.09288>, <https://arxiv.org/abs/2407.21783>), and what llama.cpp stores as such: Mistral,
//! `SmolLM2`, `TinyLlama`, Yi.
//!
//! The plain decoder. The converter has interleaved the rows of queries and keys; Llama 3.1 and later divide the frequencies by
//! factors that lie in `rope_freqs.weight`.

use super::Reader;
use crate::config::DecoderConfig;
use crate::error::Result;

pub(super) fn read(reader: &Reader<'_>) -> Result<DecoderConfig> {
    Ok(DecoderConfig { paired_rows: true, ..reader.plain()? })
}
