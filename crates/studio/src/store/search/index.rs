//! Writing and asking the search index.
//!
//! Every stretch of about thirty kilobytes of text has a bit field of its pieces. 256 stretches are turned into a sheaf:
//! for each place one bit per stretch, so that a word is looked up in all of them by reading a few bytes a piece.
//! Places that no stretch has are left out of it.
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
const MOST: i64 = 96;
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
    /// Stretches that are full and not yet in the database.
    full: Vec<Stretch>,
}

struct Stretch {
    first: i64,
    last: i64,
    signature: Signature,
    /// Bytes since the bits were counted.
    uncounted: usize,
}

impl Stretch {
    fn read(row: &rusqlite::Row) -> rusqlite::Result<Self> {
        let signature = Signature::from_bytes(row.get_ref(2)?.as_blob()?);
        Ok(Self { first: row.get(0)?, last: row.get(1)?, signature, uncounted: COUNTED })
    }

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
        if self.open.as_mut().is_some_and(Stretch::is_full) {
            self.full.extend(self.open.take());
            if self.full.len() == SHEAF {
                self.put_away(db)?;
            }
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
        self.full.extend(self.open.take());
        self.store(db)?;
        // The newest stays loose: it may be gone on with.
        while loose(db, self.area)? > SHEAF as i64 {
            let oldest = oldest(db, self.area)?;
            bind(db, self.area, &oldest)?;
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
        bind(db, self.area, &self.full)?;
        self.full.clear();
        Ok(())
    }

    fn store(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(
            "INSERT INTO search_blocks (area, first, last, signature) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET last = excluded.last, signature = excluded.signature",
        )?;
        for stretch in self.full.drain(..) {
            statement.execute(params![self.area as i64, stretch.first, stretch.last, stretch.signature.bytes()])?;
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

/// Turns stretches into a sheaf.
fn bind(db: &Connection, area: Area, stretches: &[Stretch]) -> rusqlite::Result<()> {
    let mut lines = vec![0u8; PLACES * LINE];
    let mut ranges = Vec::with_capacity(SHEAF * 16);
    for (at, stretch) in stretches.iter().enumerate() {
        ranges.extend([stretch.first.to_le_bytes(), stretch.last.to_le_bytes()].concat());
        for place in stretch.signature.places() {
            lines[place * LINE + at / 8] |= 1 << (at % 8);
        }
    }
    let sheaf = stretches.first().map_or(0, |stretch| stretch.first);
    db.execute(
        "INSERT INTO search_sheaves (area, first, ranges) VALUES (?1, ?2, ?3)",
        params![area as i64, sheaf, ranges],
    )?;
    let mut insert =
        db.prepare_cached("INSERT INTO search_slices (area, sheaf, slice, bits) VALUES (?1, ?2, ?3, ?4)")?;
    for (slice, lines) in lines.chunks(SLICE * LINE).enumerate() {
        insert.execute(params![area as i64, sheaf, slice as i64, packed(lines)])?;
    }
    Ok(())
}

/// Lines of a slice without the empty ones: a bit for each, then those that have something.
fn packed(lines: &[u8]) -> Vec<u8> {
    let (mut there, mut held) = (0_u128, Vec::new());
    for (at, line) in lines.chunks(LINE).enumerate().filter(|(_, line)| line.iter().any(|byte| *byte != 0)) {
        there |= 1 << at;
        held.extend_from_slice(line);
    }
    [&there.to_le_bytes(), &held[..]].concat()
}

/// The line at a place of a slice; of one that cannot be read every stretch may hold everything.
fn line(slice: &[u8], at: usize) -> [u8; LINE] {
    let whole = |from: usize| slice.get(from..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([u8::MAX; LINE]);
    if slice.len() == SLICE * LINE {
        // As earlier versions wrote it.
        return whole(at * LINE);
    }
    let Some((there, _)) = slice.split_first_chunk() else { return [u8::MAX; LINE] };
    let there = u128::from_le_bytes(*there);
    if there >> at & 1 == 0 {
        return [0; LINE];
    }
    whole(size_of::<u128>() + (there & ((1 << at) - 1)).count_ones() as usize * LINE)
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
            let line = line(row.get_ref(0)?.as_blob()?, place % SLICE);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_has_every_line_it_was_packed_from_and_one_of_before_is_read_too() {
        for step in [1, 2, 3, 127, 128] {
            let mut lines = vec![0u8; SLICE * LINE];
            for at in (0..SLICE).step_by(step) {
                lines[at * LINE + at % LINE] = at as u8 | 1;
            }
            let packed = packed(&lines);
            for at in 0..SLICE {
                assert_eq!(line(&packed, at), lines[at * LINE..][..LINE]);
                assert_eq!(line(&lines, at), lines[at * LINE..][..LINE]);
            }
        }
        assert_eq!(line(&[1, 2, 3], 5), [u8::MAX; LINE], "a broken one rules nothing out");
    }
}
