//! LoRA adapters: settings, the flat parameter buffer, PEFT's files.

mod adapter;
mod config;
mod peft;

pub(crate) use adapter::half_row;
pub use adapter::{Adapter, AdapterTensor, LoraPart};
pub use config::{LoraConfig, TargetModule};
pub use peft::write_tensors;
