use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hone_job::run::{CANCEL_FILE, METRICS_FILE, STATE_FILE};
use hone_job::{ErrorCode, RunStatus, fs};

use super::*;
use crate::plan::Circumstances;
use crate::sequences::Sequences;
use crate::testing::{tiny_config, tiny_decoder_on, tiny_rows};

/// A tiny run: model, rows, settings, and the folder of all runs.
struct Tiny {
    decoder: Decoder,
    config: RunConfig,
    plan: Plan,
    train: Vec<TokenSequence>,
    valid: Vec<TokenSequence>,
    weights: BTreeMap<i64, f32>,
    runs: tempfile::TempDir,
}

impl Tiny {
    fn new(change: impl FnOnce(&mut RunConfig)) -> Self {
        let mut config = tiny_config();
        change(&mut config);
        let decoder = tiny_decoder_on(3, config.placement(false));
        let (train, valid) = (tiny_rows(18, 5), tiny_rows(4, 6));
        let of = |sequences: &[TokenSequence]| Sequences { sequences: sequences.to_vec(), ..Sequences::default() };
        let plan = Plan::resolve(
            &config,
            &Circumstances {
                base: "tiny",
                decoder: decoder.config(),
                file_bytes: 80_000,
                train: &of(&train),
                valid: &of(&valid),
                memory_available: 8 << 30,
                disk_free: 8 << 30,
                product_rate: 1e11,
            },
        )
        .unwrap();
        let weights = train.iter().map(|row| (row.row, 0.5 + (row.row % 3) as f32)).collect();
        Self { decoder, config, plan, train, valid, weights, runs: tempfile::tempdir().unwrap() }
    }

    fn fingerprint(&self) -> Fingerprint {
        let rows = sequences::fingerprint(&[&self.train, &self.valid], &self.weights);
        Fingerprint { rows, base: "base".into(), config: self.config.to_toml().unwrap() }
    }

    /// A new run; its folder stays when it fails.
    fn start(&self, job: &Job) -> (PathBuf, Result<RunState>) {
        let now = "2026-11-24T15:00:00[UTC]".parse().unwrap();
        let folder = RunFolder::create(self.runs.path(), &now, &self.config, &self.plan).unwrap();
        (folder.path().to_owned(), self.go(folder, job))
    }

    fn resume(&self, run: &Path, job: &Job) -> Result<RunState> {
        self.go(RunFolder::reopen(run)?, job)
    }

    fn go(&self, mut folder: RunFolder, job: &Job) -> Result<RunState> {
        let adapter = match self.config.method {
            Method::Lora => self.decoder.fresh_adapter(&self.config.lora, self.config.seed).unwrap(),
            Method::Full => self.decoder.trainable_copy().unwrap(),
        };
        let recipe = Recipe {
            decoder: &self.decoder,
            config: &self.config,
            plan: &self.plan,
            train: &self.train,
            weights: &self.weights,
            valid: &self.valid,
            question: None,
        };
        let outcome = recipe.run(adapter, &self.fingerprint(), &mut folder, job);
        folder.close(outcome)
    }

    fn adapter(&self, run: &Path) -> Adapter {
        Adapter::load(&run.join("adapter"), self.decoder.config()).unwrap()
    }
}

/// A job that cancels itself when step `step` is reported.
fn cancels_after(step: u32) -> Job {
    let slot: Arc<Mutex<Option<Job>>> = Arc::default();
    let inner = slot.clone();
    let job = Job::new(move |event| {
        if matches!(event, Event::Step(metrics) if metrics.step == step) {
            inner.lock().unwrap().as_ref().unwrap().cancel();
        }
    });
    *slot.lock().unwrap() = Some(job.clone());
    job
}

