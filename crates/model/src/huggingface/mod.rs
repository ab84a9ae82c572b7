//! Hugging Face folders: `config.json`, safetensors, `tokenizer.json`, read into GGUF's words.
//!
//! The layout is what Transformers' `save_pretrained` writes (4.x and 5.x). Not here: weights in pickle (`pytorch_model.bin`), which can
//! run programs when they are read, quantised checkpoints (GPTQ, AWQ, ...), and what a family makes of its `config.json` (`arch/`).

mod config;
mod folder;
mod keys;
mod names;
mod safetensors;
mod tokenizer;

pub(crate) use config::Config;
pub(crate) use folder::{Folder, open};
pub(crate) use keys::Keys;
pub(crate) use names::written_name;
