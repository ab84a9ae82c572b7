//! `runs/<id>/`: what a run's worker writes for whoever looks at it, now or after it died.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hone_job::run::{CANCEL_FILE, METRICS_FILE, SAMPLES_FILE, STATE_FILE, Sample};
use hone_job::{Explain, Job, RunState, RunStatus, StepMetrics, fs, run};
use jiff::{Timestamp, Zoned};

use crate::checkpoint::Progress;
use crate::error::{Result, TrainError};
use crate::{Plan, RunConfig};

const CONFIG_FILE: &str = "config.toml";
const PLAN_FILE: &str = "plan.json";

/// A run's folder, held by this process alone.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// What others read in `state.json`.
    pub state: RunState,
    shown: Option<Instant>,
    _lock: File,
}

impl RunFolder {
    /// Makes the folder of a new run, named by the local time.
    ///
    /// # Errors
    /// [`TrainError::Fs`] when it cannot be made.
    pub fn create(runs: &Path, now: &Zoned, config: &RunConfig, plan: &Plan) -> Result<Self> {
        let id = now.strftime("%Y%m%d-%H%M%S").to_string();
        let names = std::iter::once(id.clone()).chain((2..).map(|number| format!("{id}-{number}")));
        let free = names.map(|name| (runs.join(&name), name)).find(|(path, _)| !path.exists());
        let (path, id) = free.ok_or_else(|| TrainError::NoRun { path: runs.to_owned() })?;
        fs::create_dir_all(&path)?;
        let lock = run::lock(&path)?.ok_or_else(|| TrainError::Busy { run: id.clone() })?;
        let started_at = now.timestamp().to_string();
        let state = RunState {
            id,
            status: RunStatus::Running,
            pid: std::process::id(),
            step: 0,
            total_steps: plan.total_steps,
            epoch: 0.0,
            updated_at: started_at.clone(),
            started_at,
            base: plan.base.clone(),
            loss_before: None,
            loss_after: None,
            error: None,
            seconds_left: None,
        };
        let folder = Self { path, state, shown: None, _lock: lock };
        fs::write_atomic(&folder.path.join(CONFIG_FILE), config.to_toml()?.as_bytes())?;
        folder.write_plan(plan)?;
        fs::write_json(&folder.path.join(STATE_FILE), &folder.state)?;
        Ok(folder)
    }

