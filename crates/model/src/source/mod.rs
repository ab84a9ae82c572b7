//! Where base models are found: a GGUF file, a Hugging Face folder, Hone's own folder, the catalogue, Ollama's store (read only).

mod catalogue;
mod describe;
mod exportable;
mod file;
mod ollama_store;
mod resolve;

pub use catalogue::{CatalogueEntry, STARTER, catalogue, find};
pub use describe::{BaseModel, describe};
pub use exportable::check_exportable;
pub use file::ModelFile;
pub(crate) use file::{Bytes, Contents, map};
pub use resolve::{Places, default_models_dir, default_ollama_models, list, resolve};

#[cfg(test)]
mod tests;
