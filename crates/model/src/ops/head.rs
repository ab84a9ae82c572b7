//! The LM head with cross-entropy. The gradient is made along with the loss, one tile of the vocabulary after the other, so
//! that the logits of a whole batch never exist.

use std::ops::Range;

use rayon::prelude::*;

use super::lanes::{LANES, fold, scale};
use super::math::exp;
use super::sgemm::{Mat, MatMut, Onto, sgemm};
use super::simd::wide;
use super::softcap::softcap;
use crate::error::Result;
use crate::objective::{Objective, RowLoss};
use crate::pool::Pool;
use crate::spans::{Work, span};

/// Rows of logits at a time, at most. More make better use of a tile of the head; with these a tile of logits has 16 MB.
const ROWS: usize = 1024;
/// Vocabulary entries per tile. Not a power of two: rows of logits would all begin at the same few places of a processor's caches.
const TILE: usize = 2040;

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

/// The largest of `logits` and `at_least`.
#[inline(always)]
fn largest(logits: &[f32], at_least: f32) -> f32 {
    let mut lanes = [at_least; LANES];
    let (chunks, rest) = logits.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
        }
    }
    lanes.iter().chain(rest).fold(at_least, |highest, value| if *value > highest { *value } else { highest })
}

wide! {
    /// Logits become `e^(logit - highest)`, where `highest` is the largest of them and of `at_least`; it and their sum.
    fn exponentials(logits: &mut [f32], at_least: f32) -> (f32, f32) {
        let highest = largest(logits, at_least);
        let mut lanes = [0.0f32; LANES];
        let (chunks, rest) = logits.as_chunks_mut::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                chunk[i] = exp(chunk[i] - highest);
                lanes[i] += chunk[i];
            }
        }
        let mut sum = fold(lanes);
        for value in rest {
            *value = exp(*value - highest);
            sum += *value;
        }
        (highest, sum)
    }
}

wide! {
    /// As [`exponentials`] for capped logits: each is multiplied by the cap's slope after it is added to the sum.
    fn capped_exponentials(logits: &mut [f32], at_least: f32, cap: f32) -> (f32, f32) {
        let highest = largest(logits, at_least);
        let inverse = 1.0 / cap;
        let mut lanes = [0.0f32; LANES];
        let (chunks, rest) = logits.as_chunks_mut::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                let t = chunk[i] * inverse;
                let e = exp(chunk[i] - highest);
                lanes[i] += e;
                chunk[i] = e * (1.0 - t * t);
            }
        }
        let mut sum = fold(lanes);
        for value in rest {
            let t = *value * inverse;
            let e = exp(*value - highest);
            sum += e;
            *value = e * (1.0 - t * t);
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
    /// Logits become their gradient but for the target's own part: probabilities times `scale`, less `less`, times the
    /// slope of a cap (`inverse` of it; 0 for none).
    fn logit_gradients(logits: &mut [f32], log_sum: f32, scale: f32, less: f32, inverse: f32) {
        for value in logits.iter_mut() {
            let t = *value * inverse;
            *value = (exp(*value - log_sum) * scale - less) * (1.0 - t * t);
        }
    }
}

