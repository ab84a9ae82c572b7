//! A frozen matrix with LoRA on it: `y = x · Wᵀ + scaling · (x · Aᵀ) · Bᵀ`.
//!
//! Projections that read the same input are stacked: one product with the stacked `W`, one with the stacked `A`.
//! The gradient of `W` is never computed.

use std::ops::Range;

use rayon::prelude::*;

use super::dora::{Magnitude, add_gained, scale_columns};
use super::lanes::add;
use super::sgemm::{Mat, MatMut, Onto, Term, sgemm, sgemm_sum};
use super::stored::{StoredRows, stored_product};
use crate::pool::{Buffer, Pool};

/// A frozen matrix at work.
#[derive(Clone, Copy)]
pub(crate) enum Weight<'a> {
    /// As numbers.
    Expanded(&'a [f32]),
    /// As blocks, one part below the other; only for a forward pass of a few rows without dropout.
    Stored(&'a [StoredRows<'a>]),
}

/// A stack of frozen projections of one input, and their adapters.
pub(crate) struct Linear<'a> {
    /// `[out, input]`, row after row.
    pub(crate) weight: Weight<'a>,
    /// Rows of all projections together.
    pub(crate) out: usize,
    /// Width of the common input.
    pub(crate) input: usize,
    /// From one row of the input to the next, at least `input`; no more than that with dropout, which counts its numbers.
    pub(crate) x_step: usize,
    /// From one row of the output to the next, at least `out`.
    pub(crate) y_step: usize,
    /// Added to every output row, `[out]`.
    pub(crate) bias: Option<&'a [f32]>,
    /// The adapters on it, if any.
    pub(crate) lora: Option<LoraGroup<'a>>,
}

/// The adapters of the projections of one input.
pub(crate) struct LoraGroup<'a> {
    /// The adapter's flat buffer.
    pub(crate) params: &'a [f32],
    /// Inner width.
    pub(crate) rank: usize,
    /// Factor on the adapter's output.
    pub(crate) scaling: f32,
    /// Share of inputs dropped.
    pub(crate) dropout: f64,
    /// One entry per adapted projection; their `A` ranges follow each other without gaps.
    pub(crate) pieces: Vec<LoraPiece<'a>>,
}

/// One adapted projection within the stack.
pub(crate) struct LoraPiece<'a> {
    /// First column of its output.
    pub(crate) column: usize,
    /// Its output columns.
    pub(crate) out: usize,
    /// `A` in the flat buffer.
    pub(crate) a: Range<usize>,
    /// `B` in the flat buffer.
    pub(crate) b: Range<usize>,
    /// Seed of its dropout mask; `None` drops nothing.
    pub(crate) dropout_seed: Option<u64>,
    /// With `DoRA`, the trained lengths of its rows.
    pub(crate) magnitude: Option<Magnitude<'a>>,
}

/// What the backward pass needs besides the input: `x · Aᵀ`, `[tokens, rank · pieces]`.
pub(crate) struct LinearSaved<'p>(Option<Buffer<'p>>);

impl LoraGroup<'_> {
    fn columns(&self) -> usize {
        self.rank * self.pieces.len()
    }

    fn stacked_a(&self) -> Range<usize> {
        let start = self.pieces.first().map_or(0, |piece| piece.a.start);
        start..self.pieces.last().map_or(start, |piece| piece.a.end)
    }

    /// `scaling · inner · Bᵀ` of one piece; `inner` holds `x · Aᵀ` of all, `[tokens, rank · pieces]`.
    fn added<'m>(&'m self, inner: &'m [f32], index: usize) -> Term<'m> {
        let (piece, columns) = (&self.pieces[index], self.columns());
        let inner = Mat::strided(&inner[index * self.rank..], inner.len() / columns, self.rank, columns);
        Term { a: inner, b: Mat::new(&self.params[piece.b.clone()], piece.out, self.rank).t(), factor: self.scaling }
    }

    fn drops(&self) -> bool {
        self.pieces.iter().any(|piece| piece.dropout_seed.is_some())
    }
}

