//! Rows on their way into the database: many with one statement, counted and indexed along the way.

use std::fmt::Write as _;
use std::sync::LazyLock;

use hone_data::{Origin, Row, RowStatus, Split};
use rusqlite::{Connection, OptionalExtension};

use crate::store::rows::content_json;
use crate::store::search::{Area, Gathered, Indexer};
use crate::store::tally::BLOCK;
use crate::store::word;

/// Rows that go in with one statement.
const TOGETHER: usize = 32;
/// Parameters that the rows of a statement share.
const SHARED: usize = 3;
/// Parameters of each row.
const OWN: usize = 8;

static ONE: LazyLock<String> = LazyLock::new(|| insert(1));
static MANY: LazyLock<String> = LazyLock::new(|| insert(TOGETHER));

/// The statement that puts in so many rows.
fn insert(rows: usize) -> String {
    let mut sql =
        "INSERT INTO rows (document, origin, status, id, content, label, passage, line, split, metadata, drawn)
        VALUES "
            .to_owned();
    for at in 0..rows {
        sql += if at == 0 { "(?1, ?2, ?3" } else { ", (?1, ?2, ?3" };
        for own in 1..=OWN {
            let _ = write!(sql, ", ?{}", SHARED + at * OWN + own);
        }
        sql.push(')');
    }
    sql
}

/// A row as it is stored.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) row: Row,
    pub(super) drawn: bool,
    pub(super) content: String,
    pub(super) metadata: Option<String>,
}

impl Prepared {
    pub(super) fn of(row: Row, drawn: bool) -> Result<Self, serde_json::Error> {
        let metadata = (!row.metadata.is_empty()).then(|| serde_json::to_string(&row.metadata)).transpose()?;
        Ok(Self { content: content_json(&row)?, metadata, row, drawn })
    }

    /// What is searched of it.
    fn texts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.row.text.as_str()).chain(self.row.messages.iter().map(|turn| turn.content.as_str()))
    }
}

/// Neighbouring rows as they are stored and indexed. Making them needs no database, so that another thread can.
#[derive(Debug)]
pub struct Batch {
    pub(super) rows: Vec<Prepared>,
    pub(super) texts: Gathered,
}

impl Batch {
    /// No rows yet.
    #[expect(clippy::new_without_default)] // an empty one is the beginning of another, not a value
    pub fn new() -> Self {
        Self { rows: Vec::new(), texts: Gathered::new() }
    }

    /// Takes the next row. `drawn` tells whether Hone drew its part.
    ///
    /// # Errors
    /// What writing JSON refuses.
    pub fn add(&mut self, row: Row, drawn: bool) -> Result<(), serde_json::Error> {
        let prepared = Prepared::of(row, drawn)?;
        self.texts.add(prepared.texts());
        self.rows.push(prepared);
        Ok(())
    }

    /// Whether the next row begins another one.
    pub fn is_full(&mut self) -> bool {
        self.texts.is_full()
    }

    /// Its rows.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &Row> {
        self.rows.iter().map(|prepared| &prepared.row)
    }
}

/// What the rows of a statement have in common.
#[derive(Debug, Clone, PartialEq)]
struct Kind {
    document: Option<String>,
    origin: Origin,
    status: RowStatus,
}

impl Kind {
    fn is_of(&self, row: &Row) -> bool {
        self.origin == row.origin && self.status == row.status && self.document == row.document
    }
}

/// Adds rows inside the caller's transaction. Nothing of it is sure to be in the database before [`Adding::finish`].
pub(super) struct Adding {
    index: Indexer,
    next: i64,
    kind: Option<Kind>,
    waiting: Vec<(i64, Prepared)>,
    /// Rows that are in and not yet in the tallies, by block and part; all of one kind.
    counts: Vec<(i64, Option<Split>, i64)>,
}

impl Adding {
    pub(super) fn new(db: &Connection) -> rusqlite::Result<Self> {
        let newest: Option<i64> =
            db.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'rows'", [], |row| row.get(0)).optional()?;
        let newest = newest.unwrap_or(0);
        let index = Indexer::new(db, Area::Rows, newest)?;
        Ok(Self { index, next: newest + 1, kind: None, waiting: Vec::new(), counts: Vec::new() })
    }

    /// Takes a row; answers its number.
    pub(super) fn add(&mut self, db: &Connection, prepared: Prepared) -> rusqlite::Result<i64> {
        self.index.add(db, self.next, prepared.texts())?;
        self.add_unindexed(db, prepared)
    }

