//! Causal attention with grouped key heads and an optional sliding window, over packed sequences.
//!
//! Works in blocks of query rows as `FlashAttention` does (Dao 2023, <https://arxiv.org/abs/2307.08691>): the score matrix of
//! a whole sequence never exists, and the backward pass computes the probabilities again from the saved log-sum-exp.

use std::ops::Range;

use rayon::prelude::*;

use super::lanes::{LANES, add, dot, fold};
use super::math::exp;
use super::sgemm::{Mat, MatMut, Onto, Term, Threads, sgemm_with};
use super::simd::wide;
use super::softcap::{multiply, softcap, softcap_slopes};
use crate::pool::Pool;
use crate::spans::{Work, span};

/// Query rows per block.
const BLOCK: usize = 64;

/// Sizes of one attention layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionShape {
    /// Query heads.
    pub(crate) heads: usize,
    /// Key and value heads.
    pub(crate) kv_heads: usize,
    /// Width of a head.
    pub(crate) head_size: usize,
    /// Factor on the scores.
    pub(crate) scale: f32,
    /// See [`crate::config::DecoderConfig::attention_softcap`].
    pub(crate) softcap: Option<f32>,
    /// See [`crate::config::LayerConfig::window`].
    pub(crate) window: Option<usize>,
    /// From one row of query, key and value heads to the next.
    pub(crate) step: usize,
    /// From one row of the result to the next.
    pub(crate) out_step: usize,
}

impl AttentionShape {
    fn query_column(&self, head: usize) -> usize {
        head * self.head_size
    }

    fn key_column(&self, head: usize) -> usize {
        (self.heads + head * self.kv_heads / self.heads) * self.head_size
    }

    fn value_column(&self, head: usize) -> usize {
        self.key_column(head) + self.kv_heads * self.head_size
    }

    /// The keys that the queries of `block` see together, within the sequence.
    fn keys(&self, block: &Range<usize>) -> Range<usize> {
        self.first_key(block.start)..block.end
    }

    fn first_key(&self, query: usize) -> usize {
        self.window.map_or(0, |window| (query + 1).saturating_sub(window))
    }
}

/// One block of query rows of one sequence; `rows` counts within the sequence.
struct Block {
    start: usize,
    rows: Range<usize>,
}

fn blocks(starts: &[usize], tokens: usize) -> Vec<Block> {
    let ends = starts.iter().skip(1).copied().chain([tokens]);
    starts
        .iter()
        .zip(ends)
        .flat_map(|(&start, end)| {
            let length = end - start;
            (0..length).step_by(BLOCK).map(move |from| Block { start, rows: from..(from + BLOCK).min(length) })
        })
        .collect()
}

wide! {
    /// Turns one row of scores into probabilities over `seen`, zero elsewhere, and gives their log-sum-exp.
    fn softmax_row(scores: &mut [f32], from: usize, to: usize) -> f32 {
        scores[..from].fill(0.0);
        scores[to..].fill(0.0);
        let seen = &mut scores[from..to];
        let mut highest = f32::NEG_INFINITY;
        for score in seen.iter() {
            highest = if *score > highest { *score } else { highest };
        }
        let mut lanes = [0.0f32; LANES];
        let (chunks, rest) = seen.as_chunks_mut::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                chunk[i] = exp(chunk[i] - highest);
                lanes[i] += chunk[i];
            }
        }
        let mut sum = fold(lanes);
        for score in rest {
            *score = exp(*score - highest);
            sum += *score;
        }
        let factor = 1.0 / sum;
        for score in seen.iter_mut() {
            *score *= factor;
        }
        highest + sum.ln()
    }
}

wide! {
    /// Turns one row of scores into probabilities again, given the log-sum-exp of the forward pass.
    fn probabilities_row(scores: &mut [f32], from: usize, to: usize, log_sum: f32) {
        scores[..from].fill(0.0);
        scores[to..].fill(0.0);
        for score in &mut scores[from..to] {
            *score = exp(*score - log_sum);
        }
    }
}

wide! {
    /// `dp = p · (dp - delta)`; where `p` is zero nothing passes.
    fn score_gradient_row(dp: &mut [f32], p: &[f32], delta: f32) {
        for (dp, p) in dp.iter_mut().zip(p) {
            *dp = p * (*dp - delta);
        }
    }
}

/// `y = factor · a · b`, or added to `y`, by the calling thread.
fn product(y: MatMut<'_>, onto: Onto, a: Mat<'_>, b: Mat<'_>, factor: f32) {
    sgemm_with(Threads::One, y, onto, &[Term { a, b, factor }]);
}

