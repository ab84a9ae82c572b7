//! One decoder layer, forward and backward by hand.
//!
//! ```text
//! x1 = x  + norm(attention(rope(norm(q)), rope(norm(k)), v) · Wo)     q, k, v = norm(x) · Wqkv
//! y  = x1 + norm(glu(gate, up) · Wdown)                               gate, up = norm(x1) · Wgate_up
//! ```
//!
//! The norms on queries, keys and on the two branches' outputs are there in some families only, and so is a bias on q, k, v.
//!
//! The backward pass recomputes the norms, the rotation, the activation and the attention probabilities from what was
//! saved, and adds the adapters' gradients into one flat buffer.

use rayon::prelude::*;

use crate::config::DecoderConfig;
use crate::error::Result;
use crate::full::{LayerView, Matrix};
use crate::lora::{Adapter, RowNorms, TargetModule};
use crate::ops::{
    self, AttentionShape, Glu, Linear, LinearSaved, LoraGroup, LoraPiece, Magnitude, Mat, RopeTable, Weight,
};
use crate::pool::{Buffer, Pool};
use crate::spans::{Work, span};

/// Token rows per parallel task.
const ROWS: usize = 16;

/// One layer at work on packed sequences.
pub(crate) struct Block<'p, 'a> {
    pub(crate) pool: &'p Pool,
    pub(crate) config: &'p DecoderConfig,
    pub(crate) index: usize,
    pub(crate) weights: LayerView<'a>,
    pub(crate) adapter: Option<&'a Adapter>,
    /// With `DoRA`: see [`RowNorms`].
    pub(crate) norms: Option<&'a RowNorms>,
    /// `None` drops nothing.
    pub(crate) dropout_seed: Option<u64>,
    /// A few rows that no backward pass follows: weights are multiplied as they are stored.
    pub(crate) few: bool,
    pub(crate) rope: &'a RopeTable,
    /// First rows of the sequences.
    pub(crate) starts: &'a [usize],
    /// Position of every row within its sequence.
    pub(crate) positions: &'a [usize],
}

/// What the backward pass of a layer needs, `[tokens, …]` each.
pub(crate) struct Saved<'p> {
    x: Buffer<'p>,
    projected: Projected<'p>,
    attended: Buffer<'p>,
    log_sums: Buffer<'p>,
    finished: Finished<'p>,
}

/// The stacked projections before norm and rotation.
pub(crate) struct Projected<'p> {
    qkv: Buffer<'p>,
    lora: LinearSaved<'p>,
}

/// What comes after attention.
struct Finished<'p> {
    output: Buffer<'p>,
    output_lora: LinearSaved<'p>,
    middle: Buffer<'p>,
    gate_up: Buffer<'p>,
    gate_up_lora: LinearSaved<'p>,
    down: Buffer<'p>,
    down_lora: LinearSaved<'p>,
}

const OUTPUT: &[TargetModule] = &[TargetModule::OProj];
const DOWN: &[TargetModule] = &[TargetModule::DownProj];

impl<'p, 'a> Block<'p, 'a> {
    /// The layer's output and what its backward pass needs; `x` is `[tokens, hidden]`.
    pub(crate) fn forward(&self, x: Buffer<'p>) -> Result<(Buffer<'p>, Saved<'p>)> {
        let tokens = self.positions.len();
        let projected = self.project(&x)?;
        let rotated = self.rotated(&projected);
        let shape = self.attention();
        let mut attended = self.pool.take(tokens * shape.out_step);
        let mut log_sums = self.pool.take(tokens * self.config.heads);
        ops::attention_forward(self.pool, &shape, &rotated, self.starts, &mut attended, &mut log_sums);
        drop(rotated);
        let (y, finished) = self.finish(&x, &attended)?;
        Ok((y, Saved { x, projected, attended, log_sums, finished }))
    }

    /// Sizes of this layer's attention.
    pub(crate) fn attention(&self) -> AttentionShape {
        let shape = attention_shape(self.config, self.index);
        AttentionShape { out_step: self.input_step(self.config.query_size()), ..shape }
    }

