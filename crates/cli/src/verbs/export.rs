//! `hone export RUN [--to DIR] [--format merged|adapter|peft] [--quantize TYPE] [--ollama NAME] [--prove]`

use std::path::{Path, PathBuf};

use hone_data::{Role, Row, Split};
use hone_export::ollama::{self, Client, CreateRequest};
use hone_export::{ExportOutcome, ExportRequest, Quantisation, modelfile_of, prove, replay_cases};
use hone_hardware::disk_free;
use hone_job::{AppError, ErrorCode, Explain, fs};
use hone_model::{Adapter, ChatFormat, ChatMessage, Decoder, DecoderConfig, ModelFile, Tokenizer, arch};
use hone_studio::runs;
use serde_json::json;

use crate::args::{Export, ExportFormat};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Report, bytes};
use crate::verbs::base::{self, Base};
use crate::verbs::training;

/// Longest conversation that the Modelfile allows, tokens; less where the base model was made for less.
const CONTEXT: usize = 4096;
/// Prompts that the proof replays, and the longest answer to each, tokens.
const REPLAYED: usize = 5;
const ANSWER: usize = 64;
/// What PEFT calls its files.
const PEFT_FILES: [&str; 2] = ["adapter_model.safetensors", "adapter_config.json"];

/// Writes a model that other programs load.
pub fn run(arguments: &Export, context: &Context) -> Outcome {
    match arguments.format {
        ExportFormat::Merged | ExportFormat::Adapter => {
            let outcome = export(arguments, context)?;
            let words = words(&outcome);
            Ok(Report::new(&outcome, words))
        }
        ExportFormat::Peft => peft(arguments, context),
    }
}

/// Writes one model with what was learned joined in, or that alone; creates the model in Ollama and proves it there where that was
/// asked.
pub fn export(arguments: &Export, context: &Context) -> Outcome<ExportOutcome> {
    let project = context.project()?;
    let state = training::done(&project, &arguments.run)?;
    let quantisation = quantisation(&arguments.quantize)?;
    if let Some(name) = &arguments.ollama {
        ollama::check_name(name)?;
    }
    let base = base::open(&state.base)?;
    let shape = arch::read_config(&base.file)?;
    let adapter = Adapter::load(&runs::dir(&project, &state.id)?.join("adapter"), &shape)?;
    let rows = project.store()?.approved_rows()?;
    let system = common_system(&rows);
    let folder = target(arguments, &project.exports_dir(), &state.id);
    let request = ExportRequest {
        base: &base.file,
        adapter: Some(&adapter),
        format: &base.chat,
        tokenizer: &base.tokenizer,
        quantisation,
        folder: &folder,
        context: context_of(&shape),
        system: system.as_deref(),
        free_bytes: disk_free(&folder),
    };
    if arguments.format == ExportFormat::Adapter {
        if arguments.ollama.is_some() {
            return Err(Failure::new(
                ErrorCode::BadConfig,
                "Hone puts whole models into Ollama, not adapters",
                "Leave `--format adapter` out, or run `ollama create NAME -f Modelfile` in the exported folder",
            ));
        }
        let path = base.file.path().canonicalize().unwrap_or_else(|_| base.file.path().to_owned());
        let from = state.base.strip_prefix("ollama:").map_or_else(|| path.display().to_string(), str::to_owned);
        return Ok(hone_export::export_adapter(&request, &from, &context.job)?);
    }
    let mut outcome = hone_export::export_folder(&request, &context.job)?;
    if let Some(name) = &arguments.ollama {
        let client = client()?;
        let modelfile = modelfile_of(&request)?;
        let created = CreateRequest { name, model_file: Path::new(&outcome.model_file), modelfile: &modelfile };
        ollama::create(&client, &created, &context.job)?;
        outcome.ollama_name = Some(name.clone());
        if arguments.prove {
            let cases = questions(&rows, system.as_deref());
            outcome.proof = Some(replay(&base, &client, name, &cases, &folder, &outcome.model_file, context)?);
        }
    }
    Ok(outcome)
}

/// Tries, before a training, whether its result could be exported.
pub fn rehearse(file: &ModelFile, adapter: &Adapter) -> Result<(), AppError> {
    let tried = || -> hone_export::Result<()> {
        let tokenizer = Tokenizer::from_gguf(file)?;
        let format = ChatFormat::from_gguf(file, &tokenizer)?;
        let shape = arch::read_config(file)?;
        hone_export::rehearse(&ExportRequest {
            base: file,
            adapter: Some(adapter),
            format: &format,
            tokenizer: &tokenizer,
            quantisation: Quantisation::F16,
            folder: Path::new("exports"),
            context: context_of(&shape),
            system: None,
            free_bytes: None,
        })?;
        Ok(())
    };
    tried().map_err(|error| error.to_app_error())
}