    /// The number that the next row gets.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// Takes a row whose texts were gathered: [`Adding::index`] has to follow.
    pub(super) fn add_unindexed(&mut self, db: &Connection, prepared: Prepared) -> rusqlite::Result<i64> {
        let row = &prepared.row;
        if !self.kind.as_ref().is_some_and(|kind| kind.is_of(row)) {
            self.settle(db)?;
            self.kind = Some(Kind { document: row.document.clone(), origin: row.origin, status: row.status });
        }
        let id = self.next;
        self.next += 1;
        self.waiting.push((id, prepared));
        if self.waiting.len() == TOGETHER {
            self.write(db)?;
        }
        Ok(id)
    }

    /// Indexes the rows that were taken since `first` was the next.
    pub(super) fn index(&mut self, db: &Connection, first: i64, texts: Gathered) -> rusqlite::Result<()> {
        self.index.add_gathered(db, (first, self.next - 1), texts)
    }

    /// Puts the rows that were taken into the database: for more that is asked of them.
    pub(super) fn settle(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.write(db)?;
        self.count(db)
    }

    /// [`Adding::settle`], and ends the search index.
    pub(super) fn finish(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.settle(db)?;
        self.index.close(db)
    }

    /// Writes the rows that wait.
    fn write(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let Some(kind) = &self.kind else { return Ok(()) };
        let (origin, status) = (word(&kind.origin)?, word(&kind.status)?);
        let step = if self.waiting.len() == TOGETHER { TOGETHER } else { 1 };
        let mut statement = db.prepare_cached(if step == 1 { &ONE } else { &MANY })?;
        for rows in self.waiting.chunks(step) {
            statement.raw_bind_parameter(1, kind.document.as_deref())?;
            statement.raw_bind_parameter(2, origin.as_str())?;
            statement.raw_bind_parameter(3, status.as_str())?;
            for (at, (id, Prepared { row, drawn, content, metadata })) in rows.iter().enumerate() {
                let first = SHARED + at * OWN;
                statement.raw_bind_parameter(first + 1, id)?;
                statement.raw_bind_parameter(first + 2, content.as_str())?;
                statement.raw_bind_parameter(first + 3, row.label.as_deref())?;
                statement.raw_bind_parameter(first + 4, row.passage)?;
                statement.raw_bind_parameter(first + 5, row.line)?;
                statement.raw_bind_parameter(first + 6, row.split.as_ref().map(word).transpose()?)?;
                statement.raw_bind_parameter(first + 7, metadata.as_deref())?;
                statement.raw_bind_parameter(first + 8, drawn)?;
            }
            statement.raw_execute()?;
        }
        for (id, Prepared { row, .. }) in self.waiting.drain(..) {
            let block = id >> BLOCK;
            match self.counts.iter_mut().rev().find(|(held, split, _)| (*held, *split) == (block, row.split)) {
                Some((.., count)) => *count += 1,
                None => self.counts.push((block, row.split, 1)),
            }
        }
        // Numbers grow: only the newest block can still get more.
        let newest = (self.next - 1) >> BLOCK;
        if self.counts.first().is_some_and(|(block, ..)| *block < newest) { self.count(db) } else { Ok(()) }
    }

    /// Adds what was written to the tallies.
    fn count(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let Some(kind) = &self.kind else { return Ok(()) };
        let mut statement = db.prepare_cached(
            "INSERT INTO tallies (block, document, origin, split, status, dropped, count)
             VALUES (?1, coalesce(?2, ''), ?3, coalesce(?4, ''), ?5, 0, ?6)
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
        )?;
        for (block, split, count) in self.counts.drain(..) {
            let split = split.as_ref().map(word).transpose()?;
            let (origin, status) = (word(&kind.origin)?, word(&kind.status)?);
            statement.execute((block, &kind.document, origin, split, status, count))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hone_data::{Document, Message, Role};

    use super::*;
    use crate::store::{Changes, Intake};
    use crate::{RowFilter, Store, StudioError};

    fn row(number: usize) -> Row {
        let message = |role, content: String| Message { role, content };
        Row {
            id: 0,
            messages: vec![
                message(Role::User, format!("When does ferry {number} leave?")),
                message(Role::Assistant, "At nine.".into()),
            ],
            text: String::new(),
            label: number.is_multiple_of(3).then(|| "time".to_owned()),
            origin: if number.is_multiple_of(700) { Origin::Manual } else { Origin::Mapped },
            document: None,
            passage: None,
            line: Some(number as u32),
            status: if number % 40 < 30 { RowStatus::Approved } else { RowStatus::Rejected },
            split: [None, Some(Split::Train), Some(Split::Exam)][number % 3],
            metadata: [("number".to_owned(), number.to_string())].into(),
        }
    }

    fn store(rows: &[Row]) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("hone.db")).unwrap();
        let ids = store.add_rows(rows).unwrap();
        assert_eq!(ids, (1..=rows.len() as i64).collect::<Vec<_>>());
        (folder, store)
    }

