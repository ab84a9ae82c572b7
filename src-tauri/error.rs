//! What can go wrong in the frame around the window itself.

use std::path::PathBuf;

use hone_job::fs::FsError;
use hone_job::{AppError, ErrorCode, Explain};
use hone_studio::StudioError;

/// A failure of the shell.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// The worker program is not where it should be.
    #[error("the worker program `{}` is missing", path.display())]
    WorkerMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The worker could not be started.
    #[error("cannot start the worker `{}`", path.display())]
    WorkerStart {
        /// The program.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The worker ended before its last event.
    #[error("the worker ended before its work was done ({status})")]
    WorkerEnded {
        /// How it ended, as the operating system says it.
        status: String,
        /// The end of what it wrote for people.
        stderr: String,
    },
    /// The worker finished without the answer it was asked for.
    #[error("the worker gave no answer to `{verb}`")]
    NoAnswer {
        /// What it was asked.
        verb: String,
    },
    /// A value from the page is outside what the command accepts.
    #[error("`{name}` is not acceptable: {reason}")]
    BadArgument {
        /// Name of the value.
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A command named a project that this window has not opened.
    #[error("the project `{}` is not open", path.display())]
    ProjectNotOpen {
        /// The folder.
        path: PathBuf,
    },
    /// A command named something outside the project's folder.
    #[error("`{}` does not lie in the project's folder", path.display())]
    OutsideProject {
        /// The path.
        path: PathBuf,
    },
    /// No job has this number any more.
    #[error("there is no running job `{id}`")]
    NoSuchJob {
        /// The number.
        id: String,
    },
    /// The worker said itself why it failed.
    #[error(transparent)]
    Worker(#[from] AppError),
    /// The project refused.
    #[error(transparent)]
    Studio(#[from] StudioError),
    /// A place that the desktop should name is unknown.
    #[error("this desktop does not say where its {what} is")]
    NoPlace {
        /// `settings folder`, `documents folder`.
        what: &'static str,
        /// What the window's framework says.
        source: tauri::Error,
    },
    /// The file manager did not open.
    #[error("cannot open `{}` in the file manager", path.display())]
    Reveal {
        /// What was to be opened.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Reading or writing failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A task of the shell itself broke off.
    #[error("a task of the window broke off")]
    Task(#[source] tauri::Error),
}

impl Explain for ShellError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::WorkerMissing { .. } | Self::NoSuchJob { .. } | Self::ProjectNotOpen { .. } => ErrorCode::NotFound,
            Self::BadArgument { .. } | Self::OutsideProject { .. } => ErrorCode::BadInput,
            Self::Fs(error) => error.code(),
            Self::Studio(error) => error.code(),
            Self::Worker(error) => error.code,
            Self::WorkerEnded { status, .. } if status.contains("signal: 9") => ErrorCode::OutOfMemory,
            _ => ErrorCode::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::WorkerMissing { .. } => "Install Hone again; the program `hone` belongs beside the window's own",
            Self::WorkerStart { .. } => "Check that the file may be executed, or install Hone again",
            Self::WorkerEnded { status, .. } if status.contains("signal: 9") => {
                "The system may have run out of memory: close other programs or choose a smaller model, then try again"
            }
            Self::WorkerEnded { .. } | Self::NoAnswer { .. } | Self::Task(_) => {
                "Try again; if it happens again, copy the detail and report it"
            }
            Self::BadArgument { .. } => "Choose another value",
            Self::ProjectNotOpen { .. } => "Open the project first",
            Self::OutsideProject { .. } => "Choose something inside the project",
            Self::NoSuchJob { .. } => "It has ended already",
            Self::NoPlace { .. } => "Choose a folder yourself",
            Self::Reveal { path, .. } => return Some(format!("Open `{}` yourself", path.display())),
            Self::Fs(error) => return error.hint(),
            Self::Studio(error) => return error.hint(),
            Self::Worker(error) => return error.hint.clone(),
        };
        Some(text.to_owned())
    }

    fn to_app_error(&self) -> AppError {
        let detail = match self {
            Self::Fs(error) => return error.to_app_error(),
            Self::Studio(error) => return error.to_app_error(),
            Self::Worker(error) => return error.clone(),
            Self::WorkerEnded { stderr, .. } => (!stderr.is_empty()).then(|| stderr.clone()),
            other => std::error::Error::source(other).map(ToString::to_string),
        };
        AppError { code: self.code(), message: self.to_string(), hint: self.hint(), detail }
    }
}
