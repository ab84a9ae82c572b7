//! Reused buffers, so that a step neither asks the system for memory nor touches fresh pages.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use crate::pages::Numbers;

/// Buffers that wait to be used again.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Mutex<Vec<Numbers>>,
}

/// A buffer on loan; dropping it gives it back. Its first content is whatever was there before.
#[derive(Debug)]
pub(crate) struct Buffer<'p> {
    pool: &'p Pool,
    values: Numbers,
    length: usize,
}

impl Pool {
    /// A buffer of `length` numbers with unspecified content.
    pub(crate) fn take(&self, length: usize) -> Buffer<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // `free` is sorted by size: the first that is large enough wastes least. One that is far too large is left alone.
        let at = free.partition_point(|values| values.len() < length);
        let found = free.get(at).is_some_and(|values| values.len() / 2 <= length);
        let values = if found {
            free.remove(at)
        } else {
            // A smaller one is given up instead, so that lengths that change from batch to batch do not pile up.
            if at > 0 {
                free.remove(at - 1);
            }
            drop(free);
            Numbers::zeros(rounded(length))
        };
        Buffer { pool: self, values, length }
    }

    /// A buffer of zeros.
    pub(crate) fn zeros(&self, length: usize) -> Buffer<'_> {
        let mut buffer = self.take(length);
        buffer.fill(0.0);
        buffer
    }
}

/// Sizes grow in steps of an eighth, so that similar lengths share buffers.
fn rounded(length: usize) -> usize {
    let step = (length.next_power_of_two() / 16).max(64);
    length.div_ceil(step) * step
}

impl Deref for Buffer<'_> {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.values[..self.length]
    }
}

impl DerefMut for Buffer<'_> {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.length]
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        let mut values = std::mem::take(&mut self.values);
        // In this crate's tests an op that reads what it did not write is caught at once.
        if cfg!(test) {
            values.fill(f32::NAN);
        }
        let mut free = self.pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        let at = free.partition_point(|other| other.len() < values.len());
        free.insert(at, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_returned_buffer_is_used_again_for_a_similar_length() {
        let pool = Pool::default();
        let first = pool.take(1000).as_ptr();
        assert_eq!(pool.take(990).as_ptr(), first);
    }

    #[test]
    fn lengths_that_keep_growing_do_not_pile_up() {
        let pool = Pool::default();
        for length in [1000, 3000, 9000, 27000] {
            drop(pool.take(length));
        }
        assert_eq!(pool.free.lock().unwrap().len(), 1);
    }
}
