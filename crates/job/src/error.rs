//! Errors as they cross a border between parts: a code to act on, a message, a hint, a detail to copy.

use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What the receiver can do about a failure. One variant per different thing the window does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum ErrorCode {
    /// A file the user gave cannot be used: choose another or repair it.
    BadInput,
    /// A path, project, run or model is not there.
    NotFound,
    /// The disk is full: free space, then go on.
    NoSpace,
    /// Reading or writing is not allowed: change permissions or choose another place.
    NoPermission,
    /// The plan needs more memory than there is: choose a smaller one.
    OutOfMemory,
    /// A base model that Hone cannot train or export: choose another.
    UnsupportedModel,
    /// A model file or checkpoint is damaged: fetch or choose another.
    CorruptModel,
    /// There is nothing to train on or to examine: add or approve rows.
    NoRows,
    /// A setting is out of range or contradicts another.
    BadConfig,
    /// Another worker holds this project or run.
    Busy,
    /// No Ollama server answers: start it.
    OllamaUnreachable,
    /// Ollama answered with an error.
    OllamaRefused,
    /// A download failed: check the connection, try again.
    Network,
    /// Training became unstable and stopped at the last good checkpoint.
    Diverged,
    /// A fault in Hone itself: copy the detail and report it.
    Internal,
}

/// A failure as it crosses a process or crate border.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct AppError {
    /// What kind of thing can be done about it.
    pub code: ErrorCode,
    /// What went wrong, naming the file and the place.
    pub message: String,
    /// What the user can do now.
    pub hint: Option<String>,
    /// The chain of causes, to copy for help.
    pub detail: Option<String>,
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AppError {}

/// Work stopped because it was asked to. An outcome, not a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped on request")]
pub struct Cancelled;

/// What each crate's error enum says besides its message.
pub trait Explain: std::error::Error {
    /// The code that the receiver acts on.
    fn code(&self) -> ErrorCode;
    /// What the user can do now.
    fn hint(&self) -> Option<String> {
        None
    }
    /// Whether this is a [`Cancelled`] in disguise.
    fn is_cancelled(&self) -> bool {
        false
    }
    /// The form that crosses borders.
    fn to_app_error(&self) -> AppError {
        AppError { code: self.code(), message: self.to_string(), hint: self.hint(), detail: chain(self.source()) }
    }
}

fn chain(mut cause: Option<&(dyn std::error::Error + 'static)>) -> Option<String> {
    let mut lines = Vec::new();
    while let Some(error) = cause {
        lines.push(error.to_string());
        cause = error.source();
    }
    (!lines.is_empty()).then(|| lines.join("\ncaused by: "))
}