/// Attention of packed sequences.
///
/// `qkv` is `[tokens, width]`: query heads, key heads, value heads. `starts` are the first rows of the sequences. Writes
/// `out` `[tokens, heads · head_size]` and `log_sums` `[tokens, heads]`. Rows lie as [`AttentionShape`] says.
pub(crate) fn attention_forward(
    pool: &Pool,
    shape: &AttentionShape,
    qkv: &[f32],
    starts: &[usize],
    out: &mut [f32],
    log_sums: &mut [f32],
) {
    let _span = span(Work::Attention);
    let AttentionShape { head_size: size, step, out_step, .. } = *shape;
    let tokens = qkv.len() / step;
    let mut tasks = Vec::new();
    let (mut out, mut log_sums) = (out, log_sums);
    for block in blocks(starts, tokens) {
        let (out_part, out_rest) = out.split_at_mut(block.rows.len() * out_step);
        let (log_part, log_rest) = log_sums.split_at_mut(block.rows.len() * shape.heads);
        tasks.push((block, out_part, log_part));
        (out, log_sums) = (out_rest, log_rest);
    }
    tasks.into_par_iter().for_each(|(block, out, log_sums)| {
        let keys = shape.keys(&block.rows);
        let (rows, seen) = (block.rows.len(), keys.len());
        let query_row = (block.start + block.rows.start) * step;
        let key_row = (block.start + keys.start) * step;
        let mut scores = pool.take(rows * seen);
        for head in 0..shape.heads {
            let q = Mat::strided(&qkv[query_row + shape.query_column(head)..], rows, size, step);
            let k = Mat::strided(&qkv[key_row + shape.key_column(head)..], seen, size, step);
            let v = Mat::strided(&qkv[key_row + shape.value_column(head)..], seen, size, step);
            product(MatMut::new(&mut scores, rows, seen), Onto::Nothing, q, k.t(), shape.scale);
            if let Some(cap) = shape.softcap {
                softcap(&mut scores, cap);
            }
            for (row, scores) in scores.chunks_exact_mut(seen).enumerate() {
                let query = block.rows.start + row;
                let from = shape.first_key(query) - keys.start;
                log_sums[row * shape.heads + head] = softmax_row(scores, from, query + 1 - keys.start);
            }
            let y = MatMut::strided(&mut out[head * size..], rows, size, out_step);
            product(y, Onto::Nothing, Mat::new(&scores, rows, seen), v, 1.0);
        }
    });
}

/// The backward pass of [`attention_forward`]: `dqkv` `[tokens, width]` from `dout` `[tokens, heads · head_size]`.
pub(crate) fn attention_backward(
    pool: &Pool,
    shape: &AttentionShape,
    qkv: &[f32],
    starts: &[usize],
    (out, log_sums): (&[f32], &[f32]),
    dout: &[f32],
    dqkv: &mut [f32],
) {
    let _span = span(Work::Attention);
    let AttentionShape { heads, head_size: size, step, .. } = *shape;
    let tokens = qkv.len() / step;
    // One task per sequence and head, each with its own rows of dq, dk, dv: [sequence][head][length, 3 · size].
    let mut parts = pool.take(tokens * heads * 3 * size);
    let mut tasks = Vec::new();
    let mut rest: &mut [f32] = &mut parts;
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([tokens]).collect();
    for (&start, &end) in starts.iter().zip(&ends) {
        for head in 0..heads {
            let (part, after) = rest.split_at_mut((end - start) * 3 * size);
            tasks.push((start, end - start, head, part));
            rest = after;
        }
    }
    tasks.into_par_iter().for_each(|(start, length, head, part)| {
        one_head_backward(pool, shape, qkv, (out, log_sums), dout, start, length, head, part);
    });

    // Put them together token by token; the heads that share a key add up, always in the same order.
    dqkv.par_chunks_mut(BLOCK * step).enumerate().for_each(|(block, rows)| {
        for (row, target) in rows.chunks_exact_mut(step).enumerate() {
            let token = block * BLOCK + row;
            let sequence = starts.partition_point(|start| *start <= token) - 1;
            let (start, length) = (starts[sequence], ends[sequence] - starts[sequence]);
            let position = token - start;
            target[heads * size..].fill(0.0);
            for head in 0..heads {
                let at = (start * heads + head * length) * 3 * size;
                let part = |third: usize| &parts[at + (third * length + position) * size..][..size];
                target[shape.query_column(head)..][..size].copy_from_slice(part(0));
                add(&mut target[shape.key_column(head)..][..size], part(1));
                add(&mut target[shape.value_column(head)..][..size], part(2));
            }
        }
    });
}

