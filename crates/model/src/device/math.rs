//! Arithmetic on f32 tensors: norms, gates and caps with their backward passes, and a product that any device takes.

use candle_core::{D, Tensor};

use crate::config::Activation;
use crate::error::Result;

/// sqrt(2 / pi).
const SLOPE: f64 = 0.797_884_6;
const CUBE: f64 = 0.044_715;

/// `a · b`, `[rows, inner]` times `[inner, columns]`, or batches of both.
pub(crate) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Ok(plain(a)?.matmul(&plain(b)?)?)
}

/// A tensor whose matrices lie in memory without gaps, row by row or column by column: cuBLAS takes no others.
fn plain(x: &Tensor) -> Result<Tensor> {
    let (dims, strides) = (x.dims(), x.stride());
    let last = dims.len() - 1;
    let by_rows = strides[last] == 1 && strides[last - 1] == dims[last];
    let by_columns = strides[last - 1] == 1 && strides[last] == dims[last - 1];
    if dims.len() <= 3 && (by_rows || by_columns) { Ok(x.clone()) } else { Ok(x.contiguous()?) }
}

/// `1 / sqrt(mean(x²) + eps)` of each row, `[…, 1]`.
fn inverse_rms(x: &Tensor, eps: f32) -> Result<Tensor> {
    Ok((x.sqr()?.mean_keepdim(D::Minus1)? + f64::from(eps))?.sqrt()?.recip()?)
}

/// RMS norm over the last dimension, as `ops::rms_forward`.
pub(crate) fn rms(x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    Ok(x.broadcast_mul(&inverse_rms(x, eps)?)?.broadcast_mul(weight)?)
}

/// The gradient with respect to `x` of [`rms`].
pub(crate) fn rms_backward(dy: &Tensor, x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    let inverse = inverse_rms(x, eps)?;
    let dy = dy.broadcast_mul(weight)?;
    let mean = (&dy * x)?.mean_keepdim(D::Minus1)?;
    let correction = (mean * (inverse.sqr()? * &inverse)?)?;
    Ok((dy.broadcast_mul(&inverse)? - x.broadcast_mul(&correction)?)?)
}

/// `activation(gate) · up` of `gate_up` `[tokens, 2 · width]`, gate first: `[tokens, width]`.
pub(crate) fn glu(activation: Activation, gate_up: &Tensor) -> Result<Tensor> {
    let (gate, up) = halves(gate_up)?;
    let factor = match activation {
        Activation::Gelu => ((gelu_tanh(&gate)? + 1.0)? * 0.5)?,
        Activation::Silu => sigmoid(&gate)?,
    };
    Ok(((gate * factor)? * up)?)
}

/// The gradient with respect to `gate_up` of [`glu`], given that of its result.
pub(crate) fn glu_backward(activation: Activation, dy: &Tensor, gate_up: &Tensor) -> Result<Tensor> {
    let (gate, up) = halves(gate_up)?;
    let (value, slope) = match activation {
        Activation::Gelu => {
            let tanh = gelu_tanh(&gate)?;
            let half = ((&tanh + 1.0)? * 0.5)?;
            let inner = (gate.sqr()?.affine(3.0 * CUBE, 1.0)? * (0.5 * SLOPE))?;
            let bend = ((tanh.sqr()?.affine(-1.0, 1.0)? * inner)? * &gate)?;
            ((&gate * &half)?, (half + bend)?)
        }
        Activation::Silu => {
            let sigmoid = sigmoid(&gate)?;
            let rest = (&gate * sigmoid.affine(-1.0, 1.0)?)?;
            ((&gate * &sigmoid)?, (sigmoid * (rest + 1.0)?)?)
        }
    };
    let d_gate = ((dy * up)? * slope)?;
    Ok(Tensor::cat(&[d_gate, (dy * value)?], 1)?)
}

fn halves(gate_up: &Tensor) -> Result<(Tensor, Tensor)> {
    let width = gate_up.dim(1)? / 2;
    Ok((gate_up.narrow(1, 0, width)?.contiguous()?, gate_up.narrow(1, width, width)?.contiguous()?))
}

fn gelu_tanh(gate: &Tensor) -> Result<Tensor> {
    Ok(((gate.sqr()?.affine(CUBE, 1.0)? * gate)? * SLOPE)?.tanh()?)
}

fn sigmoid(x: &Tensor) -> Result<Tensor> {
    Ok((x.neg()?.exp()? + 1.0)?.recip()?)
}

/// `cap · tanh(x / cap)`.
pub(crate) fn softcap(x: &Tensor, cap: f32) -> Result<Tensor> {
    let cap = f64::from(cap);
    Ok(((x / cap)?.tanh()? * cap)?)
}

/// The slope of [`softcap`] where its value is `capped`.
pub(crate) fn softcap_slope(capped: &Tensor, cap: f32) -> Result<Tensor> {
    Ok((capped / f64::from(cap))?.sqr()?.affine(-1.0, 1.0)?)
}
