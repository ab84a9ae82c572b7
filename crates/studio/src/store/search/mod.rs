//! Full-text search: parts of words, in any writing, case aside.
//!
//! An index says which stretches of rows or passages cannot hold the words (see `index`); the others are read.

mod grams;
mod index;
mod sheaf;

use std::borrow::Cow;

use hone_data::Passage;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::store::documents::passage;
use crate::{Store, StudioError};

pub(super) use index::{Area, Gathered, Indexer, candidates};

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

/// Tells the rows that hold every word by their JSON.
pub(super) struct Finder<'w> {
    words: Vec<&'w str>,
    /// The words that JSON writes as they are, its own marks aside.
    plain: Vec<&'w str>,
    lowered: String,
}

impl<'w> Finder<'w> {
    pub(super) fn new(words: &'w [String]) -> Self {
        let plain = |word: &&str| !word.contains(|c: char| c.is_control() || matches!(c, '"' | '\\'));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let plain = words.iter().copied().filter(plain).collect();
        Self { words, plain, lowered: String::new() }
    }

    /// Whether a row holds every word.
    pub(super) fn finds(&mut self, json: &str) -> Result<bool, serde_json::Error> {
        // Most rows are told by their JSON as it stands.
        if !hold(&self.plain, [json], &mut self.lowered) {
            return Ok(false);
        }
        let said: Said = serde_json::from_str(json)?;
        let turns = said.messages.iter().map(|turn| turn.content.as_ref());
        let text = said.messages.is_empty().then_some(said.text.as_ref());
        Ok(hold(&self.words, turns.chain(text), &mut self.lowered))
    }
}

/// Whether texts together hold every word; `lowered` is room for them.
fn hold<'t>(words: &[&str], texts: impl IntoIterator<Item = &'t str>, lowered: &mut String) -> bool {
    lowered.clear();
    for text in texts {
        grams::lower_onto(text, lowered);
        // No word has a blank in it.
        lowered.push('\n');
    }
    words.iter().all(|word| lowered.contains(word))
}

/// What is searched of a row's content: all its text, as [`hone_data::clean::row_text`] has it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said<'t> {
    #[serde(borrow)]
    messages: Vec<Turn<'t>>,
    #[serde(borrow)]
    text: Cow<'t, str>,
}

#[derive(Deserialize)]
struct Turn<'t> {
    #[serde(borrow)]
    content: Cow<'t, str>,
}
