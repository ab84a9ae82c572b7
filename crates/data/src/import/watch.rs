//! Files whose readers a hostile file can keep busy for ever: they are watched, and given up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use hone_job::Cancelled;

use crate::Issue;
use crate::import::read::{panicked, stopped};
use crate::import::{Format, Input, Parsed};

/// How often the reader is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// A file may take a second longer for each such part of it, bytes.
const BYTES_PER_SECOND: u64 = 1 << 20;

/// What reads a file; the number that it is given counts the pages behind it.
pub(super) type Work = fn(Format, &Input, &AtomicU32) -> Result<Parsed, Cancelled>;

/// Reads a file on a thread of its own. When no page is finished for `max_page_seconds` (and, where the format has no
/// pages, a second more for each megabyte), or the job is cancelled, the thread is left behind: it cannot be ended, but
/// the worker's process ends with its job.
///
/// # Errors
/// [`Cancelled`] when the job was asked to stop.
pub(super) fn watched(format: Format, input: &Input, stack: usize, work: Work) -> Result<Parsed, Cancelled> {
    let pages = Arc::new(AtomicU32::new(0));
    let (done, finished) = mpsc::channel();
    let (name, bytes, options, job) =
        (input.name.to_owned(), input.bytes.to_vec(), input.options.clone(), input.job.clone());
    let seen = Arc::clone(&pages);
    let read = move || {
        let input = Input { name: &name, bytes: &bytes, options: &options, job: &job };
        let parsed = catch_unwind(AssertUnwindSafe(|| work(format, &input, &seen)));
        // Nobody listens any more where it was given up.
        done.send(parsed.unwrap_or_else(|panic| Ok(panicked(format, input.name, &*panic)))).ok();
    };
    if std::thread::Builder::new().name("reader".to_owned()).stack_size(stack).spawn(read).is_err() {
        return Ok(stopped(format, input.name, "there is no memory to read it in"));
    }
    let more = match format {
        Format::Pdf => input.options.ocr.as_ref().map_or(0, |recogniser| recogniser.max_page_seconds),
        _ => input.bytes.len() as u64 / BYTES_PER_SECOND,
    };
    let most = input.options.max_page_seconds + more;
    let (mut last, mut since) = (0, Instant::now());
    loop {
        match finished.recv_timeout(LOOK) {
            Ok(parsed) => return parsed,
            Err(RecvTimeoutError::Disconnected) => return Ok(stopped(format, input.name, "no cause given")),
            Err(RecvTimeoutError::Timeout) => {}
        }
        input.job.check()?;
        let page = pages.load(Ordering::Relaxed);
        if page != last {
            (last, since) = (page, Instant::now());
        } else if since.elapsed().as_secs() >= most {
            return Ok(Parsed::nothing(given_up(format, input.name, page, most)));
        }
    }
}

fn given_up(format: Format, name: &str, page: u32, seconds: u64) -> Issue {
    if format == Format::Pdf {
        let message = format!("Reading was given up at page {}, which took longer than {seconds} seconds", page + 1);
        let hint = "Open it in a PDF viewer, print it into a new PDF, and import that";
        return Issue::unreadable("too_slow", name, message, hint);
    }
    let message = format!("Reading was given up after {seconds} seconds");
    let hint = format!("Open it in {}, save it as plain text or PDF, and import that", format.program());
    Issue::unreadable("too_slow", name, message, &hint)
}

#[cfg(test)]
mod tests {
    use hone_job::Job;

    use super::*;
    use crate::import::ReadOptions;

    fn check(work: Work, options: &ReadOptions, job: &Job) -> Result<Issue, Cancelled> {
        let input = Input { name: "t.html", bytes: b"x", options, job };
        watched(Format::Html, &input, 1 << 20, work).map(|parsed| parsed.issues.into_iter().next().unwrap())
    }

    #[test]
    fn a_reader_that_never_ends_is_given_up_or_left_when_the_job_is_cancelled() {
        let work: Work = |_, _, _| {
            loop {
                std::thread::park();
            }
        };
        let options = ReadOptions { max_page_seconds: 0, ..ReadOptions::default() };
        let issue = check(work, &options, &Job::silent()).unwrap();
        assert_eq!((issue.code.as_str(), issue.message.as_str()), ("too_slow", "Reading was given up after 0 seconds"));
        let job = Job::silent();
        job.cancel();
        assert!(check(work, &ReadOptions::default(), &job).is_err());
    }

    #[test]
    #[allow(clippy::panic)]
    fn a_reader_that_panics_costs_its_file() {
        let issue = check(|_, _, _| panic!("a bad byte"), &ReadOptions::default(), &Job::silent()).unwrap();
        assert_eq!(issue.code, "damaged");
        assert!(issue.message.ends_with("a bad byte"), "{}", issue.message);
    }
}
