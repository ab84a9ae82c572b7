//! Who can write, and choosing one of them. The environment is read here: where Ollama is, and the key.

use std::path::Path;
use std::time::Duration;

use hone_data::draft::rules;
use hone_draft::{Address, Endpoint, Engine, Protocol, Writer};
use hone_job::ErrorCode;
use hone_model::source;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Report, bytes, table};
use crate::verbs::base;
use crate::verbs::draft::args::{By, WriterChoice};

/// The environment variable that holds the key of an endpoint: a key on the command line would be seen by others.
const KEY: &str = "HONE_DRAFT_KEY";

/// Someone who could write drafts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DraftWriter {
    /// How it is reached.
    pub by: By,
    /// The model; empty for rules.
    pub model: String,
    /// What people call it.
    pub title: String,
    /// Its size, bytes; 0 where unknown.
    pub bytes: u64,
    /// The computer it runs on, where it is not this one.
    pub elsewhere: Option<String>,
}

/// Who could write drafts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DraftWriters {
    /// Rules first, then Ollama's models, then those for Hone's own engine.
    pub writers: Vec<DraftWriter>,
    /// Whether an Ollama answers.
    pub ollama: bool,
}

/// A chosen writer.
pub enum Chosen {
    /// No model.
    Rules,
    /// A model.
    Model(Writer),
}

impl Chosen {
    /// The name under which drafts are kept.
    pub fn name(&self) -> &str {
        match self {
            Self::Rules => rules::NAME,
            Self::Model(writer) => writer.name(),
        }
    }
}

/// Chooses a writer; loads it or asks its server whether it is there.
pub fn choose(choice: &WriterChoice, context: &Context) -> Outcome<Chosen> {
    choice.check()?;
    if choice.by == By::Rules {
        return Ok(Chosen::Rules);
    }
    let Some(model) = choice.model.as_deref() else {
        return Err(Failure::new(
            ErrorCode::BadConfig,
            "Which model shall write?",
            "Name one with `--model NAME`; `hone draft --writers` lists them",
        ));
    };
    let patience = Duration::from_secs(choice.patience.max(1));
    let endpoint = |protocol, address: &Address, key| {
        Endpoint::choose(protocol, address, model, key, choice.documents_leave_this_machine, patience)
    };
    let writer = match choice.by {
        By::Ollama => Writer::Endpoint(endpoint(Protocol::Ollama, &ollama(choice.address.as_deref())?, None)?),
        By::Endpoint => {
            let Some(address) = choice.address.as_deref() else {
                return Err(Failure::new(
                    ErrorCode::BadConfig,
                    "Where is the server?",
                    "Give its address with `--address http://127.0.0.1:8080/v1`",
                ));
            };
            let key = std::env::var(KEY).ok().filter(|key| !key.is_empty());
            Writer::Endpoint(endpoint(Protocol::OpenAi, &Address::parse(address)?, key)?)
        }
        By::Engine | By::Rules => {
            context.job.stage("load");
            let found = base::resolve(model)?;
            Writer::Engine(Box::new(Engine::load(Path::new(&found.path), model, &context.job)?))
        }
    };
    Ok(Chosen::Model(writer))
}

fn ollama(address: Option<&str>) -> Outcome<Address> {
    let named = address.map(str::to_owned).or_else(|| std::env::var("OLLAMA_HOST").ok());
    Ok(Address::ollama(named.as_deref())?)
}

/// Lists who could write.
pub fn list() -> Report {
    let found = writers();
    let mut lines = vec![["--by", "--model", "size", ""].map(str::to_owned).to_vec()];
    lines.extend(found.writers.iter().map(|writer| {
        let size = if writer.bytes > 0 { bytes(writer.bytes) } else { String::new() };
        let by = match writer.by {
            By::Rules => "rules",
            By::Ollama => "ollama",
            By::Endpoint => "endpoint",
            By::Engine => "engine",
        };
        let place =
            writer.elsewhere.as_ref().map_or(String::new(), |host| format!("runs on {host}, not on this computer"));
        vec![by.to_owned(), writer.model.clone(), size, place]
    }));
    let mut words = table(&lines);
    if !found.ollama {
        words += "No Ollama answers.\n";
    }
    words += "Any OpenAI-compatible server: --by endpoint --address http://127.0.0.1:8080/v1 --model NAME";
    Report::new(&found, words)
}

fn writers() -> DraftWriters {
    let plain = |by, model: String, title: String, bytes| DraftWriter { by, model, title, bytes, elsewhere: None };
    let mut writers = vec![plain(By::Rules, String::new(), rules::NAME.to_owned(), 0)];
    let served = ollama(None).ok().and_then(|address| Endpoint::ollama_models(&address).ok());
    for model in served.iter().flatten() {
        let title = model.name.trim_end_matches(":latest").to_owned();
        writers.push(DraftWriter {
            by: By::Ollama,
            model: model.name.clone(),
            title,
            bytes: model.bytes,
            elsewhere: model.elsewhere.clone(),
        });
    }
    let local = source::list(&base::places());
    writers.extend(local.into_iter().map(|model| plain(By::Engine, model.reference, model.name, model.bytes)));
    DraftWriters { writers, ollama: served.is_some() }
}
