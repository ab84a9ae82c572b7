//! One decoder layer on a device, forward and backward; the formulas are those at the top of `block.rs`.

use std::collections::BTreeMap;

use candle_core::{D, Tensor};

use super::attention::{Attention, BLOCK, Heads, Seen};
use super::gradients::Gradients;
use super::linear::{Inner, Linear, Lora, Matrix};
use super::math::{glu, glu_backward, rms, rms_backward};
use super::weights::DeviceLayer;
use crate::block::{attention_shape, lora_group};
use crate::config::DecoderConfig;
use crate::error::Result;
use crate::lora::{Adapter, TargetModule};

/// What every layer of one pass shares.
pub(crate) struct Pass<'a> {
    pub(crate) config: &'a DecoderConfig,
    /// With its flat buffer on the device.
    pub(crate) adapter: Option<(&'a Adapter, Tensor)>,
    pub(crate) dropout_seed: Option<u64>,
    /// Cosines and sines of every token, `[tokens, dimensions / 2]`, for each entry of [`DecoderConfig::ropes`].
    pub(crate) ropes: Vec<(Tensor, Tensor)>,
    /// By the layers' windows.
    pub(crate) seen: BTreeMap<Option<usize>, Seen>,
}

/// One layer at work.
pub(crate) struct Layer<'a> {
    pub(crate) weights: &'a DeviceLayer,
    pub(crate) index: usize,
    pub(crate) pass: &'a Pass<'a>,
    pub(crate) seen: &'a Seen,
}

/// What the backward pass of a layer needs, `[tokens, …]` each.
pub(crate) struct Saved {
    x: Tensor,
    qkv: Tensor,
    qkv_inner: Inner,
    /// `[heads, tokens, size]`.
    attended: Tensor,
    output: Tensor,
    output_inner: Inner,
    middle: Tensor,
    gate_up: Tensor,
    gate_up_inner: Inner,
    down: Tensor,
    down_inner: Inner,
}

impl<'a> Layer<'a> {
    /// The layer's output and what its backward pass needs; `x` is `[tokens, hidden]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<(Tensor, Saved)> {
        let weights = self.weights;
        let (qkv, qkv_inner) = self.qkv().forward(&self.norm(x, &weights.attention_norm)?)?;
        let attended = self.attention().forward(&self.rotated(&qkv)?)?;
        let (output, output_inner) = self.output().forward(&columns(&attended)?)?;
        let middle = (x + self.joining(&output, weights.post_attention_norm.as_ref())?)?;

