//! Who writes drafts: a model served by Ollama, by any server that speaks OpenAI's protocol, or by Hone's own engine.
//!
//! What is asked and how answers are read stands in [`hone_data::draft`]; nothing here knows the database. The network
//! is touched in `endpoint.rs` alone.

mod address;
mod ask;
mod derive;
mod endpoint;
mod engine;
mod error;
mod guided;
mod wire;
mod writer;

pub use address::Address;
pub use ask::{Made, TRIES, Wish, by_rules, draft_passage};
pub use derive::{back_translate, paraphrase};
pub use endpoint::{Endpoint, ServedModel};
pub use engine::Engine;
pub use error::DraftError;
pub use wire::Protocol;
pub use writer::{Ask, Said, Writer};
