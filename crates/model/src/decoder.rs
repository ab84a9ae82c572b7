//! The decoder: embedding, layers, LM head; loss and gradients of a batch.

use std::ops::Range;

use hone_job::Job;

use crate::arch;
use crate::batch::{Batch, LossSum, check_ids, positions};
use crate::block::Block;
use crate::config::DecoderConfig;
use crate::device::{self, Device, DeviceEngine, Placement};
use crate::error::{ModelError, Result};
use crate::full::{FullLayout, LayerView};
use crate::lora::{Adapter, LoraConfig, LoraPart, RowNorms};
use crate::objective::Objective;
use crate::ops::{self, Head, HeadGradient, Targets};
use crate::pass::{Pass, Ropes, StepOptions};
use crate::pool::{Buffer, Pool};
use crate::source::ModelFile;
use crate::threads::lead;
use crate::weights::{Frozen, Rows, WeightStorage, Weights};

/// A frozen base model, ready to compute on the processor, or on the device that it was loaded for.
///
/// Losses, gradients and logits come from that device. Generation, and what `DoRA` divides by, are computed on the processor
/// whatever the device, from the weights as their file stores them.
#[derive(Debug)]
pub struct Decoder {
    config: DecoderConfig,
    weights: Weights,
    pool: Pool,
    /// Computes instead of the fused kernels.
    engine: Option<DeviceEngine>,
}

/// Rows for which reading a stored matrix as it is costs less than expanding it.
pub(crate) const FEW: usize = 4;

impl Decoder {
    /// Reads a base model, expanded to f32.
    ///
    /// # Errors
    /// As [`Decoder::load_with`].
    pub fn load(file: &ModelFile, job: &Job) -> Result<Self> {
        Self::load_with(file, WeightStorage::Expanded, job)
    }

    /// Reads a base model for the processor.
    ///
    /// # Errors
    /// As [`Decoder::load_on`].
    pub fn load_with(file: &ModelFile, storage: WeightStorage, job: &Job) -> Result<Self> {
        Self::load_on(file, Placement { storage, ..Placement::default() }, job)
    }

    /// Reads a base model for a device. Reports `layers` as progress.
    ///
    /// # Errors
    /// [`ModelError::UnsupportedArchitecture`] for a family that Hone cannot train, others for a file that lacks or contradicts
    /// something; [`ModelError::Device`] for a device that is not there, too small or of another precision; [`ModelError::Cancelled`] when the job was
    /// cancelled.
    pub fn load_on(file: &ModelFile, placement: Placement, job: &Job) -> Result<Self> {
        placement.device.check_precision(placement.precision)?;
        let config = arch::read_config(file)?;
        let storage = if placement.device == Device::Cpu { placement.storage } else { WeightStorage::Stored };
        let weights = Weights::load(file, &config, storage, job)?;
        let engine = DeviceEngine::open(&weights, placement, job)?;
        Ok(Self { config, weights, pool: Pool::default(), engine })
    }

    /// The shape of the model.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// An adapter with which the tuned model equals the base model: see [`Adapter::new`]; the magnitudes of `DoRA` are the
    /// lengths of the frozen weights' rows.
    ///
    /// # Errors
    /// [`ModelError::Lora`] when the settings make no sense.
    pub fn fresh_adapter(&self, lora: &LoraConfig, seed: u64) -> Result<Adapter> {
        let mut adapter = Adapter::new(&self.config, lora, seed)?;
        if let Some(norms) = self.row_norms(Some(&adapter))? {
            let tensors = adapter.tensors().to_vec();
            for tensor in tensors.into_iter().filter(|tensor| tensor.part == LoraPart::Magnitude) {
                adapter.params_mut()[tensor.range].copy_from_slice(norms.of(tensor.layer, tensor.module));
            }
        }
        Ok(adapter)
    }

    /// The whole model as something to train: see [`Adapter::is_full`].
    ///
    /// # Errors
    /// When a frozen matrix cannot be expanded.
    pub fn trainable_copy(&self) -> Result<Adapter> {
        let bias = self.weights.layers.iter().any(|layer| layer.qkv_bias.is_some());
        let layout = FullLayout::new(&self.config, bias);
        let params = layout.filled(&self.weights, &self.pool)?;
        Ok(Adapter::full(layout, params))
    }

