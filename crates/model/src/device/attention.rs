//! Causal attention over packed sequences, a block of query rows at a time.
//!
//! The packed rows are taken as one sequence in which row `i` sees the keys `first(i)..=i`: from the start of its own sequence, or
//! of its window. So the number of launches does not depend on how many short sequences a batch packs. Memory is one block
//! times the keys that it sees; the backward pass computes the probabilities again.

use std::ops::Range;

use candle_core::{D, DType, Device, Tensor};

use super::math::{product, softcap, softcap_slope};
use crate::error::Result;
use crate::ops::AttentionShape;

/// Query rows per block.
pub(crate) const BLOCK: usize = 256;
/// What is added to the score of a key that is not seen; its exponential is 0.
const HIDDEN: f64 = 1e30;

/// Which keys each row of the packed batch sees.
pub(crate) struct Seen {
    first: Vec<usize>,
    /// The same, and the rows' own numbers, `[tokens]` u32 on the device.
    firsts: Tensor,
    rows: Tensor,
}

impl Seen {
    /// For sequences that begin at `starts`; see [`crate::config::LayerConfig::window`].
    pub(crate) fn new(starts: &[usize], tokens: usize, window: Option<usize>, device: &Device) -> Result<Self> {
        let ends = starts.iter().skip(1).copied().chain([tokens]);
        let first: Vec<usize> = starts
            .iter()
            .zip(ends)
            .flat_map(|(&start, end)| (start..end).map(move |row| (start, row)))
            .map(|(start, row)| window.map_or(start, |window| start.max((row + 1).saturating_sub(window))))
            .collect();
        let numbers = |values: &mut dyn Iterator<Item = usize>| {
            let values: Vec<u32> = values.map(|value| value as u32).collect();
            Tensor::from_vec(values, tokens, device)
        };
        let firsts = numbers(&mut first.iter().copied())?;
        Ok(Self { first, firsts, rows: numbers(&mut (0..tokens))? })
    }

    /// 0 where a row of `block` sees a key of `keys`, else so low that its probability is 0: `[rows, keys]`.
    fn bias(&self, block: &Range<usize>, keys: &Range<usize>) -> Result<Tensor> {
        let column = |of: &Tensor| of.narrow(0, block.start, block.len())?.reshape((block.len(), 1));
        let keys = self.rows.narrow(0, keys.start, keys.len())?.reshape((1, keys.len()))?;
        let not_later = keys.broadcast_le(&column(&self.rows)?)?.to_dtype(DType::F32)?;
        let not_before = keys.broadcast_ge(&column(&self.firsts)?)?.to_dtype(DType::F32)?;
        Ok((not_later * not_before)?.affine(HIDDEN, -HIDDEN)?)
    }
}

/// Queries `[heads, tokens, size]`, keys and values `[kv_heads, tokens, size]`, or their gradients.
pub(crate) struct Heads {
    pub(crate) queries: Tensor,
    pub(crate) keys: Tensor,
    pub(crate) values: Tensor,
}

/// One layer's attention.
pub(crate) struct Attention<'a> {
    pub(crate) shape: AttentionShape,
    pub(crate) seen: &'a Seen,
}

/// A block of query rows with the keys that it sees. The query heads that share a key head lie one below the other:
/// `[kv_heads, group · rows, …]`.
struct Part {
    rows: Range<usize>,
    keys_from: usize,
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    /// `[kv_heads, group · rows, keys]`, and the capped scores where there is a cap.
    probabilities: Tensor,
    capped: Option<Tensor>,
}

