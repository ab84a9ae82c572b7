//! Packed sequences and what is to be learned from them.

use std::ops::AddAssign;

use crate::config::DecoderConfig;
use crate::error::{ModelError, Result};

/// Sequences one after the other, without padding.
///
/// They never see each other, and positions start again at 0 with each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Token ids of all sequences.
    pub ids: Vec<u32>,
    /// As long as `ids` and not shifted: `labels[i]` is the token at `i` if it is to be learned, else −100. What precedes `i`
    /// in its sequence predicts it, so that the first token of a sequence is never learned.
    pub labels: Vec<i64>,
    /// Index in `ids` where each sequence starts; the first is 0, each is larger than the one before.
    pub starts: Vec<usize>,
    /// What the tokens of each sequence count in the loss, one number per sequence, 0 or above; empty: all count 1.
    pub weights: Vec<f32>,
}

impl Batch {
    /// Adds one sequence; an empty one changes nothing. Its weight, where there are any, is the caller's to add.
    pub fn push(&mut self, ids: &[u32], labels: &[i64]) {
        if !ids.is_empty() {
            self.starts.push(self.ids.len());
            self.ids.extend(ids);
            self.labels.extend(labels);
        }
    }

    /// Tokens that are learned.
    pub fn trained_tokens(&self) -> usize {
        self.targets().count()
    }

    /// What the learned tokens count together: by this a step's loss is divided.
    pub fn trained_weight(&self) -> f64 {
        match self.target_weights() {
            Some(weights) => weights.iter().map(|weight| f64::from(*weight)).sum(),
            None => self.trained_tokens() as f64,
        }
    }

    /// What each learned token counts, in the order of [`Batch::targets`]; `None` when all count 1.
    pub(crate) fn target_weights(&self) -> Option<Vec<f32>> {
        let of = |row: usize| self.weights[self.starts.partition_point(|start| *start <= row) - 1];
        (!self.weights.is_empty()).then(|| self.targets().map(|(row, _)| of(row)).collect())
    }

    /// Row of the hidden state and the token it predicts, for every learned token.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (usize, u32)> {
        let first = |index: &usize| self.starts.binary_search(index).is_ok();
        let learned = self.labels.iter().enumerate().filter(|(_, label)| **label >= 0);
        learned.filter(move |(index, _)| !first(index)).map(|(index, label)| (index - 1, *label as u32))
    }

    /// Position of every token within its sequence.
    pub(crate) fn positions(&self) -> Vec<usize> {
        positions(&self.starts, self.ids.len())
    }

    /// Whether the lists agree with each other and with the vocabulary.
    ///
    /// # Errors
    /// [`ModelError::Length`] or [`ModelError::Batch`] for lists that contradict each other, [`ModelError::TokenOutOfRange`] for
    /// a token or label that the model does not have.
    pub(crate) fn check(&self, config: &DecoderConfig) -> Result<()> {
        if self.labels.len() != self.ids.len() {
            return Err(ModelError::Length { what: "labels", expected: self.ids.len(), found: self.labels.len() });
        }
        let rising = self.starts.windows(2).all(|pair| pair[0] < pair[1]);
        let inside = self.starts.last().is_some_and(|last| *last < self.ids.len());
        if self.starts.first() != Some(&0) || !rising || !inside {
            return Err(ModelError::Batch { problem: "its sequence starts do not begin at 0 and rise inside it" });
        }
        if !self.weights.is_empty() && self.weights.len() != self.starts.len() {
            let (expected, found) = (self.starts.len(), self.weights.len());
            return Err(ModelError::Length { what: "weights", expected, found });
        }
        if self.weights.iter().any(|weight| !weight.is_finite() || *weight < 0.0) {
            return Err(ModelError::Batch { problem: "a sequence's weight is below 0 or not a number" });
        }
        check_ids(&self.ids, config)?;
        for label in &self.labels {
            let known = u32::try_from(*label).is_ok_and(|id| (id as usize) < config.vocabulary_size);
            if !known && *label >= 0 {
                return Err(ModelError::TokenOutOfRange { id: *label as u32, vocabulary: config.vocabulary_size });
            }
        }
        Ok(())
    }
}

/// Whether the model has all these tokens.
pub(crate) fn check_ids(ids: &[u32], config: &DecoderConfig) -> Result<()> {
    match ids.iter().find(|id| **id as usize >= config.vocabulary_size) {
        Some(id) => Err(ModelError::TokenOutOfRange { id: *id, vocabulary: config.vocabulary_size }),
        None => Ok(()),
    }
}

/// Position of every token within its sequence.
pub(crate) fn positions(starts: &[usize], tokens: usize) -> Vec<usize> {
    let ends = starts.iter().skip(1).copied().chain([tokens]);
    starts.iter().zip(ends).flat_map(|(start, end)| 0..end - start).collect()
}

/// A loss summed over tokens; sums of batches add up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LossSum {
    /// Summed loss, nats, each token times what it counts.
    pub nats: f64,
    /// Learned tokens.
    pub tokens: usize,
    /// What they count together; their number unless sequences have weights.
    pub weight: f64,
}

impl LossSum {
    /// Nats per learned token, weighted; 0 without any.
    pub fn mean(&self) -> f64 {
        if self.weight > 0.0 { self.nats / self.weight } else { 0.0 }
    }
}

impl AddAssign for LossSum {
    fn add_assign(&mut self, other: Self) {
        self.nats += other.nats;
        self.tokens += other.tokens;
        self.weight += other.weight;
    }
}
