//! The arithmetic of a decoder on the CPU, f32: each op forward and, where training needs it, backward.
//!
//! Every op writes into buffers that the caller owns, allocates nothing that grows with the sequence, and gives the
//! same bits for the same input and build, whatever the number of threads. Nothing here knows layers or models.

// A kernel's body must end up inside the function that is compiled for the wide instructions.
#![allow(clippy::inline_always)]

mod attention;
mod dequantise;
mod dora;
mod glu;
mod head;
mod lanes;
mod linear;
mod math;
mod noise;
mod norm;
mod rope;
mod sgemm;
mod simd;
mod softcap;
mod stored;

pub(crate) use attention::{AttentionShape, attend_cached, attention_backward, attention_forward};
pub(crate) use dequantise::dequantise;
pub(crate) use dora::{Magnitude, row_norms};
pub(crate) use glu::{Glu, glu_backward, glu_forward};
pub(crate) use head::{Head, HeadGradient, Targets, head_loss, tiles};
pub(crate) use lanes::{add, dot, row_step, scale};
pub(crate) use linear::{Linear, LinearSaved, LoraGroup, LoraPiece, Weight, dropout_mask, mix, weight_gradient};
pub(crate) use noise::add_noise;
pub(crate) use norm::{
    rms_backward, rms_backward_add, rms_forward, rms_forward_add, rms_row, rms_row_backward, rms_weight_gradient,
    rms_weight_row,
};
pub(crate) use rope::{RopeTable, rotate};
pub(crate) use sgemm::{Mat, MatMut, Onto, sgemm};
pub use sgemm::{best_product_rate, product_rate};
pub(crate) use softcap::softcap;
pub(crate) use stored::{StoredRows, stored_product};

#[cfg(test)]
mod tests;
