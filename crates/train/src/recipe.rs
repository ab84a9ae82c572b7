//! The whole run in reading order.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use hone_data::Row;
use hone_data::sequence::TokenSequence;
use hone_hardware::resident_memory;
use hone_job::{AppError, Event, Explain, Job, RunState, StepMetrics};
use hone_model::source::BaseModel;
use hone_model::{Adapter, Batch, Decoder, ModelFile};
use sha2::{Digest, Sha256};

use crate::checkpoint::{self, Fingerprint};
use crate::config::Method;
use crate::error::{Result, TrainError};
use crate::learned::Learned;
use crate::run_folder::{Clock, RunFolder, read_config, read_plan};
use crate::samples::Question;
use crate::schedule::learning_rate;
use crate::sequences::hex;
use crate::{Plan, RunConfig, gradients, held_out, order, preflight, prepare, sequences};

/// What a run needs to be told.
pub struct Request<'a> {
    /// The base model.
    pub base: &'a BaseModel,
    /// What was asked for. A continued run reads its own instead.
    pub config: &'a RunConfig,
    /// Approved rows as they are after cleaning, with their parts.
    pub rows: &'a [Row],
    /// The project's folder `runs`.
    pub runs: &'a Path,
    /// Local time, from which a new run gets its name.
    pub now: jiff::Zoned,
    /// Whether a few real steps are measured first.
    pub preflight: bool,
    /// Folder of the run to continue.
    pub resume: Option<&'a Path>,
    /// Tries, before the first step, whether what is about to be trained could be exported.
    pub rehearse_export: &'a dyn Fn(&ModelFile, &Adapter) -> std::result::Result<(), AppError>,
}

/// Resolves and estimates; nothing is loaded or written.
///
/// # Errors
/// As [`Plan::resolve`], or when the base model cannot be read.
pub fn plan(request: &Request<'_>, job: &Job) -> Result<Plan> {
    let material = prepare::material(request, request.config, job)?;
    prepare::resolve(request, request.config, &material)
}

/// Trains from the rows to `runs/<id>/adapter/`, or goes on where a run ended.
///
/// # Errors
/// [`TrainError::Cancelled`] after a checkpoint when the run was asked to stop; everything else that can go wrong, which
/// is then also in the run's `state.json`.
pub fn train(request: &Request<'_>, job: &Job) -> Result<RunState> {
    // What is asked for, the rows as token sequences, and what follows from both.
    let (config, config_text) = match request.resume {
        Some(run) => read_config(run)?,
        None => (request.config.clone(), request.config.to_toml()?),
    };
    let material = prepare::material(request, &config, job)?;
    let mut plan = match request.resume {
        Some(run) => read_plan(run)?,
        None => prepare::resolve(request, &config, &material)?,
    };
    plan.check_fits(request.runs)?;
    let (train, valid) = (&material.train.sequences, &material.valid.sequences);
    let fingerprint = Fingerprint {
        rows: sequences::fingerprint(&[train, valid], &material.weights),
        base: material.gguf.sha256(),
        config: hex(&Sha256::digest(config_text)),
    };

    // The frozen base and a fresh adapter; proof that every part of it can learn and that the result can be exported.
    job.stage("load");
    let decoder = Decoder::load_on(&material.gguf, config.placement(plan.stored_weights), job)?;
    let adapter = match config.method {
        Method::Lora => decoder.fresh_adapter(&config.lora, config.seed)?,
        Method::Full => decoder.trainable_copy()?,
    };
    match config.method {
        Method::Lora => hone_model::prove_gradients(&decoder, &config.lora)?,
        Method::Full => hone_model::prove_gradients_of(&decoder, &adapter)?,
    }
    (request.rehearse_export)(&material.gguf, &adapter).map_err(|source| TrainError::ExportRehearsal { source })?;

    // A few real steps, measured. They do not touch the adapter.
    if request.preflight && request.resume.is_none() {
        job.stage("preflight");
        let epoch = order::epoch(train, &config, plan.micro_batch_tokens as usize, 0);
        let held_out = material.valid.tokens();
        plan.measured = Some(preflight::measure(&decoder, &adapter, &epoch, &plan, &config, held_out, job)?);
    }

    let mut folder = match request.resume {
        Some(run) => RunFolder::reopen(run)?,
        None => RunFolder::create(request.runs, &request.now, &config, &plan)?,
    };
    job.notice("run", folder.state.id.clone());
    let recipe = Recipe {
        decoder: &decoder,
        config: &config,
        plan: &plan,
        train,
        weights: &material.weights,
        valid,
        question: material.question.as_ref(),
    };
    let outcome = recipe.run(adapter, &fingerprint, &mut folder, job);
    folder.close(outcome)
}

/// Everything that stays the same while the adapter learns.
pub(crate) struct Recipe<'a> {
    pub(crate) decoder: &'a Decoder,
    pub(crate) config: &'a RunConfig,
    pub(crate) plan: &'a Plan,
    pub(crate) train: &'a [TokenSequence],
    /// What the tokens of a training row count; rows that are not in it count 1.
    pub(crate) weights: &'a BTreeMap<i64, f32>,
    pub(crate) valid: &'a [TokenSequence],
    pub(crate) question: Option<&'a Question>,
}

