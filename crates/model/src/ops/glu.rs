//! The gated feed-forward activations: GELU in its tanh form, and `SiLU` (Shazeer 2020, <https://arxiv.org/abs/2002.05202>).

use rayon::prelude::*;

use super::math::{exp, tanh};
use super::simd::wide;
use crate::config::Activation;
use crate::spans::{Work, span};

/// sqrt(2 / pi).
const SLOPE: f32 = 0.797_884_6;
const CUBE: f32 = 0.044_715;
/// Rows per parallel task.
const ROWS: usize = 8;

wide! {
    fn gelu_row(gate: &[f32], up: &[f32], y: &mut [f32]) {
        for ((y, g), u) in y.iter_mut().zip(gate).zip(up) {
            let t = tanh(SLOPE * (g + CUBE * g * g * g));
            *y = 0.5 * g * (1.0 + t) * u;
        }
    }
}

wide! {
    fn gelu_row_backward(dy: &[f32], gate: &mut [f32], up: &mut [f32]) {
        for ((dy, gate), up) in dy.iter().zip(gate.iter_mut()).zip(up.iter_mut()) {
            let (g, u) = (*gate, *up);
            let t = tanh(SLOPE * (g + CUBE * g * g * g));
            let gelu = 0.5 * g * (1.0 + t);
            let slope = 0.5 * (1.0 + t) + 0.5 * g * (1.0 - t * t) * SLOPE * (1.0 + 3.0 * CUBE * g * g);
            *gate = dy * u * slope;
            *up = dy * gelu;
        }
    }
}

wide! {
    fn silu_row(gate: &[f32], up: &[f32], y: &mut [f32]) {
        for ((y, g), u) in y.iter_mut().zip(gate).zip(up) {
            *y = g / (1.0 + exp(-g)) * u;
        }
    }
}

wide! {
    fn silu_row_backward(dy: &[f32], gate: &mut [f32], up: &mut [f32]) {
        for ((dy, gate), up) in dy.iter().zip(gate.iter_mut()).zip(up.iter_mut()) {
            let (g, u) = (*gate, *up);
            let sigmoid = 1.0 / (1.0 + exp(-g));
            *gate = dy * u * sigmoid * (1.0 + g * (1.0 - sigmoid));
            *up = dy * g * sigmoid;
        }
    }
}

/// A gated activation of rows that need not touch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glu {
    pub(crate) activation: Activation,
    /// Numbers of the gate, of what is gated, and of the result.
    pub(crate) width: usize,
    /// From one row of gate and gated to the next, at least `2 · width`.
    pub(crate) gate_up_step: usize,
    /// From one row of the result to the next, at least `width`.
    pub(crate) step: usize,
}

/// `y = activation(gate) · up`. `gate_up` is `[rows, 2 · width]`, gate first; `y` is `[rows, width]`.
pub(crate) fn glu_forward(glu: Glu, gate_up: &[f32], y: &mut [f32]) {
    let _span = span(Work::Activation);
    let Glu { activation, width, gate_up_step, step } = glu;
    y.par_chunks_mut(ROWS * step).zip(gate_up.par_chunks(ROWS * gate_up_step)).for_each(|(y, gate_up)| {
        for (y, row) in y.chunks_exact_mut(step).zip(gate_up.chunks_exact(gate_up_step)) {
            let (gate, up) = row[..2 * width].split_at(width);
            let y = &mut y[..width];
            match activation {
                Activation::Gelu => gelu_row(gate, up, y),
                Activation::Silu => silu_row(gate, up, y),
            }
        }
    });
}

/// The backward pass, in place: `gate_up` becomes its own gradient, given `dy` `[rows, width]`.
pub(crate) fn glu_backward(glu: Glu, dy: &[f32], gate_up: &mut [f32]) {
    let _span = span(Work::Activation);
    let Glu { activation, width, gate_up_step, step } = glu;
    gate_up.par_chunks_mut(ROWS * gate_up_step).zip(dy.par_chunks(ROWS * step)).for_each(|(gate_up, dy)| {
        for (row, dy) in gate_up.chunks_exact_mut(gate_up_step).zip(dy.chunks_exact(step)) {
            let (gate, up) = row[..2 * width].split_at_mut(width);
            let dy = &dy[..width];
            match activation {
                Activation::Gelu => gelu_row_backward(dy, gate, up),
                Activation::Silu => silu_row_backward(dy, gate, up),
            }
        }
    });
}
