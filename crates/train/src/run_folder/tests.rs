use hone_job::run::{RunView, is_alive};
use hone_model::Precision;

use super::*;
use crate::testing::tiny_config;

fn plan() -> Plan {
    serde_json::from_value(serde_json::json!({
        "preset": "balanced", "base": "b", "train_rows": 8, "valid_rows": 2, "truncated_rows": 0, "left_out_rows": 0,
        "longest_row": 9, "tokens_per_epoch": 70, "trained_tokens_per_epoch": 40, "epochs": 2, "steps_per_epoch": 4,
        "total_steps": 8, "warmup_steps": 1, "valid_every": 4, "total_tokens": 140, "trainable_parameters": 10,
        "micro_batch_tokens": 64, "gradient_checkpointing": false, "memory_bytes": 1, "memory_available": 2,
        "disk_bytes": 1, "disk_free": 2, "seconds": 1.0, "warnings": []
    }))
    .unwrap()
}

fn create(runs: &Path) -> RunFolder {
    let now: Zoned = "2026-11-24T15:04:05[UTC]".parse().unwrap();
    RunFolder::create(runs, &now, &tiny_config(), &plan()).unwrap()
}

#[test]
fn a_run_is_named_by_its_time_and_a_second_one_by_a_number() {
    let runs = tempfile::tempdir().unwrap();
    let (first, second) = (create(runs.path()), create(runs.path()));
    assert_eq!((first.state.id.as_str(), second.state.id.as_str()), ("20261124-150405", "20261124-150405-2"));
    assert_eq!(first.state.started_at, "2026-11-24T15:04:05Z");
    assert_eq!(read_config(first.path()).unwrap().0, tiny_config());
    assert_eq!(read_plan(first.path()).unwrap(), plan());
}

#[test]
fn nobody_else_works_on_a_run_while_its_worker_lives() {
    let runs = tempfile::tempdir().unwrap();
    let folder = create(runs.path());
    let path = folder.path().to_owned();
    assert!(is_alive(&path));
    assert!(matches!(RunFolder::reopen(&path), Err(TrainError::Busy { .. })));
    assert_eq!(latest_resumable(runs.path()).unwrap(), None);
    drop(folder);
    assert_eq!(latest_resumable(runs.path()).unwrap(), Some(path.clone()), "cut off, so it can go on");
    RunFolder::reopen(&path).unwrap().close(Ok(())).unwrap();
    assert!(matches!(RunFolder::reopen(&path), Err(TrainError::AlreadyDone { .. })));
    assert_eq!(latest_resumable(runs.path()).unwrap(), None);
}

#[test]
fn what_is_not_a_run_cannot_be_continued() {
    let runs = tempfile::tempdir().unwrap();
    assert!(matches!(RunFolder::reopen(&runs.path().join("nothing")), Err(TrainError::NoRun { .. })));
    assert!(matches!(read_config(runs.path()), Err(TrainError::NoRun { .. })));
    assert_eq!(latest_resumable(&runs.path().join("none")).unwrap(), None);
}

#[test]
fn going_back_forgets_later_lines_and_one_that_was_cut_off() {
    let runs = tempfile::tempdir().unwrap();
    let folder = create(runs.path());
    let sample = |step| Sample { step, question: "q".into(), answer: "a\nb".into() };
    for step in [0, 4, 8] {
        folder.append_sample(&sample(step)).unwrap();
    }
    let file = folder.path().join(SAMPLES_FILE);
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend(br#"{"step":2,"question""#);
    fs::write_atomic(&file, &bytes).unwrap();
    folder.rewind(4).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let kept: Vec<Sample> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(kept, [sample(0), sample(4)]);
}

#[test]
fn the_outcome_stands_in_the_state_with_advice() {
    let runs = tempfile::tempdir().unwrap();
    let folder = create(runs.path());
    let path = folder.path().to_owned();
    let error =
        TrainError::Diverged { step: 3, loss: f64::NAN, grad_norm: 1.0, last_good: 2, precision: Precision::F32 };
    folder.close(Err(error)).unwrap_err();
    let state: RunState = fs::read_json(&path.join(STATE_FILE)).unwrap();
    let error = state.error.clone().unwrap();
    assert_eq!(state.status, RunStatus::Failed);
    assert!(error.message.contains("step 3") && error.hint.unwrap().contains("step 2"));
    let view = RunView { alive: is_alive(&path), resumable: true, metrics: vec![], samples: vec![], state };
    assert!(!view.alive);
}
