//! A few real steps before the run: what it will take, measured instead of estimated.

use std::collections::BTreeMap;
use std::time::Instant;

use hone_data::sequence::Pack;
use hone_hardware::{available_memory, peak_memory, resident_memory};
use hone_job::Job;
use hone_model::{Adapter, Decoder};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::{Result, TrainError};
use crate::sequences::batch;
use crate::{Plan, RunConfig};

/// What a few real steps measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Preflight {
    /// Micro-batches that were computed; nothing was learned from them.
    pub micro_batches: u32,
    /// Tokens per second, prompts included.
    pub tokens_per_second: f64,
    /// Seconds per optimiser step.
    pub seconds_per_step: f64,
    /// Duration of the whole run from here, seconds.
    pub seconds: f64,
    /// Peak memory of the worker, bytes.
    pub peak_memory_bytes: u64,
    /// Memory that is left free at that peak, bytes.
    pub memory_left_bytes: u64,
}

/// Computes the largest micro-batch of the run (for memory) and up to two ordinary ones (for time), at most.
///
/// # Errors
/// [`TrainError::DoesNotFit`] when hardly any memory is left at the peak; [`TrainError::Model`] when the engine fails.
pub fn measure(
    decoder: &Decoder,
    adapter: &Adapter,
    epoch: &[Vec<Pack>],
    plan: &Plan,
    config: &RunConfig,
    held_out_tokens: usize,
    job: &Job,
) -> Result<Preflight> {
    let packs: Vec<&Pack> = epoch.iter().flatten().collect();
    let largest = packs.iter().max_by_key(|pack| (pack.ids.len(), pack.trained_tokens()));
    let ordinary = packs.iter().skip(1).step_by((packs.len() / 2).max(1));
    let chosen: Vec<&Pack> = largest.into_iter().chain(ordinary.take(2)).copied().collect();
    let mut gradients = vec![0.0; adapter.params().len()];
    let options = config.step_options(plan.gradient_checkpointing, 0);
    let (mut seconds, mut tokens) = (0.0, 0usize);
    for (at, pack) in chosen.iter().enumerate() {
        job.check()?;
        job.progress(at as u64, chosen.len() as u64, "micro_batches");
        let begun = Instant::now();
        decoder.loss_and_gradients(adapter, &batch(pack, &BTreeMap::new()), 1.0, &options, &mut gradients)?;
        // The first one also fills caches and asks the system for memory; it is the only one of a tiny run.
        if at > 0 || chosen.len() == 1 {
            seconds += begun.elapsed().as_secs_f64();
            tokens += pack.ids.len();
        }
    }
    let per_token = seconds / tokens.max(1) as f64;
    let measurements = f64::from(plan.total_steps / plan.valid_every.max(1) + 2);
    // Only forward, and without recomputing: about a third of a training step.
    let held_out = measurements * held_out_tokens as f64 * per_token / 3.0;
    let (peak, left) =
        (peak_memory(), available_memory().saturating_sub(peak_memory().saturating_sub(resident_memory())));
    let preflight = Preflight {
        micro_batches: chosen.len() as u32,
        tokens_per_second: 1.0 / per_token.max(f64::MIN_POSITIVE),
        seconds_per_step: per_token * plan.total_tokens as f64 / f64::from(plan.total_steps.max(1)),
        seconds: per_token * plan.total_tokens as f64 + held_out,
        peak_memory_bytes: peak,
        memory_left_bytes: left,
    };
    if left < peak / 20 {
        return Err(TrainError::DoesNotFit { needed: peak, available: peak + left, advice: plan.advice() });
    }
    Ok(preflight)
}
