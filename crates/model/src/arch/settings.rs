//! What most families have in their `config.json`, written as GGUF's keys.

use super::rope;
use crate::error::Result;
use crate::huggingface::{Config, Keys};

/// Factors of the rotation are made for heads up to this width, before any tensor proves it.
const WIDEST_HEAD: u32 = 1 << 14;

/// Sizes that the families' own settings refer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) layers: u32,
    pub(super) hidden_size: u32,
    pub(super) heads: u32,
    pub(super) head_size: u32,
    pub(super) context_length: u32,
}

/// How a family differs in the settings that all have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Differs {
    /// The key of the activation, and the names of the one that is computed.
    pub(super) activation: (&'static str, &'static [&'static str]),
    /// Width of a head where `head_dim` is missing; `None` divides the hidden width by the heads.
    pub(super) head_size: Option<u32>,
    /// `rms_norm_eps` where it is missing.
    pub(super) norm_epsilon: f64,
}

/// `SwiGLU`, heads that share the hidden width.
pub(super) const PLAIN: Differs =
    Differs { activation: ("hidden_act", &["silu", "swish"]), head_size: None, norm_epsilon: 1e-6 };

/// `GeGLU` in its tanh form, heads of 256: Gemma.
pub(super) const GEMMA: Differs = Differs {
    activation: ("hidden_activation", &["gelu_pytorch_tanh", "gelu_new"]),
    head_size: Some(256),
    norm_epsilon: 1e-6,
};

/// Sizes and norms, without the rotation.
pub(super) fn sizes(config: &Config, keys: &mut Keys, differs: Differs) -> Result<Shape> {
    let (key, known) = differs.activation;
    if config.text(key)?.is_some_and(|activation| !known.contains(&activation)) {
        return Err(config.wrong(key, "an activation that Hone does not compute for this family"));
    }
    let layers = keys.size(config, "num_hidden_layers", "block_count")?;
    let hidden_size = keys.size(config, "hidden_size", "embedding_length")?;
    keys.size(config, "intermediate_size", "feed_forward_length")?;
    let heads = keys.size(config, "num_attention_heads", "attention.head_count")?;
    let context_length = keys.size(config, "max_position_embeddings", "context_length")?;
    if config.get("num_key_value_heads").is_some() {
        keys.size(config, "num_key_value_heads", "attention.head_count_kv")?;
    } else {
        keys.number("attention.head_count_kv", heads);
    }
    let head_size = match differs.head_size {
        Some(size) => config.size_or("head_dim", size)?,
        None if config.get("head_dim").is_none() && !hidden_size.is_multiple_of(heads) => {
            return Err(config.wrong("num_attention_heads", "which does not divide `hidden_size`"));
        }
        None => config.size_or("head_dim", hidden_size / heads)?,
    };
    if head_size > WIDEST_HEAD {
        return Err(config.wrong("head_dim", "wider than any head"));
    }
    keys.number("attention.key_length", head_size);
    keys.number("attention.value_length", head_size);
    let epsilon = config.decimal("rms_norm_eps")?.unwrap_or(differs.norm_epsilon);
    keys.decimal("attention.layer_norm_rms_epsilon", epsilon);
    Ok(Shape { layers, hidden_size, heads, head_size, context_length })
}

/// The rotation where all layers have the same: `rope_parameters` (Transformers 5), or `rope_theta` and `rope_scaling` (4).
pub(super) fn rotation(config: &Config, keys: &mut Keys, shape: &Shape) -> Result<u32> {
    let section = match config.section("rope_parameters")? {
        Some(section) => Some(section),
        None => config.section("rope_scaling")?,
    };
    let theta = config.decimal("rope_theta")?.unwrap_or(10_000.0);
    rope::write(config, section.as_ref(), theta, shape, keys)
}

/// Everything, for a family that rotates whole heads.
pub(super) fn plain(config: &Config, keys: &mut Keys) -> Result<Shape> {
    let shape = sizes(config, keys, PLAIN)?;
    if rotation(config, keys, &shape)? != shape.head_size {
        return Err(config.wrong("partial_rotary_factor", "which this family does not have"));
    }
    Ok(shape)
}

/// Which layers have a window, from `layer_types`; `None` where the folder does not say.
pub(super) fn windowed(config: &Config, shape: &Shape) -> Result<Option<Vec<bool>>> {
    let Some(types) = config.texts("layer_types")? else { return Ok(None) };
    if types.len() != shape.layers as usize {
        return Err(config.wrong("layer_types", "not one type for each layer"));
    }
    let of = |kind: &&str| match *kind {
        "sliding_attention" => Ok(true),
        "full_attention" => Ok(false),
        _ => Err(config.wrong("layer_types", "a list with a type that Hone does not compute")),
    };
    types.iter().map(of).collect::<Result<_>>().map(Some)
}
