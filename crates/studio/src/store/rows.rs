use std::collections::BTreeMap;

use hone_data::clean::{Action, CleanOptions, Rule, changed};
use hone_data::draft::{DraftKind, Grounding};
use hone_data::{Message, Origin, Row, RowStatus, Split};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::store::clean::applied_options;
use crate::store::drafts::{DraftNote, notes};
use crate::store::pages::{listed, searched};
use crate::store::search::words;
use crate::store::tally::tallies;
use crate::store::{from_json, from_word, unwritable};
use crate::{Store, StudioError};

/// Which rows to show. Absent fields do not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export, optional_fields)]
pub struct RowFilter {
    /// Only this part of the data.
    pub split: Option<Split>,
    /// Only rows of this status. A row that a rule leaves out counts as rejected.
    pub status: Option<RowStatus>,
    /// Only rows that came from there.
    pub origin: Option<Origin>,
    /// Only rows of this document (hash).
    pub document: Option<String>,
    /// Only rows that hold these words, or parts of words.
    pub search: Option<String>,
    /// Only drafts of this kind.
    pub kind: Option<DraftKind>,
    /// Only drafts whose quote was found, was not, or that have none.
    pub grounding: Option<Grounding>,
}

/// One page of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RowPage {
    /// The rows as they would be trained on: edits and applied rules included.
    pub rows: Vec<Row>,
    /// What the applied rules do with the rows of this page.
    pub hits: Vec<RowHit>,
    /// What is known of the drafts of this page.
    pub drafts: Vec<DraftNote>,
    /// How many rows there are in all pages.
    pub total: u64,
    /// Whether there may be more than `total`: a search in very many rows stops counting.
    pub at_least: bool,
}

/// An applied rule that concerns a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RowHit {
    /// The row's number.
    pub row: i64,
    /// Which rule.
    pub rule: Rule,
    /// What it does.
    pub action: Action,
}

/// How many rows there are, as they would be trained on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RowCounts {
    /// All rows.
    pub total: u64,
    /// Waiting for review.
    pub drafts: u64,
    /// Left out, by the user or by a rule.
    pub rejected: u64,
    /// Trained on.
    pub train: u64,
    /// Measured during training.
    pub valid: u64,
    /// Kept for the exam.
    pub exam: u64,
}

/// The part of a row that can be edited and cleaned, as it is stored. The label stands in it as it came in, so that
/// the same record is known again.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Content {
    messages: Vec<Message>,
    text: String,
}

/// [`Content`] of a row, as JSON.
pub(super) fn content(row: &Row) -> rusqlite::Result<String> {
    content_json(row).map_err(unwritable)
}

/// [`content`], where there is no database.
pub(super) fn content_json(row: &Row) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Borrowed<'a> {
        messages: &'a [Message],
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        label: Option<&'a str>,
    }
    serde_json::to_string(&Borrowed { messages: &row.messages, text: &row.text, label: row.label.as_deref() })
}

/// The columns that [`stored`] reads.
const COLUMNS: &str =
    "r.id, coalesce(r.edited, r.content), r.label, r.origin, r.document, r.passage, r.line, r.status, r.split,
    r.metadata, (SELECT group_concat(v.rule || ' ' || v.action, ',') FROM verdicts v WHERE v.row = r.id)";
pub(super) const DROPPED: &str = "r.dropped";

/// A row with the applied rules that concern it.
struct Stored {
    row: Row,
    hits: Vec<RowHit>,
}

impl Stored {
    /// The row as it would be trained on, without the rules in `ignored`; `options` are those of the applied rules.
    fn effective(self, ignored: &[Rule], options: &CleanOptions) -> Row {
        let mut row = self.row;
        for rule in Rule::ALL.into_iter().filter(|rule| !ignored.contains(rule)) {
            for hit in self.hits.iter().filter(|hit| hit.rule == rule) {
                match hit.action {
                    Action::Change => row = changed(&row, rule, options).unwrap_or(row),
                    Action::Drop => row.status = RowStatus::Rejected,
                    Action::Flag => {}
                }
            }
        }
        row
    }
}

