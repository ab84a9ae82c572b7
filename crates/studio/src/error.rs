use std::path::PathBuf;

use hone_job::fs::FsError;
use hone_job::{ErrorCode, Explain};
use rusqlite::ErrorCode as Sqlite;

/// What can go wrong with a project.
#[derive(Debug, thiserror::Error)]
pub enum StudioError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The folder holds something else.
    #[error("`{}` is not empty and is not a Hone project", dir.display())]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
    },
    /// A project is there already.
    #[error("`{}` is a Hone project already", dir.display())]
    AlreadyProject {
        /// The folder.
        dir: PathBuf,
    },
    /// No project is there.
    #[error("`{}` is not a Hone project: it has no `project.toml`", dir.display())]
    NotAProject {
        /// The folder.
        dir: PathBuf,
    },
    /// Made by a newer Hone.
    #[error("`{}` was made by a newer Hone (its layout is version {found}, this Hone knows up to {known})", path.display())]
    NewerSchema {
        /// The file that says so.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// `project.toml` does not say what it must.
    #[error("`{}` cannot be understood: {message}", path.display())]
    BadProjectFile {
        /// The file.
        path: PathBuf,
        /// What the parser says, with the line.
        message: String,
    },
    /// The database refused.
    #[error("cannot {action} in `{}`: {source}", path.display())]
    Database {
        /// What was tried.
        action: &'static str,
        /// The database file.
        path: PathBuf,
        /// The database's answer.
        source: rusqlite::Error,
    },
    /// No row has this number.
    #[error("There is no row {id} in this project")]
    NoSuchRow {
        /// The number asked for.
        id: i64,
    },
    /// No document has this hash.
    #[error("There is no document `{hash}` in this project")]
    NoSuchDocument {
        /// The hash asked for.
        hash: String,
    },
    /// No run has this id.
    #[error("There is no training `{id}` in `{}`", dir.display())]
    NoSuchRun {
        /// The id asked for.
        id: String,
        /// The project's `runs` folder.
        dir: PathBuf,
    },
    /// A row that could not be trained on.
    #[error("Row {id} would have {what}")]
    EmptyRow {
        /// The row's number.
        id: i64,
        /// What is missing.
        what: &'static str,
    },
    /// Drafts were to be approved at once before a sample of them was read.
    #[error("Of these drafts {read} were read one by one; approving the rest at once asks for {wanted}")]
    SampleFirst {
        /// Decided on one by one.
        read: u64,
        /// Asked for.
        wanted: u64,
    },
    /// The file was written to while it was imported.
    #[error("`{}` changed while it was being imported", path.display())]
    SourceChanged {
        /// The file.
        path: PathBuf,
    },
}

impl Explain for StudioError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Fs(error) => error.code(),
            Self::NotEmpty { .. } | Self::AlreadyProject { .. } | Self::SourceChanged { .. } => ErrorCode::BadInput,
            Self::NotAProject { .. }
            | Self::NoSuchRow { .. }
            | Self::NoSuchDocument { .. }
            | Self::NoSuchRun { .. } => ErrorCode::NotFound,
            Self::NewerSchema { .. }
            | Self::BadProjectFile { .. }
            | Self::EmptyRow { .. }
            | Self::SampleFirst { .. } => ErrorCode::BadConfig,
            Self::Database { source, .. } => database_code(source),
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Fs(error) => return error.hint(),
            Self::NotEmpty { .. } => "Choose an empty or a new folder",
            Self::AlreadyProject { .. } => "Open it, or choose another folder for the new project",
            Self::NotAProject { .. } => {
                "Choose a project's folder, or make one with `hone new DIR --name N --base REF`"
            }
            Self::NewerSchema { .. } => {
                "Update Hone on this computer, then open the project again; nothing was changed"
            }
            Self::BadProjectFile { .. } => "Mend the line named above, or put the file back from a copy",
            Self::NoSuchRow { .. } => "List the rows with `hone rows list`",
            Self::NoSuchDocument { .. } => "It may have been removed; look at the list of documents",
            Self::NoSuchRun { .. } => {
                "List the trainings in the project's `runs` folder, or start one with `hone train`"
            }
            Self::EmptyRow { .. } => "Write something there, or leave the row out instead",
            Self::SampleFirst { .. } => "Approve or reject some of them one by one, then approve the rest",
            Self::SourceChanged { .. } => "Close the program that writes to it and import it again",
            Self::Database { source, .. } => match database_code(source) {
                ErrorCode::NoSpace => "Free some space on this disk and try again; nothing that was there is lost",
                ErrorCode::NoPermission => "Allow writing to the project's folder, or move the project elsewhere",
                ErrorCode::Busy => "Another Hone is writing to this project; wait until it is done and try again",
                ErrorCode::BadInput => "The file is damaged; put it back from a copy of the project folder",
                _ => "Try again; if it stays, copy the detail and report it",
            },
        };
        Some(text.to_owned())
    }
}

fn database_code(error: &rusqlite::Error) -> ErrorCode {
    match error.sqlite_error_code() {
        Some(Sqlite::DiskFull) => ErrorCode::NoSpace,
        Some(Sqlite::ReadOnly | Sqlite::CannotOpen | Sqlite::PermissionDenied) => ErrorCode::NoPermission,
        Some(Sqlite::DatabaseBusy | Sqlite::DatabaseLocked) => ErrorCode::Busy,
        Some(Sqlite::DatabaseCorrupt | Sqlite::NotADatabase) => ErrorCode::BadInput,
        _ => ErrorCode::Internal,
    }
}
