//! Long buffers, in large pages, from the beginning of a cache line, and not all from the same place of a page. A processor keeps the
//! places of few pages at hand, and a step goes through gigabytes of pages of 4 kB; a vector that lies across two lines is read at half
//! the speed; and what is read from one buffer waits for what was written to the same place of another's page.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use memmap2::MmapMut;

/// What Linux makes one page of where it is asked to, bytes.
const LARGE: usize = 1 << 21;
/// What it makes one page of else.
const SMALL: usize = 4096;
/// Of a cache line, bytes.
const LINE: usize = 64;
/// Of a number, bytes.
const NUMBER: usize = size_of::<f32>();
/// Long buffers so far.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Numbers in a row.
#[derive(Debug)]
pub(crate) struct Numbers {
    memory: Memory,
    /// The first number that is used. What lies before it is never written, and takes no memory where it is long.
    start: usize,
    length: usize,
}

#[derive(Debug)]
enum Memory {
    Short(Vec<f32>),
    /// From the system itself: what the allocator gives may have been written before, and then all of it takes memory.
    Long(MmapMut),
}

impl Numbers {
    /// `length` zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        if length * NUMBER >= LARGE
            && let Ok(map) = MmapMut::map_anon(length * NUMBER + LARGE + SMALL)
        {
            let first = map.as_ptr().align_offset(LARGE).min(LARGE);
            let place = COUNT.fetch_add(1, Relaxed) * 7 * LINE % SMALL;
            // Advice that a system cannot follow costs nothing but time.
            #[cfg(target_os = "linux")]
            let _ = map.advise_range(memmap2::Advice::HugePage, first, (place + length * NUMBER) / LARGE * LARGE);
            return Self { memory: Memory::Long(map), start: (first + place) / NUMBER, length };
        }
        let values = vec![0.0f32; length + LINE / NUMBER];
        let start = values.as_ptr().align_offset(LINE).min(LINE / NUMBER);
        Self { memory: Memory::Short(values), start, length }
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Self::zeros(0)
    }
}

impl Deref for Numbers {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        let all = match &self.memory {
            Memory::Short(values) => values,
            Memory::Long(map) => bytemuck::cast_slice(map),
        };
        &all[self.start..self.start + self.length]
    }
}

impl DerefMut for Numbers {
    fn deref_mut(&mut self) -> &mut [f32] {
        let all = match &mut self.memory {
            Memory::Short(values) => values.as_mut_slice(),
            Memory::Long(map) => bytemuck::cast_slice_mut(map),
        };
        &mut all[self.start..self.start + self.length]
    }
}

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
