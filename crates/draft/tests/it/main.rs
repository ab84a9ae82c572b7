//! The writers against what they speak to: a double of both protocols over loopback HTTP, and the real engine.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // helpers of tests too: a broken step ends the test

mod double;
mod endpoints;
mod engine;
