//! How a training stands on disk: what its worker writes, and what the window and the command line read.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::fs::{self, FsError};
use crate::{AppError, StepMetrics};

/// Name of the file in a run's folder that holds its [`RunState`].
pub const STATE_FILE: &str = "state.json";
/// Name of the file in a run's folder that its worker holds locked while it works.
pub const LOCK_FILE: &str = "lock";
/// Name of the file whose appearance asks the worker to stop with a checkpoint.
pub const CANCEL_FILE: &str = "cancel";
/// Name of the file with one [`StepMetrics`] a line.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// Name of the file with one [`Sample`] a line.
pub const SAMPLES_FILE: &str = "samples.jsonl";

/// What a run's worker last said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum RunStatus {
    /// Working; or cut off, when nobody holds the run's lock.
    Running,
    /// Went through; the adapter is there.
    Done,
    /// Stopped on request, with a checkpoint.
    Cancelled,
    /// Stopped by an error.
    Failed,
}

/// A training as its folder tells it (`runs/<id>/state.json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RunState {
    /// Name of its folder, `YYYYMMDD-HHMMSS`.
    pub id: String,
    /// What its worker last said.
    pub status: RunStatus,
    /// Process number of the worker.
    pub pid: u32,
    /// Optimiser steps done.
    pub step: u32,
    /// Optimiser steps in all.
    pub total_steps: u32,
    /// Passes over the training rows so far.
    pub epoch: f64,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// Reference of the base model.
    pub base: String,
    /// Held-out loss of the base model, nats per trained token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub loss_before: Option<f64>,
    /// Held-out loss now, nats per trained token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub loss_after: Option<f64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub error: Option<AppError>,
    /// Time left, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub seconds_left: Option<f64>,
}

/// What the model answered to one question at one step (a line of `samples.jsonl`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Sample {
    /// Optimiser steps done; 0 is the base model.
    pub step: u32,
    /// The question.
    pub question: String,
    /// The greedy answer.
    pub answer: String,
}

/// A run as the window shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RunView {
    /// What its worker last said.
    pub state: RunState,
    /// Whether a worker holds its lock now.
    pub alive: bool,
    /// Whether it can go on from a checkpoint: cut off, stopped or failed, nobody working on it.
    pub resumable: bool,
    /// All steps so far.
    pub metrics: Vec<StepMetrics>,
    /// Sample answers so far.
    pub samples: Vec<Sample>,
}

/// Takes the exclusive lock of a run's folder; it is held until the file is dropped or the process ends, however it
/// ends. `None` when another process holds it.
///
/// # Errors
/// [`FsError`] naming the lock file.
pub fn lock(run_dir: &Path) -> Result<Option<File>, FsError> {
    let path = run_dir.join(LOCK_FILE);
    let file = fs::append(&path)?;
    // Whoever asks `is_alive` holds a shared lock for a moment; a worker holds its lock for longer than that.
    for _ in 0..20 {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::Error(source)) => return Err(FsError { action: "lock", path, source }),
        }
    }
    Ok(None)
}

/// Whether some process holds the run's lock.
pub fn is_alive(run_dir: &Path) -> bool {
    fs::open(&run_dir.join(LOCK_FILE)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_alive_while_its_lock_is_held_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_alive(folder.path()), "no lock file yet");
        let held = lock(folder.path()).unwrap();
        assert!(held.is_some());
        assert!(is_alive(folder.path()));
        assert!(lock(folder.path()).unwrap().is_none(), "a second worker is refused");
        drop(held);
        assert!(!is_alive(folder.path()));
    }

    #[test]
    fn a_state_without_the_optional_fields_is_read() {
        let text = r#"{"id":"20261124-150000","status":"running","pid":7,"step":3,"total_steps":9,"epoch":0.5,
            "started_at":"2026-11-24T15:00:00Z","updated_at":"2026-11-24T15:01:00Z","base":"gemma3-270m"}"#;
        let state: RunState = serde_json::from_str(text).unwrap();
        assert_eq!((state.status, state.loss_before), (RunStatus::Running, None));
        assert!(state.error.is_none());
        let again = serde_json::to_value(&state).unwrap();
        assert!(again.get("error").is_none(), "absent fields stay absent: {again}");
    }
}
