//! Drives the real window: a home folder of its own, a WebDriver, and what a person does with mouse and keyboard.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_errors_doc)] // support of tests: a broken step ends the test
#![allow(clippy::disallowed_methods)] // what the window wrote is read as any other program would

mod desk;
mod documents;
mod driver;
mod page;
mod server;

pub use desk::Desk;
pub use driver::Window;
pub use server::Server;
