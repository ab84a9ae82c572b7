//! `hone doctor`: this machine, a self-test of the engine, and in one sentence what can be trained here.

use std::path::Path;

use hone_data::import::ocr;
use hone_hardware::{Gpu, Machine};
use hone_model::source::{self, BaseModel};
use hone_model::{Decoder, Device, Difference, LoraConfig, ModelFile, prove_gradients, try_device};
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
    /// `cpu`, `cuda:0` ...
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
    let model = smallest();
    let machine = Machine::read(&folder);
    let mut cards = Device::cards();
    if cards.is_empty() && Device::cards_are_built_in() && !machine.gpus.is_empty() {
        // Tried all the same, for the reason why it does not open.
        cards.push(Device::Cuda(0));
    }
    let mut self_test = vec![cpu(model.as_ref(), context)];
    self_test.extend(cards.into_iter().map(|card| device(card, model.as_ref(), context)));
    let report = DoctorReport {
        machine,
        worker: env!("CARGO_PKG_VERSION").to_owned(),
        ollama: export::client().ok().and_then(|client| Some(client.version().ok()?.to_string())),
        text_recognition: recognised(),
        self_test,
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
fn cpu(model: Option<&BaseModel>, context: &Context) -> SelfTest {
    let (passed, message) = match model {
        Some(model) => match try_step(model, context) {
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
    Ok(prove_gradients(&decoder, &small_lora()?)?)
}

fn small_lora() -> Outcome<LoraConfig> {
    Ok(LoraConfig { rank: 2, ..presets::preset(presets::DEFAULT)?.lora })
}

/// Compares what a card computes with what the processor does.
fn device(device: Device, model: Option<&BaseModel>, context: &Context) -> SelfTest {
    let tried = || -> Outcome<Vec<Difference>> {
        let file = model.map(|model| ModelFile::open(Path::new(&model.path))).transpose()?;
        Ok(try_device(device, file.as_ref(), &small_lora()?, &context.job)?)
    };
    let (passed, message) = match tried() {
        Ok(differences) => judged(&differences, model.map(|model| model.name.as_str())),
        Err(Failure::Error(error)) => (false, format!("training on this card cannot be trusted: {}", error.message)),
        Err(Failure::Cancelled) => (false, "stopped".to_owned()),
    };
    SelfTest { device: device.to_string(), passed, message }
}

/// One sentence about whether training on a card can be trusted.
fn judged(differences: &[Difference], model: Option<&str>) -> (bool, String) {
    if let Some(Difference { what, distance, limit }) = differences.iter().find(|difference| !difference.is_small()) {
        let sentence = format!(
            "training on this card cannot be trusted: {what} is off by {distance:.1e} from the processor's, where {limit:.0e} would be rounding"
        );
        return (false, sentence);
    }
    let step = match model {
        Some(model) => format!("and a training step of `{model}` agree"),
        None => "agree (no base model is at hand for a whole step)".to_owned(),
    };
    (true, format!("training on this card can be trusted: its operations {step} with the processor's up to rounding"))
}

fn cards(gpus: &[Gpu]) -> String {
    let names: Vec<&str> = gpus.iter().map(|gpu| gpu.name.as_str()).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        names if Device::cards_are_built_in() => names.join(", "),
        names => format!("{}; this worker was built for the processor only", names.join(", ")),
    }
}

fn words(report: &DoctorReport) -> String {
    let machine = &report.machine;
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let mut lines = vec![
        line("system", format!("{} ({})", machine.os, machine.architecture)),
        line("processor", format!("{}, {} cores", machine.cpu, machine.cores)),
        line("memory", format!("{}, {} free", bytes(machine.memory_total), bytes(machine.memory_available))),
        line("disk", format!("{} free", bytes(machine.disk_free))),
        line("graphics cards", cards(&machine.gpus)),
        line("Ollama", report.ollama.clone().unwrap_or_else(|| "does not answer".into())),
        line(
            "text recognition",
            match report.text_recognition.as_slice() {
                [] => "Tesseract is not installed".into(),
                languages => languages.join(", "),
            },
        ),
        line("worker", format!("{} ({})", report.worker, if Device::cards_are_built_in() { "CUDA" } else { "CPU" })),
    ];
    for test in &report.self_test {
        let passed = if test.passed { "works" } else { "FAILS" };
        lines.push(line(&format!("engine on {}", test.device), format!("{passed}: {}", test.message)));
    }
    format!("{}{}.", table(&lines), machine.verdict.sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_trusted_when_everything_agrees_and_else_what_does_not_is_named() {
        let family = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/golden/families/gemma3.gguf");
        let file = ModelFile::open(&family).unwrap();
        let job = hone_job::Job::silent();
        let mut differences = try_device(Device::CpuTensors, Some(&file), &small_lora().unwrap(), &job).unwrap();
        let (passed, sentence) = judged(&differences, Some("gemma3"));
        assert!(passed && sentence.contains("can be trusted") && sentence.contains("`gemma3`"), "{sentence}");
        differences[4].distance = 0.1;
        let (passed, sentence) = judged(&differences, Some("gemma3"));
        assert!(!passed && sentence.contains("cannot be trusted: the norm"), "{sentence}");
    }

    #[test]
    fn a_worker_for_the_processor_says_so_beside_the_cards() {
        assert_eq!(cards(&[]), "none");
        let said = cards(&[Gpu { name: "NVIDIA RTX".to_owned() }]);
        assert!(said.starts_with("NVIDIA RTX") && said.contains("processor only") != Device::cards_are_built_in());
    }
}
