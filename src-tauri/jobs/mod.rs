//! Work that a worker process does for the page: what can be asked, and the table of what is running.

mod spec;
mod table;

pub use spec::JobSpec;
pub use table::Jobs;
