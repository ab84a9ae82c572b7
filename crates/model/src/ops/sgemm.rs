//! The one place where matrices are multiplied: our own tiles where the processor has AVX-512 or AVX2 (ADR 22), else the `gemm` crate.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod blocked;
#[cfg(target_arch = "x86_64")]
mod packing;
#[cfg(target_arch = "x86_64")]
mod tiles;

use std::time::Instant;

use crate::pages::Numbers;
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

    /// How many columns it has.
    pub(crate) fn columns(&self) -> usize {
        self.columns
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

/// One product in a sum of them: `factor · a · b`.
#[derive(Clone, Copy)]
pub(crate) struct Term<'a> {
    pub(crate) a: Mat<'a>,
    pub(crate) b: Mat<'a>,
    pub(crate) factor: f32,
}

impl Term<'_> {
    /// Multiplications and additions.
    fn flops(&self) -> usize {
        2 * self.a.rows * self.a.columns * self.b.columns
    }
}

/// Whether a result begins with what is there or from nothing, in which case it is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Onto {
    /// `y = …`
    Nothing,
    /// `y = y + …`
    Itself,
}

/// `factor · a · b`, written or added to `y`. Uses all threads.
pub(crate) fn sgemm(y: MatMut<'_>, onto: Onto, a: Mat<'_>, b: Mat<'_>, factor: f32) {
    sgemm_sum(y, onto, &[Term { a, b, factor }]);
}

/// The sum of one or two products, written or added to `y` in one go. Uses all threads.
pub(crate) fn sgemm_sum(y: MatMut<'_>, onto: Onto, terms: &[Term<'_>]) {
    let _span = spans::product(terms.iter().map(Term::flops).sum());
    sgemm_with(Threads::All, y, onto, terms);
}

/// As [`sgemm_sum`], with a choice of threads.
pub(crate) fn sgemm_with(threads: Threads, mut y: MatMut<'_>, onto: Onto, terms: &[Term<'_>]) {
    for Term { a, b, .. } in terms {
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
    }
    if y.rows == 0 || y.columns == 0 {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = tiles::Kernel::of_this_processor() {
        return blocked::product(kernel, threads, &mut y, onto == Onto::Itself, terms);
    }
    gemm_with(threads, &mut y, onto, terms);
}

/// The same by the `gemm` crate.
fn gemm_with(threads: Threads, y: &mut MatMut<'_>, onto: Onto, terms: &[Term<'_>]) {
    let parallelism = match threads {
        Threads::One => gemm::Parallelism::None,
        Threads::All => gemm::Parallelism::Rayon(0),
    };
    for (at, Term { a, b, factor }) in terms.iter().enumerate() {
        let keep = onto == Onto::Itself || at > 0;
        // SAFETY: the constructors checked that the steps stay inside the three buffers, `y` is borrowed exclusively and its
        // rows do not overlap, and the sizes agree as the caller asserted. Every f32 is a valid value, so reading is sound.
        unsafe {
            gemm::gemm(
                y.rows,
                y.columns,
                a.columns,
                y.values.as_mut_ptr(),
                1,
                y.row_step as isize,
                keep,
                a.values.as_ptr(),
                a.column_step as isize,
                a.row_step as isize,
                b.values.as_ptr(),
                b.column_step as isize,
                b.row_step as isize,
                if keep { 1.0 } else { 0.0 },
                *factor,
                false,
                false,
                false,
                parallelism,
            );
        }
    }
}

/// The best rate at which this machine multiplies matrices of the sizes that training meets, with all threads and whichever of our own
/// tiles and the `gemm` crate is faster; multiplications and additions a second. Takes about two seconds.
pub fn best_product_rate() -> f64 {
    const SHAPES: [[usize; 3]; 3] = [[1024, 2048, 640], [1024, 2048, 2048], [512, 4096, 640]];
    let ways: [Way; 2] = [sgemm_with, |threads, mut y, onto, terms| gemm_with(threads, &mut y, onto, terms)];
    SHAPES.into_iter().flat_map(|shape| ways.map(|way| rate(shape, way, 12))).fold(0.0, f64::max)
}

