//! Text from tokens that arrive one at a time.

use super::Tokenizer;

/// Decodes a stream of tokens; a character whose bytes are spread over several tokens appears when it is whole.
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    pending: Vec<u8>,
    /// The next text is the first.
    first: bool,
}

impl<'a> TextStream<'a> {
    /// A stream at the beginning of a text.
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer, pending: Vec::new(), first: true }
    }

    /// The text that this token completes; empty for control tokens and in the middle of a character.
    pub fn push(&mut self, id: u32) -> String {
        if self.tokenizer.is_control(id) {
            return String::new();
        }
        self.pending.extend(self.tokenizer.token_bytes(id));
        let whole = match std::str::from_utf8(&self.pending) {
            Ok(_) => self.pending.len(),
            // An error with a length cannot be mended by more bytes: let it out as U+FFFD.
            Err(error) if error.error_len().is_some() => self.pending.len() - incomplete_tail(&self.pending),
            Err(error) => error.valid_up_to(),
        };
        let rest = self.pending.split_off(whole);
        let mut text = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending = rest;
        if self.first && !text.is_empty() {
            self.first = false;
            if self.tokenizer.drops_first_space() && text.starts_with(' ') {
                text.remove(0);
            }
        }
        text
    }

    /// What is left when no more tokens come.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

/// Bytes at the end that begin a character and may still become whole.
fn incomplete_tail(bytes: &[u8]) -> usize {
    for length in 1..=bytes.len().min(3) {
        let tail = &bytes[bytes.len() - length..];
        if let Err(error) = std::str::from_utf8(tail)
            && error.error_len().is_none()
            && error.valid_up_to() == 0
        {
            return length;
        }
    }
    0
}
