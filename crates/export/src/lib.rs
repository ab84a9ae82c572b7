//! A tuned model leaves Hone: merged, quantised, written as a GGUF file with a Modelfile, created in Ollama, proven there.
//!
//! Nothing here knows training. The address of Ollama is touched in `ollama/client.rs` alone.

mod adapter;
pub mod error;
mod folder;
mod gguf;
mod merge;
mod modelfile;
pub mod ollama;
mod prove;
mod quantise;
mod template;

pub use adapter::{export_adapter, write_adapter};
pub use error::{ExportError, Result};
pub use folder::{ExportOutcome, ExportRequest, Rehearsal, export_folder, modelfile_of, rehearse};
pub use gguf::{TensorPlan, write_gguf};
pub use merge::merge;
pub use modelfile::Modelfile;
pub use prove::{Proof, RenderCheck, Replay, ReplayCase, prove, replay_cases};
pub use quantise::Quantisation;
pub use template::GoTemplate;