    fn check_tallies(store: &Store) {
        let differ: i64 = store
            .read("compare the tallies", |db| {
                db.query_row(
                    "WITH counted AS (SELECT id >> 10, coalesce(document, ''), origin, coalesce(split, ''), status, dropped, count(*)
                        FROM rows GROUP BY 1, 2, 3, 4, 5, 6), told AS (SELECT * FROM tallies WHERE count <> 0)
                     SELECT (SELECT count(*) FROM (SELECT * FROM counted EXCEPT SELECT * FROM told))
                        + (SELECT count(*) FROM (SELECT * FROM told EXCEPT SELECT * FROM counted))",
                    [],
                    |row| row.get(0),
                )
            })
            .unwrap();
        assert_eq!(differ, 0);
    }

    #[test]
    fn rows_of_all_kinds_go_in_as_they_are_and_are_counted() {
        let rows: Vec<Row> = (0..2500).map(row).collect();
        let (_folder, mut store) = store(&rows);
        check_tallies(&store);
        let page = store.rows(&RowFilter::default(), 0, 5000).unwrap();
        let wanted: Vec<Row> = rows.into_iter().zip(1..).map(|(row, id)| Row { id, ..row }).collect();
        assert_eq!((page.total, page.at_least), (2500, false));
        assert_eq!(page.rows, wanted);
        store.set_status(&[1, 1024, 1025, 2500], RowStatus::Rejected).unwrap();
        store.add_rows(&[row(1), row(2)]).unwrap();
        check_tallies(&store);
    }

    /// Takes a file of these rows in, as the reading thread hands them over.
    fn take_in(store: &mut Store, rows: &[Row], hash: &str, replaces: Option<&str>) -> Changes {
        let document = Document {
            hash: hash.into(),
            name: "rows.jsonl".into(),
            path: "/rows.jsonl".into(),
            format: "jsonl".into(),
            bytes: 1,
            pages: None,
            characters: 1,
            issues: vec![],
        };
        let import = |intake: &mut Intake| {
            let mut open = Batch::new();
            for row in rows {
                if open.is_full() {
                    intake.batch(std::mem::replace(&mut open, Batch::new()))?;
                }
                open.add(Row { document: Some(hash.into()), origin: Origin::Mapped, ..row.clone() }, true).unwrap();
            }
            intake.batch(open)?;
            Ok::<_, StudioError>((document, None))
        };
        store.import(hash, replaces, import).unwrap()
    }

    #[test]
    fn rows_of_batches_are_counted_and_found_also_where_most_of_a_file_stayed() {
        let (_folder, mut store) = store(&[]);
        // More than a sheaf of stretches.
        let mut rows: Vec<Row> = (0..26_000).map(row).collect();
        assert_eq!(take_in(&mut store, &rows, "a", None).rows_added, 26_000);
        check_tallies(&store);
        let find = |store: &Store, search: &str| -> Vec<i64> {
            let page = store.rows(&RowFilter { search: Some(search.into()), ..RowFilter::default() }, 0, 100).unwrap();
            page.rows.iter().map(|row| row.id).collect()
        };
        for (search, id) in [("ferry 25999 leave", 26_000), ("FERRY 24576 LEAVE", 24_577), ("erry 0 leav", 1)] {
            assert!(find(&store, search).contains(&id), "{search}");
        }
        rows[12_345].messages[1].content = "Whenever the skipper wants.".into();
        let changes = take_in(&mut store, &rows, "b", Some("a"));
        assert_eq!((changes.rows_added, changes.rows_removed, changes.rows_kept), (1, 1, 25_999));
        check_tallies(&store);
        assert_eq!(find(&store, "skipper"), [26_001]);
        assert_eq!(find(&store, "ferry 25999 leave"), [26_000]);
        store.add_rows(&[row(99_999)]).unwrap();
        assert_eq!(find(&store, "99999"), [26_002]);
    }

    #[test]
    fn a_search_that_stops_counting_says_so_and_every_page_is_there() {
        let rows: Vec<Row> = (0..12_000).map(row).collect();
        let (_folder, store) = store(&rows);
        let page = |search: &str, offset| {
            store.rows(&RowFilter { search: Some(search.into()), ..RowFilter::default() }, offset, 100).unwrap()
        };
        let first = page("ferry", 0);
        assert!(first.at_least && first.total > 100 && first.total < 12_000);
        let last = page("ferry", 11_950);
        assert_eq!((last.at_least, last.total, last.rows.len()), (false, 12_000, 50));
        let few = page("ferry 7", 0);
        assert_eq!(few.at_least, few.total > 100);
        let one = page("11999", 0);
        assert_eq!((one.at_least, one.total, one.rows[0].id), (false, 1, 12_000));
    }
}
