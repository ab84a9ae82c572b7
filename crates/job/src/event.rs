//! What the worker says while it works: one JSON object a line, each with an `event` field.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::AppError;

/// One line of the worker's `--json` output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "event", rename_all = "snake_case")]
#[ts(export)]
pub enum Event {
    /// A named part of the work begins.
    Stage {
        /// Stable name, e.g. `tokenise`.
        name: String,
    },
    /// How far the current stage is.
    Progress {
        /// Units done.
        done: u64,
        /// Units in all; 0 when unknown.
        total: u64,
        /// What is counted: `rows`, `bytes`, `steps`, `tokens` ...
        unit: String,
    },
    /// One optimiser step of a training.
    Step(StepMetrics),
    /// Worth knowing, not an error.
    Notice {
        /// Stable code.
        code: String,
        /// For people.
        message: String,
    },
    /// What the verb made; its shape depends on the verb.
    Result {
        /// The verb's own object.
        #[ts(type = "unknown")]
        value: serde_json::Value,
    },
    /// The last event of work that went through.
    Done,
    /// The last event of work that was stopped on request.
    Cancelled,
    /// The last event of work that failed.
    Failed(AppError),
}

/// What one optimiser step measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct StepMetrics {
    /// Optimiser updates so far, counted from 1.
    pub step: u32,
    /// Passes over the training rows so far, with fraction.
    pub epoch: f64,
    /// Mean negative log-likelihood of this step, nats per trained token.
    pub loss: f64,
    /// Exponential moving average of `loss`.
    pub loss_ema: f64,
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Global L2 norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Tokens read in this step, prompts included.
    pub tokens: u32,
    /// Tokens read per second.
    pub tokens_per_second: f64,
    /// Wall time of this step, seconds.
    pub step_seconds: f64,
    /// Resident memory of the worker, bytes.
    pub memory_bytes: u64,
    /// Held-out loss on the validation rows, nats per trained token, in steps that measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub valid_loss: Option<f64>,
}
