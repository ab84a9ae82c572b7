//! Foreign programs (chat templates are programs) at work with bounds on their memory and time.
//!
//! The template engine counts steps, but one step can double a text, so that forty of them fill any memory. Nothing in the engine can be
//! told to stop at a size. So a template runs on a thread of its own with a budget, which the allocator keeps: the allocation
//! that would exceed it never returns. The thread is left behind, asleep, with what it holds, and ends with the worker.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The system's allocator with a budget for the threads that have one. A program that renders foreign templates makes it its own:
///
/// ```text
/// #[global_allocator]
/// static ALLOCATOR: hone_model::chat::BudgetedAllocator = hone_model::chat::BudgetedAllocator;
/// ```
pub struct BudgetedAllocator;

thread_local! {
    /// Bytes that this thread may still take.
    static LEFT: Cell<isize> = const { Cell::new(isize::MAX) };
    /// Set when it asked for more.
    static EXCEEDED: Cell<*const AtomicBool> = const { Cell::new(std::ptr::null()) };
}

/// Takes bytes from this thread's budget, if it has one. Does not return when there are not enough.
fn spend(bytes: usize) {
    let flag = EXCEEDED.get();
    if flag.is_null() {
        return;
    }
    let left = LEFT.get().saturating_sub_unsigned(bytes);
    LEFT.set(left);
    if left < 0 {
        // SAFETY: the thread's own handle on the flag is never dropped before this is reset in `run`, and this thread stays here.
        unsafe { &*flag }.store(true, Ordering::Release);
        loop {
            std::thread::park();
        }
    }
}

fn give_back(bytes: usize) {
    if !EXCEEDED.get().is_null() {
        LEFT.set(LEFT.get().saturating_add_unsigned(bytes));
    }
}

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing and touches plain thread-local cells only.
unsafe impl GlobalAlloc for BudgetedAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        spend(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        spend(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Both may exist for a moment.
        spend(new_size);
        // SAFETY: the caller's promises are passed on.
        let moved = unsafe { System.realloc(pointer, layout, new_size) };
        give_back(if moved.is_null() { new_size } else { layout.size() });
        moved
    }
}

/// What a guarded piece of work did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overrun {
    Memory,
    Time,
    Panicked,
}

/// Does `work` on a thread that may hold `bytes` at most at a time and take `time` at most.
pub(super) fn run<T: Send + 'static>(
    bytes: usize,
    time: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Overrun> {
    let (sender, receiver) = mpsc::channel();
    let exceeded = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&exceeded);
    let guarded = move || {
        LEFT.set(isize::try_from(bytes).unwrap_or(isize::MAX));
        EXCEEDED.set(Arc::as_ptr(&flag));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        EXCEEDED.set(std::ptr::null());
        let _ = sender.send(done);
    };
    if std::thread::Builder::new().name("template".to_owned()).stack_size(8 << 20).spawn(guarded).is_err() {
        return Err(Overrun::Memory);
    }
    let end = Instant::now() + time;
    loop {
        match receiver.recv_timeout(Duration::from_millis(20)) {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(Overrun::Panicked),
            Err(RecvTimeoutError::Timeout) if exceeded.load(Ordering::Acquire) => return Err(Overrun::Memory),
            Err(RecvTimeoutError::Timeout) if Instant::now() > end => return Err(Overrun::Time),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
