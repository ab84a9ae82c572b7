//! How structured files were understood: per file, and per set of columns for the next file.

use hone_data::{MappedFile, Mapping};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::store::{from_json, to_json};
use crate::{RowFilter, Store, StudioError};

/// Rows of a file that are shown with its mapping.
const SHOWN: u64 = 5;

/// How the columns of a file were understood, with its first records as they stand in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMapping {
    /// Its columns in order.
    pub columns: Vec<String>,
    /// The mapping.
    pub mapping: Mapping,
    /// The values of its first records, long ones cut.
    pub sample: Vec<Vec<String>>,
    /// How many records carry a conversation of their own.
    pub conversations: u64,
}

impl Store {
    /// How a structured file was understood, with the first rows that came out; `None` for other documents.
    ///
    /// # Errors
    /// [`StudioError::NoSuchDocument`], or what the database refuses.
    pub fn file_mapping(&self, hash: &str) -> Result<Option<MappedFile>, StudioError> {
        let found: Option<(String, Option<String>)> = self.read("read a mapping", |db| {
            db.query_row("SELECT name, mapping FROM documents WHERE hash = ?1", [hash], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
        })?;
        let Some((name, text)) = found else { return Err(StudioError::NoSuchDocument { hash: hash.to_owned() }) };
        let Some(text) = text else { return Ok(None) };
        let FileMapping { columns, mapping, sample, conversations } =
            self.read("read a mapping", |_| from_json(1, &text))?;
        let filter = RowFilter { document: Some(hash.to_owned()), ..RowFilter::default() };
        let page = self.rows(&filter, 0, SHOWN)?;
        let rows = page.total;
        let document = hash.to_owned();
        Ok(Some(MappedFile { document, name, columns, mapping, sample, preview: page.rows, rows, conversations }))
    }

    /// How the user mapped the last file with these columns.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn remembered_mapping(&self, columns: &[String]) -> Result<Option<Mapping>, StudioError> {
        self.read("read a mapping", |db| {
            let text: Option<String> = db
                .query_row("SELECT mapping FROM mappings WHERE columns = ?1", [to_json(&columns)?], |row| row.get(0))
                .optional()?;
            text.map(|text| from_json(0, &text)).transpose()
        })
    }

    /// Maps the next files with these columns the same way.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn remember_mapping(&mut self, columns: &[String], mapping: &Mapping) -> Result<(), StudioError> {
        self.change("remember a mapping", |db| {
            db.execute(
                "INSERT INTO mappings (columns, mapping) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET mapping = excluded.mapping",
                params![to_json(&columns)?, to_json(mapping)?],
            )?;
            Ok(())
        })
    }
}
