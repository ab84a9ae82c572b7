//! A check that training would reach every part of an adapter.

use crate::batch::Batch;
use crate::config::DecoderConfig;
use crate::decoder::Decoder;
use crate::error::{ModelError, Result};
use crate::lora::{Adapter, LoraConfig, LoraPart};
use crate::pass::StepOptions;

/// Runs one tiny backward pass and makes sure that every tensor of the adapter gets a gradient that is not zero.
///
/// `B` is filled for it, because with `B` at zero, as training starts, the gradients of `A` are zero by right.
///
/// # Errors
/// [`ModelError::NoGradient`] naming the first tensor that would not learn.
pub fn prove_gradients(decoder: &Decoder, lora: &LoraConfig) -> Result<()> {
    prove_gradients_of(decoder, &filled_adapter(decoder, lora)?)
}

/// A fresh adapter with small numbers in `B`.
pub(crate) fn filled_adapter(decoder: &Decoder, lora: &LoraConfig) -> Result<Adapter> {
    let mut adapter = decoder.fresh_adapter(lora, 1)?;
    let tensors = adapter.tensors().to_vec();
    for tensor in tensors.iter().filter(|tensor| tensor.part == LoraPart::B) {
        for (index, value) in adapter.params_mut()[tensor.range.clone()].iter_mut().enumerate() {
            *value = if index % 3 == 0 { 0.02 } else { -0.01 };
        }
    }
    Ok(adapter)
}

/// One sequence of so many tokens, all learned.
pub(crate) fn sample_batch(config: &DecoderConfig, tokens: usize) -> Batch {
    let ids: Vec<u32> = (0..tokens).map(|index| ((index * 37 + 5) % config.vocabulary_size) as u32).collect();
    let labels: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
    let mut batch = Batch::default();
    batch.push(&ids, &labels);
    batch
}

/// As [`prove_gradients`], for an adapter as it is: a fully trained model has no part that begins at zero.
///
/// # Errors
/// [`ModelError::NoGradient`] naming the first tensor that would not learn.
pub fn prove_gradients_of(decoder: &Decoder, adapter: &Adapter) -> Result<()> {
    let batch = sample_batch(decoder.config(), 8);
    let mut grads = vec![0.0; adapter.params().len()];
    let scale = 1.0 / batch.trained_tokens() as f32;
    decoder.loss_and_gradients(adapter, &batch, scale, &StepOptions::default(), &mut grads)?;
    let lora = adapter.tensors().iter().map(|tensor| (&tensor.name, &tensor.range));
    let full =
        adapter.layout().into_iter().flat_map(|layout| &layout.tensors).map(|tensor| (&tensor.name, &tensor.range));
    for (name, range) in lora.chain(full) {
        let square: f64 = grads[range.clone()].iter().map(|value| f64::from(*value).powi(2)).sum();
        if !square.is_finite() || square == 0.0 {
            return Err(ModelError::NoGradient { tensor: name.clone() });
        }
    }
    Ok(())
}
