//! The tokenizer, rebuilt from the metadata inside a GGUF file, so that a model is one file.
//!
//! Two kinds: `llama` (`SentencePiece`, as Gemma and Llama 2 have it) and `gpt2` (byte-level BPE, as Llama 3 and Qwen have it).
//! The ids must equal llama.cpp's, because the exported model runs there.

mod bpe;
mod codec;
mod specials;
mod spm;
mod stream;
mod vocabulary;

pub use codec::Tokenizer;
pub use specials::Piece;
pub use stream::TextStream;

#[cfg(test)]
mod tests;
