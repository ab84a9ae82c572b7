//! `DoRA` (Liu et al. 2024, <https://arxiv.org/abs/2402.09353>): the adapted weight's rows are brought to lengths that are
//! trained: `y = gain · (W + scaling · B · A) x` with `gain = magnitude / |W + scaling · B · A|`, row by row.
//!
//! As in PEFT the length in the denominator counts as a constant in the backward pass (the paper's section 4.3), and with
//! dropout the frozen product keeps the whole input: `y = W x + (gain - 1) · u + scaling · B A x'` with
//! `u = (W + scaling · B · A) x'` and the dropped input `x'`.

use std::ops::Range;

use rayon::prelude::*;

use super::lanes::dot;
use super::sgemm::{Mat, MatMut, Onto, sgemm};
use crate::pool::Pool;

/// Rows of the weight at a time, so that the sum is never whole in memory.
const ROWS: usize = 256;
/// Token rows per parallel task.
const TOKENS: usize = 16;
/// Columns per parallel task of a sum over tokens.
const COLUMNS: usize = 64;

/// The trained lengths of one projection's rows, and their lengths now.
pub(crate) struct Magnitude<'a> {
    /// The trained lengths in the flat buffer.
    pub(crate) range: Range<usize>,
    /// `|W + scaling · B · A|`, row by row.
    pub(crate) norms: &'a [f32],
}

impl Magnitude<'_> {
    /// What each output is multiplied by.
    pub(super) fn gains(&self, params: &[f32]) -> Vec<f32> {
        let lengths = params[self.range.clone()].iter().zip(self.norms);
        // A row of zeros has no direction that could be made longer.
        lengths.map(|(wanted, norm)| if *norm > 0.0 { wanted / norm } else { 0.0 }).collect()
    }

    /// Adds the gradient of the lengths: per column the sum over tokens of `dy · u`, over the row's length now. `dy` begins at
    /// the projection's first column of rows `stride` wide, `u` is `[tokens, out]`.
    pub(super) fn gradient(&self, dy: &[f32], stride: usize, u: &[f32], grads: &mut [f32]) {
        let out = self.norms.len();
        let grads = &mut grads[self.range.clone()];
        grads.par_chunks_mut(COLUMNS).zip(self.norms.par_chunks(COLUMNS)).enumerate().for_each(
            |(chunk, (grads, norms))| {
                let first = chunk * COLUMNS;
                let mut sums = [0.0f32; COLUMNS];
                for (token, u) in u.chunks_exact(out).enumerate() {
                    let dy = &dy[token * stride + first..][..norms.len()];
                    for ((sum, dy), u) in sums.iter_mut().zip(dy).zip(&u[first..]) {
                        *sum += dy * u;
                    }
                }
                for ((grad, sum), norm) in grads.iter_mut().zip(sums).zip(norms) {
                    if *norm > 0.0 {
                        *grad += sum / norm;
                    }
                }
            },
        );
    }
}

/// The length of each row of `weight + scaling · b · a`; `weight` is `[out, input]`, `b` `[out, rank]`, `a` `[rank, input]`.
pub(crate) fn row_norms(pool: &Pool, weight: &[f32], b: &[f32], a: &[f32], rank: usize, scaling: f32) -> Vec<f32> {
    let (out, input) = (b.len() / rank, a.len() / rank);
    let mut norms = vec![0.0; out];
    let mut sum = pool.take(ROWS.min(out) * input);
    for (chunk, norms) in norms.chunks_mut(ROWS).enumerate() {
        let (first, rows) = (chunk * ROWS, norms.len());
        let sum = &mut sum[..rows * input];
        sum.copy_from_slice(&weight[first * input..(first + rows) * input]);
        let b = Mat::new(&b[first * rank..(first + rows) * rank], rows, rank);
        sgemm(MatMut::new(sum, rows, input), Onto::Itself, b, Mat::new(a, rank, input), scaling);
        norms.par_iter_mut().zip(sum.par_chunks(input)).for_each(|(norm, row)| *norm = dot(row, row).sqrt());
    }
    norms
}

/// Multiplies `gains.len()` columns of rows `stride` wide, which begin at `column`, by their gains.
pub(super) fn scale_columns(y: &mut [f32], stride: usize, column: usize, gains: &[f32]) {
    y.par_chunks_mut(TOKENS * stride).for_each(|rows| {
        for row in rows.chunks_exact_mut(stride) {
            for (value, gain) in row[column..].iter_mut().zip(gains) {
                *value *= gain;
            }
        }
    });
}

/// Adds `(gain - 1) · u` to columns of rows `stride` wide, which begin at `column`; `u` is `[tokens, gains.len()]`.
pub(super) fn add_gained(y: &mut [f32], stride: usize, column: usize, gains: &[f32], u: &[f32]) {
    y.par_chunks_mut(TOKENS * stride).zip(u.par_chunks(TOKENS * gains.len())).for_each(|(y, u)| {
        for (row, u) in y.chunks_exact_mut(stride).zip(u.chunks_exact(gains.len())) {
            for ((value, u), gain) in row[column..].iter_mut().zip(u).zip(gains) {
                *value += (gain - 1.0) * u;
            }
        }
    });
}
