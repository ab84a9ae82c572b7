//! What a decoder looks like: sizes, scales and, layer by layer, how far attention sees.

/// The shape of a decoder-only language model, as read from its file.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // each is a switch of its own, and families have them in every combination
pub struct DecoderConfig {
    /// Name of the architecture as in `general.architecture`, e.g. `gemma3`.
    pub architecture: String,
    /// Rows of the embedding and of the tied LM head.
    pub vocabulary_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Query heads per layer.
    pub heads: usize,
    /// Key and value heads per layer; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head; even.
    pub head_size: usize,
    /// Width of the feed-forward part.
    pub feed_forward_size: usize,
    /// Longest sequence the base model was made for, tokens.
    pub context_length: usize,
    /// Added to the mean square inside every RMS norm.
    pub norm_epsilon: f32,
    /// Factor on `q · k` before the softmax.
    pub attention_scale: f32,
    /// Scores `s` become `cap · tanh(s / cap)` before the softmax (Gemma 2).
    pub attention_softcap: Option<f32>,
    /// The same on the logits.
    pub logit_softcap: Option<f32>,
    /// Factor on the token embedding before the first layer.
    pub embedding_scale: f32,
    /// The embedding is also the LM head.
    pub tied_head: bool,
    /// What gates the feed-forward part.
    pub activation: Activation,
    /// RMS norm on every query and key head before the rotation (Gemma 3, Qwen 3).
    pub qk_norm: bool,
    /// RMS norm on what attention and feed-forward put out (Gemma 2 and 3).
    pub post_norms: bool,
    /// Queries, keys and values come out of one matrix, gate and up out of another (Phi-3), so that an adapter lies on the whole.
    pub fused: bool,
    /// The file keeps the rows of a query or key head in the order of llama.cpp's adjacent pairs (the architecture `llama`);
    /// they are sorted into halves when they are read, as Transformers and PEFT have them.
    pub paired_rows: bool,
    /// The kinds of rotary embedding in the model.
    pub ropes: Vec<RopeConfig>,
    /// One entry per layer, in order.
    pub layers: Vec<LayerConfig>,
}

/// The function on the gate of a feed-forward part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// GELU in its tanh form: GeGLU.
    Gelu,
    /// `x · sigmoid(x)`: SwiGLU.
    Silu,
}

/// What differs from layer to layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerConfig {
    /// A key is seen when `query position - key position < window`; `None` sees everything before.
    pub window: Option<usize>,
    /// Rotary position embedding of this layer: an index into [`DecoderConfig::ropes`].
    pub rope: usize,
}

/// Rotary position embedding, the `rotate_half` form (pairs `i` and `i + dimensions / 2`).
#[derive(Debug, Clone, PartialEq)]
pub struct RopeConfig {
    /// Base of the frequencies.
    pub base: f32,
    /// Leading numbers of a head that are rotated; even.
    pub dimensions: usize,
    /// Positions are divided by this (linear scaling); 1 leaves them.
    pub scaling_factor: f32,
    /// The frequency of each pair is divided by its own factor too (Llama 3.1, `LongRope`, `YaRN`); empty divides none.
    pub frequency_factors: Vec<f32>,
    /// Factor on the rotated part (`LongRope`, `YaRN`).
    pub magnitude: f32,
    /// Other factors for texts that are longer than the model was first made for (`LongRope`).
    pub long: Option<LongFactors>,
}

/// The factors that `LongRope` has for long texts.
#[derive(Debug, Clone, PartialEq)]
pub struct LongFactors {
    /// Longest text, in tokens, that the other factors are for.
    pub beyond: usize,
    /// As [`RopeConfig::frequency_factors`].
    pub frequency_factors: Vec<f32>,
}

impl RopeConfig {
    /// Plain rotation of whole heads.
    pub fn plain(base: f32, dimensions: usize) -> Self {
        Self { base, dimensions, scaling_factor: 1.0, frequency_factors: Vec::new(), magnitude: 1.0, long: None }
    }
}

impl DecoderConfig {
    /// Columns of the stacked projection: queries, then keys, then values.
    pub fn qkv_size(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_size
    }

    /// Columns of all query heads together.
    pub fn query_size(&self) -> usize {
        self.heads * self.head_size
    }

    /// Columns of all key heads together; the same for values.
    pub fn kv_size(&self) -> usize {
        self.kv_heads * self.head_size
    }

    /// Numbers in one layer's frozen matrices.
    pub fn layer_parameters(&self) -> usize {
        self.hidden_size * (self.qkv_size() + self.query_size() + 3 * self.feed_forward_size)
    }
}