    /// From one row to the next of an input `width` wide that this layer makes for a projection. Stored weights take rows without gaps,
    /// and dropout counts their numbers.
    fn input_step(&self, width: usize) -> usize {
        if self.few || self.dropout_seed.is_some() { width } else { ops::row_step(width) }
    }

    /// Queries, keys and values of `x`.
    pub(crate) fn project(&self, x: &[f32]) -> Result<Projected<'p>> {
        let normed = self.norm(x, self.weights.attention_norm);
        let weight = self.weights.qkv.at_work(self.few, self.pool)?;
        let mut qkv = self.pool.take(self.positions.len() * ops::row_step(self.config.qkv_size()));
        let lora = self.qkv(weight.weight()).forward(self.pool, &normed, &mut qkv);
        Ok(Projected { qkv, lora })
    }

    /// Queries and keys normed and turned to their positions, values as they are: `[tokens, qkv]`.
    pub(crate) fn rotated(&self, projected: &Projected<'_>) -> Buffer<'p> {
        let _span = span(Work::Rotation);
        let (width, size) = (self.config.qkv_size(), self.config.head_size);
        let step = ops::row_step(width);
        let mut rotated = self.pool.take(projected.qkv.len());
        let tasks = rotated.par_chunks_mut(ROWS * step).zip(projected.qkv.par_chunks(ROWS * step));
        tasks.zip(self.positions.par_chunks(ROWS)).for_each(|((to, from), positions)| {
            let rows = to.chunks_exact_mut(step).zip(from.chunks_exact(step));
            for ((to, from), position) in rows.zip(positions) {
                let heads = to[..width].chunks_exact_mut(size).zip(from[..width].chunks_exact(size));
                for (head, (to, from)) in heads.enumerate() {
                    match self.head_norm(head) {
                        Some(weight) => ops::rms_row(from, weight, self.config.norm_epsilon, to),
                        None => to.copy_from_slice(from),
                    }
                    if self.is_rotated(head) {
                        ops::rotate(to, self.rope.at(*position), false);
                    }
                }
            }
        });
        rotated
    }

    /// The backward pass of [`Block::rotated`], in place.
    fn rotated_backward(&self, projected: &Projected<'_>, gradient: &mut [f32]) {
        let _span = span(Work::Rotation);
        let (width, size) = (self.config.qkv_size(), self.config.head_size);
        let step = ops::row_step(width);
        let tasks = gradient.par_chunks_mut(ROWS * step).zip(projected.qkv.par_chunks(ROWS * step));
        tasks.zip(self.positions.par_chunks(ROWS)).for_each(|((gradient, x), positions)| {
            let rows = gradient.chunks_exact_mut(step).zip(x.chunks_exact(step));
            for ((gradient, x), position) in rows.zip(positions) {
                let heads = gradient[..width].chunks_exact_mut(size).zip(x[..width].chunks_exact(size));
                for (head, (gradient, x)) in heads.enumerate() {
                    if self.is_rotated(head) {
                        ops::rotate(gradient, self.rope.at(*position), true);
                    }
                    if let Some(weight) = self.head_norm(head) {
                        ops::rms_row_backward(gradient, x, weight, self.config.norm_epsilon);
                    }
                }
            }
        });
    }

    /// Adds the gradients of the norms on queries and keys, where these are trained; `gradient` is that of the rotated stack.
    fn head_norm_gradients(&self, projected: &Projected<'_>, gradient: &[f32], grads: &mut [f32]) {
        let Some(places) = self.weights.places else { return };
        let step = ops::row_step(self.config.qkv_size());
        let (size, eps) = (self.config.head_size, self.config.norm_epsilon);
        for head in 0..self.config.heads + self.config.kv_heads {
            let norm = if head < self.config.heads { &places.query_norm } else { &places.key_norm };
            let Some(range) = norm else { return };
            let mut turned = self.pool.take(size);
            let rows = gradient.chunks_exact(step).zip(projected.qkv.chunks_exact(step));
            for ((gradient, x), position) in rows.zip(self.positions) {
                let at = head * size..(head + 1) * size;
                turned.copy_from_slice(&gradient[at.clone()]);
                ops::rotate(&mut turned, self.rope.at(*position), true);
                ops::rms_weight_row(&turned, &x[at], eps, &mut grads[range.clone()]);
            }
        }
    }

    /// Whether a head of the stack knows its position: queries and keys do, values do not.
    fn is_rotated(&self, head: usize) -> bool {
        head < self.config.heads + self.config.kv_heads
    }

    /// The norm of a head of the stack: queries, keys, and none for values.
    fn head_norm(&self, head: usize) -> Option<&[f32]> {
        if head < self.config.heads {
            self.weights.query_norm
        } else if self.is_rotated(head) {
            self.weights.key_norm
        } else {
            None
        }
    }

    /// Everything after attention, for rows that need no backward pass.
    pub(crate) fn finished(&self, x: &[f32], attended: &[f32]) -> Result<Buffer<'p>> {
        Ok(self.finish(x, attended)?.0)
    }

    fn finish(&self, x: &[f32], attended: &[f32]) -> Result<(Buffer<'p>, Finished<'p>)> {
        let (pool, eps, glu) = (self.pool, self.config.norm_epsilon, self.glu());
        let tokens = x.len() / self.config.hidden_size;

        let mut output = pool.take(x.len());
        let weight = self.weights.output.at_work(self.few, pool)?;
        let output_lora = self.output(weight.weight()).forward(pool, attended, &mut output);
        drop(weight);
        let mut middle = pool.take(x.len());
        middle.copy_from_slice(x);
        join(&output, self.weights.post_attention_norm, eps, &mut middle);

        let normed = self.norm(&middle, self.weights.feed_forward_norm);
        let mut gate_up = pool.take(tokens * glu.gate_up_step);
        let weight = self.weights.gate_up.at_work(self.few, pool)?;
        let gate_up_lora = self.gate_up(weight.weight()).forward(pool, &normed, &mut gate_up);
        drop((weight, normed));
        let mut active = pool.take(tokens * glu.step);
        ops::glu_forward(glu, &gate_up, &mut active);
        let mut down = pool.take(x.len());
        let weight = self.weights.down.at_work(self.few, pool)?;
        let down_lora = self.down(weight.weight()).forward(pool, &active, &mut down);
        drop((weight, active));
        let mut y = pool.take(x.len());
        y.copy_from_slice(&middle);
        join(&down, self.weights.post_feed_forward_norm, eps, &mut y);
        Ok((y, Finished { output, output_lora, middle, gate_up, gate_up_lora, down, down_lora }))
    }

    /// Turns `dy`, the gradient with respect to the layer's output, into the one with respect to its input, and adds the
    /// gradients of what is trained to `grads`. With `input_needed` false (the lowest layer under LoRA) `dy` is left unspecified.
    pub(crate) fn backward(
        &self,
        saved: Saved<'_>,
        dy: &mut [f32],
        grads: &mut [f32],
        input_needed: bool,
    ) -> Result<()> {
        let (pool, eps, glu) = (self.pool, self.config.norm_epsilon, self.glu());
        let Saved { x, projected, attended, log_sums, finished } = saved;
        let Finished { output, output_lora, middle, mut gate_up, gate_up_lora, down, down_lora } = finished;
        let tokens = self.positions.len();
        let hidden = self.config.hidden_size;
        let places = self.weights.places;
        let mut branch = pool.take(dy.len());

        // Feed-forward branch.
        branch.copy_from_slice(dy);
        if let Some(range) = places.and_then(|places| places.post_feed_forward_norm.clone()) {
            ops::rms_weight_gradient(&branch, &down, eps, &mut grads[range]);
        }
        if let Some(norm) = self.weights.post_feed_forward_norm {
            ops::rms_backward(&mut branch, &down, norm, eps);
        }
        drop(down);
        let mut active = pool.take(tokens * glu.step);
        ops::glu_forward(glu, &gate_up, &mut active);
        let mut d_active = pool.take(tokens * glu.step);
        let weight = self.weights.down.all(pool)?;
        let linear = self.down(Weight::Expanded(&weight));
        linear.backward(pool, &active, &down_lora, &branch, grads, Some(&mut d_active));
        if let Some(places) = places {
            let active = Mat::strided(&active, tokens, glu.width, glu.step);
            ops::weight_gradient(Mat::new(&branch, tokens, hidden), active, &mut grads[places.down.clone()]);
        }
        drop((weight, active, down_lora));
        ops::glu_backward(glu, &d_active, &mut gate_up);
        drop(d_active);
        let normed = self.norm(&middle, self.weights.feed_forward_norm);
        let weight = self.weights.gate_up.all(pool)?;
        let linear = self.gate_up(Weight::Expanded(&weight));
        linear.backward(pool, &normed, &gate_up_lora, &gate_up, grads, Some(&mut branch));
        if let Some(places) = places {
            let dy = Mat::strided(&gate_up, tokens, 2 * glu.width, glu.gate_up_step);
            ops::weight_gradient(dy, Mat::new(&normed, tokens, hidden), &mut grads[places.gate_up.clone()]);
            ops::rms_weight_gradient(&branch, &middle, eps, &mut grads[places.feed_forward_norm.clone()]);
        }
        drop((weight, normed, gate_up, gate_up_lora));
        ops::rms_backward_add(&mut branch, &middle, self.weights.feed_forward_norm, eps, dy);
        drop(middle);

        // Attention branch.
        branch.copy_from_slice(dy);
        if let Some(range) = places.and_then(|places| places.post_attention_norm.clone()) {
            ops::rms_weight_gradient(&branch, &output, eps, &mut grads[range]);
        }
        if let Some(norm) = self.weights.post_attention_norm {
            ops::rms_backward(&mut branch, &output, norm, eps);
        }
        drop(output);
        let mut d_attended = pool.take(attended.len());
        let weight = self.weights.output.all(pool)?;
        let linear = self.output(Weight::Expanded(&weight));
        linear.backward(pool, &attended, &output_lora, &branch, grads, Some(&mut d_attended));
        if let Some(places) = places {
            let attended = Mat::strided(&attended, tokens, self.config.query_size(), self.attention().out_step);
            ops::weight_gradient(Mat::new(&branch, tokens, hidden), attended, &mut grads[places.output.clone()]);
        }
        drop((weight, output_lora));
        let rotated = self.rotated(&projected);
        let mut d_qkv = pool.take(rotated.len());
        let forward = (&*attended, &*log_sums);
        ops::attention_backward(pool, &self.attention(), &rotated, self.starts, forward, &d_attended, &mut d_qkv);
        drop((rotated, d_attended, attended, log_sums));
        self.head_norm_gradients(&projected, &d_qkv, grads);
        self.rotated_backward(&projected, &mut d_qkv);
        let normed = self.norm(&x, self.weights.attention_norm);
        let weight = self.weights.qkv.all(pool)?;
        let linear = self.qkv(Weight::Expanded(&weight));
        let d_normed = input_needed.then_some(&mut *branch);
        linear.backward(pool, &normed, &projected.lora, &d_qkv, grads, d_normed);
        if let Some(places) = places {
            let width = self.config.qkv_size();
            let step = ops::row_step(width);
            let (dy, normed) = (Mat::strided(&d_qkv, tokens, width, step), Mat::new(&normed, tokens, hidden));
            ops::weight_gradient(dy, normed, &mut grads[places.qkv.clone()]);
            if let Some(range) = places.qkv_bias.clone() {
                d_qkv.chunks_exact(step).for_each(|row| ops::add(&mut grads[range.clone()], &row[..width]));
            }
            ops::rms_weight_gradient(&branch, &x, eps, &mut grads[places.attention_norm.clone()]);
        }
        if input_needed {
            ops::rms_backward_add(&mut branch, &x, self.weights.attention_norm, eps, dy);
        }
        Ok(())
    }

    fn norm(&self, x: &[f32], weight: &[f32]) -> Buffer<'p> {
        let mut y = self.pool.take(x.len());
        ops::rms_forward(x, weight, self.config.norm_epsilon, &mut y);
        y
    }

    fn qkv<'w>(&self, weight: Weight<'w>) -> Linear<'w>
    where
        'a: 'w,
        'p: 'w,
    {
        let stack = self.linear(self.weights.qkv, weight, TargetModule::qkv(self.config));
        Linear { y_step: ops::row_step(stack.out), bias: self.weights.qkv_bias, ..stack }
    }

    fn output<'w>(&self, weight: Weight<'w>) -> Linear<'w>
    where
        'a: 'w,
    {
        let linear = self.linear(self.weights.output, weight, OUTPUT);
        Linear { x_step: self.input_step(linear.input), ..linear }
    }

    fn gate_up<'w>(&self, weight: Weight<'w>) -> Linear<'w>
    where
        'a: 'w,
    {
        let linear = self.linear(self.weights.gate_up, weight, TargetModule::gate_up(self.config));
        Linear { y_step: self.glu().gate_up_step, ..linear }
    }

    fn down<'w>(&self, weight: Weight<'w>) -> Linear<'w>
    where
        'a: 'w,
    {
        let linear = self.linear(self.weights.down, weight, DOWN);
        Linear { x_step: self.input_step(linear.input), ..linear }
    }

    fn glu(&self) -> Glu {
        let width = self.config.feed_forward_size;
        let (gate_up_step, step) = (ops::row_step(2 * width), self.input_step(width));
        Glu { activation: self.config.activation, width, gate_up_step, step }
    }

    /// A stack of projections with the adapters that lie on them.
    fn linear<'w>(&self, matrix: Matrix<'_>, weight: Weight<'w>, modules: &[TargetModule]) -> Linear<'w>
    where
        'a: 'w,
    {
        let (out, input) = (matrix.row_count(), matrix.columns());
        Linear { weight, out, input, x_step: input, y_step: out, bias: None, lora: self.lora(modules) }
    }

    fn lora(&self, modules: &[TargetModule]) -> Option<LoraGroup<'a>> {
        lora_group(self.adapter?, self.config, self.index, modules, self.dropout_seed, self.norms)
    }
}

