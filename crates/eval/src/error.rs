//! What can go wrong in an exam.

use hone_job::{Cancelled, ErrorCode, Explain};
use hone_model::ModelError;

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, EvalError>;

/// A failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The work was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// No row is kept for the exam.
    #[error("no row of this project is kept for the exam")]
    NoQuestions,
    /// A curve could not be drawn.
    #[error("the curve `{curve}` cannot be drawn: {problem}")]
    Chart {
        /// Its title.
        curve: &'static str,
        /// The drawing library's words.
        problem: String,
    },
}

impl Explain for EvalError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Model(error) => error.code(),
            Self::NoQuestions => ErrorCode::NoRows,
            Self::Cancelled(_) | Self::Chart { .. } => ErrorCode::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Model(error) => error.hint(),
            Self::NoQuestions => Some("Import at least ten rows, so that some can be kept for the exam".to_owned()),
            Self::Cancelled(_) | Self::Chart { .. } => None,
        }
    }

    fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled(_) => true,
            Self::Model(error) => error.is_cancelled(),
            Self::NoQuestions | Self::Chart { .. } => false,
        }
    }
}