fn metrics(run: &Path) -> Vec<StepMetrics> {
    let text = fs::read_to_string(&run.join(METRICS_FILE)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn bits(adapter: &Adapter) -> Vec<u32> {
    adapter.params().iter().map(|number| number.to_bits()).collect()
}

#[test]
fn a_run_learns_and_leaves_its_whole_story() {
    let tiny = Tiny::new(|_| {});
    let (run, state) = tiny.start(&Job::silent());
    let state = state.unwrap();
    // 18 rows, 4 a step, 4 epochs: 5 steps an epoch, 20 in all.
    assert_eq!((state.status, state.step, state.total_steps), (RunStatus::Done, 20, 20));
    assert!(state.loss_after.unwrap() < state.loss_before.unwrap() - 0.1, "{state:?}");
    assert_eq!(fs::read_json::<RunState>(&run.join(STATE_FILE)).unwrap(), state);
    let metrics = metrics(&run);
    assert_eq!(metrics.iter().map(|step| step.step).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    let measured: Vec<u32> = metrics.iter().filter(|step| step.valid_loss.is_some()).map(|step| step.step).collect();
    assert_eq!(measured, [5, 10, 15, 20], "once per epoch");
    assert_eq!(metrics[19].valid_loss, state.loss_after);
    assert!(tiny.adapter(&run).params().iter().any(|number| *number != 0.0));
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let run = |seed: u64| {
        let tiny = Tiny::new(|config| config.seed = seed);
        let (run, state) = tiny.start(&Job::silent());
        state.unwrap();
        bits(&tiny.adapter(&run))
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
}

#[test]
fn a_run_stopped_anywhere_goes_on_to_the_same_bits_as_an_unbroken_one() {
    let tiny = Tiny::new(|config| config.keep_best = true);
    let (unbroken, state) = tiny.start(&Job::silent());
    let state = state.unwrap();
    for step in [1, 4, 5, 7, 19] {
        let (run, stopped) = tiny.start(&cancels_after(step));
        assert!(stopped.unwrap_err().is_cancelled());
        let left: RunState = fs::read_json(&run.join(STATE_FILE)).unwrap();
        assert_eq!((left.status, left.step < 20), (RunStatus::Cancelled, true));
        let resumed = tiny.resume(&run, &Job::silent()).unwrap();
        assert_eq!(bits(&tiny.adapter(&run)), bits(&tiny.adapter(&unbroken)), "stopped after step {step}");
        assert_eq!((resumed.loss_before, resumed.loss_after), (state.loss_before, state.loss_after));
        let (one, other) = (metrics(&run), metrics(&unbroken));
        let story = |steps: &[StepMetrics]| {
            steps
                .iter()
                .map(|step| (step.step, step.loss, step.loss_ema, step.grad_norm, step.learning_rate))
                .collect::<Vec<_>>()
        };
        assert_eq!(story(&one), story(&other), "each step is there once");
    }
}

#[test]
fn a_run_with_every_choice_of_its_own_goes_on_to_the_same_bits_and_learns() {
    let changes = [
        "optimiser=adamw_8bit",
        "neftune_alpha=5",
        "label_smoothing=0.1",
        "group_by_length=true",
        "packing=false",
        "use_dora=true",
    ];
    let tiny = Tiny::new(|config| changes.iter().for_each(|change| config.set(change).unwrap()));
    let (unbroken, state) = tiny.start(&Job::silent());
    let state = state.unwrap();
    assert!(state.loss_after.unwrap() < state.loss_before.unwrap() - 0.1, "{state:?}");
    let (run, stopped) = tiny.start(&cancels_after(7));
    assert!(stopped.unwrap_err().is_cancelled());
    tiny.resume(&run, &Job::silent()).unwrap();
    assert_eq!(bits(&tiny.adapter(&run)), bits(&tiny.adapter(&unbroken)));
}

#[test]
fn a_full_fine_tuning_learns_and_goes_on_to_the_same_bits() {
    let tiny = Tiny::new(|config| {
        for change in ["method=full", "learning_rate=2e-3", "optimiser=adamw_8bit"] {
            config.set(change).unwrap();
        }
    });
    assert_eq!(tiny.plan.warnings.last().unwrap().code, "high_learning_rate");
    let (unbroken, state) = tiny.start(&Job::silent());
    let state = state.unwrap();
    assert!(state.loss_after.unwrap() < state.loss_before.unwrap() - 0.1, "{state:?}");
    let trained = tiny.adapter(&unbroken);
    assert!(trained.is_full() && trained.params().len() as u64 == tiny.plan.trainable_parameters);
    let (run, stopped) = tiny.start(&cancels_after(7));
    assert!(stopped.unwrap_err().is_cancelled());
    tiny.resume(&run, &Job::silent()).unwrap();
    assert_eq!(bits(&tiny.adapter(&run)), bits(&trained));
}

#[test]
fn a_run_that_was_killed_goes_on_from_its_last_checkpoint_to_the_same_bits() {
    let tiny = Tiny::new(|config| config.checkpoint_steps = 3);
    let (unbroken, state) = tiny.start(&Job::silent());
    state.unwrap();
    let (run, _) = tiny.start(&cancels_after(8));
    // A killed worker writes nothing more: no checkpoint of step 8, the state still says `running`, the last line is cut.
    fs::remove_dir_all(&run.join("checkpoints/step-000008")).unwrap();
    let mut state: RunState = fs::read_json(&run.join(STATE_FILE)).unwrap();
    state.status = RunStatus::Running;
    fs::write_json(&run.join(STATE_FILE), &state).unwrap();
    let lines = fs::read_to_string(&run.join(METRICS_FILE)).unwrap();
    fs::write_atomic(&run.join(METRICS_FILE), &lines.as_bytes()[..lines.len() - 20]).unwrap();
    assert_eq!(checkpoint::newest_step(&run.join("checkpoints")), 6);
    tiny.resume(&run, &Job::silent()).unwrap();
    assert_eq!(bits(&tiny.adapter(&run)), bits(&tiny.adapter(&unbroken)));
    assert_eq!(metrics(&run).len(), 20);
}

#[test]
fn a_damaged_newest_checkpoint_costs_some_steps_and_nothing_else() {
    let tiny = Tiny::new(|config| config.checkpoint_steps = 3);
    let (unbroken, state) = tiny.start(&Job::silent());
    state.unwrap();
    let (run, _) = tiny.start(&cancels_after(8));
    let state = run.join("checkpoints/step-000008/state.safetensors");
    let mut bytes = fs::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write_atomic(&state, &bytes).unwrap();
    tiny.resume(&run, &Job::silent()).unwrap();
    assert_eq!(bits(&tiny.adapter(&run)), bits(&tiny.adapter(&unbroken)));
}

#[test]
fn a_run_does_not_go_on_with_other_rows() {
    let mut tiny = Tiny::new(|_| {});
    let (run, _) = tiny.start(&cancels_after(6));
    tiny.train[3].ids[2] ^= 1;
    let error = tiny.resume(&run, &Job::silent()).unwrap_err();
    assert!(error.to_string().contains("the rows changed"), "{error}");
}

#[test]
fn the_file_cancel_stops_a_run_with_a_checkpoint_and_is_taken_away() {
    let tiny = Tiny::new(|_| {});
    let now = "2026-11-24T15:00:00[UTC]".parse().unwrap();
    let folder = RunFolder::create(tiny.runs.path(), &now, &tiny.config, &tiny.plan).unwrap();
    let run = folder.path().to_owned();
    fs::write_atomic(&run.join(CANCEL_FILE), b"").unwrap();
    assert!(tiny.go(folder, &Job::silent()).unwrap_err().is_cancelled());
    assert!(!run.join(CANCEL_FILE).exists());
    assert!(run.join("checkpoints/step-000000").is_dir());
    assert_eq!(tiny.resume(&run, &Job::silent()).unwrap().status, RunStatus::Done);
}

#[test]
fn numbers_that_break_down_stop_the_run_and_keep_the_last_good_checkpoint() {
    // With this alpha the feed-forward part overflows f32 once the adapter has grown a little.
    let tiny = Tiny::new(|config| {
        (config.checkpoint_steps, config.warmup_ratio) = (1, 1.0);
        (config.lora.alpha, config.learning_rate, config.max_grad_norm) = (1e18, 1e-5, 0.0);
    });
    let (run, outcome) = tiny.start(&Job::silent());
    let error = outcome.unwrap_err();
    let TrainError::Diverged { step, last_good, .. } = error else { panic!("{error}") };
    assert!(step > 1 && last_good == step - 1, "the step that broke was not done: {step}, {last_good}");
    let kept = checkpoint::load_newest(&run.join("checkpoints"), &Job::silent()).unwrap().unwrap();
    assert!(kept.params.iter().all(|number| number.is_finite()));
    let state: RunState = fs::read_json(&run.join(STATE_FILE)).unwrap();
    assert_eq!((state.status, state.error.unwrap().code), (RunStatus::Failed, ErrorCode::Diverged));
}

#[test]
fn a_run_without_gain_ends_early_and_keeps_its_best_adapter() {
    // A learning rate far too high for this model: held-out loss gets worse at once.
    let tiny = Tiny::new(|config| {
        config.learning_rate = 0.5;
        config.schedule = crate::config::Schedule::Constant;
        config.epochs = 40;
        (config.early_stopping, config.keep_best) = (2, true);
    });
    let (run, state) = tiny.start(&Job::silent());
    let state = state.unwrap();
    assert_eq!(state.status, RunStatus::Done);
    assert!(state.step < state.total_steps, "{state:?}");
    let measured: Vec<f64> = metrics(&run).iter().filter_map(|step| step.valid_loss).collect();
    let best = measured.iter().copied().fold(state.loss_before.unwrap(), f64::min);
    assert!(measured.iter().rev().take(2).all(|loss| *loss >= best));
}

#[test]
fn the_result_does_not_depend_on_the_size_of_the_micro_batches_but_for_rounding() {
    let run = |tokens: u32| {
        let tiny = Tiny::new(|config| (config.micro_batch_tokens, config.lora.dropout) = (tokens, 0.0));
        let (run, state) = tiny.start(&Job::silent());
        state.unwrap();
        tiny.adapter(&run).params().to_vec()
    };
    let (small, large) = (run(8), run(1000));
    let distance: f64 = small.iter().zip(&large).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    assert!(distance < 1e-3 * gradients::global_norm(&large), "{distance}");
}

/// What computes with the operations of a graphics card: candle's CPU device, or a card, `HONE_TEST_DEVICE=cuda:0` with the feature
/// `cuda`.
fn card() -> String {
    std::env::var("HONE_TEST_DEVICE").unwrap_or_else(|_| "cpu-tensors".to_owned())
}

/// A run of a few steps.
fn short(device: &str, precision: &str) -> Tiny {
    Tiny::new(|config| {
        for change in ["max_steps=8".to_owned(), format!("device={device}"), format!("precision={precision}")] {
            config.set(&change).unwrap();
        }
    })
}

#[test]
fn a_run_on_the_operations_of_a_card_learns_what_one_on_the_processor_learns() {
    let run = |device: &str| {
        let tiny = short(device, "f32");
        let (run, state) = tiny.start(&Job::silent());
        (tiny.adapter(&run).params().to_vec(), state.unwrap().loss_after.unwrap())
    };
    let ((fused, fused_loss), (tensors, loss)) = (run("cpu"), run(&card()));
    assert!((loss / fused_loss - 1.0).abs() < 1e-3, "{loss} instead of {fused_loss}");
    // AdamW makes whole steps of gradients that are rounding only, so single numbers may drift apart.
    let distance: f64 = fused.iter().zip(&tensors).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    assert!(distance < 1e-2 * gradients::global_norm(&fused), "{distance}");
}

#[test]
fn a_run_in_f16_scales_its_loss_learns_the_same_and_goes_on_to_the_same_bits() {
    let (_, expected) = short("cpu", "f32").start(&Job::silent());
    let tiny = short(&card(), "f16");
    let (unbroken, state) = tiny.start(&Job::silent());
    let (loss, expected) = (state.unwrap().loss_after.unwrap(), expected.unwrap().loss_after.unwrap());
    assert!((loss / expected - 1.0).abs() < 1e-2, "{loss} instead of {expected}");
    let (run, stopped) = tiny.start(&cancels_after(3));
    assert!(stopped.unwrap_err().is_cancelled());
    let saved = checkpoint::load_newest(&run.join("checkpoints"), &Job::silent()).unwrap().unwrap();
    assert!(saved.progress.loss_scale.is_some_and(|scale| scale.factor > 1.0), "{:?}", saved.progress);
    tiny.resume(&run, &Job::silent()).unwrap();
    assert_eq!(bits(&tiny.adapter(&run)), bits(&tiny.adapter(&unbroken)));
}
