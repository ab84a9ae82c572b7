//! Where the worker program lies.

use std::path::PathBuf;

use crate::error::ShellError;

/// Environment variable that names another worker, for development and tests.
const OVERRIDE: &str = "HONE_WORKER";

/// The worker: what `HONE_WORKER` names, else `hone` beside the running program.
///
/// # Errors
/// [`ShellError::WorkerMissing`] with the place that was looked at.
pub fn locate() -> Result<PathBuf, ShellError> {
    let beside = || {
        let own = std::env::current_exe().unwrap_or_default();
        own.with_file_name(format!("hone{}", std::env::consts::EXE_SUFFIX))
    };
    let path = std::env::var_os(OVERRIDE).map_or_else(beside, PathBuf::from);
    if path.is_file() { Ok(path) } else { Err(ShellError::WorkerMissing { path }) }
}
