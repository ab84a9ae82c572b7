//! The one place where matrices are multiplied: a checked seam over the `gemm` crate, so that another BLAS can be put in.
#![allow(unsafe_code)]

use std::time::Instant;

use crate::spans;

/// A matrix to read: rows and columns with a step in memory each.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

/// A matrix to write.
pub(crate) struct MatMut<'a> {
    values: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
}

/// How many threads one product may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    /// The calling thread alone; for products inside parallel tasks.
    One,
    /// All of the current pool.
    All,
}

impl<'a> Mat<'a> {
    /// A matrix that lies row after row.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// A matrix whose rows begin `row_step` numbers apart.
    pub(crate) fn strided(values: &'a [f32], rows: usize, columns: usize, row_step: usize) -> Self {
        assert!(reaches(rows, columns, row_step) <= values.len(), "matrix {rows} x {columns} over its buffer");
        Self { values, rows, columns, row_step, column_step: 1 }
    }

    /// The transpose, without moving anything.
    pub(crate) fn t(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row_step: self.column_step, column_step: self.row_step, ..self }
    }
}

impl<'a> MatMut<'a> {
    /// A matrix that lies row after row.
    pub(crate) fn new(values: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// A matrix whose rows begin `row_step` numbers apart.
    pub(crate) fn strided(values: &'a mut [f32], rows: usize, columns: usize, row_step: usize) -> Self {
        assert!(columns <= row_step || rows <= 1, "the rows of a result overlap");
        assert!(reaches(rows, columns, row_step) <= values.len(), "matrix {rows} x {columns} over its buffer");
        Self { values, rows, columns, row_step }
    }
}

fn reaches(rows: usize, columns: usize, row_step: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_step + columns }
}

/// `y = keep · y + factor · a · b`; with `keep` 0 the old content of `y` is not read. Uses all threads.
pub(crate) fn sgemm(y: MatMut<'_>, keep: f32, a: Mat<'_>, b: Mat<'_>, factor: f32) {
    let _span = spans::product(2 * y.rows * y.columns * a.columns);
    sgemm_with(Threads::All, y, keep, a, b, factor);
}

/// As [`sgemm`], with a choice of threads.
pub(crate) fn sgemm_with(threads: Threads, y: MatMut<'_>, keep: f32, a: Mat<'_>, b: Mat<'_>, factor: f32) {
    assert!(
        a.columns == b.rows && y.rows == a.rows && y.columns == b.columns,
        "{} x {} times {} x {} into {} x {}",
        a.rows,
        a.columns,
        b.rows,
        b.columns,
        y.rows,
        y.columns,
    );
    let parallelism = match threads {
        Threads::One => gemm::Parallelism::None,
        Threads::All => gemm::Parallelism::Rayon(0),
    };
    // SAFETY: the constructors checked that the steps stay inside the three buffers, `y` is borrowed exclusively and its
    // rows do not overlap, and the sizes agree as asserted above. Every f32 is a valid value, so reading is sound.
    unsafe {
        gemm::gemm(
            y.rows,
            y.columns,
            a.columns,
            y.values.as_mut_ptr(),
            1,
            y.row_step as isize,
            keep != 0.0,
            a.values.as_ptr(),
            a.column_step as isize,
            a.row_step as isize,
            b.values.as_ptr(),
            b.column_step as isize,
            b.row_step as isize,
            keep,
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// The best rate at which this machine multiplies matrices of the sizes that training meets, with all threads, multiplications
/// and additions a second. Takes about a second.
pub fn best_product_rate() -> f64 {
    const SHAPES: [[usize; 3]; 3] = [[1024, 2048, 640], [1024, 2048, 2048], [512, 4096, 640]];
    let rate = |[rows, out, input]: [usize; 3]| {
        let (x, w) = (vec![0.5f32; rows * input], vec![0.25f32; out * input]);
        let mut y = vec![0.0f32; rows * out];
        let product = |y: &mut [f32]| {
            let begun = Instant::now();
            sgemm(MatMut::new(y, rows, out), 0.0, Mat::new(&x, rows, input), Mat::new(&w, out, input).t(), 1.0);
            begun.elapsed().as_secs_f64()
        };
        let fastest = (0..12).map(|_| product(&mut y)).fold(f64::INFINITY, f64::min);
        (2 * rows * out * input) as f64 / fastest
    };
    SHAPES.into_iter().map(rate).fold(0.0, f64::max)
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // small whole numbers
mod tests {
    use super::*;

    #[test]
    fn a_product_of_transposed_and_strided_matrices_is_the_hand_calculated_one() {
        // a = [[1, 2], [3, 4]] inside rows of 3; b^T = [[5, 6], [7, 8]].
        let a = [1.0, 2.0, 9.0, 3.0, 4.0, 9.0];
        let b = [5.0, 7.0, 6.0, 8.0];
        let mut y = [1.0, 1.0, -1.0, 1.0, 1.0];
        sgemm(MatMut::strided(&mut y, 2, 2, 3), 2.0, Mat::strided(&a, 2, 2, 3), Mat::new(&b, 2, 2).t(), 10.0);
        assert_eq!(y, [2.0 + 190.0, 2.0 + 220.0, -1.0, 2.0 + 430.0, 2.0 + 500.0]);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (rows, columns, inner) = (190, 310, 1100);
        let numbers = |count: usize| (0..count).map(|at| ((at * 7919 + 13) % 1009) as f32 / 500.0 - 1.0).collect();
        let (a, b): (Vec<f32>, Vec<f32>) = (numbers(rows * inner), numbers(columns * inner));
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut y = vec![0.0; rows * columns];
            let (a, b) = (Mat::new(&a, rows, inner), Mat::new(&b, columns, inner).t());
            pool.install(|| sgemm(MatMut::new(&mut y, rows, columns), 0.0, a, b, 1.0));
            y
        };
        assert_eq!(with(1), with(2));
        assert_eq!(with(1), with(7));
    }

    #[test]
    fn the_old_content_is_not_read_when_it_is_not_kept() {
        let mut y = [f32::NAN; 4];
        sgemm(
            MatMut::new(&mut y, 2, 2),
            0.0,
            Mat::new(&[1.0, 0.0, 0.0, 1.0], 2, 2),
            Mat::new(&[1.0, 2.0, 3.0, 4.0], 2, 2),
            1.0,
        );
        assert_eq!(y, [1.0, 2.0, 3.0, 4.0]);
    }
}
