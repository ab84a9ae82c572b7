//! Qwen 3, dense (<https://arxiv.org/abs/2505.09388>): the plain decoder with RMS norm on queries and keys and a head width of its own.

use super::Reader;
use crate::config::DecoderConfig;
use crate::error::Result;

pub(super) fn read(reader: &Reader<'_>) -> Result<DecoderConfig> {
    Ok(DecoderConfig { qk_norm: true, ..reader.plain()? })
}
