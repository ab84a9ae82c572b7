//! Gemma 3, text only (<https://arxiv.org/abs/2503.19786>; Transformers' `modeling_gemma3.py`; llama.cpp's `gemma3`).
//!
//! Five local layers with a sliding window and a small rotary base, then a global one; RMS norm on queries and keys, and
//! before and after attention and feed-forward; `GeGLU`; embedding scaled by `sqrt(hidden)` and tied to the LM head; no
//! soft-capping. The vision tower is not read.

use super::gemma2::{attention_scale, write_scale};
use super::settings::{self, GEMMA};
use super::{Reader, rope};
use crate::config::{Activation, DecoderConfig, LayerConfig, RopeConfig};
use crate::error::Result;
use crate::huggingface::{Config, Keys};

/// Every sixth layer is global.
const PATTERN: u32 = 6;
/// Layers of the 27B model, which scales by hidden / heads instead of the head width (llama.cpp, `LLM_TYPE_27B`).
const LAYERS_OF_27B: usize = 62;
const LOCAL_BASE: f32 = 10_000.0;

pub(super) fn read(reader: &Reader<'_>) -> Result<DecoderConfig> {
    let plain = reader.plain()?;
    reader.size("attention.sliding_window")?;
    let pattern = if reader.has_list("attention.sliding_window_pattern") {
        PATTERN
    } else {
        reader.number_or("attention.sliding_window_pattern", PATTERN)?.max(1)
    };
    let windows = reader.windows(plain.layers.len(), |layer| is_local(layer, pattern))?;
    let head_size = reader.size_or("attention.key_length", 256)?;
    let plain = DecoderConfig { head_size, ..plain };
    let global = RopeConfig {
        base: reader.decimal_or("rope.freq_base", 1_000_000.0)?,
        dimensions: head_size,
        ..plain.ropes[0].clone()
    };
    let local = RopeConfig::plain(reader.decimal_or("rope.freq_base_swa", LOCAL_BASE)?, head_size);
    let layer = |window: Option<usize>| LayerConfig { window, rope: usize::from(window.is_some()) };
    Ok(DecoderConfig {
        context_length: reader.size("context_length")?,
        attention_scale: attention_scale(reader, &plain, LAYERS_OF_27B)?,
        embedding_scale: (plain.hidden_size as f32).sqrt(),
        activation: Activation::Gelu,
        qk_norm: true,
        post_norms: true,
        ropes: vec![global, local],
        layers: windows.into_iter().map(layer).collect(),
        ..plain
    })
}

fn is_local(layer: usize, pattern: u32) -> bool {
    !(layer + 1).is_multiple_of(pattern as usize)
}

pub(super) fn keys(config: &Config, keys: &mut Keys) -> Result<()> {
    let shape = settings::sizes(config, keys, GEMMA)?;
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        if config.decimal(key)?.is_some() {
            return Err(config.wrong(key, "a soft cap, which Gemma 3 does not have"));
        }
    }
    let both = config.section("rope_parameters")?;
    let part = |name: &str| both.as_ref().map_or(Ok(None), |both| both.section(name));
    let global = match part("full_attention")? {
        Some(section) => Some(section),
        None => config.section("rope_scaling")?,
    };
    let theta = config.decimal("rope_theta")?.unwrap_or(1_000_000.0);
    rope::write(config, global.as_ref(), theta, &shape, keys)?;
    let local = part("sliding_attention")?;
    if let Some(local) = &local
        && local.text("rope_type")?.is_some_and(|kind| kind != "default")
    {
        return Err(local.wrong("rope_type", "a stretched rotation in the local layers, which Hone does not compute"));
    }
    let base = local.map_or(Ok(None), |local| local.decimal("rope_theta"))?;
    let base = base.or(config.decimal("rope_local_base_freq")?).unwrap_or(f64::from(LOCAL_BASE));
    keys.decimal("rope.freq_base_swa", base);
    write_scale(config, keys, &shape, LAYERS_OF_27B)?;
    keys.number("attention.sliding_window", config.size_or("sliding_window", 4096)?);
    let pattern = config.size_or("sliding_window_pattern", config.size_or("_sliding_window_pattern", PATTERN)?)?;
    let by_pattern = || (0..shape.layers as usize).map(|layer| is_local(layer, pattern)).collect();
    let windowed: Vec<bool> = settings::windowed(config, &shape)?.unwrap_or_else(by_pattern);
    if windowed.iter().enumerate().any(|(layer, windowed)| *windowed != is_local(layer, PATTERN)) {
        keys.flags("attention.sliding_window_pattern", windowed);
    }
    Ok(())
}
