//! Held-out loss: how surprised the model is by rows that it does not learn from. Always plain cross-entropy, whatever the run
//! is trained with.

use std::collections::BTreeMap;

use hone_data::sequence::{TokenSequence, batches};
use hone_model::{Adapter, Decoder, LossSum};

use crate::error::Result;
use crate::sequences::batch;

/// Mean loss over all training targets of `sequences`, nats per token; `None` without any. `check` is asked before each
/// micro-batch of at most `budget` tokens and may end it.
///
/// # Errors
/// What `check` answers, or [`crate::TrainError::Model`] when the engine fails.
pub fn loss(
    decoder: &Decoder,
    adapter: &Adapter,
    sequences: &[TokenSequence],
    budget: usize,
    check: &dyn Fn() -> Result<()>,
) -> Result<Option<f64>> {
    let order: Vec<usize> = (0..sequences.len()).collect();
    let mut sum = LossSum::default();
    for pack in batches(sequences, &order, sequences.len(), budget).iter().flatten() {
        check()?;
        sum += decoder.loss(Some(adapter), &batch(pack, &BTreeMap::new()))?;
    }
    Ok((sum.tokens > 0).then(|| sum.mean()))
}
