//! The chat template of a model: conversations to text and to token ids with a loss mask.
//!
//! One [`ChatFormat`] serves tokenising, chat and export, so that what is trained is what Ollama will ask.

mod encode;
mod format;
mod guarded;
mod jinja;
mod plain;

pub use encode::Encoded;
pub use format::{ChatFormat, ChatMessage, FormatOrigin};
pub use guarded::BudgetedAllocator;

/// The tests of this crate render foreign templates.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: BudgetedAllocator = BudgetedAllocator;

#[cfg(test)]
mod tests;
