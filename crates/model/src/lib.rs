//! Base models: their files, their tokenizer and chat template, their layers, adapters, and generation.

pub mod arch;
mod batch;
mod block;
pub mod chat;
pub mod config;
mod decoder;
mod device;
pub mod error;
pub mod fetch;
mod full;
mod generate;
pub mod gguf;
mod guard;
mod huggingface;
pub mod lora;
mod memory;
mod objective;
mod ops;
mod pages;
mod pass;
mod pool;
mod sampler;
pub mod source;
pub mod spans;
#[cfg(test)]
mod testing;
mod threads;
pub mod tokenizer;
pub mod weights;

pub use error::{ModelError, Result};

pub use batch::{Batch, LossSum};
pub use chat::{ChatFormat, ChatMessage, Encoded};
pub use config::DecoderConfig;
pub use decoder::Decoder;
pub use device::{CardMemory, Device, Difference, Placement, Precision, try_device};
pub use generate::GenerateOptions;
pub use guard::{prove_gradients, prove_gradients_of};
pub use lora::{Adapter, LoraConfig, TargetModule};
pub use memory::{MemoryNeeds, StepShape, full_parameters, memory_estimate};
pub use objective::Objective;
pub use ops::{best_product_rate, product_rate};
pub use pass::StepOptions;
pub use source::ModelFile;
pub use threads::{threads, use_threads};
pub use tokenizer::Tokenizer;
pub use weights::WeightStorage;
