use hone_data::Passage;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::store::documents::passage;
use crate::{Store, StudioError};

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
        let Some((condition, words)) = condition("passage_search", text, 2) else { return Ok(Vec::new()) };
        self.read("search the passages", |db| {
            let mut statement = db.prepare(&format!(
                "SELECT position, first_page, last_page, heading, text, tokens, document FROM passages
                 WHERE id IN ({condition}) ORDER BY id LIMIT ?1"
            ))?;
            let mut values: Vec<&dyn rusqlite::ToSql> = params![limit].to_vec();
            values.extend(words.iter().map(|word| word as &dyn rusqlite::ToSql));
            let hits = statement
                .query_map(&values[..], |row| Ok(PassageHit { document: row.get(6)?, passage: passage(row)? }))?;
            hits.collect()
        })
    }
}

/// A query for the numbers of the entries of `table` that hold every word of `text` (parts of words count, case does
/// not), with its values numbered from `first`. `None` when nothing is asked for.
///
/// The index is made of three-letter pieces, so shorter words (most Chinese ones) are looked for without it.
pub(super) fn condition(table: &str, text: &str, first: usize) -> Option<(String, Vec<String>)> {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    for word in text.split_whitespace() {
        let at = first + values.len();
        if word.chars().count() >= 3 {
            conditions.push(format!("{table} MATCH ?{at}"));
            values.push(format!("\"{}\"", word.replace('"', "\"\"")));
        } else {
            conditions.push(format!("body LIKE ?{at} ESCAPE '\\'"));
            values.push(format!("%{}%", word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")));
        }
    }
    // One MATCH a query: several words share it.
    let matches: Vec<usize> = (0..conditions.len()).filter(|at| conditions[*at].contains("MATCH")).collect();
    if let [kept, others @ ..] = &matches[..] {
        let joined: Vec<String> = matches.iter().map(|at| values[*at].clone()).collect();
        values[*kept] = joined.join(" AND ");
        for other in others {
            // The value stays bound, so that the numbering does.
            conditions[*other] = format!("?{} IS NOT NULL", first + other);
        }
    }
    (!conditions.is_empty()).then(|| (format!("SELECT rowid FROM {table} WHERE {}", conditions.join(" AND ")), values))
}
