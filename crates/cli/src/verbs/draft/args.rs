use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hone_data::draft::{DraftKind, DraftSettings};
use hone_job::ErrorCode;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::failure::{Failure, Outcome};

/// Bounds of the temperature: below, the drafts repeat each other; above, they invent.
const TEMPERATURES: std::ops::RangeInclusive<f64> = 0.3..=0.7;

/// Draft questions and answers from the passages; they wait for review
#[derive(Debug, Args)]
pub struct Draft {
    /// Who writes
    #[command(flatten)]
    pub writer: WriterChoice,
    /// Kinds of question: fact, procedure, definition, comparison, refusal
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub kind: Vec<String>,
    /// Most questions a passage: 3 by a model, 8 by rules, unless said otherwise
    #[arg(long, value_name = "N")]
    pub per_passage: Option<usize>,
    /// Language of the questions and answers; without it, the passage's own
    #[arg(long)]
    pub language: Option<String>,
    /// How the answers should sound, in a few words
    #[arg(long, default_value = "")]
    pub tone: String,
    /// Further instructions for the model
    #[arg(long, default_value = "")]
    pub system: String,
    /// Only from documents of these hashes
    #[arg(long, value_name = "HASH")]
    pub document: Vec<String>,
    /// Only from the next so many passages, to look at the result first
    #[arg(long, value_name = "N")]
    pub first: Option<usize>,
    /// Also from passages that this writer has drafted from already; drafts nobody has decided on give way
    #[arg(long)]
    pub again: bool,
    /// Say how far drafting is, and do nothing
    #[arg(long, conflicts_with = "writers")]
    pub status: bool,
    /// List who could write, and do nothing
    #[arg(long)]
    pub writers: bool,
}

/// Make further rows from approved ones; they wait for review
#[derive(Debug, Args)]
pub struct Augment {
    /// How
    #[arg(long, value_enum)]
    pub how: How,
    /// A word list for `synonyms`: on each line words that may stand for each other, parted by commas
    #[arg(long, value_name = "FILE")]
    pub words: Option<PathBuf>,
    /// Who rewords or translates
    #[command(flatten)]
    pub writer: WriterChoice,
    /// Most rows to begin with
    #[arg(long, value_name = "N")]
    pub first: Option<usize>,
}

/// Who writes.
#[derive(Debug, Args)]
pub struct WriterChoice {
    /// Rules without a model, a model in Ollama, one behind an OpenAI-compatible address, or one in Hone's own engine
    #[arg(long, value_enum, default_value = "rules")]
    pub by: By,
    /// The model: its name at the server, or a base model's reference for the engine
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The server's address; without it, Ollama is where `OLLAMA_HOST` says
    #[arg(long, value_name = "URL")]
    pub address: Option<String>,
    /// How much the answers vary, 0.3 to 0.7
    #[arg(long, default_value_t = 0.5)]
    pub temperature: f64,
    /// Yes, passages may be sent to an address that is not on this computer
    #[arg(long)]
    pub documents_leave_this_machine: bool,
    /// Longest wait for one answer, seconds
    #[arg(long, default_value_t = 600, hide = true)]
    pub patience: u64,
}

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export, rename = "DraftBy")]
pub enum By {
    /// No model: headings, definitions, tables, steps.
    Rules,
    /// A model in Ollama.
    Ollama,
    /// A model behind an address that speaks OpenAI's protocol.
    Endpoint,
    /// A model in Hone's own engine.
    Engine,
}

/// How a row is made from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum How {
    /// In other words, by a model.
    Paraphrase,
    /// With words changed for others of the same meaning.
    Synonyms,
    /// Into another language and back, by a model.
    BackTranslation,
}

impl WriterChoice {
    /// Refuses a temperature at which drafts are of no use.
    pub fn check(&self) -> Outcome<()> {
        if TEMPERATURES.contains(&self.temperature) {
            return Ok(());
        }
        Err(Failure::new(
            ErrorCode::BadConfig,
            format!("A temperature of {} is out of bounds for drafting", self.temperature),
            "Choose one between 0.3 and 0.7",
        ))
    }
}

impl Draft {
    /// What is asked of the writer.
    pub fn settings(&self) -> Outcome<DraftSettings> {
        let kinds = self.kind.iter().map(|name| kind(name)).collect::<Outcome<Vec<_>>>()?;
        let rules = self.writer.by == By::Rules;
        let usual = match (kinds.is_empty(), rules) {
            (false, _) => kinds,
            (true, true) => DraftKind::ASKED.to_vec(),
            (true, false) => DraftSettings::default().kinds,
        };
        let per_passage = self.per_passage.unwrap_or(if rules { 8 } else { 3 });
        if !(1..=200).contains(&per_passage) {
            return Err(Failure::new(
                ErrorCode::BadConfig,
                format!("{per_passage} questions a passage are out of bounds"),
                "Choose between 1 and 200",
            ));
        }
        Ok(DraftSettings {
            kinds: usual,
            per_passage,
            language: self.language.clone(),
            tone: self.tone.clone(),
            system: self.system.clone(),
        })
    }
}

fn kind(name: &str) -> Outcome<DraftKind> {
    DraftKind::ASKED.into_iter().find(|kind| kind.code() == name.trim()).ok_or_else(|| {
        let known: Vec<_> = DraftKind::ASKED.iter().map(|kind| kind.code()).collect();
        Failure::new(
            ErrorCode::BadConfig,
            format!("There is no kind of question `{name}`"),
            &format!("Choose from {}", known.join(", ")),
        )
    })
}
