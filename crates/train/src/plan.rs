//! What a run will be: every number that follows from the configuration, the rows and the machine, computed once.

use hone_model::{DecoderConfig, Device, WeightStorage};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::config::{Choice, Method, RunConfig};
use crate::error::{Result, TrainError};
use crate::needs;
use crate::preflight::Preflight;
use crate::sequences::Sequences;

/// A run as it was resolved. Estimates are marked; [`Preflight`] replaces them by measurements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Plan {
    /// The preset it began as.
    pub preset: String,
    /// Reference of the base model.
    pub base: String,
    /// What computes it, as in the run configuration.
    #[serde(default)]
    #[ts(type = "string")]
    pub device: Device,
    /// Rows that are trained on.
    pub train_rows: u32,
    /// Rows on which held-out loss is measured.
    pub valid_rows: u32,
    /// Training rows that are cut at `max_seq_len`.
    pub truncated_rows: u32,
    /// Training rows that are left out: nothing to train on, refused by the chat template, or of a kind not asked for.
    pub left_out_rows: u32,
    /// Tokens of the longest training row.
    pub longest_row: u32,
    /// Tokens of all training rows, prompts included: one epoch.
    pub tokens_per_epoch: u64,
    /// Training targets of all training rows: one epoch.
    pub trained_tokens_per_epoch: u64,
    /// Passes over the training rows.
    pub epochs: u32,
    /// Optimiser updates in a pass.
    pub steps_per_epoch: u32,
    /// Optimiser updates in all.
    pub total_steps: u32,
    /// Updates over which the learning rate rises.
    pub warmup_steps: u32,
    /// Held-out loss is measured every so many steps, and after the last.
    pub valid_every: u32,
    /// Tokens read in the whole run, without held-out rows.
    pub total_tokens: u64,
    /// Numbers that training changes.
    pub trainable_parameters: u64,
    /// Tokens that pass through the model at once.
    pub micro_batch_tokens: u32,
    /// Whether activations are recomputed.
    pub gradient_checkpointing: bool,
    /// Whether the base model's weights stay in memory as its file stores them.
    #[serde(default)]
    pub stored_weights: bool,
    /// Estimated peak memory, bytes; of the graphics card when that computes.
    pub memory_bytes: u64,
    /// Memory that was free there, bytes.
    pub memory_available: u64,
    /// Disk that checkpoints and adapter take, bytes.
    pub disk_bytes: u64,
    /// Disk that was free, bytes.
    pub disk_free: u64,
    /// Estimated duration, seconds.
    pub seconds: f64,
    /// What a few real steps measured, once they ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub measured: Option<Preflight>,
    /// What is worth knowing before the start.
    pub warnings: Vec<PlanWarning>,
}

/// Something worth knowing before the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PlanWarning {
    /// Stable: `few_rows`, `truncated`, `left_out`, `refused`, `no_valid_rows`, `tight_memory`, `high_learning_rate`,
    /// `card_not_measured`.
    pub code: String,
    /// For people.
    pub message: String,
}

/// What a plan is made from, besides the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Reference of the base model.
    pub base: &'a str,
    /// Its shape.
    pub decoder: &'a DecoderConfig,
    /// Size of its file, bytes.
    pub file_bytes: u64,
    /// Training rows.
    pub train: &'a Sequences,
    /// Held-out rows.
    pub valid: &'a Sequences,
    /// Free memory, bytes.
    pub memory_available: u64,
    /// Free disk, bytes.
    pub disk_free: u64,
    /// Multiplications and additions a second of this machine's products of matrices, all cores together.
    pub product_rate: f64,
}

/// Above this a full fine-tuning mostly forgets.
const HIGH_FOR_FULL: f64 = 1e-4;

