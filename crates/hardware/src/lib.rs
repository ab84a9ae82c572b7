//! What this machine has, what this process uses, and in one sentence what can be trained here.
//!
//! Only facts and arithmetic: nothing here knows models or plans; `hone-train` compares its own needs with [`Machine`].

mod gpu;
mod machine;
mod memory;
mod verdict;

pub use gpu::Gpu;
pub use machine::{Machine, disk_free};
pub use memory::{available_memory, peak_memory, resident_memory};
pub use verdict::{Verdict, VerdictCode, verdict};