wide! {
    /// `a += factor · b`.
    fn add_scaled(a: &mut [f32], factor: f32, b: &[f32]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a += factor * b;
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
/// `nats` receives each row's loss, its weight included. One pass over the vocabulary makes loss and gradient: the sum of
/// `e^logit · w` over the head's rows `w` is kept relative to the largest logit so far, as attention does with its values,
/// and divided by the sum of `e^logit` in the end. So only one tile of logits exists at a time.
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
    let width = hidden.len() / targets.ids.len();
    let chunk = targets.ids.len().div_ceil(targets.ids.len().div_ceil(ROWS));
    for (index, ids) in targets.ids.chunks(chunk).enumerate() {
        let rows = index * chunk..index * chunk + ids.len();
        let targets = Targets { ids, weights: targets.weights.map(|weights| &weights[rows.clone()]), ..targets };
        let numbers = rows.start * width..rows.end * width;
        let gradient = gradient.as_mut().map(|gradient| HeadGradient {
            scale: gradient.scale,
            d_hidden: &mut gradient.d_hidden[numbers.clone()],
            d_weight: gradient.d_weight.as_deref_mut(),
        });
        chunk_loss(pool, head, &hidden[numbers.clone()], targets, &mut nats[rows], gradient)?;
    }
    Ok(())
}

/// [`head_loss`] of rows whose tile of logits may exist at once.
fn chunk_loss<W: std::ops::Deref<Target = [f32]>>(
    pool: &Pool,
    head: &Head<impl Fn(Range<usize>) -> Result<W>>,
    hidden: &[f32],
    targets: Targets<'_>,
    nats: &mut [f64],
    mut gradient: Option<HeadGradient<'_>>,
) -> Result<()> {
    let Head { weight, vocabulary, softcap: cap } = head;
    let (ids, rows, objective) = (targets.ids, targets.ids.len(), targets.objective);
    let width = hidden.len() / rows;
    let smooth = objective.label_smoothing > 0.0;
    let x = Mat::new(hidden, rows, width);
    let mut sums = vec![RowSum { highest: f32::MIN, sum: 0.0, total: 0.0, target: 0.0 }; rows];
    let mut logits = pool.take(rows * TILE.min(*vocabulary));
    // What label smoothing takes away everywhere: the sum of the head's rows, with a cap each times its slope.
    let spread = if !smooth || gradient.is_none() { 0 } else { cap.map_or(1, |_| rows) };
    let mut everywhere = pool.take(spread * width);
    everywhere.fill(0.0);
    if let Some(gradient) = &mut gradient {
        gradient.d_hidden.fill(0.0);
    }

    for tile in tiles(*vocabulary) {
        let size = tile.len();
        let logits = &mut logits[..rows * size];
        let w = weight(tile.clone())?;
        let w = Mat::new(&w, size, width);
        sgemm(MatMut::new(logits, rows, size), Onto::Nothing, x, w.t(), 1.0);
        let softmax = span(Work::Softmax);
        if let Some(cap) = *cap {
            logits.par_chunks_mut(size).for_each(|logits| softcap(logits, cap));
        }
        drop(softmax);
        if spread > 0 {
            let mut slopes = pool.take(spread * size);
            let inverse = cap.map_or(0.0, |cap| 1.0 / cap);
            slopes.par_chunks_mut(size).zip(logits.par_chunks(size)).for_each(|(slopes, logits)| {
                slopes.iter_mut().zip(logits).for_each(|(slope, logit)| *slope = 1.0 - (logit * inverse).powi(2));
            });
            sgemm(MatMut::new(&mut everywhere, spread, width), Onto::Itself, Mat::new(&slopes, spread, size), w, 1.0);
        }
        let softmax = span(Work::Softmax);
        let fresh: Vec<f32> = sums
            .par_iter_mut()
            .zip(logits.par_chunks_mut(size))
            .zip(ids)
            .map(|((row, logits), target)| {
                if smooth {
                    row.total += f64::from(tile_total(logits));
                }
                if tile.contains(&(*target as usize)) {
                    row.target = logits[*target as usize - tile.start];
                }
                let (highest, sum) = match cap {
                    Some(cap) => capped_exponentials(logits, row.highest, *cap),
                    None => exponentials(logits, row.highest),
                };
                let less = (row.highest - highest).exp();
                row.sum = row.sum * f64::from(less) + f64::from(sum);
                row.highest = highest;
                less
            })
            .collect();
        if let Some(gradient) = &mut gradient {
            gradient
                .d_hidden
                .par_chunks_mut(width)
                .zip(&fresh)
                .filter(|(_, less)| **less < 1.0)
                .for_each(|(row, less)| scale(row, *less));
            drop(softmax);
            sgemm(MatMut::new(gradient.d_hidden, rows, width), Onto::Itself, Mat::new(logits, rows, size), w, 1.0);
        }
    }

    let factor = |row: usize| targets.weights.map_or(1.0, |weights| weights[row]);
    let losses: Vec<RowLoss> = sums.iter().map(|row| row.loss(objective, *vocabulary)).collect();
    for (row, (nats, loss)) in nats.iter_mut().zip(&losses).enumerate() {
        *nats = loss.nats * f64::from(factor(row));
    }
    let Some(gradient) = gradient else { return Ok(()) };
    let slope = |row: &RowSum| cap.map_or(1.0, |cap| 1.0 - (row.target / cap) * (row.target / cap));
    for (row, d_hidden) in gradient.d_hidden.chunks_exact_mut(width).enumerate() {
        let (sum, loss, target) = (&sums[row], &losses[row], ids[row] as usize);
        let of_row = gradient.scale * factor(row);
        scale(d_hidden, of_row * loss.probabilities / sum.sum as f32);
        if spread > 0 {
            let at = row.min(spread - 1) * width;
            add_scaled(d_hidden, -of_row * loss.everywhere, &everywhere[at..at + width]);
        }
        add_scaled(d_hidden, -of_row * loss.target * slope(sum), &weight(target..target + 1)?);
    }

    // The head's own gradient needs the finished probabilities: its logits are made once more.
    let Some(d_weight) = gradient.d_weight else { return Ok(()) };
    for tile in tiles(*vocabulary) {
        let size = tile.len();
        let logits = &mut logits[..rows * size];
        sgemm(
            MatMut::new(logits, rows, size),
            Onto::Nothing,
            x,
            Mat::new(&weight(tile.clone())?, size, width).t(),
            1.0,
        );
        let of_rows = sums.par_iter().zip(&losses).zip(ids).enumerate();
        logits.par_chunks_mut(size).zip(of_rows).for_each(|(logits, (row, ((sum, loss), target)))| {
            if let Some(cap) = *cap {
                softcap(logits, cap);
            }
            let of_row = gradient.scale * factor(row);
            let inverse = cap.map_or(0.0, |cap| 1.0 / cap);
            let (all, less) = (of_row * loss.probabilities, of_row * loss.everywhere);
            logit_gradients(logits, sum.log_sum() as f32, all, less, inverse);
            if tile.contains(&(*target as usize)) {
                logits[*target as usize - tile.start] -= of_row * loss.target * slope(sum);
            }
        });
        let d_weight = &mut d_weight[tile.start * width..tile.end * width];
        sgemm(MatMut::new(d_weight, size, width), Onto::Itself, Mat::new(logits, rows, size).t(), x, 1.0);
    }
    Ok(())
}

/// The vocabulary in tiles.
pub(crate) fn tiles(vocabulary: usize) -> impl Iterator<Item = Range<usize>> {
    (0..vocabulary).step_by(TILE).map(move |start| start..(start + TILE).min(vocabulary))
}
