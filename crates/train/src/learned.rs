//! Everything that changes while a run learns, and how it goes into a checkpoint and comes back.

use std::borrow::Cow;
use std::time::Instant;

use hone_job::{Job, StepMetrics};
use hone_model::Adapter;

use crate::checkpoint::{self, Checkpoint, Fingerprint, Progress};
use crate::error::{Result, TrainError};
use crate::loss_scale::LossScale;
use crate::run_folder::RunFolder;
use crate::{AdamW, RunConfig};

/// The moving part of a run.
pub(crate) struct Learned {
    pub(crate) adapter: Adapter,
    pub(crate) optimiser: AdamW,
    pub(crate) progress: Progress,
    /// The adapter with the best held-out loss; empty unless it is kept.
    pub(crate) best_params: Vec<f32>,
    /// The last step, until it is reported.
    pub(crate) unreported: Option<StepMetrics>,
    fingerprint: Fingerprint,
    saved: Option<(Instant, u32)>,
    since: Instant,
}

impl Learned {
    /// A run that has learned nothing yet, or, when the run's folder has a checkpoint, as much as that.
    ///
    /// # Errors
    /// [`TrainError::CannotResume`] when something it was made from changed; as [`checkpoint::load_newest`].
    pub(crate) fn begin(
        adapter: Adapter,
        config: &RunConfig,
        fingerprint: &Fingerprint,
        folder: &RunFolder,
        job: &Job,
    ) -> Result<Self> {
        let mut learned = Self {
            optimiser: AdamW::new(&config.optimiser(), adapter.params().len()),
            adapter,
            progress: Progress { loss_scale: LossScale::of(config.device, config.precision), ..Progress::default() },
            best_params: Vec::new(),
            unreported: None,
            fingerprint: fingerprint.clone(),
            saved: None,
            since: Instant::now(),
        };
        if let Some(saved) = checkpoint::load_newest(&folder.checkpoints(), job)? {
            saved.check_same(fingerprint, &folder.state.id)?;
            let (expected, found) = (learned.adapter.params().len(), saved.params.len());
            if expected != found {
                return Err(TrainError::Length { what: "adapter in the checkpoint", expected, found });
            }
            learned.adapter.params_mut().copy_from_slice(&saved.params);
            learned.saved = Some((Instant::now(), saved.progress.step));
            learned.optimiser = AdamW::restore(&config.optimiser(), saved.progress.step, saved.moments.into_owned())?;
            (learned.progress, learned.best_params) = (saved.progress, saved.best_params.into_owned());
            job.notice("resumed", format!("goes on after step {}", learned.progress.step));
        }
        Ok(learned)
    }

    /// Notes a held-out loss; a better one than ever before makes this adapter the best.
    pub(crate) fn measured(&mut self, loss: f64, keep: bool) {
        let better = self.progress.after_measurement(loss);
        if better && keep && self.progress.step > 0 {
            self.best_params = self.adapter.params().to_vec();
        }
    }

    /// Writes a checkpoint, unless the newest one is of this step.
    ///
    /// # Errors
    /// As [`checkpoint::save`].
    pub(crate) fn save(&mut self, folder: &RunFolder) -> Result<()> {
        let step = self.progress.step;
        if self.saved.is_none_or(|(_, saved)| saved != step) {
            let checkpoint = Checkpoint {
                progress: self.progress.clone(),
                fingerprint: self.fingerprint.clone(),
                params: Cow::Borrowed(self.adapter.params()),
                moments: Cow::Borrowed(self.optimiser.moments()),
                best_params: Cow::Borrowed(&self.best_params),
            };
            checkpoint::save(&folder.checkpoints(), &checkpoint)?;
            self.saved = Some((Instant::now(), step));
        }
        Ok(())
    }

    /// Whether the configuration wants a checkpoint now.
    pub(crate) fn save_is_due(&self, config: &RunConfig) -> bool {
        let step = self.progress.step;
        let last = self.saved.map_or(self.since, |(at, _)| at);
        let by_time =
            config.checkpoint_minutes > 0.0 && last.elapsed().as_secs_f64() >= config.checkpoint_minutes * 60.0;
        let by_steps = config.checkpoint_steps > 0 && step.is_multiple_of(config.checkpoint_steps);
        step > 0 && (by_time || by_steps)
    }

    /// The adapter that the run keeps: the best by held-out loss when that was asked for, else the last.
    pub(crate) fn keep(&mut self) -> &Adapter {
        if !self.best_params.is_empty() {
            self.adapter.params_mut().copy_from_slice(&self.best_params);
            self.progress.loss_now = self.progress.best.map(|(loss, _)| loss);
        }
        &self.adapter
    }
}
