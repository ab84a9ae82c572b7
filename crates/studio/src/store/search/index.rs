//! Writing and asking the search index.
//!
//! Every stretch of about thirty kilobytes of text has a bit field of its pieces. 256 stretches are turned into a sheaf:
//! for each place one bit per stretch, so that a word is looked up in all of them by reading a few bytes a piece.
//! The index only rules stretches out; what is left is read. What it does not know (rows that were edited, or put in by
//! other hands) is read too.

use rusqlite::{Connection, params};

use super::grams::{PLACES, Signature, grams};

/// What is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Area {
    Rows = 0,
    Passages = 1,
}

/// A stretch ends when so many bits are set: one in eight, so that a piece is wrongly found in one stretch of 64.
const FULL: usize = PLACES / 8;
/// A stretch of short texts, or of texts with few different pieces, ends after so many: all of them are read for one
/// hit.
const MOST: i64 = 256;
/// The bits of a stretch are counted after so many more bytes of text.
const COUNTED: usize = 2048;
/// Stretches of a sheaf.
const SHEAF: usize = 256;
/// Bytes of one place in a sheaf.
const LINE: usize = SHEAF / 8;
/// Places in a slice, the unit in which a sheaf is stored.
const SLICE: usize = 4096 / LINE;

/// Adds texts to the index, in the order of their numbers, inside the caller's transaction.
pub(in crate::store) struct Indexer {
    area: Area,
    open: Option<Stretch>,
}

struct Stretch {
    first: i64,
    last: i64,
    signature: Signature,
    /// Bytes since the bits were counted.
    uncounted: usize,
}

impl Stretch {
    /// Whether the next text begins another one.
    fn is_full(&mut self) -> bool {
        if self.last - self.first + 1 >= MOST {
            return true;
        }
        if self.uncounted < COUNTED {
            return false;
        }
        self.uncounted = 0;
        self.signature.set() >= FULL
    }
}

impl Indexer {
    /// `newest` is the highest number in use: only a stretch that ends there is gone on with.
    pub(in crate::store) fn new(db: &Connection, area: Area, newest: i64) -> rusqlite::Result<Self> {
        let mut statement =
            db.prepare_cached("SELECT first, last, signature FROM search_blocks WHERE area = ?1 AND last = ?2")?;
        let open = statement
            .query_map(params![area as i64, newest], |row| {
                let signature = Signature::from_bytes(row.get_ref(2)?.as_blob()?);
                Ok(Stretch { first: row.get(0)?, last: row.get(1)?, signature, uncounted: COUNTED })
            })?
            .next()
            .transpose()?;
        Ok(Self { area, open })
    }

    /// Adds one text.
    pub(in crate::store) fn add<'t>(
        &mut self,
        db: &Connection,
        id: i64,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> rusqlite::Result<()> {
        if self.open.as_mut().is_some_and(Stretch::is_full) {
            self.close(db)?;
        }
        let open =
            self.open.get_or_insert_with(|| Stretch { first: id, last: id, signature: Signature::new(), uncounted: 0 });
        open.last = id;
        for text in texts {
            open.signature.add(text);
            open.uncounted += text.len();
        }
        Ok(())
    }

    /// Writes what is not written yet.
    pub(in crate::store) fn close(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        db.prepare_cached(
            "INSERT INTO search_blocks (area, first, last, signature) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET last = excluded.last, signature = excluded.signature",
        )?
        .execute(params![self.area as i64, open.first, open.last, open.signature.bytes()])?;
        let loose: i64 = db
            .prepare_cached("SELECT count(*) FROM search_blocks WHERE area = ?1")?
            .query_row([self.area as i64], |row| row.get(0))?;
        // The newest stays loose: it may be gone on with.
        if loose > SHEAF as i64 { bind(db, self.area) } else { Ok(()) }
    }
}

/// Turns the oldest loose stretches into a sheaf.
fn bind(db: &Connection, area: Area) -> rusqlite::Result<()> {
    let mut lines = vec![0u8; PLACES * LINE];
    let mut ranges = Vec::with_capacity(SHEAF * 16);
    let mut statement =
        db.prepare_cached("SELECT first, last, signature FROM search_blocks WHERE area = ?1 ORDER BY first LIMIT ?2")?;
    let mut rows = statement.query(params![area as i64, SHEAF as i64])?;
    let (mut at, mut sheaf, mut end) = (0, 0, 0);
    while let Some(row) = rows.next()? {
        let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
        ranges.extend([first.to_le_bytes(), last.to_le_bytes()].concat());
        for place in Signature::from_bytes(row.get_ref(2)?.as_blob()?).places() {
            lines[place * LINE + at / 8] |= 1 << (at % 8);
        }
        if at == 0 {
            sheaf = first;
        }
        (at, end) = (at + 1, first);
    }
    db.execute(
        "INSERT INTO search_sheaves (area, first, ranges) VALUES (?1, ?2, ?3)",
        params![area as i64, sheaf, ranges],
    )?;
    let mut insert =
        db.prepare_cached("INSERT INTO search_slices (area, sheaf, slice, bits) VALUES (?1, ?2, ?3, ?4)")?;
    for (slice, bits) in lines.chunks(SLICE * LINE).enumerate() {
        insert.execute(params![area as i64, sheaf, slice as i64, bits])?;
    }
    db.execute("DELETE FROM search_blocks WHERE area = ?1 AND first <= ?2", params![area as i64, end])?;
    Ok(())
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
    in_sheaves(db, area, &places, &mut denied)?;
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

fn in_sheaves(db: &Connection, area: Area, places: &[usize], denied: &mut Vec<(i64, i64)>) -> rusqlite::Result<()> {
    let mut slice =
        db.prepare_cached("SELECT bits FROM search_slices WHERE area = ?1 AND sheaf = ?2 AND slice = ?3")?;
    let mut statement = db.prepare_cached("SELECT first, ranges FROM search_sheaves WHERE area = ?1 ORDER BY first")?;
    let mut sheaves = statement.query([area as i64])?;
    while let Some(sheaf) = sheaves.next()? {
        let number: i64 = sheaf.get(0)?;
        let mut held = [u8::MAX; LINE];
        for place in places {
            let mut rows = slice.query(params![area as i64, number, (place / SLICE) as i64])?;
            let Some(row) = rows.next()? else { continue };
            let at = place % SLICE * LINE;
            let line = row.get_ref(0)?.as_blob()?.get(at..at + LINE).unwrap_or(&[u8::MAX; LINE]);
            held.iter_mut().zip(line).for_each(|(held, line)| *held &= line);
        }
        let ranges = sheaf.get_ref(1)?.as_blob()?.as_chunks::<8>().0;
        for (at, range) in ranges.chunks_exact(2).enumerate().take(SHEAF) {
            if held[at / 8] >> (at % 8) & 1 == 0 {
                denied.push((i64::from_le_bytes(range[0]), i64::from_le_bytes(range[1])));
            }
        }
    }
    Ok(())
}
