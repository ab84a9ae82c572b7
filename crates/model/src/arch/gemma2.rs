//! Gemma 2 (<https://arxiv.org/abs/2408.00118>; Transformers' `modeling_gemma2.py`).
//!
//! Local and global layers in turn, beginning with a local one; RMS norm before and after attention and feed-forward; `GeGLU`;
//! soft-capped attention scores and logits; embedding scaled by `sqrt(hidden)` and tied to the LM head.

use super::Reader;
use crate::config::{Activation, DecoderConfig, LayerConfig};
use crate::error::Result;

/// Layers of the 27B model, which scales by hidden / heads instead of the head width.
const LAYERS_OF_27B: usize = 46;

pub(super) fn read(reader: &Reader<'_>) -> Result<DecoderConfig> {
    let plain = reader.plain()?;
    let window = reader.size_or("attention.sliding_window", 4096)?;
    let scale_size =
        if plain.layers.len() == LAYERS_OF_27B { plain.hidden_size / plain.heads } else { plain.head_size };
    let layer = |index: usize| LayerConfig { window: index.is_multiple_of(2).then_some(window), rope: 0 };
    Ok(DecoderConfig {
        attention_scale: 1.0 / (scale_size as f32).sqrt(),
        attention_softcap: Some(reader.decimal_or("attn_logit_softcapping", 50.0)?),
        logit_softcap: Some(reader.decimal_or("final_logit_softcapping", 30.0)?),
        embedding_scale: (plain.hidden_size as f32).sqrt(),
        activation: Activation::Gelu,
        post_norms: true,
        layers: (0..plain.layers.len()).map(layer).collect(),
        ..plain
    })
}
