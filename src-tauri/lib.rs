//! The frame around the window: commands for the page, worker processes, native dialogs.
//!
//! The only Rust that knows Tauri. Heavy work is not here: a worker process does it (see [`jobs`]), and what the window
//! reads and edits itself goes through `hone_studio`. No crate that links the engine is a dependency of this one.

mod app;
mod checks;
mod commands;
mod error;
mod jobs;
mod runs;
mod shell;
#[cfg(test)]
mod typescript;
mod unread;
mod worker;

pub use app::run;
