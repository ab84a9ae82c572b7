//! Exports as a whole: files written and read back, Ollama's side played by a small server, llama.cpp's by llama.cpp.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

mod double;
mod families;
mod files;
mod llama_cpp;
mod merged;
mod modelfiles;
mod ollama;
mod starter;