/// dq, dk, dv of one head of one sequence, `[3][length, size]` in `part`.
#[allow(clippy::too_many_arguments)] // one inner function, called once; a struct would only rename these
fn one_head_backward(
    pool: &Pool,
    shape: &AttentionShape,
    qkv: &[f32],
    (out, log_sums): (&[f32], &[f32]),
    dout: &[f32],
    start: usize,
    length: usize,
    head: usize,
    part: &mut [f32],
) {
    let AttentionShape { head_size: size, step, out_step, .. } = *shape;
    let (dq, rest) = part.split_at_mut(length * size);
    rest.fill(0.0);
    let (dk, dv) = rest.split_at_mut(length * size);
    for from in (0..length).step_by(BLOCK) {
        let block = from..(from + BLOCK).min(length);
        let keys = shape.keys(&block);
        let (rows, seen) = (block.len(), keys.len());
        let query_row = (start + block.start) * step;
        let key_row = (start + keys.start) * step;
        let out_at = (start + block.start) * out_step + head * size;
        let q = Mat::strided(&qkv[query_row + shape.query_column(head)..], rows, size, step);
        let k = Mat::strided(&qkv[key_row + shape.key_column(head)..], seen, size, step);
        let v = Mat::strided(&qkv[key_row + shape.value_column(head)..], seen, size, step);
        let d_out = Mat::strided(&dout[out_at..], rows, size, out_step);
        let mut p = pool.take(rows * seen);
        let mut ds = pool.take(rows * seen);
        product(MatMut::new(&mut p, rows, seen), Onto::Nothing, q, k.t(), shape.scale);
        let slopes = shape.softcap.map(|cap| {
            let mut slopes = pool.take(rows * seen);
            softcap(&mut p, cap);
            softcap_slopes(&p, cap, &mut slopes);
            slopes
        });
        product(MatMut::new(&mut ds, rows, seen), Onto::Nothing, d_out, v.t(), 1.0);
        for (row, (p, ds)) in p.chunks_exact_mut(seen).zip(ds.chunks_exact_mut(seen)).enumerate() {
            let query = block.start + row;
            let token = start + query;
            let from = shape.first_key(query) - keys.start;
            probabilities_row(p, from, query + 1 - keys.start, log_sums[token * shape.heads + head]);
            let column = token * out_step + head * size;
            let delta = dot(&dout[column..column + size], &out[column..column + size]);
            score_gradient_row(ds, p, delta);
        }
        if let Some(slopes) = slopes {
            multiply(&mut ds, &slopes);
        }
        let (p, ds) = (Mat::new(&p, rows, seen), Mat::new(&ds, rows, seen));
        let seen_rows = keys.start * size..keys.end * size;
        let y = MatMut::new(&mut dv[seen_rows.clone()], seen, size);
        product(y, Onto::Itself, p.t(), d_out, 1.0);
        let y = MatMut::new(&mut dk[seen_rows], seen, size);
        product(y, Onto::Itself, ds.t(), q, shape.scale);
        let y = MatMut::new(&mut dq[block.start * size..block.end * size], rows, size);
        product(y, Onto::Nothing, ds, k, shape.scale);
    }
}

/// Attention of one new token over cached keys and values, `[positions, kv_heads · head_size]` each, the new one last.
/// `q` and `out` are `[heads · head_size]`.
pub(crate) fn attend_cached(
    pool: &Pool,
    shape: &AttentionShape,
    q: &[f32],
    keys: &[f32],
    values: &[f32],
    out: &mut [f32],
) {
    let (size, kv_width) = (shape.head_size, shape.kv_heads * shape.head_size);
    let positions = keys.len() / kv_width;
    let first = shape.first_key(positions - 1);
    let seen = positions - first;
    let mut scores = pool.take(seen);
    for (head, (q, out)) in q.chunks_exact(size).zip(out.chunks_exact_mut(size)).enumerate() {
        let column = head * shape.kv_heads / shape.heads * size;
        let rows = |cache: &[f32]| -> Range<usize> { first * kv_width..cache.len() };
        for (score, key) in scores.iter_mut().zip(keys[rows(keys)].chunks_exact(kv_width)) {
            *score = dot(q, &key[column..column + size]) * shape.scale;
        }
        if let Some(cap) = shape.softcap {
            softcap(&mut scores, cap);
        }
        softmax_row(&mut scores, 0, seen);
        out.fill(0.0);
        for (p, value) in scores.iter().zip(values[rows(values)].chunks_exact(kv_width)) {
            add_scaled(out, &value[column..column + size], *p);
        }
    }
}

wide! {
    fn add_scaled(sum: &mut [f32], row: &[f32], factor: f32) {
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += value * factor;
        }
    }
}