impl Attention<'_> {
    /// `[heads, tokens, size]`.
    pub(crate) fn forward(&self, heads: &Heads) -> Result<Tensor> {
        let mut out = Vec::new();
        for block in self.blocks() {
            let part = self.part(heads, block)?;
            out.push(self.apart(&product(&part.probabilities, &part.values)?, part.rows.len())?);
        }
        Ok(Tensor::cat(&out, 2)?.reshape(heads.queries.shape())?)
    }

    /// The gradients, given `out`, what [`Attention::forward`] gave, and the gradient with respect to it.
    pub(crate) fn backward(&self, heads: &Heads, out: &Tensor, d_out: &Tensor) -> Result<Heads> {
        let delta = (out * d_out)?.sum_keepdim(D::Minus1)?;
        let (d_keys, d_values) = (heads.keys.zeros_like()?, heads.values.zeros_like()?);
        let mut d_queries = Vec::new();
        for block in self.blocks() {
            let part = self.part(heads, block)?;
            let d_out = self.together(d_out, &part.rows)?;
            let delta = self.together(&delta, &part.rows)?;
            let d_probabilities = product(&d_out, &part.values.transpose(1, 2)?)?;
            let mut d_scores = (&part.probabilities * d_probabilities.broadcast_sub(&delta)?)?;
            if let (Some(cap), Some(capped)) = (self.shape.softcap, &part.capped) {
                d_scores = (d_scores * softcap_slope(capped, cap)?)?;
            }
            let d_scores = (d_scores * f64::from(self.shape.scale))?;
            d_queries.push(self.apart(&product(&d_scores, &part.keys)?, part.rows.len())?);
            add_rows(&d_keys, &product(&d_scores.transpose(1, 2)?, &part.queries)?, part.keys_from)?;
            add_rows(&d_values, &product(&part.probabilities.transpose(1, 2)?, &d_out)?, part.keys_from)?;
        }
        let queries = Tensor::cat(&d_queries, 2)?.reshape(heads.queries.shape())?;
        Ok(Heads { queries, keys: d_keys, values: d_values })
    }

    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let tokens = self.seen.first.len();
        (0..tokens).step_by(BLOCK).map(move |from| from..(from + BLOCK).min(tokens))
    }

    fn part(&self, heads: &Heads, rows: Range<usize>) -> Result<Part> {
        // Later rows never see further back, so the first row's first key is the block's.
        let seen = self.seen.first[rows.start]..rows.end;
        let queries = self.together(&heads.queries, &rows)?;
        let keys = heads.keys.narrow(1, seen.start, seen.len())?;
        let values = heads.values.narrow(1, seen.start, seen.len())?;
        let mut scores = (product(&queries, &keys.transpose(1, 2)?)? * f64::from(self.shape.scale))?;
        let mut capped = None;
        if let Some(cap) = self.shape.softcap {
            scores = softcap(&scores, cap)?;
            capped = Some(scores.clone());
        }
        let together = scores.shape().clone();
        let apart = (self.shape.kv_heads, self.group(), rows.len(), seen.len());
        let scores = scores.reshape(apart)?.broadcast_add(&self.seen.bias(&rows, &seen)?)?.reshape(together)?;
        let shares = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
        let probabilities = shares.broadcast_div(&shares.sum_keepdim(D::Minus1)?)?;
        Ok(Part { rows, keys_from: seen.start, queries, keys, values, probabilities, capped })
    }

    /// Query heads that share a key head.
    fn group(&self) -> usize {
        self.shape.heads / self.shape.kv_heads
    }

    /// `rows` of `[heads, tokens, width]` as `[kv_heads, group · rows, width]`.
    fn together(&self, x: &Tensor, rows: &Range<usize>) -> Result<Tensor> {
        let (heads, _, width) = x.dims3()?;
        let rows_of = x.narrow(1, rows.start, rows.len())?;
        Ok(rows_of.reshape((self.shape.kv_heads, heads / self.shape.kv_heads * rows.len(), width))?)
    }

    /// The reverse, with the groups apart: `[kv_heads, group, rows, width]`.
    fn apart(&self, x: &Tensor, rows: usize) -> Result<Tensor> {
        Ok(x.reshape((self.shape.kv_heads, self.group(), rows, x.dim(D::Minus1)?))?)
    }
}

/// Adds `part` to the rows of `sum` that begin at `from`, in place.
fn add_rows(sum: &Tensor, part: &Tensor, from: usize) -> Result<()> {
    let added = (sum.narrow(1, from, part.dim(1)?)? + part)?;
    Ok(sum.slice_set(&added, 1, from)?)
}
