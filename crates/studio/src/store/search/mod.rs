//! Full-text search: parts of words, in any writing, case aside.
//!
//! An index says which stretches of rows or passages cannot hold the words (see `index`); the others are read.

mod grams;
mod index;

use hone_data::Passage;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::store::documents::passage;
use crate::{Store, StudioError};

pub(super) use index::{Area, Indexer, candidates};

/// A passage that holds what was searched for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PassageHit {
    /// Hash of its document.
    pub document: String,
    /// The passage.
    pub passage: Passage,
}

impl Store {
    /// The first `limit` passages that hold every word of `text`, in the documents' order.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn search_passages(&self, text: &str, limit: u32) -> Result<Vec<PassageHit>, StudioError> {
        let words = words(text);
        if words.is_empty() {
            return Ok(Vec::new());
        }
        self.read("search the passages", |db| {
            let mut hits = Vec::new();
            let mut statement = db.prepare(
                "SELECT position, first_page, last_page, heading, text, tokens, document FROM passages
                 WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
            )?;
            for (first, last) in candidates(db, Area::Passages, &words)? {
                let mut rows = statement.query(params![first, last])?;
                while let Some(row) = rows.next()? {
                    if hits.len() >= limit as usize {
                        return Ok(hits);
                    }
                    if holds(row.get_ref(4)?.as_str()?, &words) {
                        hits.push(PassageHit { document: row.get(6)?, passage: passage(row)? });
                    }
                }
            }
            Ok(hits)
        })
    }
}

/// The words that are searched for, as they are compared.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(grams::lower).collect()
}

/// Whether a text holds every word, or part of a word.
pub(super) fn holds(text: &str, words: &[String]) -> bool {
    let text = grams::lower(text);
    words.iter().all(|word| text.contains(word.as_str()))
}

/// Whether the JSON of a row may hold every word: its marks aside, JSON writes a text as it is.
pub(super) fn may_hold(json: &str, words: &[String]) -> bool {
    let json = grams::lower(json);
    let plain = |word: &&String| !word.contains(|c: char| c.is_control() || matches!(c, '"' | '\\'));
    words.iter().filter(plain).all(|word| json.contains(word.as_str()))
}
