//! The LM head and the loss, a few rows at a time; the gradient is made along with the loss, as in `ops/head.rs`.

use candle_core::{D, Tensor};

use super::linear::Matrix;
use super::math::{softcap, softcap_slope};
use crate::error::Result;
use crate::objective::RowLoss;
use crate::ops::Targets;

/// Logits at a time: 128 MiB of f32, of which a pass holds about four.
const LOGITS: usize = 1 << 25;
/// Most rows at a time.
const MOST_ROWS: usize = 512;

/// Rows of logits that are computed at once.
pub(crate) fn head_rows(vocabulary: usize) -> usize {
    (LOGITS / vocabulary).clamp(1, MOST_ROWS)
}

/// The matrix that turns the last hidden rows into logits.
pub(crate) struct Head<'a> {
    pub(crate) weight: &'a Matrix,
    pub(crate) vocabulary: usize,
    /// See [`crate::config::DecoderConfig::logit_softcap`].
    pub(crate) softcap: Option<f32>,
}

impl Head<'_> {
    /// Logits of `hidden` `[rows, width]`: `[rows, vocabulary]`.
    pub(crate) fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let logits = self.weight.forward(hidden)?;
        match self.softcap {
            Some(cap) => softcap(&logits, cap),
            None => Ok(logits),
        }
    }

    /// See [`head_rows`].
    pub(crate) fn rows(&self) -> usize {
        head_rows(self.vocabulary)
    }

    /// The loss of each row of `hidden` `[rows, width]`, nats, weights included; with `scale` also the gradient of
    /// `scale ·` their sum with respect to `hidden`.
    pub(crate) fn losses(
        &self,
        hidden: &Tensor,
        targets: Targets<'_>,
        scale: Option<f32>,
    ) -> Result<(Vec<f64>, Option<Tensor>)> {
        let mut nats = Vec::new();
        let mut gradients = Vec::new();
        for (chunk, ids) in targets.ids.chunks(self.rows()).enumerate() {
            let first = chunk * self.rows();
            let logits = self.logits(&hidden.narrow(0, first, ids.len())?)?;
            let rows = Rows::new(&logits, ids, targets.objective.label_smoothing > 0.0)?;
            let weight = |row: usize| targets.weights.map_or(1.0, |weights| weights[first + row]);
            let losses = rows.losses(targets, self.vocabulary)?;
            nats.extend(losses.iter().enumerate().map(|(row, loss)| loss.nats * f64::from(weight(row))));
            if let Some(scale) = scale {
                let factors: Vec<f32> = (0..ids.len()).map(|row| scale * weight(row)).collect();
                let mut d_logits = rows.gradient(&losses, &factors)?;
                if let Some(cap) = self.softcap {
                    d_logits = (d_logits * softcap_slope(&logits, cap)?)?;
                }
                gradients.push(self.weight.backward(&d_logits)?);
            }
        }
        let gradient = if gradients.is_empty() { None } else { Some(Tensor::cat(&gradients, 0)?) };
        Ok((nats, gradient))
    }
}

/// A few rows of logits on their way to a loss, everything `[rows, …]`.
struct Rows {
    targets: Tensor,
    /// `e^(logit - highest)`, and its sum.
    shares: Tensor,
    sum: Tensor,
    /// `logit - highest` of the target, and the mean over the vocabulary where the objective looks at it.
    at_target: Tensor,
    mean: Tensor,
}

impl Rows {
    fn new(logits: &Tensor, ids: &[u32], smooth: bool) -> Result<Self> {
        let targets = Tensor::from_slice(ids, (ids.len(), 1), logits.device())?;
        let below = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?;
        let at_target = below.gather(&targets, 1)?;
        let mean = if smooth { below.mean_keepdim(D::Minus1)? } else { at_target.zeros_like()? };
        let shares = below.exp()?;
        let sum = shares.sum_keepdim(D::Minus1)?;
        Ok(Self { targets, shares, sum, at_target, mean })
    }

    fn losses(&self, targets: Targets<'_>, vocabulary: usize) -> Result<Vec<RowLoss>> {
        let figures = Tensor::cat(&[&self.sum, &self.at_target, &self.mean], 1)?.to_vec2::<f32>()?;
        let loss = |figures: &Vec<f32>| {
            let [sum, at_target, mean] = [0, 1, 2].map(|at| f64::from(figures[at]));
            targets.objective.row(sum.ln() - at_target, sum.ln() - mean, vocabulary)
        };
        Ok(figures.iter().map(loss).collect())
    }

    /// The gradient with respect to the logits; each row's factor is what its loss is multiplied by.
    fn gradient(&self, losses: &[RowLoss], factors: &[f32]) -> Result<Tensor> {
        let column = |of: &dyn Fn(&RowLoss) -> f32| {
            let values: Vec<f32> = losses.iter().zip(factors).map(|(loss, factor)| factor * of(loss)).collect();
            Tensor::from_vec(values, (losses.len(), 1), self.shares.device())
        };
        let mut gradient = self.shares.broadcast_mul(&(column(&|loss| loss.probabilities)? / &self.sum)?)?;
        if losses.iter().any(|loss| loss.everywhere > 0.0) {
            gradient = gradient.broadcast_sub(&column(&|loss| loss.everywhere)?)?;
        }
        // In place, into the tensor that was made just now. Before anything is rounded to bf16: a target that is nearly certain
        // leaves a small difference.
        gradient.scatter_add_set(&self.targets, &column(&|loss| -loss.target)?, 1)?;
        Ok(gradient)
    }
}
