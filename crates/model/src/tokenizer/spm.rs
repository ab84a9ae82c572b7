//! `SentencePiece`'s way from text to tokens, as llama.cpp goes it (`llm_tokenizer_spm`).

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Mutex;

use super::vocabulary::{Kind, Vocabulary};
use crate::error::{ModelError, Result};

/// `SentencePiece`'s visible space, which stands for a space inside tokens.
pub(super) const SPACE: char = '\u{2581}';

/// Words whose tokens are remembered; the longest of them, bytes.
const REMEMBERED: usize = 1 << 16;
const LONGEST_REMEMBERED: usize = 48;

/// Where a text falls into words that no token spans, and the tokens of words that were seen.
///
/// Symbols are only ever joined into tokens of the vocabulary. Where no token holds a letter with a space behind it, no
/// join crosses that place, so that the words on both sides can be merged each on its own, with the same result.
#[derive(Debug)]
pub(super) struct Words {
    /// Letters behind which a space stands inside some token.
    inner: HashSet<char>,
    seen: Mutex<HashMap<Box<str>, Box<[u32]>>>,
}

impl Words {
    pub(super) fn new(vocabulary: &Vocabulary) -> Self {
        let mut inner = HashSet::new();
        for (text, kind) in vocabulary.texts.iter().zip(&vocabulary.kinds) {
            if *kind == Kind::Normal {
                let pairs = text.chars().zip(text.chars().skip(1));
                inner.extend(
                    pairs.filter(|(before, after)| *before != SPACE && *after == SPACE).map(|(before, _)| before),
                );
            }
        }
        Self { inner, seen: Mutex::default() }
    }

    /// Adds the tokens of a text.
    pub(super) fn encode(&self, vocabulary: &Vocabulary, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        // Another thread at it: then without the memory.
        let mut seen = self.seen.try_lock().ok();
        let (mut start, mut before) = (0, SPACE);
        for (at, letter) in text.char_indices() {
            if letter == SPACE && before != SPACE && !self.inner.contains(&before) {
                word(vocabulary, seen.as_deref_mut(), &text[start..at], ids)?;
                start = at;
            }
            before = letter;
        }
        word(vocabulary, seen.as_deref_mut(), &text[start..], ids)
    }
}

fn word(
    vocabulary: &Vocabulary,
    seen: Option<&mut HashMap<Box<str>, Box<[u32]>>>,
    word: &str,
    ids: &mut Vec<u32>,
) -> Result<()> {
    let Some(seen) = seen.filter(|_| word.len() <= LONGEST_REMEMBERED) else { return merge(vocabulary, word, ids) };
    if let Some(known) = seen.get(word) {
        ids.extend_from_slice(known);
        return Ok(());
    }
    let from = ids.len();
    merge(vocabulary, word, ids)?;
    if seen.len() < REMEMBERED {
        seen.insert(word.into(), ids[from..].into());
    }
    Ok(())
}

/// llama.cpp's `llm_tokenizer_spm_session::tokenize`: from single characters, the neighbours whose union has the
/// best score are joined first, the leftmost among equals.
fn merge(vocabulary: &Vocabulary, text: &str, ids: &mut Vec<u32>) -> Result<()> {
    let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
    for (start, letter) in text.char_indices() {
        let index = symbols.len();
        symbols.push(Symbol { start, length: letter.len_utf8(), previous: index.wrapping_sub(1), next: index + 1 });
    }
    let mut queue = BinaryHeap::new();
    for left in 1..symbols.len() {
        offer(vocabulary, text, &symbols, left - 1, left, &mut queue);
    }
    let count = symbols.len();
    while let Some(join) = queue.pop() {
        let (left, right) = (join.left, join.right);
        if symbols[left].length == 0 || symbols[left].length + symbols[right].length != join.length {
            continue; // one of the two was joined with another neighbour meanwhile
        }
        if symbols[right].length == 0 || symbols[left].next != right {
            continue;
        }
        symbols[left].length = join.length;
        symbols[right].length = 0;
        let next = symbols[right].next;
        symbols[left].next = next;
        if next < count {
            symbols[next].previous = left;
            offer(vocabulary, text, &symbols, left, next, &mut queue);
        }
        if symbols[left].previous < count {
            offer(vocabulary, text, &symbols, symbols[left].previous, left, &mut queue);
        }
    }
    for symbol in symbols.iter().filter(|symbol| symbol.length > 0) {
        emit(vocabulary, &text[symbol.start..symbol.start + symbol.length], ids)?;
    }
    Ok(())
}

fn offer(
    vocabulary: &Vocabulary,
    text: &str,
    symbols: &[Symbol],
    left: usize,
    right: usize,
    queue: &mut BinaryHeap<Join>,
) {
    let length = symbols[left].length + symbols[right].length;
    let start = symbols[left].start;
    if let Some((_, score)) = vocabulary.normal(&text[start..start + length]) {
        queue.push(Join { score, left, right, length });
    }
}

fn emit(vocabulary: &Vocabulary, symbol: &str, ids: &mut Vec<u32>) -> Result<()> {
    if let Some((id, _)) = vocabulary.normal(symbol) {
        ids.push(id);
        return Ok(());
    }
    for byte in symbol.bytes() {
        let id = vocabulary.bytes[usize::from(byte)].or(vocabulary.unknown);
        ids.push(id.ok_or_else(|| ModelError::Tokenizer {
            doing: "spelling a character in bytes",
            source: format!("there is no token for `{}`", symbol.escape_unicode()).into(),
        })?);
    }
    Ok(())
}

/// A stretch of the text that is one symbol so far; length 0 once it was joined to its left neighbour.
struct Symbol {
    start: usize,
    length: usize,
    previous: usize,
    next: usize,
}

/// Two neighbours whose union is a token.
struct Join {
    score: f32,
    left: usize,
    right: usize,
    length: usize,
}

impl Ord for Join {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.left.cmp(&self.left))
    }
}

impl PartialOrd for Join {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Join {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Join {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::starter_tokenizer;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn word_by_word_gives_what_the_whole_text_gives(text in "[a-zA-Z ]{0,60}|(\\PC|[ \n.,<>/h1]){0,60}|[中文的是 。，a]{0,40}") {
            let Some(tokenizer) = starter_tokenizer() else { return Ok(()) };
            let spelled = text.replace(' ', "\u{2581}");
            let (mut whole, mut parts) = (Vec::new(), Vec::new());
            merge(tokenizer.vocabulary(), &spelled, &mut whole).unwrap();
            let words = Words::new(tokenizer.vocabulary());
            for _ in 0..2 {
                parts.clear();
                words.encode(tokenizer.vocabulary(), &spelled, &mut parts).unwrap();
                prop_assert_eq!(&parts, &whole);
            }
        }
    }
}
