//! What the journeys through the real binary share.
#![allow(dead_code)] // each journey uses its part

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hone_studio::{Project, ProjectFile};
use serde_json::Value;

/// How the worker ended, and what it said.
#[derive(Debug)]
pub struct Said {
    pub status: Option<i32>,
    pub events: Vec<Value>,
    pub stderr: String,
}

impl Said {
    /// The last event's name.
    pub fn last(&self) -> &str {
        self.events.last().and_then(|event| event["event"].as_str()).unwrap_or("nothing")
    }

    /// The value of the result event.
    pub fn result(&self) -> &Value {
        let result = self.events.iter().find(|event| event["event"] == "result");
        result.map_or_else(|| panic!("no result in {self:?}"), |event| &event["value"])
    }

    /// The failure, which names something and says what to do.
    pub fn failure(&self) -> &Value {
        assert_eq!((self.status, self.last()), (Some(1), "failed"), "{self:?}");
        let failure = self.events.last().unwrap();
        assert!(failure["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "no hint in {failure}");
        failure
    }
}

/// The worker with an empty folder of models, unless the starter model is asked for.
pub fn hone(models: Option<&Path>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hone"));
    command.env("HONE_MODELS", models.unwrap_or(Path::new("/nonexistent"))).env("OLLAMA_MODELS", "/nonexistent");
    command.stdin(Stdio::null());
    command
}

/// Runs the worker with `--json`; every line of stdout must be an event.
pub fn ask(mut command: Command, words: &[&str]) -> Said {
    let output = command.arg("--json").args(words).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("`{line}` is no event: {error}")))
        .collect();
    assert!(events.iter().all(|event| event["event"].is_string()), "{events:?}");
    Said { status: output.status.code(), events, stderr: String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// Runs the worker in a project.
pub fn in_project(dir: &Path, words: &[&str]) -> Said {
    let mut command = hone(None);
    command.arg("--project").arg(dir);
    ask(command, words)
}

/// A project that needs no model to be at hand.
pub fn project(dir: &Path) -> Project {
    Project::create(dir, ProjectFile::new("Test", "gemma3-270m", "en")).unwrap()
}

/// The folder of broken files.
pub fn broken() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bad-input")
}

/// The folder of models when the starter model is in it.
///
/// With `HONE_REQUIRE_MODEL=1` its absence is a failure.
pub fn starter() -> Option<PathBuf> {
    let folder = hone_model::source::default_models_dir()?;
    let file = folder.join(hone_model::source::find(hone_model::source::STARTER)?.file);
    if file.is_file() {
        return Some(folder);
    }
    assert!(std::env::var_os("HONE_REQUIRE_MODEL").is_none(), "the starter model is not on this machine");
    println!("SKIPPED: the starter model is not on this machine");
    None
}
