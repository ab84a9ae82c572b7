//! The LM head with cross-entropy. The gradient is made along with the loss, a few rows at a time, so that the logits of a
//! whole batch never exist; tiles of the vocabulary keep each pass in the processor's caches.

use std::ops::Range;

use rayon::prelude::*;

use super::lanes::{LANES, fold};
use super::math::exp;
use super::sgemm::{Mat, MatMut, sgemm};
use super::simd::wide;
use super::softcap::softcap;
use crate::error::Result;
use crate::objective::{Objective, RowLoss};
use crate::pool::Pool;

/// Rows of logits at a time.
const ROWS: usize = 128;
/// Vocabulary entries per tile.
const TILE: usize = 4096;

/// Where the gradient goes.
pub(crate) struct HeadGradient<'a> {
    /// Multiplies each row's gradient.
    pub(crate) scale: f32,
    /// `[rows, hidden]`, overwritten.
    pub(crate) d_hidden: &'a mut [f32],
    /// Where the gradient of the head itself is added, `[vocabulary, hidden]`, when it is trained.
    pub(crate) d_weight: Option<&'a mut [f32]>,
}

/// What the rows of hidden states are to predict.
#[derive(Clone, Copy)]
pub(crate) struct Targets<'a> {
    /// One token per row.
    pub(crate) ids: &'a [u32],
    /// Factor on each row's loss; `None` counts all the same.
    pub(crate) weights: Option<&'a [f32]>,
    /// What a row costs.
    pub(crate) objective: Objective,
}

/// Running log-sum-exp of one row.
#[derive(Clone, Copy)]
struct RowSum {
    highest: f32,
    sum: f64,
    /// Sum of the logits; only kept where the objective looks at it.
    total: f64,
    target: f32,
}

impl RowSum {
    fn log_sum(&self) -> f64 {
        self.sum.ln() + f64::from(self.highest)
    }

    fn loss(&self, objective: Objective, vocabulary: usize) -> RowLoss {
        let nll = self.log_sum() - f64::from(self.target);
        objective.row(nll, self.log_sum() - self.total / vocabulary as f64, vocabulary)
    }
}

wide! {
    /// The largest of `logits`, and the sum of `e^(logit - largest)`.
    fn tile_sum(logits: &[f32], at_least: f32) -> (f32, f32) {
        let mut lanes = [at_least; LANES];
        let (chunks, rest) = logits.as_chunks::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
            }
        }
        let mut highest = at_least;
        for value in lanes.iter().chain(rest) {
            highest = if *value > highest { *value } else { highest };
        }
        let mut lanes = [0.0f32; LANES];
        for chunk in chunks {
            for i in 0..LANES {
                lanes[i] += exp(chunk[i] - highest);
            }
        }
        let mut sum = fold(lanes);
        for value in rest {
            sum += exp(*value - highest);
        }
        (highest, sum)
    }
}

wide! {
    fn tile_total(logits: &[f32]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let (chunks, rest) = logits.as_chunks::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                lanes[i] += chunk[i];
            }
        }
        fold(lanes) + rest.iter().sum::<f32>()
    }
}

wide! {
    /// Logits become probabilities, times `scale`, less `less`.
    fn scaled_probabilities(logits: &mut [f32], log_sum: f32, scale: f32, less: f32) {
        for value in logits.iter_mut() {
            *value = exp(*value - log_sum) * scale - less;
        }
    }
}

wide! {
    /// As [`scaled_probabilities`] for capped logits, times the cap's slope.
    fn scaled_capped_probabilities(logits: &mut [f32], log_sum: f32, scale: f32, less: f32, cap: f32) {
        let inverse = 1.0 / cap;
        for value in logits.iter_mut() {
            let t = *value * inverse;
            *value = (exp(*value - log_sum) * scale - less) * (1.0 - t * t);
        }
    }
}

/// The matrix that turns the last hidden rows into logits.
pub(crate) struct Head<W> {
    /// Lends rows of `[vocabulary, width]`.
    pub(crate) weight: W,
    /// Its rows.
    pub(crate) vocabulary: usize,
    /// See [`crate::config::DecoderConfig::logit_softcap`].
    pub(crate) softcap: Option<f32>,
}

