//! Long buffers, in large pages, from the beginning of a cache line, and not all from the same place of a page. A processor keeps the
//! places of few pages at hand, and a step goes through gigabytes of pages of 4 kB; a vector that lies across two lines is read at half
//! the speed; and what is read from one buffer waits for what was written to the same place of another's page.
#![allow(unsafe_code)] // a call of the system

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What Linux makes one page of where it is asked to, bytes.
const LARGE: usize = 1 << 21;
/// What it makes one page of else.
const SMALL: usize = 4096;
/// Of a cache line, bytes.
const LINE: usize = 64;
/// Buffers so far.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Numbers in a row.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    values: Vec<f32>,
    /// The first of them that is used.
    start: usize,
}

impl Numbers {
    /// `length` zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        const NUMBER: usize = size_of::<f32>();
        let page = if length * NUMBER < LARGE { LINE } else { LARGE };
        let place = if page == LARGE { COUNT.fetch_add(1, Relaxed) * 7 * LINE % SMALL } else { 0 };
        // What lies before the beginning is never written, and so takes no memory.
        let values = vec![0.0f32; length + (page + place) / NUMBER];
        let first = values.as_ptr().align_offset(page).min(page / NUMBER);
        let mut numbers = Self { values, start: first + place / NUMBER };
        numbers.values.truncate(numbers.start + length);
        ask_for_large(&numbers.values[first..]);
        numbers
    }
}

impl Deref for Numbers {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.values[self.start..]
    }
}

impl DerefMut for Numbers {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..]
    }
}

/// What begins with a page becomes large pages when it is first written, as far as it fills them.
#[cfg(target_os = "linux")]
fn ask_for_large(numbers: &[f32]) {
    let pages = size_of_val(numbers) / LARGE;
    if pages > 0 {
        // SAFETY: advice about whole pages inside a buffer that is ours; it changes no content. A system that cannot follow it says so,
        // and nothing is lost but time.
        unsafe { libc::madvise(numbers.as_ptr().cast_mut().cast(), pages * LARGE, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large(_numbers: &[f32]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_any_length_begin_with_a_line_and_hold_zeros() {
        for length in [0, 1, 100, 524_287, 524_288, 600_000] {
            let mut numbers = Numbers::zeros(length);
            assert!(numbers.len() == length && numbers.iter().all(|number| *number == 0.0), "{length}");
            assert_eq!(numbers.as_ptr().addr() % LINE, 0, "{length}");
            numbers.fill(1.0);
        }
    }
}
