//! How a verb ends when it does not end well.

use std::panic;
use std::sync::Mutex;

use hone_job::{AppError, Cancelled, ErrorCode, Explain};

/// A verb that did not go through.
#[derive(Debug)]
pub enum Failure {
    /// It was stopped on request: status 3.
    Cancelled,
    /// It failed: status 1.
    Error(Box<AppError>),
}

impl Failure {
    /// A failure that this crate itself finds.
    pub fn new(code: ErrorCode, message: impl Into<String>, hint: &str) -> Self {
        Self::Error(Box::new(AppError { code, message: message.into(), hint: Some(hint.to_owned()), detail: None }))
    }

    /// The last panic, as a failure.
    pub fn panicked() -> Self {
        let detail = PANIC.lock().ok().and_then(|mut last| last.take());
        Self::Error(Box::new(AppError {
            code: ErrorCode::Internal,
            message: "Hone ran into a fault of its own and stopped".to_owned(),
            hint: Some("Copy the detail and report it; everything up to the last save is kept".to_owned()),
            detail,
        }))
    }
}

/// The last panic of any thread: message and place.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Keeps what a panic says for [`Failure::panicked`] instead of printing it.
pub fn remember_panics() {
    panic::set_hook(Box::new(|info| {
        if let Ok(mut last) = PANIC.lock() {
            *last = Some(info.to_string());
        }
    }));
}

impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        if error.is_cancelled() { Self::Cancelled } else { Self::Error(Box::new(error.to_app_error())) }
    }
}

/// What a verb answers.
pub type Outcome<T = crate::output::Report> = Result<T, Failure>;

/// For `job.check()`, whose error is not a failure.
pub fn check(job: &hone_job::Job) -> Outcome<()> {
    job.check().map_err(|Cancelled| Failure::Cancelled)
}
