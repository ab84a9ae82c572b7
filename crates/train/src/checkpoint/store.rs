//! The folder of all checkpoints of a run: saving, choosing the newest good one, clearing away old ones.

use std::path::{Path, PathBuf};

use hone_job::{Job, fs};

use super::{Checkpoint, files};
use crate::error::Result;

const PREFIX: &str = "step-";
const UNFINISHED: &str = ".unfinished";
const KEPT: usize = 2;

/// Writes a checkpoint below `folder`, reads it back, makes it visible, and removes all but the two newest.
///
/// # Errors
/// [`crate::TrainError::Fs`] when it cannot be written; the checkpoints that were there are then untouched.
/// [`crate::TrainError::DamagedCheckpoint`] when the disk gave back something else than was written.
pub fn save(folder: &Path, checkpoint: &Checkpoint<'_>) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(UNFINISHED);
    fs::remove_dir_all(&unfinished)?;
    fs::create_dir_all(&unfinished)?;
    files::write(&unfinished, checkpoint)?;
    files::verify(&unfinished)?;
    let path = folder.join(format!("{PREFIX}{:06}", checkpoint.progress.step));
    // Only a damaged checkpoint can stand there: a good one would have been continued, not written again.
    fs::remove_dir_all(&path)?;
    fs::rename(&unfinished, &path)?;
    for (_, old) in steps(folder)?.iter().rev().skip(KEPT) {
        fs::remove_dir_all(old)?;
    }
    Ok(path)
}

/// Reads the newest checkpoint that is whole, telling `job` about each one that is not. `None` when there is none.
///
/// # Errors
/// [`crate::TrainError::Fs`] when the folder cannot be listed; [`crate::TrainError::DamagedCheckpoint`] when there are checkpoints and
/// all are damaged.
pub fn load_newest(folder: &Path, job: &Job) -> Result<Option<Checkpoint<'static>>> {
    let mut last = None;
    for (step, path) in steps(folder)?.into_iter().rev() {
        match files::read(&path) {
            Ok(checkpoint) => return Ok(Some(checkpoint)),
            Err(error) => {
                job.notice("checkpoint_skipped", format!("{error}; step {step} is left out, the one before is tried"));
                last = Some(error);
            }
        }
    }
    last.map_or(Ok(None), Err)
}

/// Step of the newest checkpoint, whole or not; 0 when there is none.
pub fn newest_step(folder: &Path) -> u32 {
    steps(folder).ok().and_then(|steps| steps.last().map(|(step, _)| *step)).unwrap_or(0)
}

/// The checkpoints, oldest first.
fn steps(folder: &Path) -> Result<Vec<(u32, PathBuf)>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let step = |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix(PREFIX)?.parse().ok();
    let mut steps: Vec<(u32, PathBuf)> =
        fs::list_dir(folder)?.into_iter().filter_map(|path| Some((step(&path)?, path))).collect();
    steps.sort();
    Ok(steps)
}
