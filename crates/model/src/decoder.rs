//! The decoder: embedding, layers, LM head; loss and gradients of a batch.

use hone_job::Job;

use crate::arch;
use crate::batch::{Batch, LossSum, check_ids, positions};
use crate::block::Block;
use crate::config::DecoderConfig;
use crate::error::{ModelError, Result};
use crate::lora::Adapter;
use crate::ops::{self, Head, HeadGradient, RopeTable};
use crate::pool::{Buffer, Pool};
use crate::source::ModelFile;
use crate::weights::{WeightStorage, Weights};

/// A frozen base model, ready to compute.
#[derive(Debug)]
pub struct Decoder {
    config: DecoderConfig,
    weights: Weights,
    pool: Pool,
}

/// How a training step is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepOptions {
    /// Keep only each layer's input and compute the layer again in the backward pass: a fraction of the memory, about a
    /// quarter more time, the same bits.
    pub checkpointing: bool,
    /// Seed of this step's dropout masks; `None` drops nothing.
    pub dropout_seed: Option<u64>,
}

/// What every layer of one pass shares.
pub(crate) struct Pass<'a> {
    pub(crate) adapter: Option<&'a Adapter>,
    pub(crate) dropout_seed: Option<u64>,
    pub(crate) starts: &'a [usize],
    pub(crate) positions: &'a [usize],
    pub(crate) ropes: &'a Ropes,
}

/// One table per kind of rotary embedding in the model.
pub(crate) struct Ropes(Vec<RopeTable>);

impl Ropes {
    /// Tables for `positions` positions.
    pub(crate) fn new(config: &DecoderConfig, positions: usize) -> Self {
        Self(config.ropes.iter().map(|rope| RopeTable::new(rope, positions)).collect())
    }
}

impl Decoder {
    /// Reads a base model, expanded to f32.
    ///
    /// # Errors
    /// As [`Decoder::load_with`].
    pub fn load(file: &ModelFile, job: &Job) -> Result<Self> {
        Self::load_with(file, WeightStorage::Expanded, job)
    }

    /// Reads a base model. Reports `layers` as progress.
    ///
    /// # Errors
    /// [`ModelError::UnsupportedArchitecture`] for a family that Hone cannot train, others for a file that lacks or contradicts
    /// something; [`ModelError::Cancelled`] when the job was cancelled.
    pub fn load_with(file: &ModelFile, storage: WeightStorage, job: &Job) -> Result<Self> {
        let config = arch::read_config(file)?;
        let weights = Weights::load(file, &config, storage, job)?;
        Ok(Self { config, weights, pool: Pool::default() })
    }

    /// The shape of the model.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Bytes that the frozen matrices take.
    pub fn weight_bytes(&self) -> usize {
        self.weights.memory()
    }

    /// Summed loss of a batch, without gradients and without dropout.
    ///
    /// # Errors
    /// As [`Decoder::token_losses`].
    pub fn loss(&self, adapter: Option<&Adapter>, batch: &Batch) -> Result<LossSum> {
        let nats = self.token_losses(adapter, batch)?;
        Ok(LossSum { nats: nats.iter().sum(), tokens: nats.len() })
    }

    /// Negative log-likelihood of every learned token in order, nats, without dropout.
    ///
    /// # Errors
    /// [`ModelError::Batch`], [`ModelError::Length`], [`ModelError::TokenOutOfRange`] for a batch that makes no sense;
    /// [`ModelError::AdapterMismatch`] for an adapter made for another model.
    pub fn token_losses(&self, adapter: Option<&Adapter>, batch: &Batch) -> Result<Vec<f64>> {
        self.check(adapter, batch)?;
        let targets: Vec<(usize, u32)> = batch.targets().collect();
        let hidden = self.last_hidden(adapter, &batch.ids, &batch.starts)?;
        let (_, normed, targets) = self.head_input(&hidden, &targets);
        let mut nats = vec![0.0; targets.len()];
        self.head(&normed, &targets, &mut nats, None)?;
        Ok(nats)
    }

