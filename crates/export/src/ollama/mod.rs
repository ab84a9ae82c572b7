//! Ollama's HTTP interface, as far as an export needs it.
//!
//! Not here: pulling models, chatting with them, and everything that would reach another machine.

mod address;
mod client;
mod create;
mod name;
mod version;
mod wire;

pub use address::{DEFAULT_ADDRESS, address};
pub use client::Client;
pub use create::{CreateRequest, create};
pub use name::check_name;
pub use version::Version;
pub use wire::{Generated, Listed, RawRequest, Shown};