/// The Ollama that the environment names.
pub fn client() -> Outcome<Client> {
    Ok(Client::new(std::env::var("OLLAMA_HOST").ok().as_deref())?)
}

fn replay(
    base: &Base,
    client: &Client,
    name: &str,
    conversations: &[Vec<ChatMessage>],
    folder: &Path,
    model_file: &str,
    context: &Context,
) -> Outcome<hone_export::Proof> {
    // Both read the same weights: those that were written.
    let exported = ModelFile::open(Path::new(model_file))?;
    let decoder = Decoder::load(&exported, &context.job)?;
    let (tokenizer, chat, job) = (&base.tokenizer, &base.chat, &context.job);
    let cases = replay_cases(&decoder, tokenizer, chat, conversations, ANSWER, job)?;
    Ok(prove(client, name, &cases, tokenizer, chat, ANSWER, folder, job)?)
}

/// The first questions of the exam, or of the training where there is no exam.
fn questions(rows: &[Row], system: Option<&str>) -> Vec<Vec<ChatMessage>> {
    let mut asked: Vec<&Row> = rows.iter().filter(|row| !row.messages.is_empty()).collect();
    asked.sort_by_key(|row| row.split != Some(Split::Exam));
    let first = |row: &Row| {
        let question = row.messages.iter().find(|message| message.role == Role::User)?;
        let system = system.map(|system| ChatMessage::new("system", system));
        Some(system.into_iter().chain([ChatMessage::new("user", question.content.clone())]).collect())
    };
    asked.into_iter().filter_map(first).take(REPLAYED).collect()
}

/// The one system text that all conversations have, if they have one.
fn common_system(rows: &[Row]) -> Option<String> {
    let mut texts = rows.iter().filter(|row| !row.messages.is_empty()).map(|row| {
        row.messages.iter().find(|message| message.role == Role::System).map(|message| message.content.as_str())
    });
    let first = texts.next()??;
    texts.all(|text| text == Some(first)).then(|| first.to_owned())
}

fn context_of(shape: &DecoderConfig) -> u32 {
    shape.context_length.min(CONTEXT) as u32
}

fn target(arguments: &Export, exports: &Path, run: &str) -> PathBuf {
    arguments.to.clone().unwrap_or_else(|| exports.join(run))
}

fn quantisation(name: &str) -> Outcome<Quantisation> {
    name.parse().map_err(|()| {
        let known: Vec<_> = Quantisation::ALL.iter().map(|one| one.name()).collect();
        Failure::new(
            ErrorCode::BadConfig,
            format!("`--quantize {name}` is not known"),
            &format!("Choose one of {}", known.join(", ")),
        )
    })
}

/// Copies what was learned, as PEFT has it.
fn peft(arguments: &Export, context: &Context) -> Outcome {
    let project = context.project()?;
    let state = training::done(&project, &arguments.run)?;
    let from = runs::dir(&project, &state.id)?.join("adapter");
    if PEFT_FILES.iter().any(|name| !from.join(name).is_file()) {
        return Err(Failure::new(
            ErrorCode::BadConfig,
            format!("The training `{}` has no adapter: it changed the whole model", state.id),
            "Export the whole model: leave `--format` out",
        ));
    }
    let folder = target(arguments, &project.exports_dir(), &state.id);
    fs::create_dir_all(&folder)?;
    for name in PEFT_FILES {
        fs::write_atomic(&folder.join(name), &fs::read(&from.join(name))?)?;
    }
    let words = format!("Wrote the adapter to `{}`.", folder.display());
    Ok(Report::new(&json!({ "folder": folder, "files": PEFT_FILES }), words))
}

fn words(outcome: &ExportOutcome) -> String {
    let mut words =
        format!("Wrote `{}` ({}).\nModelfile: {}\n", outcome.model_file, bytes(outcome.bytes), outcome.modelfile);
    if let Some(name) = &outcome.ollama_name {
        words += &format!("Ollama has it as `{name}`: ollama run {name}\n");
    }
    if let Some(proof) = &outcome.proof {
        let same = proof.replays.iter().filter(|replay| replay.same).count();
        words += &format!("Proof: {same} of {} prompts answered the same in Ollama.\n", proof.replays.len());
    }
    words
}