    /// Summed loss of a batch; adds the gradient of `scale ·` loss with respect to every number of the adapter to `grads`,
    /// which is laid out as [`Adapter::params`]. With `scale = 1 / learned tokens of the whole step` micro-batches add up to
    /// the gradient of the mean loss.
    ///
    /// # Errors
    /// As [`Decoder::token_losses`]; [`ModelError::Length`] when `grads` has another length than the adapter.
    pub fn loss_and_gradients(
        &self,
        adapter: &Adapter,
        batch: &Batch,
        scale: f32,
        options: &StepOptions,
        grads: &mut [f32],
    ) -> Result<LossSum> {
        self.check(Some(adapter), batch)?;
        if grads.len() != adapter.params().len() {
            return Err(ModelError::Length { what: "gradients", expected: adapter.params().len(), found: grads.len() });
        }
        let targets: Vec<(usize, u32)> = batch.targets().collect();
        if targets.is_empty() {
            return Ok(LossSum::default());
        }
        let dropout_seed = options.dropout_seed.filter(|_| adapter.config().dropout > 0.0);
        let positions = batch.positions();
        let ropes = self.ropes(&positions);
        let (starts, adapter) = (batch.starts.as_slice(), Some(adapter));
        let pass = Pass { adapter, dropout_seed, starts, positions: &positions, ropes: &ropes };

        let mut x = self.embed(&batch.ids)?;
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

        let (rows, normed, targets) = self.head_input(&x, &targets);
        let mut nats = vec![0.0; targets.len()];
        let mut d_normed = self.pool.take(normed.len());
        self.head(&normed, &targets, &mut nats, Some(HeadGradient { scale, d_hidden: &mut d_normed }))?;
        drop(normed);
        let mut dx = self.head_input_backward(&x, &rows, &d_normed);
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
            block.backward(of_layer, &mut dx, grads, layer > 0)?;
        }
        Ok(LossSum { nats: nats.iter().sum(), tokens: nats.len() })
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
        let hidden = self.last_hidden(adapter, ids, &[0])?;
        let mut logits = vec![0.0; ids.len() * self.config.vocabulary_size];
        self.logits_of(&hidden, &mut logits)?;
        Ok(logits)
    }

    /// Logits `[rows, vocabulary]` of `hidden` `[rows, hidden]`, which comes out of the last layer.
    pub(crate) fn logits_of(&self, hidden: &[f32], logits: &mut [f32]) -> Result<()> {
        let (width, vocabulary) = (self.config.hidden_size, self.config.vocabulary_size);
        let rows = hidden.len() / width;
        let mut normed = self.pool.take(hidden.len());
        ops::rms_forward(hidden, &self.weights.final_norm, self.config.norm_epsilon, &mut normed);
        for tile in ops::tiles(vocabulary) {
            let weight = self.weights.head().rows(tile.clone(), &self.pool)?;
            let y = ops::MatMut::strided(&mut logits[tile.start..], rows, tile.len(), vocabulary);
            let weight = ops::Mat::new(&weight, tile.len(), width);
            ops::sgemm(y, 0.0, ops::Mat::new(&normed, rows, width), weight.t(), 1.0);
        }
        if let Some(cap) = self.config.logit_softcap {
            ops::softcap(logits, cap);
        }
        Ok(())
    }

    /// One layer for one pass.
    pub(crate) fn block<'a>(&self, index: usize, pass: &Pass<'a>) -> Block<'_, 'a> {
        Block {
            pool: &self.pool,
            config: &self.config,
            index,
            weights: &self.weights.layers[index],
            adapter: pass.adapter,
            dropout_seed: pass.dropout_seed,
            rope: &pass.ropes.0[self.config.layers[index].rope],
            starts: pass.starts,
            positions: pass.positions,
        }
    }

    /// Reused buffers.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The scaled embedding of tokens, `[tokens, hidden]`.
    pub(crate) fn embed(&self, ids: &[u32]) -> Result<Buffer<'_>> {
        let width = self.config.hidden_size;
        let mut x = self.pool.take(ids.len() * width);
        for (row, id) in x.chunks_exact_mut(width).zip(ids) {
            let id = *id as usize;
            row.copy_from_slice(&self.weights.embedding.rows(id..id + 1, &self.pool)?);
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
        let mut x = self.embed(ids)?;
        let pass = Pass { adapter, dropout_seed: None, starts, positions: &positions, ropes: &ropes };
        for layer in 0..self.config.layers.len() {
            x = self.block(layer, &pass).forward(x)?.0;
        }
        Ok(x)
    }

    fn ropes(&self, positions: &[usize]) -> Ropes {
        Ropes::new(&self.config, positions.iter().max().map_or(0, |last| last + 1))
    }

    /// The rows that predict something, their norm, and what they predict.
    fn head_input(&self, x: &[f32], targets: &[(usize, u32)]) -> (Vec<usize>, Buffer<'_>, Vec<u32>) {
        let width = self.config.hidden_size;
        let (rows, targets): (Vec<usize>, Vec<u32>) = targets.iter().copied().unzip();
        let mut normed = self.pool.take(rows.len() * width);
        for (row, normed) in rows.iter().zip(normed.chunks_exact_mut(width)) {
            let x = &x[row * width..(row + 1) * width];
            ops::rms_row(x, &self.weights.final_norm, self.config.norm_epsilon, normed);
        }
        (rows, normed, targets)
    }

    /// The gradient with respect to the last layer's output; rows that predict nothing get zero.
    fn head_input_backward(&self, x: &[f32], rows: &[usize], d_normed: &[f32]) -> Buffer<'_> {
        let width = self.config.hidden_size;
        let mut dx = self.pool.zeros(x.len());
        for (row, d_normed) in rows.iter().zip(d_normed.chunks_exact(width)) {
            let place = row * width..(row + 1) * width;
            let dx = &mut dx[place.clone()];
            dx.copy_from_slice(d_normed);
            ops::rms_row_backward(dx, &x[place], &self.weights.final_norm, self.config.norm_epsilon);
        }
        dx
    }

    fn head(
        &self,
        normed: &[f32],
        targets: &[u32],
        nats: &mut [f64],
        gradient: Option<HeadGradient<'_>>,
    ) -> Result<()> {
        let head = Head {
            weight: |rows| self.weights.head().rows(rows, &self.pool),
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
