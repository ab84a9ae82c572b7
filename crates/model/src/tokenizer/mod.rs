//! The tokenizer: rebuilt from the metadata inside a GGUF file, so that a model is one file, or a folder's own `tokenizer.json`.
//!
//! Two kinds are rebuilt: `llama` (`SentencePiece`, as Gemma and Llama 2 have it) and `gpt2` (byte-level BPE, as Llama 3 and Qwen have it).
//! The ids must equal llama.cpp's, because the exported model runs there; those of a folder equal Transformers', and
//! that its export gets the same in llama.cpp is checked before it is chosen (`source/exportable.rs`).

mod bpe;
mod codec;
mod hub;
mod specials;
mod spm;
mod stream;
mod vocabulary;
pub(crate) mod words_rule;

pub use codec::Tokenizer;
pub use specials::Piece;
pub use stream::TextStream;

#[cfg(test)]
mod tests;
