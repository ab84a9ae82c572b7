use hone_data::{Document, Passage, Row};

use crate::store::adding::Adding;
use crate::store::intake::prepared;
use crate::{Store, StudioError};

/// What came out of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The file.
    pub document: Document,
    /// Its passages, in order; none for a structured file.
    pub passages: Vec<Passage>,
    /// Its rows; their numbers are given by the database.
    pub rows: Vec<Row>,
}

/// What adding a file did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is in, with so many passages and rows.
    New {
        /// Passages added.
        passages: usize,
        /// Rows added.
        rows: usize,
    },
    /// The same file was there already; nothing was changed.
    Unchanged,
}

impl Store {
    /// Whether a file with these bytes gave something already.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn has_document(&self, hash: &str) -> Result<bool, StudioError> {
        self.read("look for a document", |db| {
            db.query_row(
                "SELECT EXISTS (SELECT 1 FROM documents WHERE hash = ?1)
                    AND (EXISTS (SELECT 1 FROM passages WHERE document = ?1) OR EXISTS (SELECT 1 FROM tallies WHERE document = ?1 AND count > 0))",
                [hash],
                |row| row.get(0),
            )
        })
    }

    /// Adds what came out of one file, all of it or nothing. A document that gave nothing before is read anew.
    ///
    /// # Errors
    /// What the database refuses; everything is as before then.
    pub fn add(&mut self, imported: &Imported) -> Result<Added, StudioError> {
        if self.has_document(&imported.document.hash)? {
            return Ok(Added::Unchanged);
        }
        let changes = self.import(&imported.document.hash, Some(&imported.document.hash), |intake| {
            imported.passages.iter().try_for_each(|passage| intake.passage(passage))?;
            imported.rows.iter().try_for_each(|row| intake.row(row))?;
            Ok::<_, StudioError>((imported.document.clone(), None))
        })?;
        Ok(Added::New { passages: changes.passages_added as usize, rows: changes.rows_added as usize })
    }

    /// Adds rows that belong to no file; answers their numbers.
    ///
    /// # Errors
    /// What the database refuses; everything is as before then.
    pub fn add_rows(&mut self, rows: &[Row]) -> Result<Vec<i64>, StudioError> {
        self.change("add rows", |db| {
            let mut adding = Adding::new(db)?;
            let ids = rows.iter().map(|row| adding.add(db, prepared(row, false)?)).collect::<rusqlite::Result<_>>()?;
            adding.finish(db)?;
            Ok(ids)
        })
    }
}