impl Recipe<'_> {
    /// From a fresh adapter or the newest checkpoint to the adapter in the run's folder. A run that is asked to stop leaves a
    /// checkpoint.
    pub(crate) fn run(
        &self,
        adapter: Adapter,
        fingerprint: &Fingerprint,
        folder: &mut RunFolder,
        job: &Job,
    ) -> Result<()> {
        let mut learned = Learned::begin(adapter, self.config, fingerprint, folder, job)?;
        folder.rewind(learned.progress.step)?;
        job.stage("train");
        if let Err(stop) = self.learn(&mut learned, folder, job) {
            if stop.is_cancelled() {
                if let Some(metrics) = learned.unreported.take() {
                    folder.append_metrics(&metrics)?;
                }
                learned.save(folder)?;
                folder.show(&learned.progress, self.plan, None)?;
            }
            return Err(stop);
        }
        learned.keep().save(&folder.path().join("adapter"), &self.plan.base)?;
        folder.show(&learned.progress, self.plan, Some(0.0))
    }

    /// The loop, in the order of time.
    fn learn(&self, learned: &mut Learned, folder: &mut RunFolder, job: &Job) -> Result<()> {
        let (config, plan) = (self.config, self.plan);
        let mut packs = Vec::new();
        let mut gradients = vec![0.0; learned.adapter.params().len()];
        let mut clock = Clock::default();
        loop {
            // Evaluate: the base model, then every so many steps, then the result.
            let (step, last) = (learned.progress.step, learned.progress.ends(plan.total_steps, config.early_stopping));
            if (last || step.is_multiple_of(plan.valid_every)) && learned.progress.measured_at != Some(step) {
                self.evaluate(learned, folder, job)?;
            }

            // Report the step before, checkpoint, and end when there is nothing left to do.
            if let Some(metrics) = learned.unreported.take() {
                clock.add(metrics.step_seconds);
                folder.append_metrics(&metrics)?;
                job.emit(Event::Step(metrics));
                job.progress(u64::from(step), u64::from(plan.total_steps), "steps");
            }
            folder.show(&learned.progress, plan, clock.left(plan.total_steps - step))?;
            if last || learned.save_is_due(config) {
                learned.save(folder)?;
            }
            if last {
                return Ok(());
            }

            // The rows of this step, in micro-batches: each adds its share of the gradient of the step's mean loss.
            let begun = Instant::now();
            let (epoch, place) = (step / plan.steps_per_epoch, step % plan.steps_per_epoch);
            if packs.is_empty() || place == 0 {
                packs = order::epoch(self.train, config, plan.micro_batch_tokens as usize, epoch);
            }
            let packs = &packs[place as usize];
            let batches: Vec<Batch> = packs.iter().map(|pack| sequences::batch(pack, self.weights)).collect();
            let sum = gradients::fill(self, learned, &batches, &mut gradients, &|| folder.check_cancelled(job))?;

            // Step, unless the numbers broke down: then the last checkpoint is the last good state.
            let (loss, grad_norm) = (sum.mean(), gradients::global_norm(&gradients));
            if !loss.is_finite() || !grad_norm.is_finite() {
                let last_good = checkpoint::newest_step(&folder.checkpoints());
                let (step, precision) = (step + 1, config.precision);
                return Err(TrainError::Diverged { step, loss, grad_norm, last_good, precision });
            }
            gradients::clip(&mut gradients, grad_norm, config.max_grad_norm);
            let rate = learning_rate(config.schedule, config.learning_rate, step, plan.warmup_steps, plan.total_steps);
            learned.optimiser.step(learned.adapter.params_mut(), &gradients, rate)?;
            learned.progress.after_step(loss);
            let tokens: usize = packs.iter().map(|pack| pack.ids.len()).sum();
            let step_seconds = begun.elapsed().as_secs_f64();
            learned.unreported = Some(StepMetrics {
                step: step + 1,
                epoch: f64::from(step + 1) / f64::from(plan.steps_per_epoch),
                loss,
                loss_ema: learned.progress.loss_ema,
                learning_rate: rate,
                grad_norm,
                tokens: tokens as u32,
                tokens_per_second: tokens as f64 / step_seconds,
                step_seconds,
                memory_bytes: resident_memory(),
                valid_loss: None,
            });
        }
    }

    /// Held-out loss now, and the fixed question asked once more.
    fn evaluate(&self, learned: &mut Learned, folder: &RunFolder, job: &Job) -> Result<()> {
        let check = || folder.check_cancelled(job);
        let budget = self.plan.micro_batch_tokens as usize;
        if let Some(loss) = held_out::loss(self.decoder, &learned.adapter, self.valid, budget, &check)? {
            learned.measured(loss, self.config.keep_best);
        }
        learned.progress.measured_at = Some(learned.progress.step);
        if let Some(metrics) = &mut learned.unreported {
            metrics.valid_loss = learned.progress.loss_now;
        }
        match self.question {
            Some(question) => {
                folder.append_sample(&question.ask(self.decoder, &learned.adapter, learned.progress.step)?)
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
