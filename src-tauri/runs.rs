//! Following a training by its files, so that it does not matter which window started it.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hone_job::run::{METRICS_FILE, RunState, SAMPLES_FILE, STATE_FILE, Sample, is_alive};
use hone_job::{StepMetrics, fs};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ts_rs::TS;

use crate::error::ShellError;

/// Time between two looks.
pub const PAUSE: Duration = Duration::from_millis(300);

/// What changed in a run since the last look.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[ts(export)]
#[allow(clippy::large_enum_variant)] // a few a second, each sent at once
pub enum RunUpdate {
    /// Its state is another.
    State {
        /// What its worker last said.
        state: RunState,
        /// Whether a worker holds its lock.
        alive: bool,
    },
    /// Steps came in.
    Steps {
        /// Whether these are all of them: forget the earlier ones.
        all: bool,
        /// In order.
        steps: Vec<StepMetrics>,
    },
    /// Sample answers came in.
    Samples {
        /// Whether these are all of them: forget the earlier ones.
        all: bool,
        /// In order.
        samples: Vec<Sample>,
    },
}

/// A run being followed.
pub struct Follow {
    dir: PathBuf,
    steps: Tail,
    samples: Tail,
    last: Option<(RunState, bool)>,
}

impl Follow {
    /// Follows the run in `dir` from its first step.
    pub fn new(dir: PathBuf) -> Self {
        let tail = |name: &str| Tail { path: dir.join(name), read: 0 };
        Self { steps: tail(METRICS_FILE), samples: tail(SAMPLES_FILE), dir, last: None }
    }

    /// What changed since the last look, and whether a worker holds the run.
    ///
    /// # Errors
    /// When the run's files cannot be read.
    pub fn look(&mut self) -> Result<(Vec<RunUpdate>, bool), ShellError> {
        // The lock is looked at first: what a worker wrote before it ended is seen in the same look.
        let alive = is_alive(&self.dir);
        let state: RunState = fs::read_json(&self.dir.join(STATE_FILE))?;
        let mut updates = Vec::new();
        let (all, steps) = self.steps.new_lines()?;
        if all || !steps.is_empty() {
            updates.push(RunUpdate::Steps { all, steps });
        }
        let (all, samples) = self.samples.new_lines()?;
        if all || !samples.is_empty() {
            updates.push(RunUpdate::Samples { all, samples });
        }
        let now = (state, alive);
        if self.last.as_ref() != Some(&now) {
            updates.push(RunUpdate::State { state: now.0.clone(), alive });
            self.last = Some(now);
        }
        Ok((updates, alive))
    }
}

/// The end of a growing JSON Lines file.
struct Tail {
    path: PathBuf,
    read: u64,
}

impl Tail {
    /// The whole lines that came since the last call, and whether they are all there are. A half-written line waits for
    /// its end; a line that does not fit is left out.
    fn new_lines<T: DeserializeOwned>(&mut self) -> Result<(bool, Vec<T>), ShellError> {
        let Ok(length) = size(&self.path) else { return Ok((false, Vec::new())) };
        if length < self.read {
            // A resumed run drops the steps after its checkpoint.
            self.read = 0;
        }
        let all = self.read == 0 && length > 0;
        if length == self.read {
            return Ok((false, Vec::new()));
        }
        let bytes = read_from(&self.path, self.read)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.read += whole as u64;
        let lines = bytes[..whole].split(|byte| *byte == b'\n');
        Ok((all && whole > 0, lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()))
    }
}

fn size(path: &Path) -> Result<u64, ShellError> {
    Ok(fs::metadata(path)?.len())
}

fn read_from(path: &Path, start: u64) -> Result<Vec<u8>, ShellError> {
    let mut file = fs::open(path)?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start)).and_then(|_| file.read_to_end(&mut bytes)).map_err(|source| fs::FsError {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const STATE: &str = r#"{"id":"20261124-150000","status":"running","pid":7,"step":3,"total_steps":9,"epoch":0.5,
        "started_at":"2026-11-24T15:00:00Z","updated_at":"2026-11-24T15:01:00Z","base":"gemma3-270m"}"#;

    fn sample(step: u32) -> String {
        format!(r#"{{"step":{step},"question":"Who?","answer":"Ada"}}"#)
    }

    fn run() -> (tempfile::TempDir, Follow) {
        let folder = tempfile::tempdir().unwrap();
        fs::write_atomic(&folder.path().join(STATE_FILE), STATE.as_bytes()).unwrap();
        let follow = Follow::new(folder.path().to_owned());
        (folder, follow)
    }

    fn append(folder: &tempfile::TempDir, text: &str) {
        fs::append(&folder.path().join(SAMPLES_FILE)).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn steps_of(updates: &[RunUpdate]) -> Option<(bool, Vec<u32>)> {
        updates.iter().find_map(|update| match update {
            RunUpdate::Samples { all, samples } => Some((*all, samples.iter().map(|sample| sample.step).collect())),
            _ => None,
        })
    }

    #[test]
    fn a_half_written_line_waits_for_its_end() {
        let (folder, mut follow) = run();
        let line = sample(1);
        append(&folder, &format!("{}\n{}", sample(0), &line[..9]));
        assert_eq!(steps_of(&follow.look().unwrap().0), Some((true, vec![0])));
        append(&folder, &format!("{}\n", &line[9..]));
        assert_eq!(steps_of(&follow.look().unwrap().0), Some((false, vec![1])));
    }

    #[test]
    fn a_file_that_became_shorter_is_told_from_its_start() {
        let (folder, mut follow) = run();
        append(&folder, &format!("{}\n{}\n{}\n", sample(1), sample(2), sample(3)));
        follow.look().unwrap();
        fs::write_atomic(&folder.path().join(SAMPLES_FILE), format!("{}\n", sample(1)).as_bytes()).unwrap();
        assert_eq!(steps_of(&follow.look().unwrap().0), Some((true, vec![1])));
    }

    #[test]
    fn nothing_is_told_twice() {
        let (_folder, mut follow) = run();
        let (updates, alive) = follow.look().unwrap();
        assert!(matches!(&updates[..], [RunUpdate::State { alive: false, .. }]), "{updates:?}");
        assert!(!alive, "nobody holds its lock");
        assert_eq!(follow.look().unwrap().0, []);
    }
}
