//! Writing and asking the search index.
//!
//! Every stretch of about thirty kilobytes of text has a bit field of its pieces. 256 stretches become a sheaf (see
//! `sheaf`).
//! The index only rules stretches out; what is left is read. What it does not know (rows that were edited, or put in by
//! other hands) is read too.

use rusqlite::{Connection, params};

use super::grams::{SHORT, Signature, grams};
use super::sheaf::{self, SHEAF};

/// What is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Area {
    Rows = 0,
    Passages = 1,
}

/// A stretch ends when so many bits of short pieces are set: one in eight, so that one is wrongly found in one of 64.
const FULL: usize = SHORT / 8;
/// A stretch of short texts, or of texts with few different pieces, ends after so many: all of them are read for one
/// hit.
const MOST: i64 = 96;
/// The bits of a stretch are counted after so many more bytes of text.
const COUNTED: usize = 2048;
/// Adds texts to the index, in the order of their numbers, inside the caller's transaction.
pub(in crate::store) struct Indexer {
    area: Area,
    open: Option<Stretch>,
    /// Stretches that are full and not yet in the database.
    full: Vec<Stretch>,
}

/// Neighbouring texts with the numbers that they got.
pub(super) struct Stretch {
    pub(super) first: i64,
    pub(super) last: i64,
    texts: Gathered,
}

/// The texts of a stretch, which need no numbers and no database to be gathered.
#[derive(Debug)]
pub(in crate::store) struct Gathered {
    signature: Signature,
    count: i64,
    /// Bytes since the bits were counted.
    uncounted: usize,
}

impl Gathered {
    pub(in crate::store) fn new() -> Self {
        Self { signature: Signature::new(), count: 0, uncounted: 0 }
    }

    /// Adds the texts that one number stands for.
    pub(in crate::store) fn add<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) {
        self.count += 1;
        for text in texts {
            self.signature.add(text);
            self.uncounted += text.len();
        }
    }

    /// Whether the next text begins another stretch.
    pub(in crate::store) fn is_full(&mut self) -> bool {
        if self.count >= MOST {
            return true;
        }
        if self.uncounted < COUNTED {
            return false;
        }
        self.uncounted = 0;
        self.signature.set() >= FULL
    }
}

impl Stretch {
    /// 64 places of its bit field, from `at * 64` on.
    pub(super) fn word(&self, at: usize) -> u64 {
        self.texts.signature.word(at)
    }

    fn read(row: &rusqlite::Row) -> rusqlite::Result<Self> {
        let signature = Signature::from_bytes(row.get_ref(2)?.as_blob()?);
        let (first, last) = (row.get(0)?, row.get(1)?);
        Ok(Self { first, last, texts: Gathered { signature, count: last - first + 1, uncounted: COUNTED } })
    }
}

impl Indexer {
    /// `newest` is the highest number in use: only a stretch that ends there is gone on with.
    pub(in crate::store) fn new(db: &Connection, area: Area, newest: i64) -> rusqlite::Result<Self> {
        let mut statement =
            db.prepare_cached("SELECT first, last, signature FROM search_blocks WHERE area = ?1 AND last = ?2")?;
        let open = statement.query_map(params![area as i64, newest], Stretch::read)?.next().transpose()?;
        Ok(Self { area, open, full: Vec::new() })
    }

    /// Adds one text.
    pub(in crate::store) fn add<'t>(
        &mut self,
        db: &Connection,
        id: i64,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> rusqlite::Result<()> {
        if self.open.as_mut().is_some_and(|open| open.texts.is_full()) {
            self.end(db)?;
        }
        let open = self.open.get_or_insert_with(|| Stretch { first: id, last: id, texts: Gathered::new() });
        open.last = id;
        open.texts.add(texts);
        Ok(())
    }

    /// Adds texts that were gathered elsewhere; a number among `first` to `last` stands for each of them, if any does.
    pub(in crate::store) fn add_gathered(
        &mut self,
        db: &Connection,
        (first, last): (i64, i64),
        texts: Gathered,
    ) -> rusqlite::Result<()> {
        if last < first {
            return Ok(());
        }
        self.end(db)?;
        self.open = Some(Stretch { first, last, texts });
        Ok(())
    }

    /// Ends the open stretch.
    fn end(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.full.extend(self.open.take());
        if self.full.len() == SHEAF { self.put_away(db) } else { Ok(()) }
    }

    /// Writes what is not written yet.
    pub(in crate::store) fn close(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.full.extend(self.open.take());
        self.store(db)?;
        // The newest stays loose: it may be gone on with.
        while loose(db, self.area)? > SHEAF as i64 {
            let oldest = oldest(db, self.area)?;
            sheaf::bind(db, self.area, &oldest)?;
            let end = oldest.last().map_or(i64::MIN, |stretch| stretch.first);
            db.execute("DELETE FROM search_blocks WHERE area = ?1 AND first <= ?2", params![self.area as i64, end])?;
        }
        Ok(())
    }

    /// Makes room for more full stretches: as a sheaf right away where none is loose, as in a large import.
    fn put_away(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if loose(db, self.area)? > 0 {
            return self.close(db);
        }
        sheaf::bind(db, self.area, &self.full)?;
        self.full.clear();
        Ok(())
    }

    fn store(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(
            "INSERT INTO search_blocks (area, first, last, signature) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET last = excluded.last, signature = excluded.signature",
        )?;
        for stretch in self.full.drain(..) {
            statement.execute(params![
                self.area as i64,
                stretch.first,
                stretch.last,
                stretch.texts.signature.bytes()
            ])?;
        }
        Ok(())
    }
}

/// How many stretches are in no sheaf.
fn loose(db: &Connection, area: Area) -> rusqlite::Result<i64> {
    db.prepare_cached("SELECT count(*) FROM search_blocks WHERE area = ?1")?.query_row([area as i64], |row| row.get(0))
}

/// The oldest loose stretches, enough for a sheaf.
fn oldest(db: &Connection, area: Area) -> rusqlite::Result<Vec<Stretch>> {
    let mut statement =
        db.prepare_cached("SELECT first, last, signature FROM search_blocks WHERE area = ?1 ORDER BY first LIMIT ?2")?;
    statement.query_map(params![area as i64, SHEAF as i64], Stretch::read)?.collect()
}

/// The stretches of numbers, in order, outside which no text holds all of `words`.
pub(in crate::store) fn candidates(db: &Connection, area: Area, words: &[String]) -> rusqlite::Result<Vec<(i64, i64)>> {
    let mut places = Vec::new();
    for word in words {
        grams(word, |place| places.push(place));
    }
    places.sort_unstable();
    places.dedup();
    let mut denied = Vec::new();
    sheaf::ask(db, area, &places, &mut denied)?;
    let mut statement = db.prepare_cached("SELECT first, last, signature FROM search_blocks WHERE area = ?1")?;
    let mut rows = statement.query([area as i64])?;
    while let Some(row) = rows.next()? {
        let bits = row.get_ref(2)?.as_blob()?;
        if !places.iter().all(|place| bits.get(place / 8).is_none_or(|byte| byte >> (place % 8) & 1 == 1)) {
            denied.push((row.get(0)?, row.get(1)?));
        }
    }
    denied.sort_unstable();
    let mut open = Vec::new();
    let mut from = i64::MIN;
    for (first, last) in denied {
        if from < first {
            open.push((from, first - 1));
        }
        from = last + 1;
    }
    open.push((from, i64::MAX));
    Ok(open)
}