    /// What `DoRA` divides by, for one state of an adapter that uses it.
    pub(crate) fn row_norms(&self, adapter: Option<&Adapter>) -> Result<Option<RowNorms>> {
        let Some(adapter) = adapter else { return Ok(None) };
        RowNorms::of_adapter(adapter, &self.config, &self.weights, &self.pool)
    }

    /// Bytes that the frozen matrices take where the layers are computed.
    pub fn weight_bytes(&self) -> usize {
        self.engine.as_ref().map_or_else(|| self.weights.memory(), DeviceEngine::weight_bytes)
    }

    /// Summed cross-entropy of a batch, without gradients, dropout and weights.
    ///
    /// # Errors
    /// As [`Decoder::token_losses`].
    pub fn loss(&self, adapter: Option<&Adapter>, batch: &Batch) -> Result<LossSum> {
        let nats = self.token_losses(adapter, batch)?;
        Ok(LossSum { nats: nats.iter().sum(), tokens: nats.len(), weight: nats.len() as f64 })
    }

    /// Negative log-likelihood of every learned token in order, nats, without dropout.
    ///
    /// # Errors
    /// [`ModelError::Batch`], [`ModelError::Length`], [`ModelError::TokenOutOfRange`] for a batch that makes no sense;
    /// [`ModelError::AdapterMismatch`] for an adapter made for another model.
    pub fn token_losses(&self, adapter: Option<&Adapter>, batch: &Batch) -> Result<Vec<f64>> {
        self.check(adapter, batch)?;
        let targets: Vec<(usize, u32)> = batch.targets().collect();
        if let Some(engine) = &self.engine {
            let embedded = self.embed(adapter, &batch.ids)?;
            let rows = device::Rows { embedded: &embedded, starts: &batch.starts, targets: &targets, weights: None };
            return engine.token_losses(&self.config, adapter, rows);
        }
        lead(|| {
            let hidden = self.last_hidden(adapter, &batch.ids, &batch.starts)?;
            let (_, normed, ids) = self.head_input(adapter, &hidden, &targets);
            let mut nats = vec![0.0; ids.len()];
            let targets = Targets { ids: &ids, weights: None, objective: Objective::default() };
            self.head(adapter, &normed, targets, &mut nats, None)?;
            Ok(nats)
        })
    }

    /// Summed loss of a batch; adds the gradient of `scale ·` loss with respect to every number of the adapter to `grads`,
    /// which is laid out as [`Adapter::params`]. With `scale = 1 / Batch::trained_weight` of the whole step micro-batches add
    /// up to the gradient of the mean loss.
    ///
    /// # Errors
    /// As [`Decoder::token_losses`]; [`ModelError::Objective`]; [`ModelError::Length`] when `grads` has another length than the adapter.
    pub fn loss_and_gradients(
        &self,
        adapter: &Adapter,
        batch: &Batch,
        scale: f32,
        options: &StepOptions,
        grads: &mut [f32],
    ) -> Result<LossSum> {
        self.check(Some(adapter), batch)?;
        options.objective.check()?;
        if grads.len() != adapter.params().len() {
            return Err(ModelError::Length { what: "gradients", expected: adapter.params().len(), found: grads.len() });
        }
        let targets: Vec<(usize, u32)> = batch.targets().collect();
        if targets.is_empty() {
            return Ok(LossSum::default());
        }
        let starts = batch.starts.as_slice();
        let mut x = self.embed(Some(adapter), &batch.ids)?;
        if let Some(seed) = options.dropout_seed.filter(|_| options.neftune_alpha > 0.0) {
            ops::add_noise(&mut x, self.config.hidden_size, starts, options.neftune_alpha, seed);
        }
        if let Some(engine) = &self.engine {
            let weights = batch.target_weights();
            let rows = device::Rows { embedded: &x, starts, targets: &targets, weights: weights.as_deref() };
            return engine.loss_and_gradients(&self.config, adapter, rows, scale, options, grads);
        }
        lead(|| self.fused_gradients(adapter, batch, x, &targets, scale, options, grads))
    }

