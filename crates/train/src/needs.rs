//! What a run needs, estimated before anything is loaded: memory, disk, time.

use hone_model::{Device, StepShape, WeightStorage, memory_estimate};

use crate::config::Method;
use crate::plan::Circumstances;
use crate::{Plan, RunConfig};

const F32: usize = 4;
/// The program itself, its tokenizer and the parts of the model's file that are mapped.
const PROGRAM_BYTES: u64 = 250 << 20;
/// What a step on the processor reaches of the rate of its products when many tokens pass through the model at once, and how many tokens
/// reach half of that. Measured: 47 % with 56 tokens, 74 % with 450, 80 % with 1,024.
const SHARE_OF_PRODUCTS: f64 = 0.8;
const TOKENS_FOR_HALF: f64 = 40.0;
/// A guess of what candle's operations reach on a graphics card, floating point operations per second: not measured by us.
const FLOPS_OF_A_CARD: f64 = 3e12;

/// Peak memory of a training, bytes: the engine's own estimate for `tokens` tokens at once, all trained, and what the
/// run adds: the best adapter so far, and a checkpoint as it is written.
pub fn memory(
    around: &Circumstances<'_>,
    config: &RunConfig,
    storage: WeightStorage,
    tokens: usize,
    recompute: bool,
) -> u64 {
    let decoder = around.decoder;
    let shape = StepShape {
        tokens,
        trained_tokens: tokens,
        checkpointing: recompute,
        device: config.device,
        precision: config.precision,
        storage,
        file_bytes: around.file_bytes,
        full: config.method == Method::Full,
        eight_bit_state: config.optimiser().eight_bit,
    };
    let copies = 5 * F32 * config.trainable_parameters(decoder);
    let needs = memory_estimate(decoder, &config.lora, &shape).total();
    // The copies that a checkpoint takes lie in the computer's memory, not in the card's.
    if matches!(config.device, Device::Cuda(_)) { needs } else { needs + copies as u64 + PROGRAM_BYTES }
}

/// What the run's folder grows to, bytes: two checkpoints, a third while it is written, the adapter.
pub fn disk(trainable: usize, keep_best: bool) -> u64 {
    let parts = if keep_best { 4 } else { 3 };
    (3 * parts * trainable * F32 + trainable * F32 + (8 << 20)) as u64
}

/// Duration, seconds: floating point operations of all steps and held-out measurements over what the cores or the card do.
pub fn seconds(around: &Circumstances<'_>, plan: &Plan) -> f64 {
    let decoder = around.decoder;
    let layers = (decoder.layers.len() * decoder.layer_parameters()) as f64;
    let head = (decoder.vocabulary_size * decoder.hidden_size) as f64;
    // Frozen matrices: forward and towards the input, not towards the weights; what is trained: both. The head sees
    // trained tokens only.
    let passes = if plan.gradient_checkpointing { 3.0 } else { 2.0 };
    let per_token = 2.0 * (passes * layers + 3.0 * plan.trainable_parameters as f64);
    let share = plan.trained_tokens_per_epoch as f64 / plan.tokens_per_epoch.max(1) as f64;
    let steps = plan.total_tokens as f64 * (per_token + share * 2.0 * 2.0 * head);
    let measurements = f64::from(plan.total_steps / plan.valid_every.max(1) + 2);
    let held_out = around.valid.tokens() as f64 * 2.0 * layers + around.valid.trained_tokens() as f64 * 2.0 * head;
    let speed = match plan.device {
        Device::Cuda(_) => FLOPS_OF_A_CARD,
        Device::Cpu | Device::CpuTensors => {
            let of_a_step = plan.total_tokens as f64 / f64::from(plan.total_steps.max(1));
            let at_once = of_a_step.min(f64::from(plan.micro_batch_tokens));
            around.product_rate * SHARE_OF_PRODUCTS * at_once / (at_once + TOKENS_FOR_HALF)
        }
    };
    (steps + measurements * held_out) / speed
}
