use hone_data::clean::{Action, Rule, changed};
use hone_data::draft::{DraftKind, Grounding};
use hone_data::{Message, Origin, Row, RowStatus, Split};
use rusqlite::ToSql;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::store::drafts::{DraftNote, notes};
use crate::store::search::condition;
use crate::store::{from_json, from_word, word};
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

/// The part of a row that can be edited and cleaned, as it is stored.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    messages: Vec<Message>,
    text: String,
}

impl Content {
    pub(super) fn of(row: &Row) -> Self {
        Self { messages: row.messages.clone(), text: row.text.clone() }
    }
}

/// The columns that [`stored`] reads.
const COLUMNS: &str =
    "r.id, coalesce(r.edited, r.content), r.label, r.origin, r.document, r.passage, r.line, r.status, r.split,
    (SELECT group_concat(v.rule || ' ' || v.action, ',') FROM verdicts v WHERE v.row = r.id)";
pub(super) const DROPPED: &str = "EXISTS (SELECT 1 FROM verdicts v WHERE v.row = r.id AND v.action = 'drop')";

/// A row with the applied rules that concern it.
struct Stored {
    row: Row,
    hits: Vec<RowHit>,
}

impl Stored {
    /// The row as it would be trained on, without the rules in `ignored`.
    fn effective(self, ignored: &[Rule]) -> Row {
        let mut row = self.row;
        for rule in Rule::ALL.into_iter().filter(|rule| !ignored.contains(rule)) {
            for hit in self.hits.iter().filter(|hit| hit.rule == rule) {
                match hit.action {
                    Action::Change => row = changed(&row, rule).unwrap_or(row),
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
            let (filtered, values) = filtered(filter)?;
            let values: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
            let total: i64 =
                db.query_row(&format!("SELECT count(*) FROM rows r {filtered}"), &values[..], |row| row.get(0))?;
            let mut statement = db.prepare(&format!(
                "SELECT {COLUMNS} FROM rows r {filtered} ORDER BY r.id LIMIT {limit} OFFSET {offset}"
            ))?;
            let found: Vec<Stored> = statement.query_map(&values[..], stored)?.collect::<rusqlite::Result<_>>()?;
            let hits = found.iter().flat_map(|found| found.hits.clone()).collect();
            let rows: Vec<Row> = found.into_iter().map(|found| found.effective(&[])).collect();
            let drafted: Vec<i64> = rows.iter().filter(|row| row.origin == Origin::Drafted).map(|row| row.id).collect();
            Ok(RowPage { rows, hits, drafts: notes(db, &drafted)?, total: total as u64 })
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
                .transpose()
        })?;
        found.map(|found| found.effective(&[])).ok_or(StudioError::NoSuchRow { id })
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
            found.map(|found| Ok(found?.effective(ignored))).collect()
        })
    }

    /// How many rows there are, as they would be trained on.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn row_counts(&self) -> Result<RowCounts, StudioError> {
        self.read("count the rows", |db| {
            let sql = format!(
                "SELECT count(*),
                    count(*) FILTER (WHERE status = 'draft' AND NOT dropped),
                    count(*) FILTER (WHERE status = 'rejected' OR dropped),
                    count(*) FILTER (WHERE status = 'approved' AND NOT dropped AND coalesce(split, 'train') = 'train'),
                    count(*) FILTER (WHERE status = 'approved' AND NOT dropped AND split = 'valid'),
                    count(*) FILTER (WHERE status = 'approved' AND NOT dropped AND split = 'exam')
                 FROM (SELECT r.status, r.split, {DROPPED} AS dropped FROM rows r)"
            );
            db.query_row(&sql, [], |row| {
                let count = |column: usize| row.get::<_, i64>(column).map(|count| count as u64);
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

/// The `WHERE` of a filter, with its values.
pub(super) fn filtered(filter: &RowFilter) -> rusqlite::Result<(String, Vec<String>)> {
    let mut conditions = Vec::new();
    let mut values: Vec<String> = Vec::new();
    let equal = [
        ("r.split", filter.split.as_ref().map(word).transpose()?),
        ("r.origin", filter.origin.as_ref().map(word).transpose()?),
        ("r.document", filter.document.clone()),
        ("(SELECT kind FROM drafts n WHERE n.row = r.id)", filter.kind.as_ref().map(word).transpose()?),
        ("(SELECT grounding FROM drafts n WHERE n.row = r.id)", filter.grounding.as_ref().map(word).transpose()?),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            values.push(value);
            conditions.push(format!("{column} = ?{}", values.len()));
        }
    }
    match filter.status {
        Some(RowStatus::Rejected) => conditions.push(format!("(r.status = 'rejected' OR {DROPPED})")),
        Some(status) => {
            values.push(word(&status)?);
            conditions.push(format!("(r.status = ?{} AND NOT {DROPPED})", values.len()));
        }
        None => {}
    }
    let search = filter.search.as_deref().and_then(|text| condition("row_search", text, values.len() + 1));
    if let Some((found, words)) = search {
        conditions.push(format!("r.id IN ({found})"));
        values.extend(words);
    }
    let filtered = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    Ok((filtered, values))
}

/// A row from [`COLUMNS`].
fn stored(row: &rusqlite::Row) -> rusqlite::Result<Stored> {
    let id = row.get(0)?;
    let content: Content = from_json(1, &row.get::<_, String>(1)?)?;
    let marks: Option<String> = row.get(9)?;
    let mut hits = Vec::new();
    for mark in marks.iter().flat_map(|marks| marks.split(',')) {
        let (rule, action) = mark.split_once(' ').unwrap_or_default();
        hits.push(RowHit { row: id, rule: from_word(9, rule.to_owned())?, action: from_word(9, action.to_owned())? });
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
    };
    Ok(Stored { row, hits })
}
