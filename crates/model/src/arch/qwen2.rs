//! Qwen 2 and 2.5 (<https://arxiv.org/abs/2412.15115>): the plain decoder with a bias on queries, keys and values.
//!
//! The bias is read wherever a file has one (`weights.rs`).

use super::Reader;
use crate::config::DecoderConfig;
use crate::error::Result;

pub(super) fn read(reader: &Reader<'_>) -> Result<DecoderConfig> {
    reader.plain()
}
