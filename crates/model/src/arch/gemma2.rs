//! Gemma 2 (<https://arxiv.org/abs/2408.00118>; Transformers' `modeling_gemma2.py`).
//!
//! Local and global layers in turn, beginning with a local one; RMS norm before and after attention and feed-forward; `GeGLU`;
//! soft-capped attention scores and logits; embedding scaled by `sqrt(hidden)` and tied to the LM head.

use super::Reader;
use super::settings::{self, GEMMA, Shape};
use crate::config::{Activation, DecoderConfig, LayerConfig};
use crate::error::Result;
use crate::huggingface::{Config, Keys};

/// Layers of the 27B model, which scales by hidden / heads instead of the head width.
const LAYERS_OF_27B: usize = 46;

/// Local and global layers in turn.
fn is_local(layer: usize) -> bool {
    layer.is_multiple_of(2)
}

pub(super) fn read(reader: &Reader<'_>) -> Result<DecoderConfig> {
    let plain = reader.plain()?;
    let layers = plain.layers.len();
    let windows = if reader.has("attention.sliding_window") {
        reader.windows(layers, is_local)?
    } else {
        (0..layers).map(|layer| is_local(layer).then_some(4096)).collect()
    };
    let cap = |leaf, default| reader.decimal_or(leaf, default).map(|cap| (cap > 0.0).then_some(cap));
    Ok(DecoderConfig {
        context_length: reader.size("context_length")?,
        attention_scale: attention_scale(reader, &plain, LAYERS_OF_27B)?,
        attention_softcap: cap("attn_logit_softcapping", 50.0)?,
        logit_softcap: cap("final_logit_softcapping", 30.0)?,
        embedding_scale: (plain.hidden_size as f32).sqrt(),
        activation: Activation::Gelu,
        post_norms: true,
        layers: windows.into_iter().map(|window| LayerConfig { window, rope: 0 }).collect(),
        ..plain
    })
}

/// Gemma's factor on `q · k`: by the head width, by hidden / heads in the largest model, or as a folder's settings say.
pub(super) fn attention_scale(reader: &Reader<'_>, plain: &DecoderConfig, layers_of_27b: usize) -> Result<f32> {
    let by_heads = plain.layers.len() == layers_of_27b;
    let size = if by_heads { plain.hidden_size / plain.heads } else { plain.head_size };
    reader.decimal_or("attention.scale", 1.0 / (size as f32).sqrt())
}

pub(super) fn keys(config: &Config, keys: &mut Keys) -> Result<()> {
    let shape = settings::sizes(config, keys, GEMMA)?;
    settings::rotation(config, keys, &shape)?;
    write_scale(config, keys, &shape, LAYERS_OF_27B)?;
    // Written as 0 where the settings switch a cap off.
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        keys.decimal(key, config.decimal(key)?.unwrap_or(0.0));
    }
    keys.number("attention.sliding_window", config.size_or("sliding_window", 4096)?);
    if let Some(windowed) = settings::windowed(config, &shape)?
        && windowed.iter().enumerate().any(|(layer, windowed)| *windowed != is_local(layer))
    {
        keys.flags("attention.sliding_window_pattern", windowed);
    }
    Ok(())
}

/// Writes Gemma's `query_pre_attn_scalar` where it is not what GGUF's reader takes for granted.
pub(super) fn write_scale(config: &Config, keys: &mut Keys, shape: &Shape, layers_of_27b: usize) -> Result<()> {
    let scalar = config.decimal("query_pre_attn_scalar")?.unwrap_or(256.0);
    if scalar <= 0.0 {
        return Err(config.wrong("query_pre_attn_scalar", "not above 0"));
    }
    let by_heads = shape.layers as usize == layers_of_27b;
    let granted = if by_heads { shape.hidden_size / shape.heads } else { shape.head_size };
    if scalar - f64::from(granted) != 0.0 {
        keys.decimal("attention.scale", 1.0 / scalar.sqrt());
    }
    Ok(())
}
