//! A frozen matrix with LoRA on it: `y = x · Wᵀ + scaling · (x · Aᵀ) · Bᵀ`.
//!
//! Projections that read the same input are stacked: one product with the stacked `W`, one with the stacked `A`.
//! The gradient of `W` is never computed.

use std::ops::Range;

use rayon::prelude::*;

use super::lanes::add;
use super::sgemm::{Mat, MatMut, sgemm};
use crate::pool::{Buffer, Pool};

/// A stack of frozen projections of one input, and their adapters.
pub(crate) struct Linear<'a> {
    /// `[out, input]`, row after row.
    pub(crate) weight: &'a [f32],
    /// Rows of all projections together.
    pub(crate) out: usize,
    /// Width of the common input.
    pub(crate) input: usize,
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
    pub(crate) pieces: Vec<LoraPiece>,
}

/// One adapted projection within the stack.
pub(crate) struct LoraPiece {
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

    fn drops(&self) -> bool {
        self.pieces.iter().any(|piece| piece.dropout_seed.is_some())
    }
}

impl Linear<'_> {
    /// `y` `[tokens, out]` from `x` `[tokens, input]`.
    pub(crate) fn forward<'p>(&self, pool: &'p Pool, x: &[f32], y: &mut [f32]) -> LinearSaved<'p> {
        let tokens = x.len() / self.input;
        let weight = Mat::new(self.weight, self.out, self.input);
        sgemm(MatMut::new(y, tokens, self.out), 0.0, Mat::new(x, tokens, self.input), weight.t(), 1.0);
        if let Some(bias) = self.bias {
            y.par_chunks_mut(16 * self.out).for_each(|rows| rows.chunks_exact_mut(self.out).for_each(|y| add(y, bias)));
        }
        let Some(lora) = &self.lora else { return LinearSaved(None) };

        let columns = lora.columns();
        let mut inner = pool.take(tokens * columns);
        if lora.drops() {
            let mut dropped = pool.take(x.len());
            for (index, piece) in lora.pieces.iter().enumerate() {
                drop_inputs(x, lora.dropout, piece.dropout_seed, &mut dropped);
                let a = Mat::new(&lora.params[piece.a.clone()], lora.rank, self.input);
                let y = MatMut::strided(&mut inner[index * lora.rank..], tokens, lora.rank, columns);
                sgemm(y, 0.0, Mat::new(&dropped, tokens, self.input), a.t(), 1.0);
            }
        } else {
            let a = Mat::new(&lora.params[lora.stacked_a()], columns, self.input);
            sgemm(MatMut::new(&mut inner, tokens, columns), 0.0, Mat::new(x, tokens, self.input), a.t(), 1.0);
        }
        for (index, piece) in lora.pieces.iter().enumerate() {
            let b = Mat::new(&lora.params[piece.b.clone()], piece.out, lora.rank);
            let inner = Mat::strided(&inner[index * lora.rank..], tokens, lora.rank, columns);
            let y = MatMut::strided(&mut y[piece.column..], tokens, piece.out, self.out);
            sgemm(y, 1.0, inner, b.t(), lora.scaling);
        }
        LinearSaved(Some(inner))
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
        let tokens = x.len() / self.input;
        if let Some(dx) = dx.as_deref_mut() {
            let weight = Mat::new(self.weight, self.out, self.input);
            sgemm(MatMut::new(dx, tokens, self.input), 0.0, Mat::new(dy, tokens, self.out), weight, 1.0);
        }
        let (Some(lora), LinearSaved(Some(inner))) = (&self.lora, saved) else { return };

        let columns = lora.columns();
        let mut d_inner = pool.take(tokens * columns);
        for (index, piece) in lora.pieces.iter().enumerate() {
            let dy = Mat::strided(&dy[piece.column..], tokens, piece.out, self.out);
            let inner = Mat::strided(&inner[index * lora.rank..], tokens, lora.rank, columns);
            let gradient = MatMut::new(&mut grads[piece.b.clone()], piece.out, lora.rank);
            sgemm(gradient, 1.0, dy.t(), inner, lora.scaling);
            let b = Mat::new(&lora.params[piece.b.clone()], piece.out, lora.rank);
            let y = MatMut::strided(&mut d_inner[index * lora.rank..], tokens, lora.rank, columns);
            sgemm(y, 0.0, dy, b, lora.scaling);
        }
        if !lora.drops() {
            let d_inner = Mat::new(&d_inner, tokens, columns);
            let gradient = MatMut::new(&mut grads[lora.stacked_a()], columns, self.input);
            sgemm(gradient, 1.0, d_inner.t(), Mat::new(x, tokens, self.input), 1.0);
            if let Some(dx) = dx {
                let a = Mat::new(&lora.params[lora.stacked_a()], columns, self.input);
                sgemm(MatMut::new(dx, tokens, self.input), 1.0, d_inner, a, 1.0);
            }
            return;
        }
        let mut dropped = pool.take(x.len());
        for (index, piece) in lora.pieces.iter().enumerate() {
            drop_inputs(x, lora.dropout, piece.dropout_seed, &mut dropped);
            let d_inner = Mat::strided(&d_inner[index * lora.rank..], tokens, lora.rank, columns);
            let gradient = MatMut::new(&mut grads[piece.a.clone()], lora.rank, self.input);
            sgemm(gradient, 1.0, d_inner.t(), Mat::new(&dropped, tokens, self.input), 1.0);
            if let Some(dx) = dx.as_deref_mut() {
                let a = Mat::new(&lora.params[piece.a.clone()], lora.rank, self.input);
                let mut through = pool.take(x.len());
                sgemm(MatMut::new(&mut through, tokens, self.input), 0.0, d_inner, a, 1.0);
                drop_inputs(&through, lora.dropout, piece.dropout_seed, &mut dropped);
                dx.par_chunks_mut(CHUNK).zip(dropped.par_chunks(CHUNK)).for_each(|(dx, d)| add(dx, d));
            }
        }
    }
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
