//! One export: a folder with a model file and a Modelfile, rehearsed before a training and written after it.

use std::path::{Path, PathBuf};

use hone_job::Job;
use hone_model::{Adapter, ChatFormat, ModelFile, Tokenizer};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::{ExportError, Result};
use crate::merge::{self, MergePlan};
use crate::modelfile::Modelfile;
use crate::prove::Proof;
use crate::quantise::Quantisation;
use crate::template::GoTemplate;

/// What is to be exported, and where to.
#[derive(Clone, Copy)]
pub struct ExportRequest<'a> {
    /// The base model.
    pub base: &'a ModelFile,
    /// What training made; `None` exports the base model itself.
    pub adapter: Option<&'a Adapter>,
    /// The chat format that was trained.
    pub format: &'a ChatFormat,
    /// The base model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// How the weights are stored.
    pub quantisation: Quantisation,
    /// The folder to write; created when it is not there.
    pub folder: &'a Path,
    /// Longest conversation, tokens.
    pub context: u32,
    /// The one system text that all training rows had, if they had one.
    pub system: Option<&'a str>,
    /// Free bytes on the disk of `folder`; `None` when nobody knows.
    pub free_bytes: Option<u64>,
}

/// What an export made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ExportOutcome {
    /// The folder.
    pub folder: String,
    /// The model file in it.
    pub model_file: String,
    /// Its size.
    pub bytes: u64,
    /// How its weights are stored.
    pub quantisation: Quantisation,
    /// The Modelfile.
    pub modelfile: String,
    /// Worth knowing about this export; empty is good.
    pub warnings: Vec<String>,
    /// The name under which Ollama now has it.
    pub ollama_name: Option<String>,
    /// What Ollama was seen to answer.
    pub proof: Option<Proof>,
}

/// What an export would make, found out without making it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Rehearsal {
    /// Size of the model file.
    pub bytes: u64,
    /// The chat template in Ollama's form.
    pub template: String,
    /// Worth knowing before the training; empty is good.
    pub warnings: Vec<String>,
}

/// Room for the temporary file that becomes the model, and a little.
const SPARE_BYTES: u64 = 16 << 20;

struct Prepared<'a> {
    plan: MergePlan<'a>,
    modelfile: Modelfile,
    text: String,
    warnings: Vec<String>,
}

fn prepare<'a>(request: &ExportRequest<'a>) -> Result<Prepared<'a>> {
    hone_model::source::check_exportable(request.base, request.tokenizer, request.format)?;
    let plan = merge::plan(request.base, request.adapter, request.quantisation, request.format)?;
    let modelfile = modelfile_of(request)?;
    let text = modelfile.text()?;
    if let Some(free) = request.free_bytes {
        let needed = plan.bytes() + SPARE_BYTES;
        if free < needed {
            return Err(ExportError::NoSpace { path: request.folder.to_owned(), needed, free });
        }
    }
    let mut warnings = Vec::new();
    let lost = modelfile.lost_characters();
    if !lost.is_empty() {
        let names: Vec<String> = lost.iter().map(|letter| format!("U+{:04X}", u32::from(*letter))).collect();
        warnings.push(format!(
            "Ollama drops these characters when it reads the Modelfile: {}. Creating the model from Hone keeps them",
            names.join(", ")
        ));
    }
    Ok(Prepared { plan, modelfile, text, warnings })
}

/// The Modelfile of an export.
///
/// # Errors
/// When the chat template cannot be written in Ollama's form.
pub fn modelfile_of(request: &ExportRequest<'_>) -> Result<Modelfile> {
    let bos = request.tokenizer.bos().and_then(|id| request.tokenizer.token(id)).unwrap_or_default();
    Ok(Modelfile {
        from: format!("./{MODEL_FILE}"),
        adapter: None,
        template: GoTemplate::probe(request.format, bos)?.text(),
        stops: request.format.stop_texts.clone(),
        system: request.system.map(str::to_owned),
        context: request.context,
        temperature: 0.3,
    })
}

const MODEL_FILE: &str = "model.gguf";

/// Checks, before a training, that its result can be exported: the template, the Modelfile, the types, the space.
/// `request.adapter` may be `None`: the sizes are the same.
///
/// # Errors
/// Whatever would stop the export.
pub fn rehearse(request: &ExportRequest<'_>) -> Result<Rehearsal> {
    let prepared = prepare(request)?;
    Ok(Rehearsal { bytes: prepared.plan.bytes(), template: prepared.modelfile.template, warnings: prepared.warnings })
}

/// Writes the folder: `model.gguf` first, then the Modelfile, so that a Modelfile always has its model.
///
/// # Errors
/// When the model or the disk refuses, or the job is cancelled; nothing half-written stays.
pub fn export_folder(request: &ExportRequest<'_>, job: &Job) -> Result<ExportOutcome> {
    let prepared = prepare(request)?;
    hone_job::fs::create_dir_all(request.folder)?;
    let model_file: PathBuf = request.folder.join(MODEL_FILE);
    let bytes = merge::write(&prepared.plan, request.base, request.adapter, &model_file, job)?;
    let modelfile = request.folder.join("Modelfile");
    hone_job::fs::write_atomic(&modelfile, prepared.text.as_bytes())?;
    for warning in &prepared.warnings {
        job.notice("export_warning", warning.clone());
    }
    Ok(ExportOutcome {
        folder: request.folder.display().to_string(),
        model_file: model_file.display().to_string(),
        bytes,
        quantisation: request.quantisation,
        modelfile: modelfile.display().to_string(),
        warnings: prepared.warnings,
        ollama_name: None,
        proof: None,
    })
}
