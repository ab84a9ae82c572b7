//! Whether a device computes what the processor computes: each operation, then a training step of a real model.

use candle_core::{DType, Tensor};
use hone_job::Job;

use super::attention::{Attention, Heads, Seen};
use super::head::Head;
use super::linear::Matrix;
use super::math::{glu, glu_backward, product, rms, rms_backward, softcap, softcap_slope};
use super::{Device, Placement, Precision};
use crate::batch::Batch;
use crate::config::Activation;
use crate::decoder::Decoder;
use crate::error::Result;
use crate::guard::{filled_adapter, sample_batch};
use crate::lora::LoraConfig;
use crate::objective::Objective;
use crate::ops::{self, AttentionShape, Targets};
use crate::pass::StepOptions;
use crate::source::ModelFile;
use crate::weights::WeightStorage;

/// Relative differences that rounding explains: of one operation in f32, of a whole step in f32, of one operation or a loss in bf16,
/// and of a whole step's gradients in bf16. On candle's CPU device the steps of Gemma 3 270M come to 7e-5 in f32 and 5e-2 in bf16.
const OPERATION: f64 = 1e-5;
const STEP: f64 = 1e-3;
const HALF: f64 = 5e-2;
const HALF_GRADIENTS: f64 = 2e-1;

/// How far a device's result is from the processor's.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// What was computed.
    pub what: String,
    /// Root of the summed squares of the differences over that of the processor's numbers.
    pub distance: f64,
    /// The largest distance that rounding explains.
    pub limit: f64,
}

impl Difference {
    /// Whether the result can be trusted.
    pub fn is_small(&self) -> bool {
        // Also false for a distance that is not a number.
        self.distance <= self.limit
    }
}

/// Computes every operation of a training step on `device` and on the processor, then, with a `model`, one step of it in f32 and
/// in bf16; answers the differences.
///
/// # Errors
/// [`crate::ModelError::Device`] when the device is not there or gives up; what loading `model` fails with.
pub fn try_device(device: Device, model: Option<&ModelFile>, lora: &LoraConfig, job: &Job) -> Result<Vec<Difference>> {
    let mut differences = super::engine::told(device, operations(device))?;
    let Some(model) = model else { return Ok(differences) };
    let load = |device, precision| {
        Decoder::load_on(model, Placement { device, precision, storage: WeightStorage::Stored }, job)
    };
    let expected = step(&load(Device::Cpu, Precision::F32)?, lora)?;
    let precisions = [(Precision::F32, "f32", STEP, STEP), (Precision::Bf16, "bf16", HALF, HALF_GRADIENTS)];
    for (precision, name, of_loss, of_gradients) in precisions {
        job.check()?;
        let found = step(&load(device, precision)?, lora)?;
        let loss = (found.0 / expected.0 - 1.0).abs();
        differences.push(Difference { what: format!("the loss of a step in {name}"), distance: loss, limit: of_loss });
        let distance = distance(&found.1, &expected.1);
        let what = format!("the gradients of a step in {name}");
        differences.push(Difference { what, distance, limit: of_gradients });
    }
    Ok(differences)
}

/// Loss and gradients of a few tokens.
fn step(decoder: &Decoder, lora: &LoraConfig) -> Result<(f64, Vec<f32>)> {
    let adapter = filled_adapter(decoder, lora)?;
    let batch: Batch = sample_batch(decoder.config(), 48);
    let mut grads = vec![0.0; adapter.params().len()];
    let scale = 1.0 / batch.trained_tokens() as f32;
    let sum = decoder.loss_and_gradients(&adapter, &batch, scale, &StepOptions::default(), &mut grads)?;
    Ok((sum.mean(), grads))
}

/// One operation on made-up numbers; the same numbers on every device.
type Operation = fn(&Numbers) -> Result<Tensor>;

const OPERATIONS: [(&str, Operation, f64); 13] = [
    ("a product", |n| product(&n.of(1, &[70, 64])?, &n.of(2, &[48, 64])?.t()?), OPERATION),
    ("a product of batches", |n| product(&n.of(1, &[3, 64, 20])?.transpose(1, 2)?, &n.of(2, &[3, 64, 9])?), OPERATION),
    ("a product in bf16", |n| n.matrix(DType::BF16)?.forward(&n.of(3, &[70, 64])?), HALF),
    ("a product in f16", |n| n.matrix(DType::F16)?.forward(&n.of(3, &[70, 64])?), HALF),
    ("the norm", |n| rms(&n.of(1, &[9, 64])?, &n.of(2, &[64])?, 1e-6), OPERATION),
    (
        "the norm's gradient",
        |n| rms_backward(&n.of(3, &[9, 64])?, &n.of(1, &[9, 64])?, &n.of(2, &[64])?, 1e-6),
        OPERATION,
    ),
    ("GeGLU", |n| glu(Activation::Gelu, &n.of(1, &[9, 128])?), OPERATION),
    ("GeGLU's gradient", |n| glu_backward(Activation::Gelu, &n.of(2, &[9, 64])?, &n.of(1, &[9, 128])?), OPERATION),
    ("SwiGLU", |n| glu(Activation::Silu, &n.of(1, &[9, 128])?), OPERATION),
    ("SwiGLU's gradient", |n| glu_backward(Activation::Silu, &n.of(2, &[9, 64])?, &n.of(1, &[9, 128])?), OPERATION),
    ("the soft cap and its slope", |n| softcap_slope(&softcap(&n.of(1, &[9, 64])?, 0.7)?, 0.7), OPERATION),
    ("attention and its gradients", attention, OPERATION * 10.0),
    ("the head's loss and gradient", head, OPERATION * 10.0),
];

