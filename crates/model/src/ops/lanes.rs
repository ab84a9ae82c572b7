//! Sums and element-wise loops over rows, written in fixed lanes so that they vectorise and always add in one order.

use super::simd::wide;

/// Numbers added side by side; the order of a sum does not depend on the processor.
pub(crate) const LANES: usize = 16;

/// From one row of `width` numbers to the next, in buffers that products write. Rows that begin at multiples of 2 kB fall on few places of
/// a processor's caches, so these are kept a cache line apart.
pub(crate) fn row_step(width: usize) -> usize {
    if width.is_multiple_of(512) { width + LANES } else { width }
}

/// Adds the lanes pairwise.
#[inline(always)]
pub(crate) fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// The inner product of two rows of equal length.
#[inline(always)]
pub(crate) fn dot_body(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    let mut sum = fold(lanes);
    for (a, b) in a_rest.iter().zip(b_rest) {
        sum += a * b;
    }
    sum
}

wide! {
    /// The inner product of two rows of equal length.
    pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
        dot_body(a, b)
    }
}

wide! {
    /// `a += b`.
    pub(crate) fn add(a: &mut [f32], b: &[f32]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a += b;
        }
    }
}

wide! {
    /// `a *= factor`.
    pub(crate) fn scale(a: &mut [f32], factor: f32) {
        for a in a.iter_mut() {
            *a *= factor;
        }
    }
}
