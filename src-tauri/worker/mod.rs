//! The worker program `hone`: where it is, how it is started, what it says.

mod locate;
mod process;

pub use locate::locate;
pub use process::{Lifetime, Order, Start, ask, run};