impl Plan {
    /// Resolves a configuration.
    ///
    /// # Errors
    /// [`TrainError::NoRows`] when no training row is left; [`TrainError::OutOfRange`] for a row length that the base model
    /// was not made for.
    pub fn resolve(config: &RunConfig, around: &Circumstances<'_>) -> Result<Self> {
        config.check()?;
        if config.max_seq_len as usize > around.decoder.context_length {
            return Err(TrainError::OutOfRange {
                key: "max_seq_len",
                value: config.max_seq_len.to_string(),
                allowed: "at most the context length of the base model",
            });
        }
        let train = around.train;
        let rows = train.sequences.len();
        if rows == 0 {
            return Err(TrainError::NoRows { problem: what_became_of(train) });
        }
        let steps_per_epoch = rows.div_ceil(config.batch_size as usize) as u32;
        let all_steps = steps_per_epoch.saturating_mul(config.epochs);
        let total_steps = if config.max_steps == 0 { all_steps } else { all_steps.min(config.max_steps) };
        let valid_every = match config.valid_every {
            0 => steps_per_epoch,
            every => every,
        };
        let tokens_per_epoch = train.tokens() as u64;
        let micro_batch = micro_batch(config, around);
        let MicroBatch { tokens: micro_batch_tokens, recompute: gradient_checkpointing, stored } = micro_batch;
        let memory_bytes = micro_batch.memory(config, around);
        let mut plan = Self {
            preset: config.preset.clone(),
            base: around.base.to_owned(),
            device: config.device,
            train_rows: rows as u32,
            valid_rows: around.valid.sequences.len() as u32,
            truncated_rows: train.truncated as u32,
            left_out_rows: (train.empty + train.refused.len() + train.other_kind) as u32,
            longest_row: train.longest() as u32,
            tokens_per_epoch,
            trained_tokens_per_epoch: train.trained_tokens() as u64,
            epochs: config.epochs,
            steps_per_epoch,
            total_steps,
            warmup_steps: (f64::from(total_steps) * config.warmup_ratio).round() as u32,
            valid_every,
            total_tokens: (tokens_per_epoch as f64 * f64::from(total_steps) / f64::from(steps_per_epoch)).round()
                as u64,
            trainable_parameters: config.trainable_parameters(around.decoder) as u64,
            micro_batch_tokens,
            gradient_checkpointing,
            stored_weights: stored,
            memory_bytes,
            memory_available: around.memory_available,
            disk_bytes: needs::disk(config.trainable_parameters(around.decoder), config.keep_best),
            disk_free: around.disk_free,
            seconds: 0.0,
            measured: None,
            warnings: Vec::new(),
        };
        plan.seconds = needs::seconds(around, &plan);
        plan.warnings = warnings(&plan, train);
        if config.method == Method::Full && config.learning_rate > HIGH_FOR_FULL {
            let message = format!(
                "A learning rate of {} is high where the whole model is trained; 1e-5 to 5e-5 is usual",
                config.learning_rate
            );
            plan.warnings.push(PlanWarning { code: "high_learning_rate".to_owned(), message });
        }
        Ok(plan)
    }

    /// Whether it fits into memory and onto the disk, by the estimates.
    ///
    /// # Errors
    /// [`TrainError::DoesNotFit`] with what to change; [`TrainError::NoSpace`].
    pub fn check_fits(&self, runs: &std::path::Path) -> Result<()> {
        if self.memory_bytes > self.memory_available {
            return Err(TrainError::DoesNotFit {
                needed: self.memory_bytes,
                available: self.memory_available,
                advice: self.advice(),
            });
        }
        if self.disk_bytes > self.disk_free {
            return Err(TrainError::NoSpace {
                needed: self.disk_bytes,
                available: self.disk_free,
                path: runs.to_owned(),
            });
        }
        Ok(())
    }

    /// What makes it smaller, the least painful first.
    pub fn advice(&self) -> String {
        if !self.gradient_checkpointing {
            return "Set `gradient_checkpointing` to `on`".to_owned();
        }
        if !self.stored_weights {
            return "Set `stored_weights` to `on`".to_owned();
        }
        if matches!(self.device, Device::Cuda(_)) {
            return "Set `precision` to `bf16`, lower `max_seq_len`, choose a smaller base model, or the device `cpu`"
                .to_owned();
        }
        if self.longest_row > 256 {
            return format!("Lower `max_seq_len` to {}, or choose a smaller base model", self.longest_row / 2);
        }
        "Close other programs, or choose a smaller base model".to_owned()
    }
}

