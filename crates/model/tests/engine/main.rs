//! The engine as other crates see it, on a tiny random Gemma 3 written as a GGUF file.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods, clippy::float_cmp)] // helpers of tests too: a broken step ends the test

mod behaviour;
mod device;
mod folders;
mod full;
mod generation;
mod hostile;
mod objectives;
mod oracle;
mod tiny;
