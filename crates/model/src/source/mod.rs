//! Where base models are found: a GGUF file, Hone's own folder, the catalogue, Ollama's store (read only).

mod catalogue;
mod describe;
mod ollama_store;
mod resolve;

pub use catalogue::{CatalogueEntry, STARTER, catalogue, find};
pub use describe::{BaseModel, describe};
pub use resolve::{Places, default_models_dir, default_ollama_models, list, resolve};

#[cfg(test)]
mod tests;
