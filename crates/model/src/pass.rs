//! How a pass through the layers is computed, and what they share in it.

use crate::config::DecoderConfig;
use crate::lora::{Adapter, RowNorms};
use crate::objective::Objective;
use crate::ops::RopeTable;

/// How a training step is computed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepOptions {
    /// Keep only each layer's input and compute the layer again in the backward pass: a fraction of the memory, about a
    /// quarter more time, the same bits.
    pub checkpointing: bool,
    /// Seed of this step's dropout masks and noise; `None` has neither.
    pub dropout_seed: Option<u64>,
    /// Strength of `NEFTune`'s noise on the embedded tokens, 5 to 15 in its paper; 0 adds none.
    pub neftune_alpha: f32,
    /// What a trained token costs.
    pub objective: Objective,
}

/// What every layer of one pass shares.
pub(crate) struct Pass<'a> {
    pub(crate) adapter: Option<&'a Adapter>,
    pub(crate) norms: Option<&'a RowNorms>,
    pub(crate) dropout_seed: Option<u64>,
    /// See [`crate::block::Block::few`].
    pub(crate) few: bool,
    pub(crate) starts: &'a [usize],
    pub(crate) positions: &'a [usize],
    pub(crate) ropes: &'a Ropes,
}

/// One table per kind of rotary embedding in the model.
pub(crate) struct Ropes(Vec<RopeTable>);

impl Ropes {
    /// Tables for `positions` positions.
    pub(crate) fn new(config: &DecoderConfig, positions: usize) -> Self {
        Self(config.ropes.iter().map(|rope| RopeTable::new(rope, positions)).collect())
    }

    /// As [`DecoderConfig::ropes`].
    pub(crate) fn tables(&self) -> &[RopeTable] {
        &self.0
    }
}
