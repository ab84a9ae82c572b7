//! Training: from rows and a run configuration to an adapter.
//!
//! [`recipe`] is the whole run in reading order; everything else is what it calls. What was asked ([`RunConfig`]) is kept
//! apart from what was resolved ([`Plan`]) and what was measured ([`Preflight`]). Not here: the forward and backward pass
//! (`hone-model`), the exam after a run (`hone-eval`), where a project keeps its rows (`hone-studio`).

pub mod checkpoint;
pub mod config;
pub mod error;
pub mod gradients;
pub mod held_out;
mod learned;
mod loss_scale;
pub mod needs;
pub mod optimiser;
pub mod order;
pub mod plan;
pub mod preflight;
mod prepare;
pub mod presets;
pub mod recipe;
pub mod run_folder;
pub mod samples;
pub mod schedule;
pub mod sequences;
mod setting;
#[cfg(test)]
mod testing;

pub use config::RunConfig;
pub use error::{Result, TrainError};
pub use loss_scale::LossScale;
pub use optimiser::{AdamW, OptimiserConfig};
pub use plan::Plan;
pub use preflight::Preflight;
pub use recipe::{Request, plan, train};
