//! Counting rows without looking at them: what [`RowFilter`] asks is answered from the tallies.

use rusqlite::{Connection, ToSql};

use crate::RowFilter;
use crate::store::word;

/// Numbers of a block, as a shift.
pub(super) const BLOCK: u32 = 10;

/// How many rows of a filter there are among the numbers of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    block: i64,
    pub(super) rows: u64,
}

impl Tally {
    /// The first and the last number of the block.
    pub(super) fn range(self) -> (i64, i64) {
        (self.block << BLOCK, ((self.block + 1) << BLOCK) - 1)
    }
}

/// A filter as SQL over the columns that `rows` and `tallies` share, with its values. The search is not in it.
pub(super) fn condition(filter: &RowFilter) -> rusqlite::Result<(String, Vec<String>)> {
    use hone_data::RowStatus;

    let mut conditions = vec!["TRUE".to_owned()];
    let mut values: Vec<String> = Vec::new();
    let equal = [
        ("split", filter.split.as_ref().map(word).transpose()?),
        ("origin", filter.origin.as_ref().map(word).transpose()?),
        ("document", filter.document.clone()),
        ("status", filter.status.filter(|status| *status != RowStatus::Rejected).as_ref().map(word).transpose()?),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            values.push(value);
            conditions.push(format!("{column} = ?{}", values.len()));
        }
    }
    match filter.status {
        Some(RowStatus::Rejected) => conditions.push("(status = 'rejected' OR dropped)".to_owned()),
        Some(_) => conditions.push("NOT dropped".to_owned()),
        None => {}
    }
    Ok((conditions.join(" AND "), values))
}

/// The blocks in which rows of the filter are, in order.
pub(super) fn tallies(db: &Connection, condition: &str, values: &[String]) -> rusqlite::Result<Vec<Tally>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT block, sum(count) FROM tallies WHERE {condition} GROUP BY block HAVING sum(count) > 0 ORDER BY block"
    ))?;
    let values: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
    let tallies =
        statement.query_map(&values[..], |row| Ok(Tally { block: row.get(0)?, rows: row.get::<_, i64>(1)? as u64 }))?;
    tallies.collect()
}
