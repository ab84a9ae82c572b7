//! Reading GGUF model files: header, metadata and tensors, validated before anything is believed.
//!
//! The format is ggml's `docs/gguf.md`, versions 2 and 3, little-endian. Not here: writing (the export crate does),
//! the older GGML formats, and files split in parts.

mod cursor;
mod dtype;
mod file;
mod header;
mod value;

pub use dtype::{dtype_name, dtype_number, row_bytes};
pub use file::GgufFile;
pub use header::TensorEntry;
pub use value::{Array, Value};

#[cfg(test)]
mod tests;
