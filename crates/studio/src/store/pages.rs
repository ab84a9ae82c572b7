//! Which rows stand on a page, by filter, search and offset.

use rusqlite::{Connection, ToSql, params_from_iter};

use crate::RowFilter;
use crate::store::search::{Area, Finder, candidates, words};
use crate::store::tally::{Tally, condition, tallies};
use crate::store::{damaged, word};

/// A search ends after so many numbers were gone through, once its page is full: then the total is 'at least'.
const COUNTED_ON: i64 = 5000;
/// Numbers that are gone through at once.
const AT_ONCE: i64 = 512;

/// The numbers of the rows of a page.
pub(super) struct Page {
    pub(super) ids: Vec<i64>,
    pub(super) total: u64,
    pub(super) at_least: bool,
}

/// The numbers of all rows of a filter, in order.
pub(super) fn matching(db: &Connection, filter: &RowFilter) -> rusqlite::Result<Vec<i64>> {
    let words = filter.search.as_deref().map(words).unwrap_or_default();
    let page = if words.is_empty() {
        listed(db, filter, 0, i64::MAX as u64)?
    } else {
        searched(db, filter, &words, 0, i64::MAX as u64)?
    };
    Ok(page.ids)
}

/// What a filter asks about drafts, which the tallies do not know.
fn of_drafts(filter: &RowFilter) -> rusqlite::Result<String> {
    let kind = filter.kind.as_ref().map(word).transpose()?.map(|kind| format!("n.kind = '{kind}'"));
    let grounding = filter.grounding.as_ref().map(word).transpose()?.map(|found| format!("n.grounding = '{found}'"));
    let asked: Vec<String> = kind.into_iter().chain(grounding).collect();
    if asked.is_empty() {
        return Ok(String::new());
    }
    Ok(format!("id IN (SELECT n.row FROM drafts n WHERE {}) AND ", asked.join(" AND ")))
}

/// A page by number: the tallies say where it begins.
pub(super) fn listed(db: &Connection, filter: &RowFilter, offset: u64, limit: u64) -> rusqlite::Result<Page> {
    let of_drafts = of_drafts(filter)?;
    if !of_drafts.is_empty() {
        // Drafts are few: all of them are looked at.
        let (condition, values) = condition(filter)?;
        let mut statement =
            db.prepare_cached(&format!("SELECT id FROM rows WHERE {of_drafts}{condition} ORDER BY id"))?;
        let all = statement.query_map(params_from_iter(values), |row| row.get(0))?;
        let all = all.collect::<rusqlite::Result<Vec<i64>>>()?;
        let ids = all.iter().copied().skip(offset as usize).take(limit as usize).collect();
        return Ok(Page { ids, total: all.len() as u64, at_least: false });
    }
    let (condition, values) = condition(filter)?;
    let tallies = tallies(db, &condition, &values)?;
    let total = tallies.iter().map(|tally| tally.rows).sum();
    let mut statement = db.prepare_cached(&format!(
        "SELECT id FROM rows WHERE {condition} AND id BETWEEN ?{} AND ?{} ORDER BY id LIMIT ?{} OFFSET ?{}",
        values.len() + 1,
        values.len() + 2,
        values.len() + 3,
        values.len() + 4
    ))?;
    let mut ids = Vec::new();
    let mut skip = offset;
    for tally in tallies {
        let left = limit.saturating_sub(ids.len() as u64);
        if left == 0 {
            break;
        }
        if skip >= tally.rows {
            skip -= tally.rows;
            continue;
        }
        let numbers = [tally.range().0, tally.range().1, left.min(i64::MAX as u64) as i64, skip as i64];
        let bound =
            values.iter().map(|value| value as &dyn ToSql).chain(numbers.iter().map(|number| number as &dyn ToSql));
        for id in statement.query_map(params_from_iter(bound), |row| row.get(0))? {
            ids.push(id?);
        }
        skip = 0;
    }
    Ok(Page { ids, total, at_least: false })
}

/// Reads the stretches that may hold the words until the page is full and its surroundings are counted.
pub(super) fn searched(
    db: &Connection,
    filter: &RowFilter,
    words: &[String],
    offset: u64,
    limit: u64,
) -> rusqlite::Result<Page> {
    let of_drafts = of_drafts(filter)?;
    let (condition, values) = condition(filter)?;
    let mut statement = db.prepare_cached(&format!(
        "SELECT id, coalesce(edited, content) FROM rows WHERE {of_drafts}{condition} AND id BETWEEN ?{} AND ?{} ORDER BY id",
        values.len() + 1,
        values.len() + 2
    ))?;
    let blocks: Vec<(i64, i64)> = tallies(db, &condition, &values)?.into_iter().map(Tally::range).collect();
    let mut open = candidates(db, Area::Rows, words)?;
    // What was edited is not what was indexed.
    let mut edited = db.prepare_cached("SELECT id FROM rows WHERE edited IS NOT NULL")?;
    for id in edited.query_map([], |row| row.get(0))? {
        let id = id?;
        open.push((id, id));
    }
    let mut page = Page { ids: Vec::new(), total: 0, at_least: false };
    let mut finder = Finder::new(words);
    let mut gone_through = 0;
    for (first, last) in common(&joined(open), &joined(blocks)).into_iter().flat_map(pieces) {
        // Rows of other kinds cost time too, so that numbers count and not rows.
        if page.total > offset.saturating_add(limit) && gone_through >= COUNTED_ON {
            page.at_least = true;
            break;
        }
        gone_through += last - first + 1;
        let bound = values.iter().map(|value| value as &dyn ToSql).chain([&first as &dyn ToSql, &last as &dyn ToSql]);
        let mut rows = statement.query(params_from_iter(bound))?;
        while let Some(row) = rows.next()? {
            if !finder.finds(row.get_ref(1)?.as_str()?).map_err(|error| damaged(1, error))? {
                continue;
            }
            if page.total >= offset && (page.ids.len() as u64) < limit {
                page.ids.push(row.get(0)?);
            }
            page.total += 1;
        }
    }
    Ok(page)
}

/// A stretch in pieces that are gone through at once.
fn pieces((first, last): (i64, i64)) -> impl Iterator<Item = (i64, i64)> {
    (first..=last).step_by(AT_ONCE as usize).map(move |from| (from, last.min(from + AT_ONCE - 1)))
}

/// Stretches in order, those that touch made one.
fn joined(mut stretches: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    stretches.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (first, last) in stretches {
        match joined.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined
}

/// What two lists of stretches have in common.
fn common(a: &[(i64, i64)], b: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let (mut at, mut other) = (0, 0);
    let mut common = Vec::new();
    while let (Some(x), Some(y)) = (a.get(at), b.get(other)) {
        let (first, last) = (x.0.max(y.0), x.1.min(y.1));
        if first <= last {
            common.push((first, last));
        }
        if x.1 < y.1 { at += 1 } else { other += 1 }
    }
    common
}
