//! 256 stretches turned round: for each place one bit per stretch, so that a word is looked up in all of them by reading
//! a few bytes a piece.

use rusqlite::{Connection, params};

use super::grams::PLACES;
use super::index::{Area, Stretch};

/// Stretches of a sheaf.
pub(super) const SHEAF: usize = 256;
/// Bytes of one place in a sheaf: a bit for each stretch.
const LINE: usize = SHEAF / 8;
/// Places in a slice, the unit in which a sheaf is stored.
const SLICE: usize = 4096 / LINE;
/// How the slices are packed that are written now; 0 is as before.
const FORM: i64 = 1;

/// Turns stretches into a sheaf.
pub(super) fn bind(db: &Connection, area: Area, stretches: &[Stretch]) -> rusqlite::Result<()> {
    let mut ranges = Vec::with_capacity(SHEAF * 16);
    for stretch in stretches {
        ranges.extend([stretch.first.to_le_bytes(), stretch.last.to_le_bytes()].concat());
    }
    let sheaf = stretches.first().map_or(0, |stretch| stretch.first);
    db.execute(
        "INSERT INTO search_sheaves (area, first, ranges) VALUES (?1, ?2, ?3)",
        params![area as i64, sheaf, ranges],
    )?;
    let mut insert =
        db.prepare_cached("INSERT INTO search_slices (area, sheaf, slice, bits, form) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut lines = [0; SLICE * LINE];
    for slice in 0..PLACES / SLICE {
        turn(stretches, slice, &mut lines);
        insert.execute(params![area as i64, sheaf, slice as i64, packed(&lines), FORM])?;
    }
    Ok(())
}

/// The lines of a slice: the bits of its places, by place instead of by stretch.
fn turn(stretches: &[Stretch], slice: usize, lines: &mut [u8; SLICE * LINE]) {
    for at in 0..SLICE / 64 {
        for (group, stretches) in stretches.chunks(64).enumerate() {
            let mut block = [0; 64];
            for (word, stretch) in block.iter_mut().zip(stretches) {
                *word = stretch.word(slice * SLICE / 64 + at);
            }
            transpose(&mut block);
            for (place, word) in block.iter().enumerate() {
                lines[(at * 64 + place) * LINE + group * 8..][..8].copy_from_slice(&word.to_le_bytes());
            }
        }
    }
}

/// Bit `i` of word `j` becomes bit `j` of word `i`: halves are exchanged, then quarters, down to single bits (Warren,
/// Hacker's Delight, 7-3).
fn transpose(block: &mut [u64; 64]) {
    let (mut step, mut mask) = (32, u64::from(u32::MAX));
    while step > 0 {
        for at in (0..64).filter(|at| at & step == 0) {
            let swapped = (block[at] >> step ^ block[at + step]) & mask;
            block[at] ^= swapped << step;
            block[at + step] ^= swapped;
        }
        step /= 2;
        mask ^= mask << step;
    }
}

/// A slice as it is stored: a bit for each line that has something, how many bytes each of those takes, and these bytes.
/// They are the line itself, or the numbers of its stretches where those are fewer.
fn packed(lines: &[u8; SLICE * LINE]) -> Vec<u8> {
    let (mut there, mut lengths, mut held) = (0_u128, Vec::new(), Vec::new());
    for (at, line) in lines.as_chunks::<LINE>().0.iter().enumerate() {
        let words = line.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        let set: u32 = words.clone().map(u64::count_ones).sum();
        if set == 0 {
            continue;
        }
        there |= 1 << at;
        lengths.push(set.min(LINE as u32) as u8);
        if set as usize >= LINE {
            held.extend_from_slice(line);
            continue;
        }
        for (group, mut word) in words.enumerate() {
            while word != 0 {
                held.push((group * 64) as u8 + word.trailing_zeros() as u8);
                word &= word - 1;
            }
        }
    }
    [&there.to_le_bytes(), &lengths[..], &held[..]].concat()
}

/// The line at a place of a slice; of one that cannot be read every stretch may hold everything.
fn line(slice: &[u8], form: i64, at: usize) -> [u8; LINE] {
    let line = if form == FORM { unpacked(slice, at) } else { as_before(slice, at) };
    line.unwrap_or([u8::MAX; LINE])
}

fn unpacked(slice: &[u8], at: usize) -> Option<[u8; LINE]> {
    let (there, rest) = slice.split_first_chunk()?;
    let there = u128::from_le_bytes(*there);
    if there >> at & 1 == 0 {
        return Some([0; LINE]);
    }
    let (lengths, held) = rest.split_at_checked(there.count_ones() as usize)?;
    let before = (there & ((1 << at) - 1)).count_ones() as usize;
    let from: usize = lengths[..before].iter().map(|length| usize::from(*length)).sum();
    let held = held.get(from..from + usize::from(lengths[before]))?;
    if held.len() >= LINE {
        return held.first_chunk().copied();
    }
    let mut line = [0; LINE];
    for stretch in held {
        line[usize::from(stretch / 8)] |= 1 << (stretch % 8);
    }
    Some(line)
}

/// [`unpacked`] of a slice that an earlier version wrote: whole, or with whole lines.
fn as_before(slice: &[u8], at: usize) -> Option<[u8; LINE]> {
    let whole = |from: usize| slice.get(from..)?.first_chunk().copied();
    if slice.len() == SLICE * LINE {
        return whole(at * LINE);
    }
    let there = u128::from_le_bytes(*slice.first_chunk()?);
    if there >> at & 1 == 0 {
        return Some([0; LINE]);
    }
    whole(size_of::<u128>() + (there & ((1 << at) - 1)).count_ones() as usize * LINE)
}

/// Adds the stretches of the sheaves that lack one of `places` to `denied`.
pub(super) fn ask(db: &Connection, area: Area, places: &[usize], denied: &mut Vec<(i64, i64)>) -> rusqlite::Result<()> {
    let mut slice =
        db.prepare_cached("SELECT bits, form FROM search_slices WHERE area = ?1 AND sheaf = ?2 AND slice = ?3")?;
    let mut statement = db.prepare_cached("SELECT first, ranges FROM search_sheaves WHERE area = ?1 ORDER BY first")?;
    let mut sheaves = statement.query([area as i64])?;
    while let Some(sheaf) = sheaves.next()? {
        let number: i64 = sheaf.get(0)?;
        let mut held = [u8::MAX; LINE];
        // Those of long pieces, which rule most out, come first.
        for place in places.iter().rev() {
            if held == [0; LINE] {
                break;
            }
            let mut rows = slice.query(params![area as i64, number, (place / SLICE) as i64])?;
            let Some(row) = rows.next()? else { continue };
            let line = line(row.get_ref(0)?.as_blob()?, row.get(1)?, place % SLICE);
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
    fn a_slice_has_every_line_it_was_packed_from() {
        for step in [1, 2, 3, 127, 128] {
            let mut lines = [0u8; SLICE * LINE];
            for at in (0..SLICE).step_by(step) {
                // From a single stretch to all of them.
                lines[at * LINE..][..=at % LINE].fill(at as u8 | 1);
            }
            let packed = packed(&lines);
            for at in 0..SLICE {
                assert_eq!(line(&packed, FORM, at), lines[at * LINE..][..LINE]);
            }
        }
        assert_eq!(line(&[1, 2, 3], FORM, 5), [u8::MAX; LINE], "a broken one rules nothing out");
    }

    #[test]
    fn slices_of_before_are_read() {
        let lines: Vec<u8> = (0..SLICE * LINE).map(|at| (at / LINE) as u8 | 1).collect();
        assert_eq!(line(&lines, 0, 7), [7; LINE]);
        let some = [&(1_u128 << 7 | 1 << 3).to_le_bytes()[..], &[9; LINE], &[5; LINE]].concat();
        assert_eq!([3, 4, 7].map(|at| line(&some, 0, at)[0]), [9, 0, 5]);
        assert_eq!(line(&[1, 2, 3], 0, 5), [u8::MAX; LINE], "a broken one rules nothing out");
    }

    #[test]
    fn bits_by_stretch_become_bits_by_place() {
        let mut block: [u64; 64] = std::array::from_fn(|at| (at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let before = block;
        transpose(&mut block);
        for (at, word) in block.iter().enumerate() {
            assert!((0..64).all(|other| word >> other & 1 == before[other] >> at & 1));
        }
    }
}
