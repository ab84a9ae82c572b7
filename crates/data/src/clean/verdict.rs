use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Row;
use crate::clean::Rule;

/// What a rule would do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Action {
    /// Change its text: [`crate::clean::changed`] gives the new row.
    Change,
    /// Leave it out; where `after` holds text, rows of that text take its place.
    Drop,
    /// Nothing by itself; worth a look.
    Flag,
}

/// One hit of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, rename = "RuleVerdict")]
pub struct Verdict {
    /// The row's number.
    pub row: i64,
    /// Which rule.
    pub rule: Rule,
    /// What it would do.
    pub action: Action,
    /// The row's text as it is, turns parted by a blank line.
    pub before: String,
    /// The text after a change, or of the rows that take its place; empty for a row that is only left out; as before
    /// for one that is flagged.
    pub after: String,
    /// The other row that it is about: the one it repeats.
    pub related: Option<i64>,
}

/// A row that takes the place of a part of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Number of the row that is left out for it.
    pub parent: i64,
    /// The new row; its number is given by the database.
    pub row: Row,
}

/// How many rows there are of one sort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Bar {
    /// Of which sort: a label, a code of a language or of a kind, a range.
    pub name: String,
    /// Rows of it.
    pub rows: u64,
    /// Rows of it that the rule leaves out.
    pub out: u64,
}

/// A value that some part of the rows does not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Quantile {
    /// So many percent of the rows ...
    pub percent: u8,
    /// ... have at most this value.
    pub value: f64,
}

/// What a rule saw beside its hits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Details {
    /// Rows by sort: languages, labels, kinds of personal details, ranges of perplexity.
    pub bars: Vec<Bar>,
    /// How the values lie, for rules that measure one.
    pub quantiles: Vec<Quantile>,
}