    /// Takes over the folder of a run that ended before it was done.
    ///
    /// # Errors
    /// [`TrainError::NoRun`], [`TrainError::Busy`] or [`TrainError::AlreadyDone`] when it cannot go on.
    pub fn reopen(path: &Path) -> Result<Self> {
        if !path.join(STATE_FILE).is_file() {
            return Err(TrainError::NoRun { path: path.to_owned() });
        }
        let mut state: RunState = fs::read_json(&path.join(STATE_FILE))?;
        let lock = run::lock(path)?.ok_or_else(|| TrainError::Busy { run: state.id.clone() })?;
        if state.status == RunStatus::Done {
            return Err(TrainError::AlreadyDone { run: state.id });
        }
        fs::remove_file(&path.join(CANCEL_FILE))?;
        (state.status, state.pid, state.error) = (RunStatus::Running, std::process::id(), None);
        Ok(Self { path: path.to_owned(), state, shown: None, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Writes the plan.
    ///
    /// # Errors
    /// [`TrainError::Fs`].
    pub fn write_plan(&self, plan: &Plan) -> Result<()> {
        Ok(fs::write_json(&self.path.join(PLAN_FILE), plan)?)
    }

    /// Writes `state.json` as `change` leaves it.
    ///
    /// # Errors
    /// [`TrainError::Fs`].
    pub fn update(&mut self, change: impl FnOnce(&mut RunState)) -> Result<()> {
        change(&mut self.state);
        self.state.updated_at = Timestamp::now().to_string();
        Ok(fs::write_json(&self.path.join(STATE_FILE), &self.state)?)
    }

    /// Shows in `state.json` how far the run is; the file is written at most twice a second, and when the run is closed.
    ///
    /// # Errors
    /// [`TrainError::Fs`].
    pub fn show(&mut self, progress: &Progress, plan: &Plan, seconds_left: Option<f64>) -> Result<()> {
        let state = &mut self.state;
        state.step = progress.step;
        state.epoch = f64::from(progress.step) / f64::from(plan.steps_per_epoch);
        (state.loss_before, state.loss_after) = (progress.loss_before, progress.loss_now);
        state.seconds_left = seconds_left;
        if self.shown.is_none_or(|shown| shown.elapsed() >= Duration::from_millis(500)) {
            self.shown = Some(Instant::now());
            self.update(|_| {})?;
        }
        Ok(())
    }

    /// Leaves the outcome in `state.json`, whatever it is, and gives the run free.
    ///
    /// # Errors
    /// The outcome's own.
    pub fn close(mut self, outcome: Result<()>) -> Result<RunState> {
        let written = self.update(|state| match &outcome {
            Ok(()) => (state.status, state.seconds_left) = (RunStatus::Done, None),
            Err(error) if error.is_cancelled() => state.status = RunStatus::Cancelled,
            Err(error) => (state.status, state.error) = (RunStatus::Failed, Some(error.to_app_error())),
        });
        outcome.and(written).map(|()| self.state)
    }

    /// Adds a line to `metrics.jsonl`.
    ///
    /// # Errors
    /// [`TrainError::Fs`].
    pub fn append_metrics(&self, metrics: &StepMetrics) -> Result<()> {
        append(&self.path.join(METRICS_FILE), metrics)
    }

    /// Adds a line to `samples.jsonl`.
    ///
    /// # Errors
    /// [`TrainError::Fs`].
    pub fn append_sample(&self, sample: &Sample) -> Result<()> {
        append(&self.path.join(SAMPLES_FILE), sample)
    }

    /// Forgets what was written after `step`, so that a continued run has each step once. A last line that was cut off is
    /// forgotten too.
    ///
    /// # Errors
    /// [`TrainError::Fs`].
    pub fn rewind(&self, step: u32) -> Result<()> {
        rewind(&self.path.join(METRICS_FILE), |metrics: &StepMetrics| metrics.step <= step)?;
        rewind(&self.path.join(SAMPLES_FILE), |sample: &Sample| sample.step <= step)
    }

    /// Whether the run was asked to stop, by its job or by the file `cancel`, which is taken away.
    ///
    /// # Errors
    /// [`TrainError::Cancelled`] when it was; [`TrainError::Fs`] when the file cannot be removed.
    pub fn check_cancelled(&self, job: &Job) -> Result<()> {
        let file = self.path.join(CANCEL_FILE);
        if file.exists() {
            fs::remove_file(&file)?;
            job.cancel();
        }
        Ok(job.check()?)
    }
}

/// How long the rest will take, from the steps so far.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    seconds: f64,
    steps: u32,
}

impl Clock {
    /// Notes a step.
    pub(crate) fn add(&mut self, seconds: f64) {
        self.seconds += seconds;
        self.steps += 1;
    }

    /// Seconds that `steps` more take; `None` before the first step.
    pub(crate) fn left(&self, steps: u32) -> Option<f64> {
        (self.steps > 0).then(|| self.seconds / f64::from(self.steps) * f64::from(steps))
    }
}

/// The configuration of a run, as it was asked for.
///
/// # Errors
/// [`TrainError::NoRun`] when there is none.
pub fn read_config(run: &Path) -> Result<(RunConfig, String)> {
    let path = run.join(CONFIG_FILE);
    if !path.is_file() {
        return Err(TrainError::NoRun { path: run.to_owned() });
    }
    let text = fs::read_to_string(&path)?;
    Ok((RunConfig::from_toml(&text)?, text))
}

/// The plan of a run.
///
/// # Errors
/// [`TrainError::Fs`].
pub fn read_plan(run: &Path) -> Result<Plan> {
    Ok(fs::read_json(&run.join(PLAN_FILE))?)
}

/// The newest run below `runs` that ended before it was done and on which nobody works.
///
/// # Errors
/// [`TrainError::Fs`] when the folder cannot be listed.
pub fn latest_resumable(runs: &Path) -> Result<Option<PathBuf>> {
    if !runs.is_dir() {
        return Ok(None);
    }
    let open = |path: &PathBuf| {
        let state = fs::read_json::<RunState>(&path.join(STATE_FILE));
        state.is_ok_and(|state| state.status != RunStatus::Done) && !run::is_alive(path)
    };
    Ok(fs::list_dir(runs)?.into_iter().rev().find(open))
}

fn append(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let failed = |source: std::io::Error| fs::FsError { action: "append to", path: path.to_owned(), source };
    let mut line = serde_json::to_vec(value).map_err(|error| failed(error.into()))?;
    line.push(b'\n');
    // One write a line: whoever follows the file sees whole lines.
    fs::append(path)?.write_all(&line).map_err(failed)?;
    Ok(())
}

fn rewind<T: serde::de::DeserializeOwned>(path: &Path, keep: impl Fn(&T) -> bool) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
    let kept = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n') && serde_json::from_str::<T>(line).is_ok_and(|value| keep(&value)));
    Ok(fs::write_atomic(path, kept.collect::<String>().as_bytes())?)
}

#[cfg(test)]
mod tests;
