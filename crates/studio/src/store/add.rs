use hone_data::clean::row_text;
use hone_data::{Document, Passage, Row};
use rusqlite::{Transaction, params};

use crate::store::{to_json, word};
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
                    AND (EXISTS (SELECT 1 FROM passages WHERE document = ?1) OR EXISTS (SELECT 1 FROM rows WHERE document = ?1))",
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
        self.change("add a document", |db| {
            add_document(db, &imported.document)?;
            for passage in &imported.passages {
                add_passage(db, &imported.document.hash, passage)?;
            }
            for row in &imported.rows {
                add_row(db, row)?;
            }
            Ok(Added::New { passages: imported.passages.len(), rows: imported.rows.len() })
        })
    }

    /// Adds rows that belong to no file; answers their numbers.
    ///
    /// # Errors
    /// What the database refuses; everything is as before then.
    pub fn add_rows(&mut self, rows: &[Row]) -> Result<Vec<i64>, StudioError> {
        self.change("add rows", |db| Ok(rows.iter().map(|row| add_row(db, row)).collect::<rusqlite::Result<_>>()?))
    }
}

fn add_document(db: &Transaction, document: &Document) -> rusqlite::Result<()> {
    db.execute("DELETE FROM documents WHERE hash = ?1", [&document.hash])?;
    db.execute(
        "INSERT INTO documents (hash, name, path, format, bytes, pages, characters, issues)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            document.hash,
            document.name,
            document.path,
            document.format,
            document.bytes as i64,
            document.pages,
            document.characters as i64,
            to_json(&document.issues)?
        ],
    )?;
    Ok(())
}

fn add_passage(db: &Transaction, document: &str, passage: &Passage) -> rusqlite::Result<()> {
    let (first, last) = passage.pages.unzip();
    db.prepare_cached(
        "INSERT INTO passages (document, position, first_page, last_page, heading, text, tokens)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![document, passage.index, first, last, passage.heading, passage.text, passage.tokens])?;
    let id = db.last_insert_rowid();
    db.prepare_cached("INSERT INTO passage_search (rowid, body) VALUES (?1, ?2)")?
        .execute(params![id, passage.text])?;
    Ok(())
}

pub(super) fn add_row(db: &Transaction, row: &Row) -> rusqlite::Result<i64> {
    let split = row.split.as_ref().map(word).transpose()?;
    db.prepare_cached(
        "INSERT INTO rows (content, label, origin, document, passage, line, status, split)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        to_json(&super::rows::Content::of(row))?,
        row.label,
        word(&row.origin)?,
        row.document,
        row.passage,
        row.line,
        word(&row.status)?,
        split
    ])?;
    let id = db.last_insert_rowid();
    db.prepare_cached("INSERT INTO row_search (rowid, body) VALUES (?1, ?2)")?.execute(params![id, row_text(row)])?;
    Ok(id)
}
