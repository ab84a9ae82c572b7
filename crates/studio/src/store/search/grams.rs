//! Texts as sets of short pieces, each at two places of a bit field: a text that lacks a bit of a word lacks the word.

/// Places of a bit field.
pub(super) const PLACES: usize = 1 << 16;
/// From here on Chinese, Japanese, Korean: no spaces between words, so that one and two characters are pieces.
const WIDE: u32 = 0x2E80;
/// Knuth's multiplier for hashing by multiplication: 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A text as it is compared: small letters.
pub(super) fn lower(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().flat_map(char::to_lowercase).collect() }
}

/// Calls `hear` with the places of every piece of a text: three neighbouring characters without a blank, and of wide
/// writing each character and each two. Case does not count.
pub(super) fn grams(text: &str, mut hear: impl FnMut(usize)) {
    let mut window = Window::default();
    for c in text.chars() {
        if c.is_ascii() {
            window.push(u32::from(c.to_ascii_lowercase()), &mut hear);
        } else {
            c.to_lowercase().for_each(|c| window.push(u32::from(c), &mut hear));
        }
    }
}

/// The last two characters; 0 where there is none.
#[derive(Default)]
struct Window {
    before: u32,
    last: u32,
}

impl Window {
    #[inline]
    fn push(&mut self, c: u32, hear: &mut impl FnMut(usize)) {
        if c <= 0x20 || char::from_u32(c).is_some_and(char::is_whitespace) {
            (self.before, self.last) = (0, 0);
            return;
        }
        if c >= WIDE {
            places(u64::from(c), hear);
            if self.last >= WIDE {
                places(u64::from(self.last) << 21 | u64::from(c), hear);
            }
        } else if self.before != 0 && self.before < WIDE && self.last < WIDE {
            places(u64::from(self.before) << 42 | u64::from(self.last) << 21 | u64::from(c), hear);
        }
        (self.before, self.last) = (self.last, c);
    }
}

#[inline]
fn places(piece: u64, hear: &mut impl FnMut(usize)) {
    let hash = piece.wrapping_mul(GOLDEN);
    hear((hash >> 48) as usize);
    hear((hash >> 32 & 0xFFFF) as usize);
}

/// The bit field of a stretch of texts.
pub(super) struct Signature {
    bits: Vec<u64>,
    set: usize,
}

impl Signature {
    pub(super) fn new() -> Self {
        Self { bits: vec![0; PLACES / 64], set: 0 }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut bits: Vec<u64> =
            bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).take(PLACES / 64).collect();
        bits.resize(PLACES / 64, u64::MAX);
        let set = bits.iter().map(|word| word.count_ones() as usize).sum();
        Self { bits, set }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.bits.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    pub(super) fn add(&mut self, text: &str) {
        let Self { bits, set } = self;
        grams(text, |place| {
            let (word, bit) = (&mut bits[place / 64], 1 << (place % 64));
            *set += usize::from(*word & bit == 0);
            *word |= bit;
        });
    }

    /// How many bits are set.
    pub(super) fn set(&self) -> usize {
        self.set
    }

    #[cfg(test)]
    fn has(&self, place: usize) -> bool {
        self.bits[place / 64] >> (place % 64) & 1 == 1
    }

    /// The places whose bit is set.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.bits.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                (left != 0).then(|| {
                    left &= left - 1;
                    at * 64 + bit
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn may_hold(text: &str, word: &str) -> bool {
        let mut signature = Signature::new();
        signature.add(text);
        let mut all = true;
        grams(word, |place| all &= signature.has(place));
        all
    }

    #[test]
    fn a_word_that_is_not_there_is_told_by_its_pieces() {
        let text = "When does the ferry leave? 渡轮几点开？";
        for (word, there) in
            [("FERR", true), ("几点", true), ("tram", false), ("九点", false), ("轮", true), ("九", false)]
        {
            assert_eq!(may_hold(text, word), there, "{word}");
        }
    }

    #[test]
    fn a_signature_survives_its_bytes() {
        let mut signature = Signature::new();
        signature.add("The night ferry leaves pier 4");
        let again = Signature::from_bytes(&signature.bytes());
        assert_eq!((again.set(), again.bits.clone()), (signature.set(), signature.bits.clone()));
        assert_eq!(again.places().count(), again.set());
    }

    proptest! {
        #[test]
        fn no_word_of_a_text_is_ever_denied(text in "[a-zA-ZäßİΣσς 渡轮几点开0-9.-]{0,60}", from in 0usize..60, length in 1usize..12) {
            let word: String = text.chars().skip(from).take(length).collect();
            for part in word.split_whitespace() {
                prop_assert!(may_hold(&text, part), "{text} {part}");
                prop_assert!(lower(&text).contains(&lower(part)));
            }
        }
    }
}
