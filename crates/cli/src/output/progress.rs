use std::io::{Write, stderr};
use std::time::{Duration, Instant};

use hone_job::StepMetrics;

use crate::output::{bytes, duration};

/// How often a line that cannot be rewritten is written anew.
const QUIET: Duration = Duration::from_secs(10);

/// The progress line on stderr: one line that is rewritten where stderr is a terminal, else one now and then.
pub(super) struct Progress {
    shown: bool,
    terminal: bool,
    open: bool,
    stage: String,
    begun: Instant,
    /// What was done when `begun` was set: work that goes on from a checkpoint does not begin at 0.
    first: Option<u64>,
    written: Option<Instant>,
    last_step: String,
}

impl Progress {
    pub(super) fn new(shown: bool, terminal: bool) -> Self {
        Self {
            shown,
            terminal,
            open: false,
            stage: String::new(),
            begun: Instant::now(),
            first: None,
            written: None,
            last_step: String::new(),
        }
    }

    pub(super) fn stage(&mut self, name: &str) {
        name.replace('_', " ").clone_into(&mut self.stage);
        self.begun = Instant::now();
        self.first = None;
        self.written = None;
        self.last_step.clear();
        self.line(&format!("{} …", self.stage.clone()));
    }

    pub(super) fn progress(&mut self, done: u64, total: u64, unit: &str) {
        let first = *self.first.get_or_insert(done);
        let amount = |count| if unit == "bytes" { bytes(count) } else { count.to_string() };
        let unit = if unit == "bytes" { "" } else { unit };
        let mut line = match total {
            0 => format!("{}  {} {unit}", self.stage, amount(done)),
            _ => format!("{}  {} of {} {unit}", self.stage, amount(done), amount(total)),
        };
        let (gone, moved) = (self.begun.elapsed(), done.saturating_sub(first));
        if total > done && moved > 0 && gone > Duration::from_secs(2) {
            let left = gone.mul_f64((total - done) as f64 / moved as f64);
            line += &format!("  {} left", duration(left));
        }
        if !self.last_step.is_empty() {
            line += &format!("  {}", self.last_step);
        }
        self.line(line.trim_end());
    }

    pub(super) fn step(&mut self, metrics: &StepMetrics) {
        self.last_step = format!("loss {:.3}  {:.0} tokens/s", metrics.loss_ema, metrics.tokens_per_second);
        if let Some(valid) = metrics.valid_loss {
            self.say(&format!("step {}: held-out loss {valid:.4}", metrics.step));
        }
    }

    /// A line that stays.
    pub(super) fn say(&mut self, message: &str) {
        self.clear();
        if self.shown && !message.is_empty() {
            write(&format!("{message}\n"));
        }
    }

    /// The last line.
    pub(super) fn end(&mut self, message: &str) {
        self.say(message);
    }

    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.open) {
            write("\r\x1b[2K");
        }
    }

    fn line(&mut self, line: &str) {
        if !self.shown {
            return;
        }
        if self.terminal {
            self.open = true;
            write(&format!("\r\x1b[2K{line}"));
        } else if self.written.is_none_or(|written| written.elapsed() >= QUIET) {
            self.written = Some(Instant::now());
            write(&format!("{line}\n"));
        }
    }
}

fn write(text: &str) {
    let mut stderr = stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