impl Linear<'_> {
    /// `y` `[tokens, out]` from `x` `[tokens, input]`, rows `y_step` and `x_step` apart.
    pub(crate) fn forward<'p>(&self, pool: &'p Pool, x: &[f32], y: &mut [f32]) -> LinearSaved<'p> {
        let inner = self.lora.as_ref().map(|lora| self.inner(lora, pool, x));
        self.products(x, inner.as_deref(), y);
        if let (Some(lora), Some(inner)) = (&self.lora, &inner) {
            self.magnitudes_forward(lora, pool, x, inner, y);
        }
        if let Some(bias) = self.bias {
            let step = self.y_step;
            y.par_chunks_mut(16 * step).for_each(|rows| rows.chunks_exact_mut(step).for_each(|y| add(y, bias)));
        }
        LinearSaved(inner)
    }

    /// `x · Aᵀ` of all pieces, `[tokens, rank · pieces]`.
    fn inner<'p>(&self, lora: &LoraGroup<'_>, pool: &'p Pool, x: &[f32]) -> Buffer<'p> {
        let (tokens, columns) = (x.len() / self.x_step, lora.columns());
        let mut inner = pool.take(tokens * columns);
        if !lora.drops() {
            let a = Mat::new(&lora.params[lora.stacked_a()], columns, self.input);
            let x = Mat::strided(x, tokens, self.input, self.x_step);
            sgemm(MatMut::new(&mut inner, tokens, columns), Onto::Nothing, x, a.t(), 1.0);
            return inner;
        }
        let mut dropped = pool.take(x.len());
        for (index, piece) in lora.pieces.iter().enumerate() {
            drop_inputs(x, lora.dropout, piece.dropout_seed, &mut dropped);
            let a = Mat::new(&lora.params[piece.a.clone()], lora.rank, self.input);
            let y = MatMut::strided(&mut inner[index * lora.rank..], tokens, lora.rank, columns);
            sgemm(y, Onto::Nothing, Mat::new(&dropped, tokens, self.input), a.t(), 1.0);
        }
        inner
    }

    /// `y = x · Wᵀ`, and what the adapters make of their `inner` rows in the same go.
    fn products(&self, x: &[f32], inner: Option<&[f32]>, y: &mut [f32]) {
        let tokens = x.len() / self.x_step;
        let frozen = |columns: Range<usize>| self.frozen(x, columns);
        if let Weight::Stored(parts) = self.weight {
            let mut column = 0;
            for part in parts {
                stored_product(*part, self.input, x, y, self.y_step, column);
                column += part.rows;
            }
        }
        let expanded = matches!(self.weight, Weight::Expanded(_));
        let mut column = 0;
        if let (Some(lora), Some(inner)) = (&self.lora, inner) {
            for (index, piece) in lora.pieces.iter().enumerate() {
                let columns = piece.column..piece.column + piece.out;
                if expanded && column < columns.start {
                    let y = MatMut::strided(&mut y[column..], tokens, columns.start - column, self.y_step);
                    sgemm_sum(y, Onto::Nothing, &[frozen(column..columns.start)]);
                }
                column = columns.end;
                let y = MatMut::strided(&mut y[columns.start..], tokens, piece.out, self.y_step);
                let added = lora.added(inner, index);
                if expanded {
                    sgemm_sum(y, Onto::Nothing, &[frozen(columns), added]);
                } else {
                    sgemm_sum(y, Onto::Itself, &[added]);
                }
            }
        }
        if expanded && column < self.out {
            let y = MatMut::strided(&mut y[column..], tokens, self.out - column, self.y_step);
            sgemm_sum(y, Onto::Nothing, &[frozen(column..self.out)]);
        }
    }

    /// Multiplies what the pieces with a magnitude made by its gains.
    fn magnitudes_forward(&self, lora: &LoraGroup<'_>, pool: &Pool, x: &[f32], inner: &[f32], y: &mut [f32]) {
        for (index, piece) in lora.pieces.iter().enumerate() {
            let Some(magnitude) = &piece.magnitude else { continue };
            let gains = magnitude.gains(lora.params);
            if piece.dropout_seed.is_some() {
                let u = self.through(lora, pool, x, inner, index);
                add_gained(y, self.y_step, piece.column, &gains, &u);
            } else {
                scale_columns(y, self.y_step, piece.column, &gains);
            }
        }
    }

    /// `(W + scaling · B · A) x'` of one piece, `[tokens, out]`, where `x'` is `x` after dropout and `inner` holds `A x'`.
    fn through<'p>(&self, lora: &LoraGroup<'_>, pool: &'p Pool, x: &[f32], inner: &[f32], index: usize) -> Buffer<'p> {
        let (tokens, piece) = (x.len() / self.x_step, &lora.pieces[index]);
        let mut u = pool.take(tokens * piece.out);
        let mut dropped = pool.take(if piece.dropout_seed.is_some() { x.len() } else { 0 });
        let x = if piece.dropout_seed.is_some() {
            drop_inputs(x, lora.dropout, piece.dropout_seed, &mut dropped);
            &*dropped
        } else {
            x
        };
        let terms = [self.frozen(x, piece.column..piece.column + piece.out), lora.added(inner, index)];
        sgemm_sum(MatMut::new(&mut u, tokens, piece.out), Onto::Nothing, &terms);
        u
    }

    /// `x · Wᵀ` of some columns of the result.
    fn frozen<'m>(&'m self, x: &'m [f32], columns: Range<usize>) -> Term<'m> {
        let rows = &self.expanded()[columns.start * self.input..columns.end * self.input];
        let x = Mat::strided(x, x.len() / self.x_step, self.input, self.x_step);
        let w = Mat::new(rows, columns.len(), self.input);
        Term { a: x, b: w.t(), factor: 1.0 }
    }

    /// The gradient with respect to the input, `[tokens, input]`.
    fn rows_of_input<'m>(&self, dx: &'m mut [f32], tokens: usize) -> MatMut<'m> {
        MatMut::strided(dx, tokens, self.input, self.x_step)
    }

    /// The frozen rows of one piece.
    fn rows_of(&self, piece: &LoraPiece<'_>) -> &[f32] {
        &self.expanded()[piece.column * self.input..(piece.column + piece.out) * self.input]
    }

    /// The frozen numbers. Neither dropout nor a backward pass is reached with stored ones.
    fn expanded(&self) -> &[f32] {
        match self.weight {
            Weight::Expanded(weight) => weight,
            Weight::Stored(_) => &[],
        }
    }

    /// Adds the adapters' gradients to `grads` (laid out as the flat buffer) and, where asked for, writes the gradient
    /// with respect to the input to `dx`.
    pub(crate) fn backward(
        &self,
        pool: &Pool,
        x: &[f32],
        saved: &LinearSaved<'_>,
        dy: &[f32],
        grads: &mut [f32],
        mut dx: Option<&mut [f32]>,
    ) {
        let tokens = x.len() / self.x_step;
        let gained = self.magnitudes_backward(pool, x, saved, dy, grads);
        let adapted = gained.as_deref().unwrap_or(dy);
        let frozen = |dy| Term {
            a: Mat::strided(dy, tokens, self.out, self.y_step),
            b: Mat::new(self.expanded(), self.out, self.input),
            factor: 1.0,
        };
        let (Some(lora), LinearSaved(Some(inner))) = (&self.lora, saved) else {
            if let Some(dx) = dx {
                sgemm_sum(self.rows_of_input(dx, tokens), Onto::Nothing, &[frozen(dy)]);
            }
            return;
        };

        let columns = lora.columns();
        let mut d_inner = pool.take(tokens * columns);
        for (index, piece) in lora.pieces.iter().enumerate() {
            let dy = Mat::strided(&adapted[piece.column..], tokens, piece.out, self.y_step);
            let inner = Mat::strided(&inner[index * lora.rank..], tokens, lora.rank, columns);
            let b = Mat::new(&lora.params[piece.b.clone()], piece.out, lora.rank);
            let y = MatMut::strided(&mut d_inner[index * lora.rank..], tokens, lora.rank, columns);
            sgemm(y, Onto::Nothing, dy, b, lora.scaling);
            let gradient = MatMut::new(&mut grads[piece.b.clone()], piece.out, lora.rank);
            sgemm(gradient, Onto::Itself, dy.t(), inner, lora.scaling);
        }
        if !lora.drops() {
            let d_inner = Mat::new(&d_inner, tokens, columns);
            let gradient = MatMut::new(&mut grads[lora.stacked_a()], columns, self.input);
            sgemm(gradient, Onto::Itself, d_inner.t(), Mat::strided(x, tokens, self.input, self.x_step), 1.0);
            if let Some(dx) = dx {
                let a = Mat::new(&lora.params[lora.stacked_a()], columns, self.input);
                let through = Term { a: d_inner, b: a, factor: 1.0 };
                sgemm_sum(self.rows_of_input(dx, tokens), Onto::Nothing, &[frozen(adapted), through]);
            }
            return;
        }
        // With dropout the frozen product keeps the whole input; what the gains add to it follows below.
        if let Some(dx) = dx.as_deref_mut() {
            sgemm_sum(self.rows_of_input(dx, tokens), Onto::Nothing, &[frozen(dy)]);
        }
        let mut dropped = pool.take(x.len());
        for (index, piece) in lora.pieces.iter().enumerate() {
            drop_inputs(x, lora.dropout, piece.dropout_seed, &mut dropped);
            let d_inner = Mat::strided(&d_inner[index * lora.rank..], tokens, lora.rank, columns);
            let gradient = MatMut::new(&mut grads[piece.a.clone()], lora.rank, self.input);
            sgemm(gradient, Onto::Itself, d_inner.t(), Mat::new(&dropped, tokens, self.input), 1.0);
            if let Some(dx) = dx.as_deref_mut() {
                let a = Mat::new(&lora.params[piece.a.clone()], lora.rank, self.input);
                let mut through = pool.take(x.len());
                sgemm(MatMut::new(&mut through, tokens, self.input), Onto::Nothing, d_inner, a, 1.0);
                if gained.is_some() {
                    let weight = Mat::new(self.rows_of(piece), piece.out, self.input);
                    for (dy, factor) in [(adapted, 1.0), (dy, -1.0)] {
                        let dy = Mat::strided(&dy[piece.column..], tokens, piece.out, self.y_step);
                        sgemm(MatMut::new(&mut through, tokens, self.input), Onto::Itself, dy, weight, factor);
                    }
                }
                drop_inputs(&through, lora.dropout, piece.dropout_seed, &mut dropped);
                dx.par_chunks_mut(CHUNK).zip(dropped.par_chunks(CHUNK)).for_each(|(dx, d)| add(dx, d));
            }
        }
    }

    /// With `DoRA`, adds the gradients of the magnitudes and answers `dy` times the gains; else nothing.
    fn magnitudes_backward<'p>(
        &self,
        pool: &'p Pool,
        x: &[f32],
        saved: &LinearSaved<'_>,
        dy: &[f32],
        grads: &mut [f32],
    ) -> Option<Buffer<'p>> {
        let (Some(lora), LinearSaved(Some(inner))) = (&self.lora, saved) else { return None };
        lora.pieces.iter().find(|piece| piece.magnitude.is_some())?;
        let mut gained = pool.take(dy.len());
        gained.copy_from_slice(dy);
        for (index, piece) in lora.pieces.iter().enumerate() {
            let Some(magnitude) = &piece.magnitude else { continue };
            // Computed once more rather than kept: another [tokens, out] per projection would be.
            let u = self.through(lora, pool, x, inner, index);
            magnitude.gradient(&dy[piece.column..], self.y_step, &u, grads);
            scale_columns(&mut gained, self.y_step, piece.column, &magnitude.gains(lora.params));
        }
        Some(gained)
    }
}

