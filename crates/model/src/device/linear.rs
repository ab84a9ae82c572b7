//! A frozen matrix with LoRA on it, as `ops/linear.rs`: `y = x · Wᵀ + scaling · (x · Aᵀ) · Bᵀ`.

use std::ops::Range;

use candle_core::{DType, Device, Tensor};

use super::gradients::Gradients;
use super::math::product;
use crate::error::Result;
use crate::ops::{self, LoraGroup, LoraPiece};

/// What is said of a weight that f16 has no number for.
pub(crate) const TOO_LARGE: &str = "a weight of the model is too large for f16";

/// A frozen matrix `[out, input]`, f32, bf16 or f16. What comes out of a product with it is f32.
#[derive(Debug)]
pub(crate) struct Matrix(Tensor);

impl Matrix {
    pub(crate) fn new(values: &[f32], input: usize, dtype: DType, device: &Device) -> Result<Self> {
        if dtype == DType::F16 && values.iter().any(|value| value.abs() > half::f16::MAX.to_f32()) {
            return Err(candle_core::Error::Msg(TOO_LARGE.to_owned()).into());
        }
        // Narrowed on the host, so that the card never holds the wide numbers.
        let host = Tensor::from_slice(values, (values.len() / input, input), &Device::Cpu)?;
        Ok(Self(host.to_dtype(dtype)?.to_device(device)?))
    }

    /// `x · Wᵀ`, `[tokens, out]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(product(&x.to_dtype(self.0.dtype())?, &self.0.t()?)?.to_dtype(DType::F32)?)
    }

    /// `dy · W`, `[tokens, input]`: the gradient with respect to the input.
    pub(crate) fn backward(&self, dy: &Tensor) -> Result<Tensor> {
        Ok(product(&dy.to_dtype(self.0.dtype())?, &self.0)?.to_dtype(DType::F32)?)
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.elem_count() * self.0.dtype().size_in_bytes()
    }
}

/// A stack of frozen projections of one input, and their adapters.
pub(crate) struct Linear<'a> {
    pub(crate) weight: &'a Matrix,
    /// Added to every output row, `[out]`.
    pub(crate) bias: Option<&'a Tensor>,
    pub(crate) lora: Option<Lora<'a>>,
}

/// The adapters of a stack, and the adapter's flat buffer on the device.
pub(crate) struct Lora<'a> {
    pub(crate) group: LoraGroup<'a>,
    pub(crate) params: &'a Tensor,
}

/// What the backward pass needs besides the input: `x · Aᵀ` of each piece, `[tokens, rank]`.
pub(crate) struct Inner(Vec<Tensor>);

impl Linear<'_> {
    /// `[tokens, out]` from `x` `[tokens, input]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<(Tensor, Inner)> {
        let mut y = self.weight.forward(x)?;
        let mut inner = Vec::new();
        if let Some(lora) = &self.lora {
            let (tokens, out) = y.dims2()?;
            let gap = |columns: Range<usize>| Tensor::zeros((tokens, columns.len()), DType::F32, x.device());
            let (mut added, mut column) = (Vec::new(), 0);
            for piece in &lora.group.pieces {
                if piece.column > column {
                    added.push(gap(column..piece.column)?);
                }
                column = piece.column + piece.out;
                let within = product(&lora.dropped(x, piece)?, &lora.a(piece)?.t()?)?;
                added.push((product(&within, &lora.b(piece)?.t()?)? * lora.scaling())?);
                inner.push(within);
            }
            if column < out {
                added.push(gap(column..out)?);
            }
            y = (y + Tensor::cat(&added, 1)?)?;
        }
        if let Some(bias) = self.bias {
            y = y.broadcast_add(bias)?;
        }
        Ok((y, Inner(inner)))
    }

    /// Takes the adapters' gradients into `grads`, given `dy`, the one with respect to the output, and gives those with respect to
    /// what each piece's `A` made, `[tokens, rank]`.
    pub(crate) fn learn(&self, x: &Tensor, inner: &Inner, dy: &Tensor, grads: &mut Gradients) -> Result<Inner> {
        let Some(lora) = &self.lora else { return Ok(Inner(Vec::new())) };
        let mut d_inner = Vec::new();
        for (piece, inner) in lora.group.pieces.iter().zip(&inner.0) {
            let dy = (dy.narrow(1, piece.column, piece.out)?.contiguous()? * lora.scaling())?;
            grads.push(&piece.b, product(&dy.t()?, inner)?);
            let within = product(&dy, &lora.b(piece)?)?;
            grads.push(&piece.a, product(&within.t()?, &lora.dropped(x, piece)?)?);
            d_inner.push(within);
        }
        Ok(Inner(d_inner))
    }

    /// As [`Linear::learn`]; gives the gradient with respect to the input, `[tokens, input]`.
    pub(crate) fn backward(&self, x: &Tensor, inner: &Inner, dy: &Tensor, grads: &mut Gradients) -> Result<Tensor> {
        let d_inner = self.learn(x, inner, dy, grads)?;
        let mut dx = self.weight.backward(dy)?;
        let Some(lora) = &self.lora else { return Ok(dx) };
        for (piece, d_inner) in lora.group.pieces.iter().zip(&d_inner.0) {
            let through = product(d_inner, &lora.a(piece)?)?;
            dx = (dx + lora.dropped(&through, piece)?)?;
        }
        Ok(dx)
    }
}

impl Lora<'_> {
    /// `[rank, input]`.
    fn a(&self, piece: &LoraPiece<'_>) -> Result<Tensor> {
        self.matrix(&piece.a, self.group.rank)
    }

    /// `[out, rank]`.
    fn b(&self, piece: &LoraPiece<'_>) -> Result<Tensor> {
        self.matrix(&piece.b, piece.out)
    }

    fn matrix(&self, range: &Range<usize>, rows: usize) -> Result<Tensor> {
        Ok(self.params.narrow(0, range.start, range.len())?.reshape((rows, range.len() / rows))?)
    }

    fn scaling(&self) -> f64 {
        f64::from(self.group.scaling)
    }

    /// Drops the inputs that the CPU engine would drop; the same again for their gradient.
    fn dropped(&self, x: &Tensor, piece: &LoraPiece<'_>) -> Result<Tensor> {
        let Some(seed) = piece.dropout_seed else { return Ok(x.clone()) };
        let mask = ops::dropout_mask(x.elem_count(), self.group.dropout, seed);
        Ok((x * Tensor::from_vec(mask, x.shape(), x.device())?)?)
    }
}
