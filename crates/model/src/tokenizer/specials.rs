//! Cutting a text at the tokens that are matched as text: user-defined ones always, control tokens when asked.

use std::collections::{HashMap, HashSet};

use super::vocabulary::{Kind, Vocabulary};

/// A stretch of text, or a token that stands for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Ordinary text.
    Text(&'a str),
    /// A token matched as text.
    Token(u32),
}

/// Which tokens are matched as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    UserDefined,
    Controls,
    All,
}

/// Finds tokens in text as llama.cpp's `tokenizer_st_partition` does: the longest token first, over the whole text.
#[derive(Debug)]
pub(super) struct Specials {
    by_text: HashMap<String, Special>,
    /// Lengths that occur, by first byte.
    lengths: Vec<Vec<usize>>,
    /// Which two bytes begin one, a bit each: most places of a text are passed over by it.
    begins: Vec<u64>,
}

/// A token that is matched as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Special {
    id: u32,
    control: bool,
    /// White space after it is dropped.
    strips: bool,
}

/// The control tokens of Phi-3 that keep the white space after them.
const PHI_3_KEEPS: &[&str] = &["<unk>", "<s>", "<|endoftext|>"];

impl Specials {
    /// Those of a GGUF file. `name` is the model's: llama.cpp drops the white space after the control tokens of a Phi-3, which it
    /// knows by it.
    pub(super) fn new(vocabulary: &Vocabulary, name: &str) -> Self {
        let name = name.to_lowercase();
        let is_phi_3 = name.contains("phi-3") || name.contains("phi3");
        Self::with(vocabulary, |text, control| is_phi_3 && control && !PHI_3_KEEPS.contains(&text))
    }

    /// Those of a vocabulary; `strips` says for which a token's text (and whether it is a control token) the white space after it is
    /// dropped.
    pub(super) fn with(vocabulary: &Vocabulary, strips: impl Fn(&str, bool) -> bool) -> Self {
        let mut by_text = HashMap::new();
        let mut lengths = vec![Vec::new(); 256];
        let mut begins = vec![0u64; 1 << 10];
        for (id, kind) in vocabulary.kinds.iter().enumerate() {
            let text = &vocabulary.texts[id];
            let Some(first) = text.bytes().next() else { continue };
            let control = matches!(kind, Kind::Control | Kind::Unknown);
            if control || *kind == Kind::UserDefined {
                let strips = strips(text, control);
                match text.as_bytes() {
                    [first, second, ..] => {
                        begins[(usize::from(*first) << 2) | usize::from(second >> 6)] |= 1 << (second & 63);
                    }
                    _ => begins[usize::from(first) << 2..][..4].fill(u64::MAX),
                }
                by_text.insert(text.clone(), Special { id: id as u32, control, strips });
                let lengths: &mut Vec<usize> = &mut lengths[usize::from(first)];
                if !lengths.contains(&text.len()) {
                    lengths.push(text.len());
                }
            }
        }
        Self { by_text, lengths, begins }
    }

    pub(super) fn get(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).map(|special| special.id)
    }

    /// The tokens that occur anywhere in `text`, longest first, then by id.
    fn occurring<'a>(&self, text: &'a str, which: Which) -> Vec<(&'a str, Special)> {
        let mut found = HashSet::new();
        let bytes = text.as_bytes();
        for (start, byte) in text.bytes().enumerate() {
            if let Some(second) = bytes.get(start + 1)
                && self.begins[(usize::from(byte) << 2) | usize::from(second >> 6)] >> (second & 63) & 1 == 0
            {
                continue;
            }
            for length in &self.lengths[usize::from(byte)] {
                let Some(candidate) = text.get(start..start + length) else { continue };
                match self.by_text.get(candidate) {
                    Some(special) if which == Which::All || special.control == (which == Which::Controls) => {
                        found.insert((candidate, *special));
                    }
                    _ => {}
                }
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by_key(|(text, special)| (std::cmp::Reverse(text.len()), special.id));
        found
    }

    /// Cuts `text` at its special tokens.
    pub(super) fn cut<'a>(&self, text: &'a str, which: Which) -> Vec<Piece<'a>> {
        let mut pieces = vec![Piece::Text(text)];
        for (written, special) in self.occurring(text, which) {
            pieces = pieces.into_iter().flat_map(|piece| cut_piece(piece, written, special)).collect();
        }
        pieces.retain(|piece| *piece != Piece::Text(""));
        pieces
    }
}

fn cut_piece<'a>(piece: Piece<'a>, written: &str, special: Special) -> Vec<Piece<'a>> {
    let Piece::Text(mut text) = piece else { return vec![piece] };
    let mut out = Vec::new();
    while let Some((before, after)) = text.split_once(written) {
        out.extend([Piece::Text(before), Piece::Token(special.id)]);
        text = if special.strips { after.trim_start_matches(is_space) } else { after };
    }
    out.push(Piece::Text(text));
    out
}

/// C's `isspace`.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}
