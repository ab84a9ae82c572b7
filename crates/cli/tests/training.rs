//! Training through the real binary: stopped, killed, gone on with, and the same bytes in the end.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use common::{ask, hone, project, starter};
use hone_job::fs;
use hone_studio::{Project, runs};

const SHORT: &[&str] = &[
    "train",
    "--no-preflight",
    "--set=max_steps=5",
    "--set=batch_size=2",
    "--set=checkpoint_steps=1",
    "--set=lora.rank=4",
    "--set=valid_every=100",
];

fn filled(dir: &Path, models: &Path) -> Project {
    let project = project(dir);
    let table = dir.with_extension("csv");
    let lines: String = (0..12).map(|n| format!("How deep is berth {n}?,Berth {n} is {n} metres deep.\n")).collect();
    fs::write_atomic(&table, format!("question,answer\n{lines}").as_bytes()).unwrap();
    let said = in_project(dir, models, &["import", table.to_str().unwrap()]);
    assert_eq!(said.result()["rows"], 12);
    project
}

fn in_project(dir: &Path, models: &Path, words: &[&str]) -> common::Said {
    let mut command = hone(Some(models));
    command.arg("--project").arg(dir);
    ask(command, words)
}

/// Starts a training and answers once `steps` steps were told.
fn training(dir: &Path, models: &Path, steps: usize) -> Child {
    let mut command = hone(Some(models));
    command.args(["--json", "--project"]).arg(dir).args(SHORT);
    let mut worker = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let stdout = BufReader::new(worker.stdout.take().unwrap());
    let told =
        stdout.lines().map_while(Result::ok).filter(|line| line.contains("\"event\":\"step\"")).take(steps).count();
    assert_eq!(told, steps, "the training ended early");
    worker
}

fn adapter(project: &Project) -> Vec<u8> {
    let run: PathBuf = project.runs_dir().join(&runs::list(project).unwrap()[0].id);
    fs::read(&run.join("adapter/adapter_model.safetensors")).unwrap()
}

#[test]
fn a_training_that_was_killed_or_stopped_goes_on_to_the_same_adapter() {
    let Some(models) = starter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let dir = |name: &str| folder.path().join(name);

    let unbroken = filled(&dir("unbroken"), &models);
    let said = in_project(&dir("unbroken"), &models, SHORT);
    assert_eq!((said.status, said.result()["status"].as_str()), (Some(0), Some("done")), "{:?}", said.events.last());
    let steps: Vec<u64> = said
        .events
        .iter()
        .filter(|event| event["event"] == "step")
        .filter_map(|event| event["step"].as_u64())
        .collect();
    assert_eq!(steps, [1, 2, 3, 4, 5]);

    let killed = filled(&dir("killed"), &models);
    let mut worker = training(&dir("killed"), &models, 2);
    worker.kill().unwrap();
    worker.wait().unwrap();
    let run = runs::list(&killed).unwrap().remove(0);
    let view = runs::read(&killed, &run.id).unwrap();
    assert!(view.resumable && !view.alive, "{:?}", view.state);
    let said = in_project(&dir("killed"), &models, &["train", "--resume"]);
    assert_eq!(
        (said.status, said.result()["id"].as_str()),
        (Some(0), Some(run.id.as_str())),
        "{:?}",
        said.events.last()
    );
    assert!(adapter(&killed) == adapter(&unbroken), "the adapter of the killed training differs");
    let view = runs::read(&killed, &run.id).unwrap();
    assert_eq!(view.metrics.iter().map(|metrics| metrics.step).collect::<Vec<_>>(), [1, 2, 3, 4, 5], "each step once");

    let stopped = filled(&dir("stopped"), &models);
    let mut worker = training(&dir("stopped"), &models, 1);
    worker.stdin.take().unwrap().write_all(b"cancel\n").unwrap();
    assert_eq!(worker.wait().unwrap().code(), Some(3));
    let run = runs::list(&stopped).unwrap().remove(0);
    let said = in_project(&dir("stopped"), &models, &["train", "--resume", &run.id]);
    assert_eq!(said.status, Some(0), "{:?}", said.events.last());
    assert!(adapter(&stopped) == adapter(&unbroken), "the adapter of the stopped training differs");
    let again = in_project(&dir("stopped"), &models, &["train", "--resume"]);
    assert_eq!(again.failure()["code"], "not_found", "nothing is left to go on with");
}

#[test]
fn a_setting_that_is_none_and_a_project_without_rows_are_named_before_anything_is_loaded() {
    let Some(models) = starter() else { return };
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let said = in_project(folder.path(), &models, &["train", "--set=epoch=2"]);
    assert_eq!(said.failure()["code"], "bad_config");
    assert!(said.failure()["hint"].as_str().unwrap().contains("epochs"), "{:?}", said.failure());
    assert_eq!(in_project(folder.path(), &models, &["train"]).failure()["code"], "no_rows");
    assert!(fs::list_dir(&folder.path().join("runs")).unwrap().is_empty());
}

#[test]
fn a_row_is_shown_as_the_model_will_see_it() {
    let Some(models) = starter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("p");
    filled(&dir, &models);
    let said = in_project(&dir, &models, &["rows", "show", "1"]);
    let of_kind = |kind: &str| -> String {
        let pieces = said.result()["pieces"].as_array().unwrap().iter().filter(|piece| piece["kind"] == kind);
        pieces.map(|piece| piece["text"].as_str().unwrap()).collect()
    };
    assert_eq!(of_kind("read"), "How deep is berth 0?");
    assert_eq!(of_kind("learned"), "Berth 0 is 0 metres deep.<end_of_turn>");
    assert!(of_kind("template").starts_with("<bos><start_of_turn>user\n"));
}