    /// [`Decoder::loss_and_gradients`] with the fused kernels, from the rows `x` that enter the first layer on.
    #[allow(clippy::too_many_arguments)] // one inner function, called once; a struct would only rename these
    fn fused_gradients<'p>(
        &'p self,
        adapter: &Adapter,
        batch: &Batch,
        mut x: Buffer<'p>,
        targets: &[(usize, u32)],
        scale: f32,
        options: &StepOptions,
        grads: &mut [f32],
    ) -> Result<LossSum> {
        let (starts, weights) = (batch.starts.as_slice(), batch.target_weights());
        let dropout_seed = options.dropout_seed.filter(|_| adapter.config().dropout > 0.0);
        let positions = batch.positions();
        let ropes = self.ropes(&positions);
        let adapter = Some(adapter);
        let norms = self.row_norms(adapter)?;
        let pass = Pass {
            adapter,
            norms: norms.as_ref(),
            dropout_seed,
            few: false,
            starts,
            positions: &positions,
            ropes: &ropes,
        };

        let mut inputs = Vec::new();
        let mut saved = Vec::new();
        for layer in 0..self.config.layers.len() {
            if options.checkpointing {
                let mut input = self.pool.take(x.len());
                input.copy_from_slice(&x);
                inputs.push(input);
            }
            let (y, of_layer) = self.block(layer, &pass).forward(x)?;
            x = y;
            if !options.checkpointing {
                saved.push(of_layer);
            }
        }

        let (rows, normed, ids) = self.head_input(adapter, &x, targets);
        let mut nats = vec![0.0; ids.len()];
        let mut d_normed = self.pool.take(normed.len());
        let targets = Targets { ids: &ids, weights: weights.as_deref(), objective: options.objective };
        let trained = full(adapter).map(|(layout, _)| layout);
        let d_weight = trained.map(|layout| &mut grads[layout.head().clone()]);
        let gradient = HeadGradient { scale, d_hidden: &mut d_normed, d_weight };
        self.head(adapter, &normed, targets, &mut nats, Some(gradient))?;
        drop(normed);
        let mut dx = self.head_input_backward(adapter, &x, &rows, &d_normed, grads);
        drop((x, d_normed));

        for layer in (0..self.config.layers.len()).rev() {
            let block = self.block(layer, &pass);
            let of_layer = match inputs.pop() {
                Some(input) => block.forward(input)?.1,
                None => match saved.pop() {
                    Some(of_layer) => of_layer,
                    None => break,
                },
            };
            block.backward(of_layer, &mut dx, grads, layer > 0 || trained.is_some())?;
        }
        if let Some(layout) = trained {
            let width = self.config.hidden_size;
            ops::scale(&mut dx, self.config.embedding_scale);
            let embedding = &mut grads[layout.embedding.clone()];
            for (id, dx) in batch.ids.iter().zip(dx.chunks_exact(width)) {
                ops::add(&mut embedding[*id as usize * width..][..width], dx);
            }
        }
        Ok(LossSum { nats: nats.iter().sum(), tokens: nats.len(), weight: batch.trained_weight() })
    }

    /// The logits of every position of one sequence, `[tokens, vocabulary]` row after row.
    ///
    /// # Errors
    /// [`ModelError::TokenOutOfRange`], [`ModelError::AdapterMismatch`].
    pub fn logits(&self, adapter: Option<&Adapter>, ids: &[u32]) -> Result<Vec<f32>> {
        check_ids(ids, &self.config)?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(engine) = &self.engine {
            if let Some(adapter) = adapter {
                adapter.check_fits(&self.config)?;
            }
            let embedded = self.embed(adapter, ids)?;
            let rows = device::Rows { embedded: &embedded, starts: &[0], targets: &[], weights: None };
            return engine.logits(&self.config, adapter, rows);
        }
        lead(|| {
            let hidden = self.last_hidden(adapter, ids, &[0])?;
            let mut logits = vec![0.0; ids.len() * self.config.vocabulary_size];
            self.logits_of(adapter, &hidden, &mut logits)?;
            Ok(logits)
        })
    }

    /// Logits `[rows, vocabulary]` of `hidden` `[rows, hidden]`, which comes out of the last layer.
    pub(crate) fn logits_of(&self, adapter: Option<&Adapter>, hidden: &[f32], logits: &mut [f32]) -> Result<()> {
        let (width, vocabulary) = (self.config.hidden_size, self.config.vocabulary_size);
        let rows = hidden.len() / width;
        let mut normed = self.pool.take(hidden.len());
        ops::rms_forward(hidden, self.final_norm(adapter), self.config.norm_epsilon, &mut normed);
        let frozen = Some(self.weights.head()).filter(|_| rows <= FEW && full(adapter).is_none());
        let stored = frozen.and_then(Frozen::stored);
        for part in stored.iter().flatten() {
            ops::stored_product(*part, width, &normed, logits, vocabulary, 0);
        }
        for tile in ops::tiles(vocabulary).filter(|_| stored.is_none()) {
            let weight = self.head_rows(adapter, tile.clone())?;
            let y = ops::MatMut::strided(&mut logits[tile.start..], rows, tile.len(), vocabulary);
            let weight = ops::Mat::new(&weight, tile.len(), width);
            ops::sgemm(y, ops::Onto::Nothing, ops::Mat::new(&normed, rows, width), weight.t(), 1.0);
        }
        if let Some(cap) = self.config.logit_softcap {
            ops::softcap(logits, cap);
        }
        Ok(())
    }

    /// One layer for one pass.
    pub(crate) fn block<'p: 'a, 'a>(&'p self, index: usize, pass: &Pass<'a>) -> Block<'p, 'a> {
        let layer = &self.weights.layers[index];
        let weights = match full(pass.adapter) {
            Some((layout, params)) => LayerView::trained(layout, params, index, layer),
            None => LayerView::frozen(layer),
        };
        Block {
            pool: &self.pool,
            config: &self.config,
            index,
            weights,
            adapter: pass.adapter,
            norms: pass.norms,
            dropout_seed: pass.dropout_seed,
            few: pass.few,
            rope: &pass.ropes.tables()[self.config.layers[index].rope],
            starts: pass.starts,
            positions: pass.positions,
        }
    }

    /// Rows of the embedding, frozen or trained.
    fn embedding<'a>(&'a self, adapter: Option<&'a Adapter>, rows: Range<usize>) -> Result<Rows<'a>> {
        match full(adapter) {
            Some((layout, params)) => Ok(lent(params, &layout.embedding, self.config.hidden_size, rows)),
            None => self.weights.embedding.rows(rows, &self.pool),
        }
    }

    /// Rows of the LM head, frozen or trained.
    fn head_rows<'a>(&'a self, adapter: Option<&'a Adapter>, rows: Range<usize>) -> Result<Rows<'a>> {
        match full(adapter) {
            Some((layout, params)) => Ok(lent(params, layout.head(), self.config.hidden_size, rows)),
            None => self.weights.head().rows(rows, &self.pool),
        }
    }

    fn final_norm<'a>(&'a self, adapter: Option<&'a Adapter>) -> &'a [f32] {
        match full(adapter) {
            Some((layout, params)) => &params[layout.final_norm.clone()],
            None => &self.weights.final_norm,
        }
    }

    /// Reused buffers.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The scaled embedding of tokens, `[tokens, hidden]`.
    pub(crate) fn embed(&self, adapter: Option<&Adapter>, ids: &[u32]) -> Result<Buffer<'_>> {
        let width = self.config.hidden_size;
        let mut x = self.pool.take(ids.len() * width);
        for (row, id) in x.chunks_exact_mut(width).zip(ids) {
            let id = *id as usize;
            row.copy_from_slice(&self.embedding(adapter, id..id + 1)?);
            ops::scale(row, self.config.embedding_scale);
        }
        Ok(x)
    }

    /// What comes out of the last layer for packed sequences, `[tokens, hidden]`.
    fn last_hidden(&self, adapter: Option<&Adapter>, ids: &[u32], starts: &[usize]) -> Result<Buffer<'_>> {
        if let Some(adapter) = adapter {
            adapter.check_fits(&self.config)?;
        }
        let positions = positions(starts, ids.len());
        let ropes = self.ropes(&positions);
        let mut x = self.embed(adapter, ids)?;
        let norms = self.row_norms(adapter)?;
        let pass = Pass {
            adapter,
            norms: norms.as_ref(),
            dropout_seed: None,
            few: false,
            starts,
            positions: &positions,
            ropes: &ropes,
        };
        for layer in 0..self.config.layers.len() {
            x = self.block(layer, &pass).forward(x)?.0;
        }
        Ok(x)
    }

    fn ropes(&self, positions: &[usize]) -> Ropes {
        Ropes::new(&self.config, positions.iter().max().map_or(0, |last| last + 1))
    }

    /// The rows that predict something, their norm, and what they predict.
    fn head_input(
        &self,
        adapter: Option<&Adapter>,
        x: &[f32],
        targets: &[(usize, u32)],
    ) -> (Vec<usize>, Buffer<'_>, Vec<u32>) {
        let width = self.config.hidden_size;
        let (rows, targets): (Vec<usize>, Vec<u32>) = targets.iter().copied().unzip();
        let mut normed = self.pool.take(rows.len() * width);
        for (row, normed) in rows.iter().zip(normed.chunks_exact_mut(width)) {
            let x = &x[row * width..(row + 1) * width];
            ops::rms_row(x, self.final_norm(adapter), self.config.norm_epsilon, normed);
        }
        (rows, normed, targets)
    }

    /// The gradient with respect to the last layer's output; rows that predict nothing get zero.
    fn head_input_backward(
        &self,
        adapter: Option<&Adapter>,
        x: &[f32],
        rows: &[usize],
        d_normed: &[f32],
        grads: &mut [f32],
    ) -> Buffer<'_> {
        let width = self.config.hidden_size;
        let mut dx = self.pool.zeros(x.len());
        for (row, d_normed) in rows.iter().zip(d_normed.chunks_exact(width)) {
            let place = row * width..(row + 1) * width;
            let dx = &mut dx[place.clone()];
            dx.copy_from_slice(d_normed);
            if let Some((layout, _)) = full(adapter) {
                let gradient = &mut grads[layout.final_norm.clone()];
                ops::rms_weight_row(d_normed, &x[place.clone()], self.config.norm_epsilon, gradient);
            }
            ops::rms_row_backward(dx, &x[place], self.final_norm(adapter), self.config.norm_epsilon);
        }
        dx
    }

    fn head(
        &self,
        adapter: Option<&Adapter>,
        normed: &[f32],
        targets: Targets<'_>,
        nats: &mut [f64],
        gradient: Option<HeadGradient<'_>>,
    ) -> Result<()> {
        let head = Head {
            weight: |rows| self.head_rows(adapter, rows),
            vocabulary: self.config.vocabulary_size,
            softcap: self.config.logit_softcap,
        };
        ops::head_loss(&self.pool, &head, normed, targets, nats, gradient)
    }

    fn check(&self, adapter: Option<&Adapter>, batch: &Batch) -> Result<()> {
        batch.check(&self.config)?;
        adapter.map_or(Ok(()), |adapter| adapter.check_fits(&self.config))
    }
}

/// A fully trained model's layout and numbers.
fn full(adapter: Option<&Adapter>) -> Option<(&FullLayout, &[f32])> {
    let adapter = adapter?;
    Some((adapter.layout()?, adapter.params()))
}

/// Rows `width` wide of the matrix that lies at `place`.
fn lent<'a>(params: &'a [f32], place: &Range<usize>, width: usize, rows: Range<usize>) -> Rows<'a> {
    Rows::Lent(&params[place.start + rows.start * width..place.start + rows.end * width])
}
