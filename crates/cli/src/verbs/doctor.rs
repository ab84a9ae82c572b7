//! `hone doctor`: this machine, a self-test of the engine, and in one sentence what can be trained here.

use std::path::Path;

use hone_data::import::ocr;
use hone_hardware::Machine;
use hone_model::source::{self, BaseModel};
use hone_model::{Decoder, LoraConfig, ModelFile, prove_gradients};
use hone_train::presets;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Report, bytes, table};
use crate::verbs::{base, export};

/// The machine, the worker and the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DoctorReport {
    /// What this machine has.
    #[serde(flatten)]
    pub machine: Machine,
    /// Version of this worker.
    pub worker: String,
    /// Version of the Ollama that answers here; absent when none does.
    pub ollama: Option<String>,
    /// Languages in which `tesseract` recognises text on scanned pages; empty where it is not installed.
    pub text_recognition: Vec<String>,
    /// What the engine's self-test found, a device each.
    pub self_test: Vec<SelfTest>,
}

/// A self-test of the engine on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SelfTest {
    /// `cpu`.
    pub device: String,
    /// Whether it went through.
    pub passed: bool,
    /// What was compared, or what went wrong.
    pub message: String,
}

/// Looks and tests.
#[allow(clippy::unnecessary_wraps)] // the form of every verb
pub fn run(context: &Context) -> Outcome {
    context.job.stage("doctor");
    let here = std::env::current_dir().unwrap_or_default();
    let folder = context.project().map_or(here, |project| project.dir().to_owned());
    let report = DoctorReport {
        machine: Machine::read(&folder),
        worker: env!("CARGO_PKG_VERSION").to_owned(),
        ollama: export::client().ok().and_then(|client| Some(client.version().ok()?.to_string())),
        text_recognition: recognised(),
        self_test: vec![cpu(context)],
    };
    let words = words(&report);
    Ok(Report::new(&report, words))
}

fn recognised() -> Vec<String> {
    let program = ocr::find(&std::env::var_os("PATH").unwrap_or_default());
    let languages = program.map(|program| ocr::languages(&program)).unwrap_or_default();
    // Not a language: how a page is turned.
    languages.into_iter().filter(|language| language != "osd").collect()
}

/// Runs a small training step of the smallest model at hand and looks whether every part of the adapter would learn.
fn cpu(context: &Context) -> SelfTest {
    let (passed, message) = match smallest() {
        Some(model) => match try_step(&model, context) {
            Ok(()) => (true, format!("a training step of `{}` reaches every part of the adapter", model.name)),
            Err(Failure::Error(error)) => (false, error.message),
            Err(Failure::Cancelled) => (false, "stopped".to_owned()),
        },
        None => (true, "not tried, since no base model is at hand; fetch one: hone models get gemma3-270m".to_owned()),
    };
    SelfTest { device: "cpu".to_owned(), passed, message }
}

fn smallest() -> Option<BaseModel> {
    source::list(&base::places()).into_iter().min_by_key(|model| model.parameters)
}

fn try_step(model: &BaseModel, context: &Context) -> Outcome<()> {
    let file = ModelFile::open(Path::new(&model.path))?;
    let decoder = Decoder::load(&file, &context.job)?;
    let lora = LoraConfig { rank: 2, ..presets::preset(presets::DEFAULT)?.lora };
    Ok(prove_gradients(&decoder, &lora)?)
}

fn words(report: &DoctorReport) -> String {
    let machine = &report.machine;
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let mut lines = vec![
        line("system", format!("{} ({})", machine.os, machine.architecture)),
        line("processor", format!("{}, {} cores", machine.cpu, machine.cores)),
        line("memory", format!("{}, {} free", bytes(machine.memory_total), bytes(machine.memory_available))),
        line("disk", format!("{} free", bytes(machine.disk_free))),
        line("graphics cards", if machine.gpus.is_empty() { "none".into() } else { machine.gpus.len().to_string() }),
        line("Ollama", report.ollama.clone().unwrap_or_else(|| "does not answer".into())),
        line(
            "text recognition",
            match report.text_recognition.as_slice() {
                [] => "Tesseract is not installed".into(),
                languages => languages.join(", "),
            },
        ),
        line("worker", format!("{} (CPU)", report.worker)),
    ];
    for test in &report.self_test {
        let passed = if test.passed { "works" } else { "FAILS" };
        lines.push(line(&format!("engine on {}", test.device), format!("{passed}: {}", test.message)));
    }
    format!("{}{}.", table(&lines), machine.verdict.sentence)
}
