//! How work reports, stops and fails.
//!
//! Every engine function takes values and a [`Job`]; it reports [`Event`]s through it and asks it whether to stop.
//! Files are written through [`fs`], so that every write is atomic and every I/O error names its path.
//! Nothing here knows models, data or windows.

pub mod error;
pub mod event;
pub mod fs;
mod job;
pub mod run;

pub use error::{AppError, Cancelled, ErrorCode, Explain};
pub use event::{Event, StepMetrics};
pub use job::Job;
pub use run::{RunState, RunStatus};
