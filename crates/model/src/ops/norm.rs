//! RMS norm (Zhang and Sennrich 2019, <https://arxiv.org/abs/1910.07467>): `y = x / sqrt(mean(x²) + eps) · w`.
//!
//! Gemma's `1 + w` is already in the weights that a GGUF file holds.

use rayon::prelude::*;

use super::lanes::dot_body;
use super::simd::wide;
use crate::spans::{Work, span};

/// Rows per parallel task.
const ROWS: usize = 16;

wide! {
    /// One row; `y` and `x` have the length of `weight`.
    pub(crate) fn rms_row(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32]) {
        let inverse = inverse_rms(x, eps);
        for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
            *y = x * inverse * w;
        }
    }
}

wide! {
    /// One row of the backward pass, in place: `dy` becomes the gradient with respect to `x`.
    pub(crate) fn rms_row_backward(dy: &mut [f32], x: &[f32], weight: &[f32], eps: f32) {
        let inverse = inverse_rms(x, eps);
        for (dy, w) in dy.iter_mut().zip(weight) {
            *dy *= w;
        }
        let correction = dot_body(dy, x) * inverse * inverse * inverse / x.len() as f32;
        for (dy, x) in dy.iter_mut().zip(x) {
            *dy = *dy * inverse - x * correction;
        }
    }
}

wide! {
    fn rms_row_add(x: &[f32], weight: &[f32], eps: f32, sum: &mut [f32]) {
        let inverse = inverse_rms(x, eps);
        for ((sum, x), w) in sum.iter_mut().zip(x).zip(weight) {
            *sum += x * inverse * w;
        }
    }
}

wide! {
    fn rms_row_backward_add(dy: &mut [f32], x: &[f32], weight: &[f32], eps: f32, sum: &mut [f32]) {
        let inverse = inverse_rms(x, eps);
        for (dy, w) in dy.iter_mut().zip(weight) {
            *dy *= w;
        }
        let correction = dot_body(dy, x) * inverse * inverse * inverse / x.len() as f32;
        for ((sum, dy), x) in sum.iter_mut().zip(dy.iter()).zip(x) {
            *sum += *dy * inverse - x * correction;
        }
    }
}

#[inline(always)]
fn inverse_rms(x: &[f32], eps: f32) -> f32 {
    1.0 / (dot_body(x, x) / x.len() as f32 + eps).sqrt()
}

/// `y = norm(x)` for rows `[rows, width]`, where `width` is the length of `weight`.
pub(crate) fn rms_forward(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32]) {
    let _span = span(Work::Norms);
    let width = weight.len();
    y.par_chunks_mut(ROWS * width).zip(x.par_chunks(ROWS * width)).for_each(|(y, x)| {
        for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            rms_row(x, weight, eps, y);
        }
    });
}

/// `sum += norm(x)`: a norm on a branch that joins the residual stream.
pub(crate) fn rms_forward_add(x: &[f32], weight: &[f32], eps: f32, sum: &mut [f32]) {
    let _span = span(Work::Norms);
    let width = weight.len();
    sum.par_chunks_mut(ROWS * width).zip(x.par_chunks(ROWS * width)).for_each(|(sum, x)| {
        for (sum, x) in sum.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            rms_row_add(x, weight, eps, sum);
        }
    });
}

/// The backward pass of [`rms_forward`], in place: `dy` becomes the gradient with respect to `x`.
pub(crate) fn rms_backward(dy: &mut [f32], x: &[f32], weight: &[f32], eps: f32) {
    let _span = span(Work::Norms);
    let width = weight.len();
    dy.par_chunks_mut(ROWS * width).zip(x.par_chunks(ROWS * width)).for_each(|(dy, x)| {
        for (dy, x) in dy.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            rms_row_backward(dy, x, weight, eps);
        }
    });
}

/// Adds the gradient of the norm's weight: the sum over rows of `dy · x / rms(x)`, `dy` being the gradient of its output.
pub(crate) fn rms_weight_gradient(dy: &[f32], x: &[f32], eps: f32, gradient: &mut [f32]) {
    let _span = span(Work::Norms);
    let width = gradient.len();
    for (dy, x) in dy.chunks_exact(width).zip(x.chunks_exact(width)) {
        rms_weight_row(dy, x, eps, gradient);
    }
}

wide! {
    /// One row of [`rms_weight_gradient`].
    pub(crate) fn rms_weight_row(dy: &[f32], x: &[f32], eps: f32, gradient: &mut [f32]) {
        let inverse = inverse_rms(x, eps);
        for ((gradient, dy), x) in gradient.iter_mut().zip(dy).zip(x) {
            *gradient += dy * x * inverse;
        }
    }
}

/// As [`rms_backward`], added to `sum`; `dy` is used up.
pub(crate) fn rms_backward_add(dy: &mut [f32], x: &[f32], weight: &[f32], eps: f32, sum: &mut [f32]) {
    let _span = span(Work::Norms);
    let width = weight.len();
    let rows = ROWS * width;
    let tasks = sum.par_chunks_mut(rows).zip(dy.par_chunks_mut(rows)).zip(x.par_chunks(rows));
    tasks.for_each(|((sum, dy), x)| {
        let rows = sum.chunks_exact_mut(width).zip(dy.chunks_exact_mut(width)).zip(x.chunks_exact(width));
        for ((sum, dy), x) in rows {
            rms_row_backward_add(dy, x, weight, eps, sum);
        }
    });
}