/// Adds the gradient of a matrix that is itself trained, `[out, input]`: `dyᵀ · x` of `[tokens, out]` and `[tokens, input]`.
pub(crate) fn weight_gradient(dy: Mat<'_>, x: Mat<'_>, gradient: &mut [f32]) {
    sgemm(MatMut::new(gradient, dy.columns(), x.columns()), Onto::Itself, dy.t(), x, 1.0);
}

/// Numbers per parallel task of an element-wise loop.
const CHUNK: usize = 1 << 14;

/// Sets a share `dropout` of the inputs to zero and scales up the rest. Which ones depends on the seed and the place
/// alone, so that a recomputed forward pass and the backward pass drop the same.
fn drop_inputs(x: &[f32], dropout: f64, seed: Option<u64>, y: &mut [f32]) {
    let Some(seed) = seed else { return y.copy_from_slice(x) };
    let threshold = (dropout * 4_294_967_296.0) as u32;
    let factor = (1.0 / (1.0 - dropout)) as f32;
    y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).enumerate().for_each(|(chunk, (y, x))| {
        for (at, (y, x)) in y.iter_mut().zip(x).enumerate() {
            let random = (mix(seed.wrapping_add((chunk * CHUNK + at) as u64)) >> 32) as u32;
            *y = if random < threshold { 0.0 } else { x * factor };
        }
    });
}

/// What [`drop_inputs`] multiplies `length` inputs by.
pub(crate) fn dropout_mask(length: usize, dropout: f64, seed: u64) -> Vec<f32> {
    let mut mask = vec![0.0; length];
    drop_inputs(&vec![1.0; length], dropout, Some(seed), &mut mask);
    mask
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood 2014): neighbouring inputs give unrelated outputs.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // zeros are exact
mod tests {
    use super::*;

    #[test]
    fn dropout_zeroes_its_share_scales_the_rest_and_repeats_itself() {
        let x = vec![2.0; 100_000];
        let (mut first, mut second) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        drop_inputs(&x, 0.25, Some(7), &mut first);
        drop_inputs(&x, 0.25, Some(7), &mut second);
        assert_eq!(first, second);
        let zeros = first.iter().filter(|value| **value == 0.0).count();
        assert!((24_500..25_500).contains(&zeros), "{zeros} of 100000 were dropped");
        assert!(first.iter().all(|value| *value == 0.0 || (*value - 2.0 / 0.75).abs() < 1e-6));
        drop_inputs(&x, 0.25, Some(8), &mut second);
        assert_ne!(first, second);
    }
}
