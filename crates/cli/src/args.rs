//! The command line. Scripts and the window rely on it: names and meanings stay.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Fine-tunes a language model on your own documents, on your own computer.
#[derive(Debug, Parser)]
#[command(name = "hone", version, arg_required_else_help = true)]
pub struct Arguments {
    /// The project's folder; without it, the project that the working folder lies in
    #[arg(long, global = true, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// One JSON object a line on stdout, each with an `event` field, and nothing else
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Look at this computer and test the engine: what can be trained here
    Doctor,
    /// Base models: list, fetch or describe them
    #[command(subcommand)]
    Models(Models),
    /// Make a project
    New(New),
    /// Take files or folders in
    Import(Import),
    /// Draft questions and answers from the passages; they wait for review
    Draft(crate::verbs::draft::args::Draft),
    /// Make further rows from approved ones; they wait for review
    Augment(crate::verbs::draft::args::Augment),
    /// Page, show, decide on, change or write out the rows
    #[command(subcommand)]
    Rows(Rows),
    /// Show or apply cleaning rules, or take one back
    Clean(Clean),
    /// Resolve and estimate a training without starting it
    Plan(Knobs),
    /// Measure, then train
    Train(Train),
    /// Examine a training: before and after, with a report
    Eval(Eval),
    /// Talk to a base model or to a training's result
    Chat(Chat),
    /// Write a model that other programs load
    Export(Export),
    /// Do the whole main job on the sample documents and the starter model
    Demo(Demo),
    /// For engineers: logits, one training step, speed
    Lab(crate::verbs::lab::Lab),
}

impl Verb {
    /// Whether the verb has its own use for stdin.
    pub fn reads_stdin(&self) -> bool {
        matches!(self, Self::Chat(chat) if chat.prompt.is_none())
            || matches!(self, Self::Rows(Rows::Edit { file: None, .. }))
    }
}

/// Base models.
#[derive(Debug, Subcommand)]
pub enum Models {
    /// The models at hand
    List,
    /// Fetch one, with progress and resume
    Get {
        /// A name from the catalogue
        name: String,
    },
    /// Describe one
    Show {
        /// A catalogue name, `ollama:NAME[:TAG]`, or a path to a `.gguf`
        reference: String,
    },
}

/// Make a project.
#[derive(Debug, Args)]
pub struct New {
    /// A new or empty folder
    pub dir: PathBuf,
    /// What you call it
    #[arg(long)]
    pub name: String,
    /// The base model: a catalogue name, `ollama:NAME[:TAG]`, or a path to a `.gguf`
    #[arg(long, value_name = "REF")]
    pub base: String,
    /// The documents' language
    #[arg(long, value_enum, default_value = "en")]
    pub language: Language,
}

/// The documents' language.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Language {
    /// English
    En,
    /// Chinese
    Zh,
}

/// Take files in.
#[derive(Debug, Args)]
pub struct Import {
    /// Files, or folders with files
    #[arg(required_unless_present = "document", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Say which column is what: `question=Frage`, `answer=…`, `context=`, `system=`, `text=`, `label=`, `split=`,
    /// and as often as needed `metadata=`; remembered for files with the same columns
    #[arg(long, value_name = "PART=COLUMN")]
    pub map: Vec<String>,
    /// Read a document of the project anew, from the project's own copy: its hash
    #[arg(long, value_name = "HASH")]
    pub document: Vec<String>,
    /// How long passages are in tokens, from now on in this project
    #[arg(long, value_name = "MIN-MAX")]
    pub passages: Option<String>,
    /// Recognise the text of scanned PDF pages with the program `tesseract`
    #[arg(long)]
    pub ocr: bool,
}

