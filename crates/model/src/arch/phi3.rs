//! Phi-3 and Phi-4-mini (<https://arxiv.org/abs/2404.14219>): the plain decoder with fused matrices, a sliding window in some
//! checkpoints, and in Phi-4-mini a rotation of three quarters of each head.
//!
//! `LongRope` has one set of frequency factors for short and one for long texts. llama.cpp takes the long one for every text when the
//! context is long, Transformers for long texts only. Training keeps to texts that are short for both: the context ends where
//! the two would differ.

use super::Reader;
use super::settings::{self, Differs, PLAIN};
use crate::config::{DecoderConfig, LayerConfig, LongFactors, RopeConfig};
use crate::error::Result;
use crate::huggingface::{Config, Keys};

pub(super) fn read(reader: &Reader<'_>) -> Result<DecoderConfig> {
    let plain = reader.plain()?;
    let context_length = reader.size("context_length")?;
    let window = reader.number_or("attention.sliding_window", 0)? as usize;
    let window = (window > 0 && window < context_length).then_some(window);
    let short = reader.frequency_factors("rope_factors_short.weight")?;
    let context_length = if short.is_empty() {
        context_length
    } else {
        reader.size_or("rope.scaling.original_context_length", context_length)?
    };
    let plain_rope = plain.ropes[0].clone();
    let rope = if short.is_empty() {
        plain_rope
    } else {
        let magnitude = reader.decimal_or("rope.scaling.attn_factor", 1.0)?;
        let long = reader.frequency_factors("rope_factors_long.weight")?;
        let long = (!long.is_empty()).then_some(LongFactors { beyond: context_length, frequency_factors: long });
        RopeConfig { frequency_factors: short, magnitude, long, ..plain_rope }
    };
    Ok(DecoderConfig {
        fused: true,
        context_length,
        ropes: vec![rope],
        layers: plain.layers.iter().map(|layer| LayerConfig { window, ..*layer }).collect(),
        ..plain
    })
}

pub(super) fn keys(config: &Config, keys: &mut Keys) -> Result<()> {
    let shape = settings::sizes(config, keys, Differs { norm_epsilon: 1e-5, ..PLAIN })?;
    settings::rotation(config, keys, &shape)?;
    if let Some(window) = config.number("sliding_window")?.filter(|window| *window > 0) {
        keys.number("attention.sliding_window", window);
    }
    Ok(())
}
