use hone_data::{Document, Passage};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::store::from_json;
use crate::{Store, StudioError};

/// How much was imported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DocumentCounts {
    /// Files.
    pub documents: u64,
    /// Pages, over the files that have them.
    pub pages: u64,
    /// Passages.
    pub passages: u64,
    /// Files with an issue that left something out.
    pub with_issues: u64,
}

/// What a document gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DocumentYield {
    /// Its hash.
    pub document: String,
    /// Its passages.
    pub passages: u64,
    /// Its rows.
    pub rows: u64,
}

impl Store {
    /// What each document gave, in the documents' order.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn yields(&self) -> Result<Vec<DocumentYield>, StudioError> {
        self.read("count what the documents gave", |db| {
            let mut statement = db.prepare(
                "SELECT hash, coalesce(p.count, 0), coalesce(t.count, 0) FROM documents
                 LEFT JOIN (SELECT document, count(*) AS count FROM passages GROUP BY document) p ON p.document = hash
                 LEFT JOIN (SELECT document, sum(count) AS count FROM tallies GROUP BY document) t ON t.document = hash
                 ORDER BY documents.rowid",
            )?;
            let yields = statement.query_map([], |row| {
                let count = |column| row.get::<_, i64>(column).map(|count| count as u64);
                Ok(DocumentYield { document: row.get(0)?, passages: count(1)?, rows: count(2)? })
            })?;
            yields.collect()
        })
    }

    /// All documents in the order in which they came in.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn documents(&self) -> Result<Vec<Document>, StudioError> {
        self.read("list the documents", |db| {
            let mut statement = db.prepare(&format!("SELECT {DOCUMENT} FROM documents ORDER BY rowid"))?;
            let documents = statement.query_map([], document)?;
            documents.collect()
        })
    }

    /// The document of a hash.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn document(&self, hash: &str) -> Result<Option<Document>, StudioError> {
        self.read("read a document", |db| {
            db.query_row(&format!("SELECT {DOCUMENT} FROM documents WHERE hash = ?1"), [hash], document).optional()
        })
    }

    /// How much was imported.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn document_counts(&self) -> Result<DocumentCounts, StudioError> {
        self.read("count the documents", |db| {
            db.query_row(
                "SELECT count(*), coalesce(sum(pages), 0), (SELECT count(*) FROM passages),
                    count(*) FILTER (WHERE issues LIKE '%\"kind\":\"unreadable\"%' OR issues LIKE '%\"kind\":\"partial\"%')
                 FROM documents",
                [],
                |row| {
                    Ok(DocumentCounts {
                        documents: row.get::<_, i64>(0)? as u64,
                        pages: row.get::<_, i64>(1)? as u64,
                        passages: row.get::<_, i64>(2)? as u64,
                        with_issues: row.get::<_, i64>(3)? as u64,
                    })
                },
            )
        })
    }

    /// The passages of a document, in order.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn passages(&self, document: &str) -> Result<Vec<Passage>, StudioError> {
        self.read("read the passages of a document", |db| {
            let mut statement = db.prepare(
                "SELECT position, first_page, last_page, heading, text, tokens FROM passages
                 WHERE document = ?1 ORDER BY position",
            )?;
            let passages = statement.query_map([document], passage)?;
            passages.collect()
        })
    }

    /// Removes a document with its passages, its rows and their verdicts. Its copy in `sources/` is the caller's.
    ///
    /// # Errors
    /// [`StudioError::NoSuchDocument`], or what the database refuses; everything is as before then.
    pub fn remove_document(&mut self, hash: &str) -> Result<(), StudioError> {
        self.change("remove a document", |db| {
            if db.execute("DELETE FROM documents WHERE hash = ?1", params![hash])? == 0 {
                return Err(StudioError::NoSuchDocument { hash: hash.to_owned() }.into());
            }
            Ok(())
        })
    }
}

/// The columns that [`document`] reads.
const DOCUMENT: &str = "hash, name, path, format, bytes, pages, characters, issues";

fn document(row: &rusqlite::Row) -> rusqlite::Result<Document> {
    Ok(Document {
        hash: row.get(0)?,
        name: row.get(1)?,
        path: row.get(2)?,
        format: row.get(3)?,
        bytes: row.get::<_, i64>(4)? as u64,
        pages: row.get(5)?,
        characters: row.get::<_, i64>(6)? as u64,
        issues: from_json(7, &row.get::<_, String>(7)?)?,
    })
}

/// A passage from the six columns `position, first_page, last_page, heading, text, tokens`.
pub(super) fn passage(row: &rusqlite::Row) -> rusqlite::Result<Passage> {
    let pages: (Option<u32>, Option<u32>) = (row.get(1)?, row.get(2)?);
    Ok(Passage {
        index: row.get(0)?,
        pages: pages.0.zip(pages.1),
        heading: row.get(3)?,
        text: row.get(4)?,
        tokens: row.get(5)?,
    })
}