fn operations(device: Device) -> Result<Vec<Difference>> {
    let there = Numbers(device.open()?.unwrap_or(candle_core::Device::Cpu));
    let here = Numbers(candle_core::Device::Cpu);
    let flat = |result: Result<Tensor>| -> Result<Vec<f32>> { Ok(result?.flatten_all()?.to_vec1()?) };
    OPERATIONS
        .iter()
        .map(|(name, operation, limit)| {
            let distance = distance(&flat(operation(&there))?, &flat(operation(&here))?);
            Ok(Difference { what: (*name).to_owned(), distance, limit: *limit })
        })
        .collect()
}

/// Made-up numbers between -1 and 1 on a device.
struct Numbers(candle_core::Device);

impl Numbers {
    fn values(seed: u64, count: usize) -> Vec<f32> {
        let of = |at: usize| (ops::mix((seed << 32) + at as u64) >> 40) as f32 / (1 << 23) as f32 - 1.0;
        (0..count).map(of).collect()
    }

    fn of(&self, seed: u64, shape: &[usize]) -> Result<Tensor> {
        Ok(Tensor::from_vec(Self::values(seed, shape.iter().product()), shape, &self.0)?)
    }

    fn matrix(&self, dtype: DType) -> Result<Matrix> {
        Matrix::new(&Self::values(7, 300 * 64), 64, dtype, &self.0)
    }
}

/// Two packed sequences that cross a block, with a window, grouped heads and a cap.
fn attention(numbers: &Numbers) -> Result<Tensor> {
    const TOKENS: usize = 300;
    let (heads, kv_heads, head_size) = (4, 2, 16);
    let (scale, softcap, window, step, out_step) = (0.25, Some(5.0), Some(50), 128, 64);
    let shape = AttentionShape { heads, kv_heads, head_size, scale, softcap, window, step, out_step };
    let seen = Seen::new(&[0, 270], TOKENS, shape.window, &numbers.0)?;
    let heads = Heads {
        queries: numbers.of(1, &[4, TOKENS, 16])?,
        keys: numbers.of(2, &[2, TOKENS, 16])?,
        values: numbers.of(3, &[2, TOKENS, 16])?,
    };
    let attention = Attention { shape, seen: &seen };
    let out = attention.forward(&heads)?;
    let Heads { queries, keys, values } = attention.backward(&heads, &out, &numbers.of(4, &[4, TOKENS, 16])?)?;
    Ok(Tensor::cat(&[out, queries, keys, values], 0)?)
}

fn head(numbers: &Numbers) -> Result<Tensor> {
    let weight = numbers.matrix(DType::F32)?;
    let head = Head { weight: &weight, vocabulary: 300, softcap: Some(8.0) };
    let hidden = numbers.of(1, &[20, 64])?;
    let ids: Vec<u32> = (0..20).map(|row| row * 13 % 300).collect();
    let objective = Objective { label_smoothing: 0.1, focal_gamma: 0.0 };
    let (nats, gradient) = head.losses(&hidden, Targets { ids: &ids, weights: None, objective }, Some(1.0))?;
    let nats: Vec<f32> = nats.iter().map(|one| *one as f32).collect();
    let nats = Tensor::from_vec(nats, 20, &numbers.0)?;
    let parts: Vec<Tensor> =
        [Some(nats), gradient.map(|all| all.flatten_all()).transpose()?].into_iter().flatten().collect();
    Ok(Tensor::cat(&parts, 0)?)
}

fn distance(found: &[f32], expected: &[f32]) -> f64 {
    let difference: f64 = found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    let size: f64 = expected.iter().map(|b| f64::from(*b).powi(2)).sum();
    (difference / size.max(1e-30)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lora::TargetModule;

    #[test]
    fn a_step_of_a_real_model_stays_within_the_limits_on_the_operations_of_a_card() {
        let Some(file) = crate::testing::starter_model() else { return };
        let (rank, alpha, target_modules) = (2, 4.0, TargetModule::SEVEN.to_vec());
        let lora = LoraConfig { rank, alpha, dropout: 0.0, target_modules, use_rslora: false, use_dora: false };
        for difference in try_device(Device::CpuTensors, Some(file), &lora, &Job::silent()).unwrap() {
            println!("{difference:?}");
            assert!(difference.is_small(), "{difference:?}");
        }
    }

    #[test]
    fn every_operation_agrees_with_itself_and_a_broken_number_is_noticed() {
        for difference in operations(Device::CpuTensors).unwrap() {
            assert!(difference.distance == 0.0, "{difference:?}");
        }
        for distance in [f64::NAN, f64::INFINITY, 1.0] {
            assert!(!Difference { what: String::new(), distance, limit: OPERATION }.is_small());
        }
    }
}
