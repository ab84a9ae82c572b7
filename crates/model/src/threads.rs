//! How many threads the engine uses.

use crate::error::{ModelError, Result};

/// Sets the number of threads for the whole process; to be called before the engine computes anything.
///
/// # Errors
/// [`ModelError::Threads`] when the engine has already started.
pub fn use_threads(count: usize) -> Result<()> {
    let built = rayon::ThreadPoolBuilder::new().num_threads(count).build_global();
    built.map_err(|_| ModelError::Threads { count })
}

/// Threads that the engine uses.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Does work whose parts are done in parallel on one of the engine's own threads. Led from outside, every part would put the caller to
/// sleep and wake it again.
pub(crate) fn lead<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| work())
}
