//! Texts as sets of short pieces, each at places of a bit field: a text that lacks a bit of a word lacks the word.

/// Places of short pieces, two for each.
pub(super) const SHORT: usize = 1 << 16;
/// Places of a bit field. Those behind the first half are of long pieces, one for each: most letters by threes stand
/// somewhere in thirty kilobytes of text, most by fives do not.
pub(super) const PLACES: usize = 2 * SHORT;
/// Letters of a long piece.
const LONG: u32 = 5;
/// From here on Chinese, Japanese, Korean: no spaces between words, so that one and two characters are pieces.
const WIDE: u32 = 0x2E80;
/// Knuth's multiplier for hashing by multiplication: 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A text as it is compared: small letters.
pub(super) fn lower(text: &str) -> String {
    let mut lowered = String::with_capacity(text.len());
    lower_onto(text, &mut lowered);
    lowered
}

/// Appends [`lower`] of a text.
pub(super) fn lower_onto(text: &str, lowered: &mut String) {
    let before = lowered.len();
    let plain = text.bytes().position(|byte| byte >= 0x80).unwrap_or(text.len());
    lowered.push_str(&text[..plain]);
    lowered[before..].make_ascii_lowercase();
    for c in text[plain..].chars() {
        if c.is_ascii() || is_caseless(c) {
            lowered.push(c.to_ascii_lowercase());
        } else {
            lowered.extend(c.to_lowercase());
        }
    }
}

/// Chinese, Japanese and Korean characters, of which none is large or small. Not all that are: these are quick to tell.
fn is_caseless(c: char) -> bool {
    matches!(u32::from(c), 0x2E80..=0x9FFF | 0xAC00..=0xD7AF)
}

/// Calls `hear` with the places of every piece of a text: three and five neighbouring characters without a blank, and of
/// wide writing each character and each two. Case does not count.
pub(super) fn grams(text: &str, mut hear: impl FnMut(usize)) {
    let mut window = Window::default();
    for c in text.chars() {
        if c.is_ascii() || is_caseless(c) {
            window.push(u32::from(c.to_ascii_lowercase()), &mut hear);
        } else {
            c.to_lowercase().for_each(|c| window.push(u32::from(c), &mut hear));
        }
    }
}

/// The last two characters, 0 where there is none; how many narrow ones stand together; the hashes of the last two
/// pieces of three.
#[derive(Default)]
struct Window {
    before: u32,
    last: u32,
    run: u32,
    hashes: [u64; 2],
}

impl Window {
    #[inline]
    fn push(&mut self, c: u32, hear: &mut impl FnMut(usize)) {
        if c <= 0x20 || char::from_u32(c).is_some_and(char::is_whitespace) {
            *self = Self::default();
            return;
        }
        if c >= WIDE {
            self.run = 0;
            short(hash(u64::from(c)), hear);
            if self.last >= WIDE {
                short(hash(u64::from(self.last) << 21 | u64::from(c)), hear);
            }
        } else {
            self.run += 1;
            if self.run >= 3 {
                let three = hash(u64::from(self.before) << 42 | u64::from(self.last) << 21 | u64::from(c));
                short(three, hear);
                if self.run >= LONG {
                    hear(long(self.hashes[0], three));
                }
                self.hashes = [self.hashes[1], three];
            }
        }
        (self.before, self.last) = (self.last, c);
    }
}

#[inline]
fn hash(piece: u64) -> u64 {
    piece.wrapping_mul(GOLDEN)
}

/// The places of a short piece.
#[inline]
fn short(hash: u64, hear: &mut impl FnMut(usize)) {
    hear((hash >> 48) as usize);
    hear((hash >> 32 & 0xFFFF) as usize);
}

/// The place of five letters, from the hashes of the first and the last three.
#[inline]
fn long(first: u64, last: u64) -> usize {
    SHORT + (hash(first.rotate_left(32) ^ last) >> 48) as usize
}

/// The bit field of a stretch of texts.
#[derive(Debug)]
pub(super) struct Signature(Box<[u64; PLACES / 64]>);

impl Signature {
    pub(super) fn new() -> Self {
        Self(Box::new([0; PLACES / 64]))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut bits = Box::new([u64::MAX; PLACES / 64]);
        for (bits, word) in bits.iter_mut().zip(bytes.as_chunks().0) {
            *bits = u64::from_le_bytes(*word);
        }
        Self(bits)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    pub(super) fn add(&mut self, text: &str) {
        if text.is_ascii() {
            self.add_ascii(text.as_bytes());
        } else {
            grams(text, |place| self.0[place / 64] |= 1 << (place % 64));
        }
    }

    /// [`grams`] without a branch: where a blank stands among the letters, no bit is set.
    fn add_ascii(&mut self, text: &[u8]) {
        let (mut before, mut last, mut run, mut hashes) = (0, 0, 0, [0; 2]);
        for c in text {
            let c = u64::from(c.to_ascii_lowercase());
            let mask = 0_u64.wrapping_sub(u64::from(c > 0x20));
            run = (run + 1) & mask;
            let three = hash(before << 42 | last << 21 | c);
            let bit = u64::from(run >= 3);
            short(three, &mut |place| self.0[place / 64] |= bit << (place % 64));
            let place = long(hashes[0], three);
            self.0[place / 64] |= u64::from(run >= u64::from(LONG)) << (place % 64);
            hashes = [hashes[1], three];
            (before, last) = (last & mask, c & mask);
        }
    }

    /// How many bits of short pieces are set.
    pub(super) fn set(&self) -> usize {
        self.0[..SHORT / 64].iter().map(|word| word.count_ones() as usize).sum()
    }

    /// 64 places from `at * 64` on.
    pub(super) fn word(&self, at: usize) -> u64 {
        self.0[at]
    }

    #[cfg(test)]
    fn has(&self, place: usize) -> bool {
        self.0[place / 64] >> (place % 64) & 1 == 1
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
    fn what_is_taken_for_caseless_is() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|c| is_caseless(*c)) {
            assert_eq!(c.to_lowercase().collect::<Vec<_>>(), [c]);
        }
    }

    #[test]
    fn a_signature_survives_its_bytes() {
        let mut signature = Signature::new();
        signature.add("The night ferry leaves pier 4");
        let again = Signature::from_bytes(&signature.bytes());
        assert_eq!(again.0, signature.0);
        // One of before knew nothing of long pieces: it rules nothing out by them.
        let before = Signature::from_bytes(&signature.bytes()[..SHORT / 8]);
        assert_eq!(before.set(), signature.set());
        assert!((SHORT..PLACES).all(|place| before.has(place)));
    }

    proptest! {
        #[test]
        fn letters_of_ascii_have_the_places_that_all_have(text in "[ -~\\n\\t]{0,80}") {
            let (mut quick, mut plain) = (Signature::new(), Signature::new());
            quick.add(&text);
            grams(&text, |place| plain.0[place / 64] |= 1 << (place % 64));
            prop_assert_eq!(quick.0, plain.0);
        }

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
