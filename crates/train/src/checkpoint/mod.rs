//! Checkpoints: everything a run needs to go on as if it had never stopped.
//!
//! A checkpoint is a folder `checkpoints/step-000123/` with three files: `checkpoint.toml` (how far the run is and what
//! it was made from), `state.safetensors` (the adapter, `AdamW`'s averages, the best adapter so far; f32, averages also in 8 bits with their scales, one dimension)
//! and `SHA256SUMS` over both, written in a hidden folder beside it, synced, read back, then renamed: at every moment it
//! is whole or not there. The two newest are kept, so that a damaged one never costs the run.

mod files;
mod store;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use store::{load_newest, newest_step, save};

use crate::error::{Result, TrainError};
use crate::loss_scale::LossScale;
use crate::optimiser::Moments;

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Steps done; with the seed and the rows, also the place in the order of the rows.
    pub step: u32,
    /// Moving average of the training loss, nats per trained token.
    pub loss_ema: f64,
    /// Steps after which the held-out loss was last measured; `None` before the first time.
    pub measured_at: Option<u32>,
    /// Held-out loss of the base model.
    pub loss_before: Option<f64>,
    /// Held-out loss at the last measurement.
    pub loss_now: Option<f64>,
    /// Best held-out loss so far, and after how many steps.
    pub best: Option<(f64, u32)>,
    /// Measurements of the held-out loss since the best one.
    pub since_best: u32,
    /// What the loss is multiplied by on its way back, in f16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<LossScale>,
}

/// What a run was made from; it goes on with nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// SHA-256 of the training and held-out sequences.
    pub rows: String,
    /// SHA-256 of the base model's file.
    pub base: String,
    /// SHA-256 of `config.toml`.
    pub config: String,
}

/// A run at one moment; borrowed for writing, since an adapter and its averages are large.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint<'a> {
    /// How far it is.
    pub progress: Progress,
    /// What it was made from.
    pub fingerprint: Fingerprint,
    /// The adapter, [`hone_model::Adapter::params`].
    pub params: Cow<'a, [f32]>,
    /// `AdamW`'s averages.
    pub moments: Cow<'a, Moments>,
    /// The adapter with the best held-out loss; empty when the last one is kept.
    pub best_params: Cow<'a, [f32]>,
}

/// Weight of the past in the moving average of the loss.
const EMA: f64 = 0.9;

impl Progress {
    /// Notes a step and its loss.
    pub fn after_step(&mut self, loss: f64) {
        self.loss_ema = if self.step == 0 { loss } else { EMA * self.loss_ema + (1.0 - EMA) * loss };
        self.step += 1;
    }

    /// Notes a held-out loss; says whether it is the best so far. The base model's own counts as the first.
    pub fn after_measurement(&mut self, loss: f64) -> bool {
        if self.step == 0 {
            self.loss_before = Some(loss);
        }
        self.loss_now = Some(loss);
        let better = self.best.is_none_or(|(best, _)| loss < best);
        if better {
            (self.best, self.since_best) = (Some((loss, self.step)), 0);
        } else {
            self.since_best += 1;
        }
        better
    }

    /// Whether nothing is left to do: all steps are done, or no measurement got better for too long.
    pub fn ends(&self, total_steps: u32, patience: u32) -> bool {
        self.step >= total_steps || self.stops_early(patience)
    }

    /// Whether `patience` measurements in a row brought nothing better; a patience of 0 never ends a run.
    pub fn stops_early(&self, patience: u32) -> bool {
        patience > 0 && self.since_best >= patience
    }
}

impl Checkpoint<'_> {
    /// Whether a run made from `now` may go on from here.
    ///
    /// # Errors
    /// [`TrainError::CannotResume`] naming what changed.
    pub fn check_same(&self, now: &Fingerprint, run: &str) -> Result<()> {
        let then = &self.fingerprint;
        let parts = [
            ("the rows", &then.rows, &now.rows),
            ("the base model", &then.base, &now.base),
            ("its configuration", &then.config, &now.config),
        ];
        match parts.into_iter().find(|(_, then, now)| then != now) {
            Some((changed, ..)) => Err(TrainError::CannotResume { run: run.to_owned(), changed }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
