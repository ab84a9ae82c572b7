//! Operands laid out anew, as the tiles read them.

use std::arch::x86_64::{
    _mm_loadu_ps, _mm_movehl_ps, _mm_movelh_ps, _mm_mul_ps, _mm_set1_ps, _mm_storeu_ps, _mm_unpackhi_ps,
    _mm_unpacklo_ps,
};
use std::cell::Cell;
use std::ops::Range;
use std::thread::LocalKey;

use super::Mat;
use crate::pages::Numbers;

/// Memory that a thread keeps from product to product.
#[derive(Default)]
pub(super) struct Room(Numbers);

impl Room {
    /// `length` numbers of unspecified content, from the beginning of a cache line.
    pub(super) fn numbers(&mut self, length: usize) -> &mut [f32] {
        if self.0.len() < length {
            // In steps, so that lengths that grow do not ask each time.
            self.0 = Numbers::zeros(length.next_power_of_two());
        }
        &mut self.0[..length]
    }
}

thread_local! {
    /// For lanes.
    pub(super) static LANES: Cell<Room> = Cell::default();
    /// For rows.
    pub(super) static ROWS: Cell<Room> = Cell::default();
}

/// Does `work` with a thread's memory. A task that comes in between on the same thread gets memory of its own.
pub(super) fn with<T>(key: &'static LocalKey<Cell<Room>>, work: impl FnOnce(&mut Room) -> T) -> T {
    let mut room = key.take();
    let result = work(&mut room);
    key.set(room);
    result
}

/// Lays the `columns` of some rows (`depth`) of a matrix times `factor` side by side into `to`, each row `width` wide, with zeros
/// beyond the last column.
pub(super) fn pack(
    matrix: Mat<'_>,
    depth: Range<usize>,
    columns: Range<usize>,
    factor: f32,
    width: usize,
    to: &mut [f32],
) {
    let count = columns.len();
    debug_assert!(count <= width && to.len() == depth.len() * width);
    let at = |row: usize, column: usize| &matrix.values[row * matrix.row_step + column * matrix.column_step..];
    if depth.is_empty() {
        return;
    }
    if matrix.column_step == 1 {
        for (row, to) in depth.zip(to.chunks_exact_mut(width)) {
            copy(&at(row, columns.start)[..count], factor, to);
        }
        return;
    }
    let turned = if matrix.row_step == 1 { count / 4 * 4 } else { 0 };
    for first in (0..turned).step_by(4) {
        let from = std::array::from_fn(|i| &at(depth.start, columns.start + first + i)[..depth.len()]);
        turn(from, factor, width, &mut to[first..]);
    }
    for column in turned..width {
        let places = to[column..].iter_mut().step_by(width);
        if column < count {
            depth.clone().zip(places).for_each(|(row, to)| *to = at(row, columns.start + column)[0] * factor);
        } else {
            places.for_each(|to| *to = 0.0);
        }
    }
}

/// One row of [`pack`].
pub(super) fn copy(from: &[f32], factor: f32, to: &mut [f32]) {
    let (to, beyond) = to.split_at_mut(from.len());
    let (eights, rest) = from.as_chunks::<8>();
    let (to_eights, to_rest) = to.as_chunks_mut::<8>();
    for (to, from) in to_eights.iter_mut().zip(eights) {
        for i in 0..8 {
            to[i] = from[i] * factor;
        }
    }
    for (to, from) in to_rest.iter_mut().zip(rest) {
        *to = from * factor;
    }
    beyond.fill(0.0);
}

/// Four columns that lie one after the other become four numbers of each row.
#[allow(clippy::many_single_char_names)] // four vectors and their halves
fn turn(from: [&[f32]; 4], factor: f32, width: usize, to: &mut [f32]) {
    let length = from[0].len();
    assert!(from.iter().all(|column| column.len() == length) && (length - 1) * width + 4 <= to.len());
    let whole = length / 4 * 4;
    for at in (0..whole).step_by(4) {
        // SAFETY: `at + 4 <= length`, and the last row written is below `length`; the lengths were checked above.
        unsafe {
            let factor = _mm_set1_ps(factor);
            let [a, b, c, d] = from.map(|column| _mm_mul_ps(_mm_loadu_ps(column.as_ptr().add(at)), factor));
            let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
            let (ef, gh) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
            let rows = [_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab), _mm_movelh_ps(ef, gh), _mm_movehl_ps(gh, ef)];
            for (row, four) in rows.into_iter().enumerate() {
                _mm_storeu_ps(to.as_mut_ptr().add((at + row) * width), four);
            }
        }
    }
    for at in whole..length {
        for (i, column) in from.iter().enumerate() {
            to[at * width + i] = column[at] * factor;
        }
    }
}
