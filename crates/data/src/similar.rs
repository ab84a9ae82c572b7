//! Which texts are nearly the same: `MinHash` signatures sorted into bands (Broder 1997; Leskovec, Rajaraman and Ullman,
//! Mining of Massive Datasets, chapter 3), every candidate then compared exactly.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::text::{is_cjk_letter, normalised};

/// Hash functions of a signature.
pub const PERMUTATIONS: usize = 128;
/// Words, or characters of Chinese, Japanese and Korean, in a shingle.
pub const SHINGLE: usize = 5;
/// The share of pairs at the threshold itself that the bands must find; all pairs above it are found more often.
const RECALL: f64 = 0.99;
/// Earlier texts of one band that a text is compared with at most. Only texts that differ from each other are kept in a
/// band, so that real duplicates never fill it; machine-made texts that share most of their words could.
const CANDIDATES: usize = 128;

/// The shingles of a text as sorted hashes. Signs, case and layout do not count; a text of fewer words than a shingle
/// is one shingle.
pub fn shingles(text: &str) -> Vec<u32> {
    let text = normalised(text);
    let mut words: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        let mut rest = word;
        while let Some(c) = rest.chars().next() {
            let length = if is_cjk_letter(c) { c.len_utf8() } else { rest.find(is_cjk_letter).unwrap_or(rest.len()) };
            words.push(&rest[..length]);
            rest = &rest[length..];
        }
    }
    let mut hashes: Vec<u32> = words.windows(SHINGLE.min(words.len()).max(1)).map(hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// FNV-1a over the words, mixed, folded to 32 bits.
fn hash(words: &[&str]) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in words.iter().flat_map(|word| word.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let hash = mix(hash);
    (hash ^ (hash >> 32)) as u32
}

/// The finaliser of `splitmix64`: every bit of the input moves every bit of the output.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Jaccard similarity of two sorted lists without repetitions.
pub fn jaccard(a: &[u32], b: &[u32]) -> f64 {
    let (mut at, mut other, mut both) = (0, 0, 0_usize);
    while at < a.len() && other < b.len() {
        match a[at].cmp(&b[other]) {
            std::cmp::Ordering::Less => at += 1,
            std::cmp::Ordering::Greater => other += 1,
            std::cmp::Ordering::Equal => {
                both += 1;
                at += 1;
                other += 1;
            }
        }
    }
    let either = a.len() + b.len() - both;
    if either == 0 { 0.0 } else { both as f64 / either as f64 }
}

/// The texts that were taken in, to be asked for similar ones.
pub struct Index {
    threshold: f64,
    rows_per_band: usize,
    bands: Vec<HashMap<u64, Vec<u32>, BuildHasherDefault<Plain>>>,
    texts: Vec<Vec<u32>>,
    multipliers: [(u64, u64); PERMUTATIONS],
}

impl Index {
    /// An empty index for texts whose shingles have at least this Jaccard similarity.
    pub fn new(threshold: f64) -> Self {
        let threshold = threshold.clamp(0.3, 1.0);
        let rows_per_band = rows_per_band(threshold);
        let multipliers = std::array::from_fn(|at| (mix(2 * at as u64 + 1) | 1, mix(2 * at as u64 + 2)));
        let bands = (0..PERMUTATIONS / rows_per_band).map(|_| HashMap::default()).collect();
        Self { threshold, rows_per_band, bands, texts: Vec::new(), multipliers }
    }

    /// The texts taken in before that are similar to this one, with their similarity, the earliest first; and the keys
    /// under which it can be taken in.
    pub fn similar(&self, shingles: &[u32]) -> (Vec<(usize, f64)>, Vec<u64>) {
        let keys = self.keys(shingles);
        let mut candidates: HashSet<u32> = HashSet::new();
        for (band, key) in self.bands.iter().zip(&keys) {
            candidates.extend(band.get(key).iter().flat_map(|texts| texts.iter().take(CANDIDATES)));
        }
        let mut found: Vec<(usize, f64)> = candidates
            .into_iter()
            .map(|text| (text as usize, jaccard(&self.texts[text as usize], shingles)))
            .filter(|(_, similarity)| *similarity >= self.threshold)
            .collect();
        found.sort_by_key(|(text, _)| *text);
        (found, keys)
    }

    /// Takes a text in; answers its number, from 0.
    pub fn add(&mut self, shingles: Vec<u32>, keys: &[u64]) -> usize {
        let number = self.texts.len();
        for (band, key) in self.bands.iter_mut().zip(keys) {
            band.entry(*key).or_default().push(number as u32);
        }
        self.texts.push(shingles);
        number
    }

    /// One key per band of the signature.
    fn keys(&self, shingles: &[u32]) -> Vec<u64> {
        let mut signature = [u32::MAX; PERMUTATIONS];
        for shingle in shingles {
            let shingle = u64::from(*shingle);
            for (least, (multiplier, summand)) in signature.iter_mut().zip(&self.multipliers) {
                // Multiply-shift hashing (Dietzfelbinger): the upper half of the product.
                let hash = (shingle.wrapping_mul(*multiplier).wrapping_add(*summand) >> 32) as u32;
                *least = (*least).min(hash);
            }
        }
        let band =
            |rows: &[u32]| rows.iter().fold(0_u64, |key, row| mix(key ^ u64::from(*row)).wrapping_add(0x9e37_79b9));
        signature.chunks_exact(self.rows_per_band).map(band).collect()
    }
}

/// The most rows a band may have so that two texts at the threshold share at least one band often enough: fewer rows
/// find more, more rows find less that is not asked for. With `b` bands of `r` rows two texts of similarity `s` share
/// one with probability `1 − (1 − s^r)^b`.
fn rows_per_band(threshold: f64) -> usize {
    let found = |rows: usize| {
        let bands = (PERMUTATIONS / rows) as i32;
        1.0 - (1.0 - threshold.powi(rows as i32)).powi(bands)
    };
    (1..=PERMUTATIONS / 4).rev().find(|rows| found(*rows) >= RECALL).unwrap_or(1)
}

/// Keys are mixed already.
#[derive(Debug, Default)]
struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shingles_are_five_words_or_five_characters_of_chinese() {
        assert_eq!(shingles("One two three four five six seven").len(), 3);
        assert_eq!(shingles("渡轮每天九点开船").len(), 4, "eight characters");
        assert_eq!(shingles("One, TWO three").len(), 1);
        assert_eq!(shingles("one two three"), shingles("One; two… three!"));
        assert!(shingles("").len() <= 1);
    }

    #[test]
    fn the_jaccard_similarity_is_shared_over_all() {
        assert!((jaccard(&[1, 2, 3, 4], &[3, 4, 5]) - 0.4).abs() < 1e-12);
        assert!(jaccard(&[], &[]).abs() < 1e-12);
    }

    #[test]
    fn the_bands_follow_the_threshold() {
        // 21 bands of 6: 1 - (1 - 0.8^6)^21 = 0.9983; 18 of 7: 0.9857.
        assert_eq!(rows_per_band(0.8), 6);
        assert_eq!(rows_per_band(1.0), 32);
        assert!(rows_per_band(0.5) < 4);
    }

    /// Pairs of sets whose similarity is exactly 0.8 by construction: 8 of 10 parts shared.
    #[test]
    fn at_least_95_of_100_pairs_of_similarity_0_8_are_found_and_none_of_0_5() {
        let (mut found, mut wrong) = (0, 0);
        for pair in 0..1000_u64 {
            let set = |part: u64, count: u64| (0..count).map(move |at| mix(pair << 20 | part << 12 | at) as u32);
            let sorted = |parts: &mut dyn Iterator<Item = u32>| {
                let mut all: Vec<u32> = parts.collect();
                all.sort_unstable();
                all
            };
            let mut index = Index::new(0.8);
            let first = sorted(&mut set(0, 80).chain(set(1, 10)));
            let (_, keys) = index.similar(&first);
            index.add(first.clone(), &keys);
            let near = sorted(&mut set(0, 80).chain(set(2, 10)));
            assert!((jaccard(&first, &near) - 0.8).abs() < 1e-9);
            found += usize::from(index.similar(&near).0 == [(0, jaccard(&first, &near))]);
            let far = sorted(&mut set(0, 60).chain(set(3, 30)));
            wrong += index.similar(&far).0.len();
        }
        assert!(found >= 950, "{found} of 1000");
        assert_eq!(wrong, 0);
    }
}
