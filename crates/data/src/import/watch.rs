//! PDFs are read by foreign code that a hostile file can keep busy for ever: it is watched, and given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use hone_job::Cancelled;

use crate::Issue;
use crate::import::read::stopped;
use crate::import::{Format, Input, Parsed, pdf};

/// How often the reader is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Reads a PDF on a thread of its own. When no page is finished for `max_page_seconds`, or the job is cancelled, the
/// thread is left behind: it cannot be ended, but the worker's process ends with its job.
///
/// # Errors
/// [`Cancelled`] when the job was asked to stop.
pub(super) fn pdf(input: &Input, stack: usize) -> Result<Parsed, Cancelled> {
    let pages = Arc::new(AtomicU32::new(0));
    let (done, finished) = mpsc::channel();
    let (name, bytes, options, job) = (input.name.to_owned(), input.bytes.to_vec(), *input.options, input.job.clone());
    let seen = Arc::clone(&pages);
    let work = move || {
        let input = Input { name: &name, bytes: &bytes, options: &options, job: &job };
        done.send(pdf::read(&input, &seen)).ok();
    };
    if std::thread::Builder::new().name("reader".to_owned()).stack_size(stack).spawn(work).is_err() {
        return Ok(stopped(Format::Pdf, input.name, "there is no memory to read it in"));
    }
    let (mut last, mut since) = (0, Instant::now());
    loop {
        match finished.recv_timeout(LOOK) {
            Ok(parsed) => return parsed,
            Err(RecvTimeoutError::Disconnected) => return Ok(stopped(Format::Pdf, input.name, "no cause given")),
            Err(RecvTimeoutError::Timeout) => {}
        }
        input.job.check()?;
        let page = pages.load(Ordering::Relaxed);
        if page != last {
            (last, since) = (page, Instant::now());
        } else if since.elapsed().as_secs() >= input.options.max_page_seconds {
            return Ok(Parsed::nothing(Issue::unreadable(
                "too_slow",
                input.name,
                format!(
                    "Reading was given up at page {}, which took longer than {} seconds",
                    page + 1,
                    input.options.max_page_seconds
                ),
                "Open it in a PDF viewer, print it into a new PDF, and import that",
            )));
        }
    }
}
