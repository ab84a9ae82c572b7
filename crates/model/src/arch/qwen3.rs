//! Qwen 3, dense (<https://arxiv.org/abs/2505.09388>): the plain decoder with RMS norm on queries and keys and a head width of its own.

use super::settings::{self, Differs, PLAIN};
use super::{Reader, qwen2};
use crate::config::DecoderConfig;
use crate::error::Result;
use crate::huggingface::{Config, Keys};

pub(super) fn read(reader: &Reader<'_>) -> Result<DecoderConfig> {
    Ok(DecoderConfig { qk_norm: true, ..reader.plain()? })
}

pub(super) fn keys(config: &Config, keys: &mut Keys) -> Result<()> {
    let shape = settings::sizes(config, keys, Differs { head_size: Some(128), ..PLAIN })?;
    settings::rotation(config, keys, &shape)?;
    qwen2::window(config, keys, &shape)
}