/// The rows.
#[derive(Debug, Subcommand)]
pub enum Rows {
    /// One page of rows
    List(RowsList),
    /// One row as the model will see it
    Show {
        /// The row's number
        id: i64,
    },
    /// Change a row: JSON of the row, from a file or stdin
    Edit {
        /// The row's number
        id: i64,
        /// A file with the row as JSON; without it, stdin is read
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Put rows in
    Approve(Decide),
    /// Leave rows out
    Reject(Decide),
    /// Take the last approving or rejecting back
    Undo,
    /// Say how far the review of drafts is
    Review(RowsFilter),
    /// Write the rows out, with a card that says what they are
    Export(RowsExport),
    /// Tell how the rows look to the model: lengths, what is cut off, whether there is enough
    Seen(RowsSeen),
    /// Draw anew which rows are trained on, measured on and kept for the exam
    Split(RowsSplit),
}

/// Write rows out.
#[derive(Debug, Args)]
pub struct RowsExport {
    /// The form of each row
    #[arg(long, value_enum, default_value = "openai")]
    pub format: RowFormat,
    /// Into one file; without it and without `--folder`, to stdout
    #[arg(long, value_name = "FILE", conflicts_with = "folder")]
    pub to: Option<PathBuf>,
    /// Into a folder: one file for each part, and the dataset's card in `README.md`
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// How the rows look to the model.
#[derive(Debug, Args)]
pub struct RowsSeen {
    /// The longest row that is trained on, tokens; without it, the one of the usual preset
    #[arg(long, value_name = "TOKENS")]
    pub longest: Option<usize>,
}

/// How the rows are parted.
#[derive(Debug, Args)]
pub struct RowsSplit {
    /// Draws which row goes where
    #[arg(long)]
    pub seed: Option<u64>,
    /// Percent of the rows to measure on during training
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=50))]
    pub valid: Option<u8>,
    /// Percent of the conversations to keep for the exam
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=50))]
    pub exam: Option<u8>,
}

/// Which rows to decide on: by number, or all that wait and fit.
#[derive(Debug, Args)]
pub struct Decide {
    /// The rows' numbers
    pub ids: Vec<i64>,
    /// All rows that wait for review and fit these
    #[command(flatten)]
    pub filter: RowsFilter,
    /// All rows that wait for review
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// Approve at once although fewer than one draft in twenty was read one by one
    #[arg(long)]
    pub unread: bool,
}

/// Which rows are meant.
#[derive(Debug, Clone, Args)]
pub struct RowsFilter {
    /// Only this part: train, valid or exam
    #[arg(long)]
    pub split: Option<String>,
    /// Only this status: draft, approved or rejected
    #[arg(long)]
    pub status: Option<String>,
    /// Only this origin: reading, mapped, drafted or manual
    #[arg(long)]
    pub origin: Option<String>,
    /// Only rows of the document of this hash
    #[arg(long)]
    pub document: Option<String>,
    /// Only rows that hold these words
    #[arg(long)]
    pub search: Option<String>,
    /// Only drafts of this kind: fact, procedure, definition, comparison, refusal, paraphrase, synonyms, `back_translation`
    #[arg(long)]
    pub kind: Option<String>,
    /// Only drafts whose quote was found in the passage, is missing there, or that have `no_quote`
    #[arg(long)]
    pub grounding: Option<String>,
}

/// Which rows to list.
#[derive(Debug, Args)]
pub struct RowsList {
    /// Which
    #[command(flatten)]
    pub filter: RowsFilter,
    /// Rows to pass over
    #[arg(long, default_value_t = 0)]
    pub offset: u64,
    /// Rows to show
    #[arg(long, default_value_t = 50)]
    pub limit: u64,
}

/// The form of exported rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// `{"messages": [{"role", "content"}]}`
    Openai,
    /// `{"instruction", "input", "output"}`
    Alpaca,
    /// A table
    Csv,
    /// A Parquet file: `messages` or `text`, and where the row came from
    Parquet,
}

/// Cleaning rules.
#[derive(Debug, Default, Args)]
pub struct Clean {
    /// Only these rules; without any, a look at all of them, or the ones that are applied by default
    #[arg(long, value_name = "NAME", conflicts_with = "undo")]
    pub rule: Vec<String>,
    /// Change one option of a rule: `near_duplicates.threshold=0.9`, `personal.kinds=email,phone`
    #[arg(long, value_name = "RULE.OPTION=VALUE", conflicts_with = "undo")]
    pub set: Vec<String>,
    /// Show the hits, change nothing
    #[arg(long, conflicts_with = "undo")]
    pub preview: bool,
    /// Take a rule back
    #[arg(long, value_name = "NAME")]
    pub undo: Option<String>,
    /// Take single hits of the rule back: it passes over these rows from now on
    #[arg(long, value_name = "ROW", requires = "rule", conflicts_with_all = ["undo", "preview"])]
    pub keep: Vec<i64>,
    /// Let the rule find these rows again when it is applied the next time
    #[arg(long, value_name = "ROW", requires = "rule", conflicts_with_all = ["undo", "preview"])]
    pub find_again: Vec<i64>,
}