/// The adapters on a stack of one layer's projections; `None` where none of them has one.
pub(crate) fn lora_group<'a>(
    adapter: &'a Adapter,
    config: &DecoderConfig,
    layer: usize,
    modules: &[TargetModule],
    dropout_seed: Option<u64>,
    norms: Option<&'a RowNorms>,
) -> Option<LoraGroup<'a>> {
    let mut column = 0;
    let mut pieces = Vec::new();
    for &module in modules {
        let out = module.shape(config)[0];
        if let Some(slot) = adapter.slot(layer, module) {
            let dropout_seed = dropout_seed.map(|seed| {
                // One unrelated sequence of masks per projection.
                ops::mix(seed ^ ops::mix((layer * TargetModule::ALL.len() + module as usize) as u64 + 1))
            });
            let magnitude =
                norms.map(|norms| Magnitude { range: slot.magnitude.clone(), norms: norms.of(layer, module) });
            pieces.push(LoraPiece { column, out, a: slot.a.clone(), b: slot.b.clone(), dropout_seed, magnitude });
        }
        column += out;
    }
    let lora = adapter.config();
    (!pieces.is_empty()).then(|| LoraGroup {
        params: adapter.params(),
        rank: lora.rank,
        scaling: lora.scaling(),
        dropout: lora.dropout,
        pieces,
    })
}

/// Sizes of one layer's attention.
pub(crate) fn attention_shape(config: &DecoderConfig, layer: usize) -> AttentionShape {
    AttentionShape {
        heads: config.heads,
        kv_heads: config.kv_heads,
        head_size: config.head_size,
        scale: config.attention_scale,
        softcap: config.attention_softcap,
        window: config.layers[layer].window,
        step: ops::row_step(config.qkv_size()),
        out_step: config.query_size(),
    }
}

/// Adds a branch to the residual stream, normed where the family norms it.
fn join(branch: &[f32], norm: Option<&[f32]>, eps: f32, sum: &mut [f32]) {
    match norm {
        Some(norm) => ops::rms_forward_add(branch, norm, eps, sum),
        None => ops::add(sum, branch),
    }
}