impl Store {
    /// One page of rows, as they would be trained on, by number.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn rows(&self, filter: &RowFilter, offset: u64, limit: u64) -> Result<RowPage, StudioError> {
        self.read("read the rows", |db| {
            let words = filter.search.as_deref().map(words).unwrap_or_default();
            let page = if words.is_empty() {
                listed(db, filter, offset, limit)?
            } else {
                searched(db, filter, &words, offset, limit)?
            };
            let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM rows r WHERE r.id = ?1"))?;
            let mut found: Vec<Stored> = Vec::with_capacity(page.ids.len());
            for id in &page.ids {
                found.push(statement.query_row([id], stored)?);
            }
            let hits = found.iter().flat_map(|found| found.hits.clone()).collect();
            let options = applied_options(db)?;
            let rows: Vec<Row> = found.into_iter().map(|found| found.effective(&[], &options)).collect();
            let drafted: Vec<i64> = rows.iter().filter(|row| row.origin == Origin::Drafted).map(|row| row.id).collect();
            Ok(RowPage { rows, hits, drafts: notes(db, &drafted)?, total: page.total, at_least: page.at_least })
        })
    }

    /// One row as it would be trained on.
    ///
    /// # Errors
    /// [`StudioError::NoSuchRow`], or what the database refuses.
    pub fn row(&self, id: i64) -> Result<Row, StudioError> {
        let found = self.read("read a row", |db| {
            db.prepare(&format!("SELECT {COLUMNS} FROM rows r WHERE r.id = ?1"))?
                .query_map([id], stored)?
                .next()
                .transpose()?
                .map(|found| Ok(found.effective(&[], &applied_options(db)?)))
                .transpose()
        })?;
        found.ok_or(StudioError::NoSuchRow { id })
    }

    /// The rows that may be trained on or examined: approved, not left out by a rule, as cleaned and edited.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn approved_rows(&self) -> Result<Vec<Row>, StudioError> {
        let rows = self.all_rows(&[])?;
        Ok(rows.into_iter().filter(|row| row.status == RowStatus::Approved).collect())
    }

    /// All rows as they would be without the rules in `ignored`.
    pub(super) fn all_rows(&self, ignored: &[Rule]) -> Result<Vec<Row>, StudioError> {
        self.read("read the rows", |db| {
            let mut statement = db.prepare(&format!("SELECT {COLUMNS} FROM rows r ORDER BY r.id"))?;
            let found = statement.query_map([], stored)?;
            let options = applied_options(db)?;
            found.map(|found| Ok(found?.effective(ignored, &options))).collect()
        })
    }

    /// Hands over every row as it would be trained on, one by one, in order: where all at once would be too many.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn each_row(&self, mut hear: impl FnMut(Row)) -> Result<(), StudioError> {
        self.read("read the rows", |db| {
            let mut statement = db.prepare(&format!("SELECT {COLUMNS} FROM rows r ORDER BY r.id"))?;
            let options = applied_options(db)?;
            for found in statement.query_map([], stored)? {
                hear(found?.effective(&[], &options));
            }
            Ok(())
        })
    }

    /// [`Store::each_row`] for the rows that belong to no part yet.
    pub(super) fn each_row_without_split(&self, mut hear: impl FnMut(Row)) -> Result<(), StudioError> {
        self.read("read the rows", |db| {
            let mut statement = db.prepare(&format!(
                "SELECT {COLUMNS} FROM rows r WHERE r.split IS NULL AND r.id BETWEEN ?1 AND ?2 ORDER BY r.id"
            ))?;
            let options = applied_options(db)?;
            for tally in tallies(db, "split = ''", &[])? {
                let (first, last) = tally.range();
                for found in statement.query_map([first, last], stored)? {
                    hear(found?.effective(&[], &options));
                }
            }
            Ok(())
        })
    }

    /// How many rows there are, as they would be trained on.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn row_counts(&self) -> Result<RowCounts, StudioError> {
        self.read("count the rows", |db| {
            let sql = "SELECT sum(count),
                    sum(count) FILTER (WHERE status = 'draft' AND NOT dropped),
                    sum(count) FILTER (WHERE status = 'rejected' OR dropped),
                    sum(count) FILTER (WHERE status = 'approved' AND NOT dropped AND split IN ('train', '')),
                    sum(count) FILTER (WHERE status = 'approved' AND NOT dropped AND split = 'valid'),
                    sum(count) FILTER (WHERE status = 'approved' AND NOT dropped AND split = 'exam')
                 FROM tallies";
            db.query_row(sql, [], |row| {
                let count = |column: usize| row.get::<_, Option<i64>>(column).map(|count| count.unwrap_or(0) as u64);
                Ok(RowCounts {
                    total: count(0)?,
                    drafts: count(1)?,
                    rejected: count(2)?,
                    train: count(3)?,
                    valid: count(4)?,
                    exam: count(5)?,
                })
            })
        })
    }
}

/// A row from [`COLUMNS`].
fn stored(row: &rusqlite::Row) -> rusqlite::Result<Stored> {
    let id = row.get(0)?;
    let content: Content = from_json(1, &row.get::<_, String>(1)?)?;
    let marks: Option<String> = row.get(10)?;
    let mut hits = Vec::new();
    for mark in marks.iter().flat_map(|marks| marks.split(',')) {
        let (rule, action) = mark.split_once(' ').unwrap_or_default();
        hits.push(RowHit { row: id, rule: from_word(10, rule.to_owned())?, action: from_word(10, action.to_owned())? });
    }
    let split: Option<String> = row.get(8)?;
    let row = Row {
        id,
        messages: content.messages,
        text: content.text,
        label: row.get(2)?,
        origin: from_word(3, row.get(3)?)?,
        document: row.get(4)?,
        passage: row.get(5)?,
        line: row.get(6)?,
        status: from_word(7, row.get(7)?)?,
        split: split.map(|split| from_word(8, split)).transpose()?,
        metadata: row.get::<_, Option<String>>(9)?.map_or_else(|| Ok(BTreeMap::new()), |text| from_json(9, &text))?,
    };
    Ok(Stored { row, hits })
}
