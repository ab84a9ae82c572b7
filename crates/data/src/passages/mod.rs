//! Documents into passages: at headings, paragraphs and sentences, a given number of tokens long.

mod sentences;
mod split;

pub use sentences::sentences;
pub use split::{PassageLength, split};
