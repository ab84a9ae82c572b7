//! The chat template of a model: conversations to text and to token ids with a loss mask.
//!
//! One [`ChatFormat`] serves tokenising, chat and export, so that what is trained is what Ollama will ask.

mod encode;
mod format;
mod jinja;
mod plain;

pub use encode::Encoded;
pub use format::{ChatFormat, ChatMessage, FormatOrigin};

#[cfg(test)]
mod tests;
