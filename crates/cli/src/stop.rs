#![allow(unsafe_code)] // signals

//! What stops a verb: a line `cancel` on stdin, SIGINT, SIGTERM. Closed stdin does not.

use std::io::{BufRead, IsTerminal, stdin};
use std::thread;

use hone_job::Job;

/// Begins to listen. `lines` tells whether stdin is for us; a terminal's is left alone, since reading it would stop a
/// worker in the background.
pub fn listen(job: &Job, lines: bool) {
    signals(job.clone());
    if lines && !stdin().is_terminal() {
        let job = job.clone();
        thread::spawn(move || {
            for line in stdin().lock().lines().map_while(Result::ok) {
                if line.trim() == "cancel" {
                    job.cancel();
                }
            }
        });
    }
}

/// The first signal asks to stop, the second ends at once.
#[cfg(unix)]
fn signals(job: Job) {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set before it is used, and no other thread runs yet, so that every thread
    // inherits the mask and the signals reach only the thread that waits for them.
    let set = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
        set.assume_init()
    };
    thread::spawn(move || {
        for _ in 0..2 {
            let mut signal = 0;
            // SAFETY: both point to live values of this thread.
            if unsafe { libc::sigwait(&raw const set, &raw mut signal) } != 0 {
                return;
            }
            if job.is_cancelled() {
                std::process::exit(3);
            }
            job.cancel();
        }
    });
}

#[cfg(not(unix))]
fn signals(_job: Job) {}