        let normed = self.norm(&middle, &weights.feed_forward_norm)?;
        let (gate_up, gate_up_inner) = self.gate_up().forward(&normed)?;
        let (down, down_inner) = self.down().forward(&glu(self.config().activation, &gate_up)?)?;
        let y = (&middle + self.joining(&down, weights.post_feed_forward_norm.as_ref())?)?;
        let x = x.clone();
        let saved = Saved {
            x,
            qkv,
            qkv_inner,
            attended,
            output,
            output_inner,
            middle,
            gate_up,
            gate_up_inner,
            down,
            down_inner,
        };
        Ok((y, saved))
    }

    /// The gradient with respect to the layer's input, given `dy`, the one with respect to its output; takes those of the adapter
    /// into `grads`. `None` unless `input_needed` (not for the lowest layer).
    pub(crate) fn backward(
        &self,
        saved: Saved,
        dy: &Tensor,
        grads: &mut Gradients,
        input_needed: bool,
    ) -> Result<Option<Tensor>> {
        let (weights, activation) = (self.weights, self.config().activation);

        // Feed-forward branch.
        let branch = self.joining_backward(dy, &saved.down, weights.post_feed_forward_norm.as_ref())?;
        let active = glu(activation, &saved.gate_up)?;
        let d_active = self.down().backward(&active, &saved.down_inner, &branch, grads)?;
        let d_gate_up = glu_backward(activation, &d_active, &saved.gate_up)?;
        drop((active, d_active));
        let normed = self.norm(&saved.middle, &weights.feed_forward_norm)?;
        let d_normed = self.gate_up().backward(&normed, &saved.gate_up_inner, &d_gate_up, grads)?;
        drop((normed, d_gate_up));
        let d_middle = (dy + self.norm_backward(&d_normed, &saved.middle, &weights.feed_forward_norm)?)?;

        // Attention branch.
        let branch = self.joining_backward(&d_middle, &saved.output, weights.post_attention_norm.as_ref())?;
        let d_attended = self.output().backward(&columns(&saved.attended)?, &saved.output_inner, &branch, grads)?;
        let d_attended = self.heads(&d_attended, 0, self.config().heads)?;
        let d_heads = self.attention().backward(&self.rotated(&saved.qkv)?, &saved.attended, &d_attended)?;
        let d_qkv = self.rotated_backward(&saved.qkv, &d_heads)?;
        let normed = self.norm(&saved.x, &weights.attention_norm)?;
        if !input_needed {
            self.qkv().learn(&normed, &saved.qkv_inner, &d_qkv, grads)?;
            return Ok(None);
        }
        let d_normed = self.qkv().backward(&normed, &saved.qkv_inner, &d_qkv, grads)?;
        Ok(Some((d_middle + self.norm_backward(&d_normed, &saved.x, &weights.attention_norm)?)?))
    }

    fn config(&self) -> &'a DecoderConfig {
        self.pass.config
    }

    fn attention(&self) -> Attention<'a> {
        Attention { shape: attention_shape(self.config(), self.index), seen: self.seen }
    }

    /// Queries and keys normed and turned to their positions, values as they are.
    fn rotated(&self, qkv: &Tensor) -> Result<Heads> {
        let config = self.config();
        let normed = |x: Tensor, norm: Option<&Tensor>| match norm {
            Some(norm) => self.norm(&x, norm),
            None => Ok(x),
        };
        let queries = normed(self.heads(qkv, 0, config.heads)?, self.weights.query_norm.as_ref())?;
        let keys = self.heads(qkv, config.query_size(), config.kv_heads)?;
        let keys = normed(keys, self.weights.key_norm.as_ref())?;
        let values = self.heads(qkv, config.query_size() + config.kv_size(), config.kv_heads)?;
        Ok(Heads { queries: self.turned(&queries, false)?, keys: self.turned(&keys, false)?, values })
    }

    /// The backward pass of [`Layer::rotated`]: `[tokens, qkv]`.
    fn rotated_backward(&self, qkv: &Tensor, gradient: &Heads) -> Result<Tensor> {
        let config = self.config();
        let back = |gradient: &Tensor, first: usize, heads: usize, norm: Option<&Tensor>| -> Result<Tensor> {
            let gradient = self.turned(gradient, true)?;
            match norm {
                Some(norm) => columns(&self.norm_backward(&gradient, &self.heads(qkv, first, heads)?, norm)?),
                None => columns(&gradient),
            }
        };
        let queries = back(&gradient.queries, 0, config.heads, self.weights.query_norm.as_ref())?;
        let keys = back(&gradient.keys, config.query_size(), config.kv_heads, self.weights.key_norm.as_ref())?;
        Ok(Tensor::cat(&[queries, keys, columns(&gradient.values)?], 1)?)
    }

    /// Turns the rotated part of each head of `[heads, tokens, size]`; `inverse` turns back, which is also the backward pass.
    fn turned(&self, x: &Tensor, inverse: bool) -> Result<Tensor> {
        let (cosines, sines) = &self.pass.ropes[self.config().layers[self.index].rope];
        let half = cosines.dim(1)?;
        let (low, high) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
        let across = |x: &Tensor| x.broadcast_mul(sines);
        let along = |x: &Tensor| x.broadcast_mul(cosines);
        let (low, high) = if inverse {
            ((along(&low)? + across(&high)?)?, (along(&high)? - across(&low)?)?)
        } else {
            ((along(&low)? - across(&high)?)?, (along(&high)? + across(&low)?)?)
        };
        let rest = self.config().head_size - 2 * half;
        let rest = if rest > 0 { Some(x.narrow(D::Minus1, 2 * half, rest)?) } else { None };
        let parts: Vec<Tensor> = [low, high].into_iter().chain(rest).collect();
        Ok(Tensor::cat(&parts, D::Minus1)?)
    }

    /// Some heads of `[tokens, columns]`, from the column `first` on: `[heads, tokens, size]`.
    fn heads(&self, x: &Tensor, first: usize, heads: usize) -> Result<Tensor> {
        let size = self.config().head_size;
        let part = x.narrow(1, first, heads * size)?.reshape((x.dim(0)?, heads, size))?;
        Ok(part.transpose(0, 1)?.contiguous()?)
    }

    fn norm(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        rms(x, weight, self.config().norm_epsilon)
    }

    /// The gradient with respect to `x`, given that of its norm.
    fn norm_backward(&self, dy: &Tensor, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        rms_backward(dy, x, weight, self.config().norm_epsilon)
    }

    /// A branch as it is added to the residual stream: normed where the family norms it.
    fn joining(&self, branch: &Tensor, norm: Option<&Tensor>) -> Result<Tensor> {
        norm.map_or_else(|| Ok(branch.clone()), |norm| self.norm(branch, norm))
    }

    fn joining_backward(&self, dy: &Tensor, branch: &Tensor, norm: Option<&Tensor>) -> Result<Tensor> {
        norm.map_or_else(|| Ok(dy.clone()), |norm| self.norm_backward(dy, branch, norm))
    }

    fn qkv(&self) -> Linear<'_> {
        let linear = self.linear(&self.weights.qkv, TargetModule::qkv(self.config()));
        Linear { bias: self.weights.qkv_bias.as_ref(), ..linear }
    }

    fn output(&self) -> Linear<'_> {
        self.linear(&self.weights.output, &[TargetModule::OProj])
    }

    fn gate_up(&self) -> Linear<'_> {
        self.linear(&self.weights.gate_up, TargetModule::gate_up(self.config()))
    }

    fn down(&self) -> Linear<'_> {
        self.linear(&self.weights.down, &[TargetModule::DownProj])
    }

    fn linear(&self, weight: &'a Matrix, modules: &[TargetModule]) -> Linear<'a> {
        let lora = self.pass.adapter.as_ref().and_then(|(adapter, params)| {
            let group = lora_group(adapter, self.config(), self.index, modules, self.pass.dropout_seed, None)?;
            Some(Lora { group, params })
        });
        Linear { weight, bias: None, lora }
    }
}

/// `[heads, tokens, size]` as `[tokens, heads · size]`.
fn columns(x: &Tensor) -> Result<Tensor> {
    let (heads, tokens, size) = x.dims3()?;
    Ok(x.transpose(0, 1)?.reshape((tokens, heads * size))?)
}

/// Numbers per token that a layer's backward pass holds at its widest besides what was saved, for the estimate of memory: the
/// gate's gradient in composed operations, or a block of attention scores with what is computed from it.
pub(crate) fn device_transients(config: &DecoderConfig, tokens: usize) -> usize {
    let attention = 3 * config.qkv_size() + 6 * config.heads * BLOCK.min(tokens);
    4 * config.hidden_size + attention.max(12 * config.feed_forward_size)
}