/// How a micro-batch is computed.
#[derive(Debug, Clone, Copy)]
struct MicroBatch {
    tokens: u32,
    recompute: bool,
    stored: bool,
}

impl MicroBatch {
    fn memory(self, config: &RunConfig, around: &Circumstances<'_>) -> u64 {
        let storage = if self.stored { WeightStorage::Stored } else { WeightStorage::Expanded };
        needs::memory(around, config, storage, self.tokens as usize, self.recompute)
    }
}

/// What was asked for, else the first choice that leaves a third of the free memory alone, else the smallest. Weights as stored
/// cost a few percent of time and recomputing about a quarter, so they come in this order.
fn micro_batch(config: &RunConfig, around: &Circumstances<'_>) -> MicroBatch {
    let longest = around.train.longest().max(around.valid.longest()) as u32;
    let per_step = around.train.tokens().div_ceil(around.train.sequences.len().max(1)) as u32 * config.batch_size;
    let sizes = match config.micro_batch_tokens {
        0 => vec![4096, 2048, 1024, 512, 256],
        asked => vec![asked],
    };
    let choices = |choice| match choice {
        Choice::Auto => vec![false, true],
        Choice::On => vec![true],
        Choice::Off => vec![false],
    };
    // With full fine-tuning, and on a card, these frozen numbers are read once, at the start: expanded they would only take room.
    let once = config.method == Method::Full || config.device != Device::Cpu;
    let stored = if once { Choice::On } else { config.stored_weights };
    let (recompute, stored) = (choices(config.gradient_checkpointing), choices(stored));
    // More than a step's rows never pass at once, and one row always does.
    let sizes: Vec<u32> = sizes.into_iter().map(|size| size.min(per_step.saturating_mul(2)).max(longest)).collect();
    let mut last = MicroBatch { tokens: longest, recompute: false, stored: false };
    for &recompute in &recompute {
        for &stored in &stored {
            for &tokens in &sizes {
                last = MicroBatch { tokens, recompute, stored };
                if last.memory(config, around) <= around.memory_available / 3 * 2 {
                    return last;
                }
            }
        }
    }
    last
}

fn warnings(plan: &Plan, train: &Sequences) -> Vec<PlanWarning> {
    let mut warnings = Vec::new();
    let mut warn = |code: &str, message: String| warnings.push(PlanWarning { code: code.to_owned(), message });
    if plan.train_rows < 20 {
        warn("few_rows", format!("{} rows are very few; the model will mostly learn their style", plan.train_rows));
    }
    if train.truncated > 0 {
        let (rows, tokens) = (train.truncated, train.cut_tokens);
        warn(
            "truncated",
            format!("{rows} rows are longer than `max_seq_len`; {tokens} tokens at their ends are not learned"),
        );
    }
    if train.empty > 0 {
        warn("left_out", format!("{} rows have nothing to train on and are left out", train.empty));
    }
    if let Some((row, reason)) = train.refused.first() {
        let count = train.refused.len();
        warn("refused", format!("{count} rows are left out, the first is row {row}: {reason}"));
    }
    if plan.valid_rows == 0 {
        warn("no_valid_rows", "No rows are held out, so the run cannot tell learning from repeating".to_owned());
    }
    if matches!(plan.device, Device::Cuda(_)) {
        let message = "Memory and time on a graphics card are guesses until the first steps are measured".to_owned();
        warn("card_not_measured", message);
    }
    if plan.memory_bytes > plan.memory_available / 10 * 8 {
        warn("tight_memory", "The run needs most of the free memory; close other programs".to_owned());
    }
    warnings
}

fn what_became_of(made: &Sequences) -> String {
    let mut parts = Vec::new();
    for (count, what) in [
        (made.empty, "have nothing that the model should say"),
        (made.refused.len(), "are refused by the chat template"),
        (made.other_kind, "are of a kind that `train_on` leaves out"),
    ] {
        if count > 0 {
            parts.push(format!("{count} rows {what}"));
        }
    }
    if parts.is_empty() { "no row is approved for training".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests;
