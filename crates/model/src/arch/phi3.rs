//! Phi-3 and Phi-4-mini (<https://arxiv.org/abs/2404.14219>): the plain decoder with fused matrices, a sliding window in some
//! checkpoints, and in Phi-4-mini a rotation of three quarters of each head.
//!
//! `LongRope` has one set of frequency factors for short and one for long texts. Training keeps to the short one, so that the
//! context ends where the long one would begin.

use super::Reader;
use crate::config::{DecoderConfig, LayerConfig, RopeConfig};
use crate::error::Result;

pub(super) fn read(reader: &Reader<'_>) -> Result<DecoderConfig> {
    let plain = reader.plain()?;
    let window = reader.number_or("attention.sliding_window", 0)? as usize;
    let window = (window > 0 && window < plain.context_length).then_some(window);
    let short = reader.frequency_factors("rope_factors_short.weight")?;
    let context_length = if short.is_empty() {
        plain.context_length
    } else {
        reader.size_or("rope.scaling.original_context_length", plain.context_length)?
    };
    let rope = RopeConfig {
        frequency_factors: short,
        magnitude: reader.decimal_or("rope.scaling.attn_factor", 1.0)?,
        ..plain.ropes[0].clone()
    };
    Ok(DecoderConfig {
        fused: true,
        context_length,
        ropes: vec![rope],
        layers: plain.layers.iter().map(|layer| LayerConfig { window, ..*layer }).collect(),
        ..plain
    })
}
