//! The handle that running work holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Cancelled, Event};

/// What running work holds: a place to report to and a flag that asks it to stop. Cheap to clone.
#[derive(Clone)]
pub struct Job {
    sink: Arc<dyn Fn(Event) + Send + Sync>,
    cancelled: Arc<AtomicBool>,
}

impl Job {
    /// A job whose events go to `sink`.
    pub fn new(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self { sink: Arc::new(sink), cancelled: Arc::default() }
    }

    /// A job that reports to nobody.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Reports one event.
    pub fn emit(&self, event: Event) {
        (self.sink)(event);
    }

    /// Says that a named part of the work begins.
    pub fn stage(&self, name: &str) {
        self.emit(Event::Stage { name: name.to_owned() });
    }

    /// Says how far the current stage is, in `unit` (`rows`, `bytes`, `steps` ...).
    pub fn progress(&self, done: u64, total: u64, unit: &str) {
        self.emit(Event::Progress { done, total, unit: unit.to_owned() });
    }

    /// Tells something worth knowing that is not an error; `code` is stable, `message` is for people.
    pub fn notice(&self, code: &str, message: impl Into<String>) {
        self.emit(Event::Notice { code: code.to_owned(), message: message.into() });
    }

    /// Asks the work to stop at the next safe place.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked the work to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Returns early from work that was asked to stop.
    ///
    /// # Errors
    /// [`Cancelled`] when [`Job::cancel`] was called.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}
