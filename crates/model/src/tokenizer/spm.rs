//! `SentencePiece`'s way from text to tokens, as llama.cpp goes it (`llm_tokenizer_spm`).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::vocabulary::Vocabulary;
use crate::error::{ModelError, Result};

/// `SentencePiece`'s visible space, which stands for a space inside tokens.
pub(super) const SPACE: char = '\u{2581}';

/// llama.cpp's `llm_tokenizer_spm_session::tokenize`: from single characters, the neighbours whose union has the
/// best score are joined first, the leftmost among equals.
pub(super) fn merge(vocabulary: &Vocabulary, text: &str, ids: &mut Vec<u32>) -> Result<()> {
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