/// The rate at which this machine multiplies just now, as [`best_product_rate`] but within a few hundredths of a second.
pub fn product_rate() -> f64 {
    rate([256, 2048, 640], sgemm_with, 4)
}

type Way = fn(Threads, MatMut<'_>, Onto, &[Term<'_>]);

/// Of `rows` rows of `input` numbers into `out`, the fastest of `times`.
fn rate([rows, out, input]: [usize; 3], multiply: Way, times: usize) -> f64 {
    // As the buffers of a step lie.
    let [mut x, mut w, mut y] = [rows * input, out * input, rows * out].map(Numbers::zeros);
    x.fill(0.5);
    w.fill(0.25);
    let term = Term { a: Mat::new(&x, rows, input), b: Mat::new(&w, out, input).t(), factor: 1.0 };
    let mut time = || {
        let begun = Instant::now();
        multiply(Threads::All, MatMut::new(&mut y, rows, out), Onto::Nothing, &[term]);
        begun.elapsed().as_secs_f64()
    };
    term.flops() as f64 / (0..times).map(|_| time()).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // small whole numbers
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_product_of_transposed_and_strided_matrices_is_the_hand_calculated_one() {
        // a = [[1, 2], [3, 4]] inside rows of 3; b^T = [[5, 6], [7, 8]].
        let a = [1.0, 2.0, 9.0, 3.0, 4.0, 9.0];
        let b = [5.0, 7.0, 6.0, 8.0];
        let mut y = [1.0, 1.0, -1.0, 1.0, 1.0];
        let (a, b) = (Mat::strided(&a, 2, 2, 3), Mat::new(&b, 2, 2).t());
        sgemm(MatMut::strided(&mut y, 2, 2, 3), Onto::Itself, a, b, 10.0);
        assert_eq!(y, [1.0 + 190.0, 1.0 + 220.0, -1.0, 1.0 + 430.0, 1.0 + 500.0]);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        // Many rows, and few; columns that fill vectors, and that do not; lanes that are turned, laid out, or read where they lie.
        for (rows, columns, turned) in [
            (190, 310, true),
            (31, 310, true),
            (190, 310, false),
            (31, 310, false),
            (190, 320, false),
            (31, 320, false),
        ] {
            let inner = 1300;
            // Not whole numbers: another order of a sum shows.
            let odd = |count, seed| numbers(count, seed).into_iter().map(|number| number / 7.0).collect::<Vec<_>>();
            let (a, b) = (odd(rows * inner, 13), odd(columns * inner, 17));
            let with = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut y = vec![0.0; rows * columns];
                let b = if turned { Mat::new(&b, columns, inner).t() } else { Mat::new(&b, inner, columns) };
                let a = Mat::new(&a, rows, inner);
                pool.install(|| sgemm(MatMut::new(&mut y, rows, columns), Onto::Nothing, a, b, 1.0));
                y
            };
            for threads in [2, 7] {
                assert!(with(1) == with(threads), "{rows} x {columns}, turned: {turned}, {threads} threads");
            }
        }
    }

    #[test]
    fn the_old_content_is_not_read_when_it_is_not_kept() {
        let mut y = [f32::NAN; 4];
        let (a, b) = (Mat::new(&[1.0, 0.0, 0.0, 1.0], 2, 2), Mat::new(&[1.0, 2.0, 3.0, 4.0], 2, 2));
        sgemm(MatMut::new(&mut y, 2, 2), Onto::Nothing, a, b, 1.0);
        assert_eq!(y, [1.0, 2.0, 3.0, 4.0]);
    }

    /// Small whole numbers, so that sums are exact in any order.
    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 7919 + seed) % 17) as f32 - 8.0).collect()
    }

    /// An operand of a product, `[rows, columns]`, in memory with `gap` numbers after each row, as it is or transposed.
    fn operand(values: &[f32], rows: usize, columns: usize, gap: usize, transposed: bool) -> Mat<'_> {
        if transposed {
            operand(values, columns, rows, gap, false).t()
        } else {
            Mat::strided(values, rows, columns, columns + gap)
        }
    }

    type Way = fn(Threads, &mut MatMut<'_>, Onto, &[Term<'_>]);

    /// Every way to multiply that this processor has.
    fn ways() -> Vec<Way> {
        let mut ways: Vec<Way> = vec![gemm_with];
        #[cfg(target_arch = "x86_64")]
        {
            use tiles::Kernel;
            let ours: [(Kernel, Way); 2] = [
                (Kernel::Avx2, |threads, y, onto, terms| {
                    blocked::product(Kernel::Avx2, threads, y, onto == Onto::Itself, terms);
                }),
                (Kernel::Avx512, |threads, y, onto, terms| {
                    blocked::product(Kernel::Avx512, threads, y, onto == Onto::Itself, terms);
                }),
            ];
            ways.extend(ours.into_iter().filter(|(kernel, _)| kernel.runs_here()).map(|(_, way)| way));
        }
        ways
    }

    /// Compares all ways with the sum written out, for terms of these depths whose operands may be transposed.
    fn check([rows, columns, gap]: [usize; 3], depths: &[usize], transposed: [bool; 2], onto: Onto, threads: Threads) {
        let old = numbers(rows * (columns + gap), 3);
        let operands: Vec<_> = depths
            .iter()
            .map(|depth| {
                let length = |rows: usize, columns: usize| (rows + gap) * (columns + gap);
                (numbers(length(rows, *depth), depth + 1), numbers(length(*depth, columns), depth + 2), *depth)
            })
            .collect();
        let terms: Vec<_> = operands
            .iter()
            .zip([2.0, -1.0])
            .map(|((a, b, depth), factor)| Term {
                a: operand(a, rows, *depth, gap, transposed[0]),
                b: operand(b, *depth, columns, gap, transposed[1]),
                factor,
            })
            .collect();
        let at = |matrix: &Mat<'_>, row: usize, column: usize| {
            matrix.values[row * matrix.row_step + column * matrix.column_step]
        };
        let mut expected = old.clone();
        for row in 0..rows {
            for column in 0..columns {
                let place = &mut expected[row * (columns + gap) + column];
                *place = if onto == Onto::Itself { *place } else { 0.0 };
                for Term { a, b, factor } in &terms {
                    *place +=
                        (0..a.columns).map(|inner| at(a, row, inner) * at(b, inner, column)).sum::<f32>() * factor;
                }
            }
        }
        for (way, multiply) in ways().into_iter().enumerate() {
            let mut y = old.clone();
            multiply(threads, &mut MatMut::strided(&mut y, rows, columns, columns + gap), onto, &terms);
            assert!(y == expected, "way {way}: {rows} x {columns}, {depths:?}, {transposed:?}, {onto:?}, {threads:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn every_way_to_multiply_gives_the_sum_written_out(
            sizes in prop_oneof![[1..40usize, 1..40, 0..4], [90..130usize, 1..70, 0..4], [1..70usize, 90..130, 0..4]],
            depths in prop::collection::vec(0..90usize, 1..3),
            transposed in any::<[bool; 2]>(),
            itself in any::<bool>(),
            alone in any::<bool>(),
        ) {
            let onto = if itself { Onto::Itself } else { Onto::Nothing };
            check(sizes, &depths, transposed, onto, if alone { Threads::One } else { Threads::All });
        }
    }

    #[test]
    fn sums_that_are_taken_in_stretches_and_rows_that_are_laid_out_anew_change_nothing() {
        for transposed in [[false, false], [false, true], [true, false], [true, true]] {
            for sizes in [[120, 300, 0], [300, 30, 0], [30, 300, 1]] {
                check(sizes, &[1536, 20], transposed, Onto::Itself, Threads::All);
            }
        }
    }
}
