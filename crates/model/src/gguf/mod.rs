//! Reading GGUF model files: header, metadata and tensors, validated before anything is believed.
//!
//! The format is ggml's `docs/gguf.md`, versions 2 and 3, little-endian. Not here: writing (the export crate does),
//! the older GGML formats, and files split in parts.

mod cursor;
mod dtype;
mod header;
mod value;

pub use dtype::{dtype_name, dtype_number, row_bytes};
pub use header::TensorEntry;
pub(crate) use header::{Refusal, parse};
pub use value::{Array, Value};

/// A base model's file: the name from when there were GGUF files only.
pub type GgufFile = crate::source::ModelFile;

#[cfg(test)]
mod tests;
