//! The trainings, as their folders tell it.

use std::path::PathBuf;

use hone_job::fs;
use hone_job::run::{CANCEL_FILE, METRICS_FILE, RunState, RunStatus, RunView, SAMPLES_FILE, STATE_FILE, is_alive};
use serde::de::DeserializeOwned;

use crate::{Project, StudioError};

/// All trainings, newest first. A folder without a readable state is none.
///
/// # Errors
/// When the folder may not be read.
pub fn list(project: &Project) -> Result<Vec<RunState>, StudioError> {
    let dir = project.runs_dir();
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut runs: Vec<RunState> =
        fs::list_dir(&dir)?.iter().filter_map(|run| fs::read_json(&run.join(STATE_FILE)).ok()).collect();
    runs.sort_by(|a, b| b.id.cmp(&a.id));
    Ok(runs)
}

/// The folder of a training.
///
/// # Errors
/// [`StudioError::NoSuchRun`], also for an id that is no plain folder name.
pub fn dir(project: &Project, id: &str) -> Result<PathBuf, StudioError> {
    let runs = project.runs_dir();
    let plain = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let dir = runs.join(id);
    if plain && dir.join(STATE_FILE).is_file() {
        Ok(dir)
    } else {
        Err(StudioError::NoSuchRun { id: id.to_owned(), dir: runs })
    }
}

/// One training with its metrics so far.
///
/// # Errors
/// [`StudioError::NoSuchRun`], or what the disk refuses.
pub fn read(project: &Project, id: &str) -> Result<RunView, StudioError> {
    let dir = dir(project, id)?;
    // The lock is looked at first: a worker that ends in between has written its last state by then.
    let alive = is_alive(&dir);
    let state: RunState = fs::read_json(&dir.join(STATE_FILE))?;
    let resumable = !alive && state.status != RunStatus::Done && has_checkpoint(&dir);
    Ok(RunView {
        alive,
        resumable,
        metrics: lines(&dir.join(METRICS_FILE))?,
        samples: lines(&dir.join(SAMPLES_FILE))?,
        state,
    })
}

/// Asks a training to stop with a checkpoint, whoever started it.
///
/// # Errors
/// [`StudioError::NoSuchRun`], or what the disk refuses.
pub fn cancel(project: &Project, id: &str) -> Result<(), StudioError> {
    let dir = dir(project, id)?;
    Ok(fs::write_atomic(&dir.join(CANCEL_FILE), b"")?)
}

/// Whether a folder holds a checkpoint to go on from.
pub fn has_checkpoint(run_dir: &std::path::Path) -> bool {
    let checkpoints = run_dir.join("checkpoints");
    fs::list_dir(&checkpoints).is_ok_and(|entries| entries.iter().any(|entry| entry.is_dir()))
}

/// The whole lines of a JSON Lines file; the last one may be half written and is left out then.
fn lines<T: DeserializeOwned>(path: &std::path::Path) -> Result<Vec<T>, StudioError> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = fs::read(path)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = text[..whole].split(|byte| *byte == b'\n');
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
}