/// The knobs of a training.
#[derive(Debug, Clone, Args)]
pub struct Knobs {
    /// quick, balanced or thorough
    #[arg(long, default_value = "balanced")]
    pub preset: String,
    /// Change one knob of the preset
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub changes: Vec<String>,
}

/// Train.
#[derive(Debug, Args)]
pub struct Train {
    /// The knobs
    #[command(flatten)]
    pub knobs: Knobs,
    /// Go on with a training that was stopped or cut off; without RUN, with the newest one
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "latest")]
    pub resume: Option<String>,
    /// Start without measuring a few steps first
    #[arg(long)]
    pub no_preflight: bool,
}

/// Examine.
#[derive(Debug, Args)]
pub struct Eval {
    /// The training; `latest` is the newest one that is done
    pub run: String,
    /// `base`, or another training
    #[arg(long, value_name = "base|RUN", default_value = "base")]
    pub against: String,
    /// What computes the held-out loss; without it, what computed the training. Answers are always written by the processor
    #[arg(long)]
    pub device: Option<hone_model::Device>,
}

/// Talk.
#[derive(Debug, Args)]
pub struct Chat {
    /// A training, or a base model's reference
    #[arg(value_name = "RUN|REF")]
    pub model: String,
    /// Ask this one thing; without it, each line of stdin is asked
    #[arg(long)]
    pub prompt: Option<String>,
    /// 0 always takes the likeliest token
    #[arg(long, default_value_t = 0.0)]
    pub temperature: f64,
    /// Draw among this many likeliest tokens only
    #[arg(long, value_name = "N")]
    pub top_k: Option<usize>,
    /// Draw among the likeliest tokens that together reach this probability only
    #[arg(long, value_name = "P")]
    pub top_p: Option<f64>,
    /// Draw among tokens at least this share as likely as the likeliest only
    #[arg(long, value_name = "P")]
    pub min_p: Option<f64>,
    /// Makes recent tokens less likely; 1 does not
    #[arg(long, default_value_t = 1.0)]
    pub repeat_penalty: f64,
    /// How many tokens are recent
    #[arg(long, default_value_t = 64)]
    pub repeat_last: usize,
    /// Draws the answer where the temperature is above 0
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// The answer ends after so many tokens
    #[arg(long, default_value_t = 256)]
    pub max_tokens: usize,
}

/// Write a model.
#[derive(Debug, Args)]
pub struct Export {
    /// The training; `latest` is the newest one that is done
    pub run: String,
    /// Where to; without it, a folder in the project's `exports`
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// One model, or the adapter alone, for llama.cpp and Ollama or for PEFT
    #[arg(long, value_enum, default_value = "merged")]
    pub format: ExportFormat,
    /// f16, f32, `q8_0`, `q4_k_m`, or source: as the base model stores it
    #[arg(long, default_value = "f16")]
    pub quantize: String,
    /// Put it into the running Ollama under this name
    #[arg(long, value_name = "NAME")]
    pub ollama: Option<String>,
    /// Replay prompts in Ollama and compare the tokens
    #[arg(long, requires = "ollama")]
    pub prove: bool,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One model with what it learned joined in
    Merged,
    /// What it learned alone, for llama.cpp and Ollama beside the base model
    Adapter,
    /// What it learned alone, as PEFT has it
    Peft,
}

/// The whole main job.
#[derive(Debug, Args)]
pub struct Demo {
    /// The demo project's folder
    #[arg(long, value_name = "DIR", default_value = "hone-demo")]
    pub out: PathBuf,
    /// Stop after this part
    #[arg(long, value_enum, default_value = "export")]
    pub until: Stage,
}

/// A part of the main job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Stage {
    /// Documents in, rows out
    Import,
    /// The adapter is trained
    Train,
    /// The exam is done
    Eval,
    /// The model is written
    Export,
}
