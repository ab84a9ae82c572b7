//! The program without a window: the project folder, its database, the steps' states, settings.
//!
//! Knows no tensors and no parsers, so that the window's shell can link it. The folder on disk is the only truth:
//! [`ProjectState`] is derived from it each time it is asked for.

mod error;
pub mod exports;
pub mod project;
pub mod runs;
pub mod settings;
pub mod sources;
pub mod state;
pub mod store;

pub use error::StudioError;
pub use exports::ExportEntry;
pub use project::{Project, ProjectFile};
pub use settings::{RecentProject, Settings, Theme};
pub use state::{ProjectState, StepStatus};
pub use store::{RowFilter, RowPage, RuleHits, Store};
