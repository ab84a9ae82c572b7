//! LoRA adapters: settings, the flat parameter buffer, PEFT's files.

mod adapter;
mod config;
mod norms;
mod peft;

pub(crate) use adapter::half_row;
pub use adapter::{Adapter, AdapterTensor, LoraPart};
pub use config::{LoraConfig, TargetModule};
pub(crate) use norms::RowNorms;
pub use peft::write_tensors;
