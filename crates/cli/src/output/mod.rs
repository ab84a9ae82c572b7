//! What a verb says: JSON Lines for programs, or words on stdout and one progress line on stderr for people.
//!
//! A reader that goes away is no reason to stop: write errors are ignored.

mod progress;
mod words;

use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::{Arc, Mutex, PoisonError};

use hone_job::{AppError, Event};
use serde::Serialize;

use progress::Progress;
pub use words::{bytes, duration, table};

/// What a verb made: a value for programs, words for people.
pub struct Report {
    value: serde_json::Value,
    words: String,
}

impl Report {
    /// A report of `value`; `words` is what people read.
    pub fn new(value: &impl Serialize, words: impl Into<String>) -> Self {
        Self { value: serde_json::to_value(value).unwrap_or_default(), words: words.into() }
    }
}

/// Where events and reports go. Cheap to clone.
#[derive(Clone)]
pub struct Output {
    json: bool,
    progress: Arc<Mutex<Progress>>,
}

impl Output {
    /// JSON Lines, or words.
    pub fn new(json: bool) -> Self {
        // A program that reads the events has no use for the progress line; a person who looks on has.
        let shown = !json || stderr().is_terminal();
        Self { json, progress: Arc::new(Mutex::new(Progress::new(shown, stderr().is_terminal()))) }
    }

    /// Says one event.
    pub fn event(&self, event: Event) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if self.json {
            print_json(&event);
        }
        match event {
            Event::Notice { code, message } if code == "token" => {
                if !self.json {
                    print(&message);
                }
            }
            Event::Notice { message, .. } => progress.say(&message),
            Event::Failed(error) => progress.end(&failed(&error)),
            Event::Cancelled => progress.end("Stopped on request."),
            Event::Done => progress.end(""),
            Event::Stage { name } => progress.stage(&name),
            Event::Progress { done, total, unit } => progress.progress(done, total, &unit),
            Event::Step(metrics) => progress.step(&metrics),
            Event::Result { .. } => {}
        }
    }

    /// Says what the verb made.
    pub fn report(&self, report: Report) {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if self.json {
            print_json(&Event::Result { value: report.value });
        } else if !report.words.is_empty() {
            print(&format!("{}\n", report.words.trim_end()));
        }
    }
}

fn failed(error: &AppError) -> String {
    let mut words = format!("Error: {}", error.message);
    if let Some(hint) = &error.hint {
        words += &format!("\nWhat to do: {hint}");
    }
    if let Some(detail) = &error.detail {
        words += &format!("\nDetail: {detail}");
    }
    words
}

fn print_json(event: &Event) {
    if let Ok(line) = serde_json::to_string(event) {
        print(&format!("{line}\n"));
    }
}

fn print(text: &str) {
    let mut stdout = stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