/// The loss of `hidden` `[rows, width]` against one target each, through the head `[vocabulary, width]`.
///
/// `nats` receives each row's loss, its weight included.
///
/// # Errors
/// What `head.weight` fails with.
pub(crate) fn head_loss<W: std::ops::Deref<Target = [f32]>>(
    pool: &Pool,
    head: &Head<impl Fn(Range<usize>) -> Result<W>>,
    hidden: &[f32],
    targets: Targets<'_>,
    nats: &mut [f64],
    mut gradient: Option<HeadGradient<'_>>,
) -> Result<()> {
    if targets.ids.is_empty() {
        return Ok(());
    }
    let Head { weight, vocabulary, softcap: cap } = head;
    let (vocabulary, cap) = (*vocabulary, *cap);
    let objective = targets.objective;
    let smooth = objective.label_smoothing > 0.0;
    let width = hidden.len() / targets.ids.len();
    for (chunk, ids) in targets.ids.chunks(ROWS).enumerate() {
        let rows = ids.len();
        let at = chunk * ROWS * width..(chunk * ROWS + rows) * width;
        let x = Mat::new(&hidden[at.clone()], rows, width);
        // With a gradient to make, the logits of all tiles are kept: [tile][rows, TILE].
        let mut logits = pool.take(rows * if gradient.is_some() { vocabulary } else { TILE.min(vocabulary) });
        let mut sums = vec![RowSum { highest: f32::MIN, sum: 0.0, total: 0.0, target: 0.0 }; rows];
        for tile in tiles(vocabulary) {
            let size = tile.len();
            let offset = if gradient.is_some() { rows * tile.start } else { 0 };
            let logits = &mut logits[offset..offset + rows * size];
            let w = weight(tile.clone())?;
            sgemm(MatMut::new(logits, rows, size), 0.0, x, Mat::new(&w, size, width).t(), 1.0);
            sums.par_iter_mut().zip(logits.par_chunks_mut(size)).zip(ids).for_each(|((row, logits), target)| {
                if let Some(cap) = cap {
                    softcap(logits, cap);
                }
                let (highest, sum) = tile_sum(logits, row.highest);
                row.sum = row.sum * f64::from(row.highest - highest).exp() + f64::from(sum);
                row.highest = highest;
                if smooth {
                    row.total += f64::from(tile_total(logits));
                }
                if tile.contains(&(*target as usize)) {
                    row.target = logits[*target as usize - tile.start];
                }
            });
        }
        let factor = |row: usize| targets.weights.map_or(1.0, |weights| weights[chunk * ROWS + row]);
        let losses: Vec<RowLoss> = sums.iter().map(|row| row.loss(objective, vocabulary)).collect();
        for (row, (nats, loss)) in nats[chunk * ROWS..].iter_mut().zip(&losses).enumerate() {
            *nats = loss.nats * f64::from(factor(row));
        }
        let Some(HeadGradient { scale, d_hidden, d_weight }) = &mut gradient else { continue };
        for tile in tiles(vocabulary) {
            let size = tile.len();
            let logits = &mut logits[rows * tile.start..rows * tile.end];
            let of_rows = sums.par_iter().zip(&losses).zip(ids).enumerate();
            logits.par_chunks_mut(size).zip(of_rows).for_each(|(logits, (row, ((sum, loss), target)))| {
                let scale = *scale * factor(row);
                let (log_sum, all) = (sum.log_sum() as f32, scale * loss.probabilities);
                let less = scale * loss.everywhere;
                let at = (*target as usize).checked_sub(tile.start).filter(|at| *at < size);
                let slope = |logit: f32| cap.map_or(1.0, |cap| 1.0 - (logit / cap) * (logit / cap));
                let slope = at.map_or(0.0, |at| slope(logits[at]));
                match cap {
                    Some(cap) => scaled_capped_probabilities(logits, log_sum, all, less, cap),
                    None => scaled_probabilities(logits, log_sum, all, less),
                }
                if let Some(at) = at {
                    logits[at] -= scale * loss.target * slope;
                }
            });
            let w = weight(tile.clone())?;
            let keep = if tile.start == 0 { 0.0 } else { 1.0 };
            let y = MatMut::new(&mut d_hidden[at.clone()], rows, width);
            let d_logits = Mat::new(logits, rows, size);
            sgemm(y, keep, d_logits, Mat::new(&w, size, width), 1.0);
            if let Some(d_weight) = d_weight {
                let d_weight = &mut d_weight[tile.start * width..tile.end * width];
                sgemm(MatMut::new(d_weight, size, width), 1.0, d_logits.t(), x, 1.0);
            }
        }
    }
    Ok(())
}

/// The vocabulary in tiles.
pub(crate) fn tiles(vocabulary: usize) -> impl Iterator<Item = Range<usize>> {
    (0..vocabulary).step_by(TILE).map(move |start| start..(start + TILE).min(vocabulary))
}
