//! How much memory a training step takes, from sizes alone.

use serde::{Deserialize, Serialize};

use crate::config::DecoderConfig;
use crate::device::{Device, Precision, device_transients, head_rows};
use crate::full::FullLayout;
use crate::lora::LoraConfig;
use crate::weights::WeightStorage;

/// The size of one micro-batch and how it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepShape {
    /// Tokens of all its sequences.
    pub tokens: usize,
    /// Of which are learned.
    pub trained_tokens: usize,
    /// See [`crate::StepOptions::checkpointing`].
    pub checkpointing: bool,
    /// What computes it; with a card the estimate is of the card's memory.
    pub device: Device,
    /// See [`crate::Placement::precision`].
    pub precision: Precision,
    /// How the frozen matrices lie in memory.
    pub storage: WeightStorage,
    /// Size of the base model's file, bytes.
    pub file_bytes: u64,
    /// Every number of the model is trained instead of an adapter.
    pub full: bool,
    /// The optimiser keeps its state in 8 bits a number.
    pub eight_bit_state: bool,
}

/// Bytes that a training needs, by purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryNeeds {
    /// Frozen matrices.
    pub weights: u64,
    /// Adapter, its gradient, and the optimiser's two moments.
    pub adapter: u64,
    /// What the layers keep and use.
    pub activations: u64,
    /// Logits of a few rows.
    pub logits: u64,
}

impl MemoryNeeds {
    /// All together.
    pub fn total(&self) -> u64 {
        self.weights + self.adapter + self.activations + self.logits
    }
}

/// Numbers that full fine-tuning changes.
pub fn full_parameters(config: &DecoderConfig) -> usize {
    // Of the families, only Qwen 2 has a bias.
    FullLayout::new(config, config.architecture == "qwen2").len()
}

/// What a step of this shape needs at its peak. Reading the model's file is not counted; buffers are rounded up as the engine
/// rounds them.
pub fn memory_estimate(config: &DecoderConfig, lora: &LoraConfig, shape: &StepShape) -> MemoryNeeds {
    let float = size_of::<f32>();
    let layers = config.layers.len();
    let heads = if config.tied_head { 1 } else { 2 };
    let frozen = (heads * config.vocabulary_size * config.hidden_size + layers * config.layer_parameters()) * float;
    let largest = config.hidden_size * (2 * config.feed_forward_size).max(config.qkv_size());
    let on_tensors = shape.device != Device::Cpu;
    let weights = match shape.storage {
        _ if on_tensors => (frozen / float * shape.precision.bytes()) as u64,
        WeightStorage::Expanded => frozen as u64,
        WeightStorage::Stored => shape.file_bytes + ((largest + 4096 * config.hidden_size) * float) as u64,
    };

    let (hidden, qkv, query, wide) =
        (config.hidden_size, config.qkv_size(), config.query_size(), config.feed_forward_size);
    let inner = if shape.full { 0 } else { lora.rank * lora.target_modules.len() };
    let trained = if shape.full { full_parameters(config) } else { lora.trainable_parameters(config) };
    let saved = 4 * hidden + qkv + query + config.heads + 2 * wide + inner;
    // At its widest the backward pass holds the residual gradient and either the activations and their gradient, or
    // the rotated projections, their gradient and each head's share of it.
    let transient = if on_tensors {
        device_transients(config, shape.tokens)
    } else {
        3 * hidden + (2 * wide).max(2 * qkv + 4 * query)
    };
    let dropped = if lora.dropout > 0.0 { 2 * wide.max(hidden) } else { 0 };
    // The backward pass of DoRA holds the gradient times the gains, and one projection's output again.
    let gained = if lora.use_dora { (3 * wide).max(qkv + query) } else { 0 };
    let per_token =
        transient + dropped + gained + if shape.checkpointing { layers * hidden + saved } else { layers * saved };
    let logits = if on_tensors {
        // Candle's operations hold the logits, their exponentials and two gradients of them at once.
        4 * shape.trained_tokens.min(head_rows(config.vocabulary_size)) * config.vocabulary_size
    } else {
        shape.trained_tokens.min(1024) * config.vocabulary_size.min(4096)
    };
    let head = (logits + 2 * shape.trained_tokens * hidden) * float;
    MemoryNeeds {
        weights,
        // Two averages of a byte each, and two scales for every 256.
        adapter: (trained * if shape.eight_bit_state { 2 * float + 3 } else { 4 * float }) as u64,
        activations: rounded_up(shape.tokens * per_token * float),
        logits: rounded_up(head),
    }
}

/// Buffers grow in steps of at most an eighth of their size.
fn rounded_up(bytes: usize) -> u64 {
    (bytes + bytes / 16) as u64
}
