//! What can go wrong with a training.

use std::path::PathBuf;

use hone_job::{AppError, Cancelled, ErrorCode, Explain, fs::FsError};
use hone_model::Precision;
use hone_model::error::ModelError;

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, TrainError>;

/// A failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Reading or writing failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The base model, its tokenizer or the adapter refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The work was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Two buffers that belong together differ in length.
    #[error("{what}: expected {expected} numbers, found {found}")]
    Length {
        /// What was given.
        what: &'static str,
        /// How long it should be.
        expected: usize,
        /// How long it is.
        found: usize,
    },
    /// No preset of this name is shipped.
    #[error("there is no preset `{name}`")]
    NoPreset {
        /// What was asked for.
        name: String,
        /// The presets there are.
        known: Vec<String>,
    },
    /// A run configuration that is not valid TOML or names an unknown knob.
    #[error("the run configuration cannot be used: {problem}")]
    Config {
        /// The parser's words.
        problem: String,
    },
    /// A change that is not `key=value` or names an unknown knob.
    #[error("`{change}` cannot be set: {problem}")]
    Setting {
        /// What was given.
        change: String,
        /// Why not.
        problem: String,
        /// The knob that was probably meant.
        nearest: Option<String>,
    },
    /// A knob out of its range.
    #[error("`{key}` is {value}, it must be {allowed}")]
    OutOfRange {
        /// The knob.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// Nothing is left to train on.
    #[error("there is nothing to train on: {problem}")]
    NoRows {
        /// What happened to the rows.
        problem: String,
    },
    /// The plan does not fit into memory.
    #[error("this plan needs {} of memory, this computer has {} free", gigabytes(*needed), gigabytes(*available))]
    DoesNotFit {
        /// Bytes.
        needed: u64,
        /// Bytes.
        available: u64,
        /// What to change.
        advice: String,
    },
    /// The checkpoints would not fit onto the disk.
    #[error("this run needs {} on the disk of `{}`, {} are free", gigabytes(*needed), path.display(), gigabytes(*available))]
    NoSpace {
        /// Bytes.
        needed: u64,
        /// Bytes.
        available: u64,
        /// Where.
        path: PathBuf,
    },
    /// The loss or the gradient is not a number any more.
    #[error("training became unstable at step {step}: loss {loss}, gradient norm {grad_norm}")]
    Diverged {
        /// The step that was not done.
        step: u32,
        /// Nats per trained token.
        loss: f64,
        /// Global L2 norm.
        grad_norm: f64,
        /// Steps in the newest good checkpoint; 0 when there is none.
        last_good: u32,
        /// What the device multiplied in.
        precision: Precision,
    },
    /// A checkpoint whose content is not what was written.
    #[error("the checkpoint `{}` is damaged: {problem}", path.display())]
    DamagedCheckpoint {
        /// Its folder.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// The optimiser's saved state cannot be gone on from.
    #[error("the state of the optimiser cannot be used: {problem}")]
    OptimiserState {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A run that cannot go on because something changed since.
    #[error("the run `{run}` cannot go on: {changed} changed since it was started")]
    CannotResume {
        /// Its id.
        run: String,
        /// What changed: `the training rows`, `the base model` ...
        changed: &'static str,
    },
    /// Nothing to go on from.
    #[error("there is no run to go on from at `{}`", path.display())]
    NoRun {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A run that is already done.
    #[error("the run `{run}` is already done")]
    AlreadyDone {
        /// Its id.
        run: String,
    },
    /// Another worker trains this run.
    #[error("the run `{run}` is being trained by another process")]
    Busy {
        /// Its id.
        run: String,
    },
    /// The export would fail after the training.
    #[error("this base model could be trained but not exported: {}", source.message)]
    ExportRehearsal {
        /// The exporter's own error.
        source: AppError,
    },
}

impl Explain for TrainError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Fs(error) => error.code(),
            Self::Model(error) => error.code(),
            Self::Cancelled(_) | Self::Length { .. } => ErrorCode::Internal,
            Self::NoPreset { .. }
            | Self::Config { .. }
            | Self::Setting { .. }
            | Self::OutOfRange { .. }
            | Self::CannotResume { .. }
            | Self::AlreadyDone { .. } => ErrorCode::BadConfig,
            Self::NoRows { .. } => ErrorCode::NoRows,
            Self::DoesNotFit { .. } => ErrorCode::OutOfMemory,
            Self::NoSpace { .. } => ErrorCode::NoSpace,
            Self::Diverged { .. } => ErrorCode::Diverged,
            Self::DamagedCheckpoint { .. } | Self::OptimiserState { .. } => ErrorCode::CorruptModel,
            Self::NoRun { .. } => ErrorCode::NotFound,
            Self::Busy { .. } => ErrorCode::Busy,
            Self::ExportRehearsal { source } => source.code,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Fs(error) => return error.hint(),
            Self::Model(error) => return error.hint(),
            Self::Cancelled(_) => return None,
            Self::Length { .. } => "This is a fault in Hone: copy the detail and report it".to_owned(),
            Self::NoPreset { known, .. } => format!("Choose one of `{}`", known.join("`, `")),
            Self::Config { .. } => "Start again from a preset, or correct the named line".to_owned(),
            Self::Setting { nearest: Some(nearest), .. } => format!("Did you mean `{nearest}`?"),
            Self::Setting { .. } => "Write `key=value`, for example `epochs=2` or `lora.rank=16`".to_owned(),
            Self::OutOfRange { key, .. } => format!("Change `{key}`, or take a preset as it is"),
            Self::NoRows { .. } => "Approve more rows, or raise `max_seq_len`".to_owned(),
            Self::DoesNotFit { advice, .. } => advice.clone(),
            Self::NoSpace { .. } => "Free some space on this disk, or move the project to another one".to_owned(),
            Self::Diverged { precision: Precision::F16, .. } => {
                "Set `precision` to `bf16`: a number of this model may be too large for `f16`".to_owned()
            }
            Self::Diverged { last_good: 0, .. } => "Halve `learning_rate` and start again".to_owned(),
            Self::Diverged { last_good, .. } => {
                format!("The checkpoint of step {last_good} is kept; start again with half the `learning_rate`")
            }
            Self::DamagedCheckpoint { .. } => "Start the run again; an older checkpoint may still be good".to_owned(),
            Self::CannotResume { .. } | Self::OptimiserState { .. } => {
                "Start a new run; the old one stays as it is".to_owned()
            }
            Self::NoRun { .. } => "Start a new run".to_owned(),
            Self::AlreadyDone { .. } => "Examine it, or start a new run".to_owned(),
            Self::Busy { .. } => "Wait for it, or stop it first".to_owned(),
            Self::ExportRehearsal { source } => return source.hint.clone(),
        };
        Some(text)
    }

    fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled(_) => true,
            Self::Model(error) => error.is_cancelled(),
            _ => false,
        }
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}
