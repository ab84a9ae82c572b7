//! Qwen 2 and 2.5 (<https://arxiv.org/abs/2412.15115>): the plain decoder with a bias on queries, keys and values.
//!
//! The bias is read wherever a file has one (`weights.rs`). The layers above `max_window_layers` can have a sliding window.

use super::Reader;
use super::settings::{self, Shape};
use crate::config::DecoderConfig;
use crate::error::Result;
use crate::huggingface::{Config, Keys};

pub(super) fn read(reader: &Reader<'_>) -> Result<DecoderConfig> {
    reader.plain()
}

pub(super) fn keys(config: &Config, keys: &mut Keys) -> Result<()> {
    let shape = settings::plain(config, keys)?;
    window(config, keys, &shape)
}

/// The windows of Qwen 2 and 3.
pub(super) fn window(config: &Config, keys: &mut Keys, shape: &Shape) -> Result<()> {
    let window = config.number("sliding_window")?.unwrap_or(0);
    if !config.flag_or("use_sliding_window", false)? || window == 0 {
        return Ok(());
    }
    let windowed = if let Some(windowed) = settings::windowed(config, shape)? {
        windowed
    } else {
        let first = config.number("max_window_layers")?.unwrap_or(28);
        (0..shape.layers).map(|layer| layer >= first).collect()
    };
    if windowed.contains(&true) {
        keys.number("attention.sliding_window", window);
        keys.flags("attention.sliding_window_pattern", windowed);
    }
    Ok(())
}
