//! The project's database: documents, passages, rows, verdicts, and the full-text index over rows and passages.
//!
//! Worker and window may open it at the same time: it keeps a write-ahead log, and a writer waits for another one.
//! Every change is one transaction; what fails leaves everything as it was.

mod add;
mod adding;
mod clean;
mod documents;
mod drafts;
mod edit;
mod intake;
mod mappings;
mod pages;
mod perplexities;
mod review;
mod rows;
mod schema;
mod search;
mod tally;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StudioError;

pub use add::{Added, Imported};
pub use adding::Batch;
pub use clean::RuleHits;
pub use documents::{DocumentCounts, DocumentYield};
pub use drafts::{DraftNote, DraftedStatus, DraftingFailure, DraftingState, PassageDrafted, WriterState};
pub use intake::{Changes, Intake};
pub use mappings::FileMapping;
pub use perplexities::text_hash;
pub use review::{Decided, ReviewState};
pub use rows::{RowCounts, RowFilter, RowHit, RowPage};
pub use search::PassageHit;

/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(10);

/// The write-ahead log is cut to this after it was taken over, bytes.
const LOG_BYTES: i64 = 64 << 20;
/// Pages held in memory, kilobytes.
const CACHE_KILOBYTES: i64 = 32 << 10;

/// A connection to a project's database.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

impl Store {
    /// Opens the database, creating it, and brings it to the newest layout.
    ///
    /// # Errors
    /// [`StudioError::NewerSchema`], [`StudioError::Database`].
    pub fn open(path: &Path) -> Result<Self, StudioError> {
        let at =
            |source| StudioError::Database { action: "open the project's database", path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(at)?;
        let mut store = Self { connection, path: path.to_owned() };
        store.connection.busy_timeout(BUSY).map_err(at)?;
        store.connection.pragma_update(None, "foreign_keys", true).map_err(at)?;
        // What an import wrote is not kept as an empty log.
        store.connection.pragma_update(None, "journal_size_limit", LOG_BYTES).map_err(at)?;
        store.connection.pragma_update(None, "cache_size", -CACHE_KILOBYTES).map_err(at)?;
        store.migrate()?;
        Ok(store)
    }

    /// Runs `work` as one transaction: all of it, or nothing.
    fn change<T>(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&Transaction) -> Result<T, Failure>,
    ) -> Result<T, StudioError> {
        let path = self.path.clone();
        let named = |failure| match failure {
            Failure::Database(source) => StudioError::Database { action, path, source },
            Failure::Ours(error) => error,
        };
        let transaction = match self.connection.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => transaction,
            Err(source) => return Err(named(source.into())),
        };
        let made = work(&transaction).and_then(|value| transaction.commit().map(|()| value).map_err(Failure::from));
        made.map_err(named)
    }

    /// Reads, naming the place where that fails.
    fn read<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StudioError> {
        work(&self.connection).map_err(|source| StudioError::Database { action, path: self.path.clone(), source })
    }
}

/// Why a change did not go through: the database's reason, or ours.
enum Failure {
    Database(rusqlite::Error),
    Ours(StudioError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StudioError> for Failure {
    fn from(error: StudioError) -> Self {
        Self::Ours(error)
    }
}

/// The word of a plain enum, as in JSON.
fn word(value: &impl Serialize) -> rusqlite::Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(other) => Ok(other.to_string()),
        Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
    }
}

/// The plain enum of a word.
fn from_word<T: DeserializeOwned>(column: usize, word: String) -> rusqlite::Result<T> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(|error| damaged(column, error))
}

fn to_json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

fn from_json<T: DeserializeOwned>(column: usize, text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| damaged(column, error))
}

fn damaged(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
}

#[cfg(test)]
mod tests;
