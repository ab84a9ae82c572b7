//! Gemma 3, text only (<https://arxiv.org/abs/2503.19786>; Transformers' `modeling_gemma3.py`; llama.cpp's `gemma3`).
//!
//! Five local layers with a sliding window and a small rotary base, then a global one; RMS norm on queries and keys, and
//! before and after attention and feed-forward; `GeGLU`; embedding scaled by `sqrt(hidden)` and tied to the LM head; no
//! soft-capping. The vision tower is not read.

use super::Reader;
use crate::config::{Activation, DecoderConfig, LayerConfig, RopeConfig};
use crate::error::Result;

/// Every sixth layer is global.
const PATTERN: u32 = 6;
/// Layers of the 27B model, which scales by hidden / heads instead of the head width (llama.cpp, `LLM_TYPE_27B`).
const LAYERS_OF_27B: usize = 62;

pub(super) fn read(reader: &Reader<'_>) -> Result<DecoderConfig> {
    let plain = reader.plain()?;
    let window = reader.size("attention.sliding_window")?;
    let pattern = reader.number_or("attention.sliding_window_pattern", PATTERN)?.max(1) as usize;
    let head_size = reader.size_or("attention.key_length", 256)?;
    let scale_size = if plain.layers.len() == LAYERS_OF_27B { plain.hidden_size / plain.heads } else { head_size };
    let global = RopeConfig {
        base: reader.decimal_or("rope.freq_base", 1_000_000.0)?,
        dimensions: head_size,
        ..plain.ropes[0].clone()
    };
    let local = RopeConfig::plain(reader.decimal_or("rope.freq_base_swa", 10_000.0)?, head_size);
    let layer = |number: usize| match number % pattern {
        0 => LayerConfig { window: None, rope: 0 },
        _ => LayerConfig { window: Some(window), rope: 1 },
    };
    Ok(DecoderConfig {
        head_size,
        attention_scale: 1.0 / (scale_size as f32).sqrt(),
        embedding_scale: (plain.hidden_size as f32).sqrt(),
        activation: Activation::Gelu,
        qk_norm: true,
        post_norms: true,
        ropes: vec![global, local],
        layers: (1..=plain.layers.len()).map(layer).collect(),
        ..plain
    })
}
