//! Whole passes of a decoder on a device: losses, gradients, logits.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use candle_core::Tensor;
use hone_job::Job;

use super::Placement;
use super::attention::Seen;
use super::gradients::Gradients;
use super::head::Head;
use super::layer::{Layer, Pass, Saved};
use super::linear::TOO_LARGE;
use super::math::{rms, rms_backward};
use super::place::Device;
use super::weights::DeviceWeights;
use crate::batch::{LossSum, positions};
use crate::config::DecoderConfig;
use crate::error::{ModelError, Result};
use crate::lora::Adapter;
use crate::objective::Objective;
use crate::ops::Targets;
use crate::pass::{Ropes, StepOptions};
use crate::weights::Weights;

/// A frozen base model on a device.
#[derive(Debug)]
pub(crate) struct DeviceEngine {
    device: Device,
    place: candle_core::Device,
    weights: DeviceWeights,
}

/// The rows of a batch as they enter the first layer.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// Scaled embeddings and what noise there is on them, `[tokens, hidden]`, on the host.
    pub(crate) embedded: &'a [f32],
    /// First rows of the sequences.
    pub(crate) starts: &'a [usize],
    /// See [`crate::Batch::targets`].
    pub(crate) targets: &'a [(usize, u32)],
    /// See [`crate::Batch::target_weights`].
    pub(crate) weights: Option<&'a [f32]>,
}

impl DeviceEngine {
    /// Copies a base model to the device; `None` where the device is the processor with its fused kernels.
    ///
    /// # Errors
    /// [`ModelError::Device`] when there is no such device, or the model does not fit into its memory or precision.
    pub(crate) fn open(weights: &Weights, placement: Placement, job: &Job) -> Result<Option<Self>> {
        let Placement { device, precision, .. } = placement;
        let Some(place) = device.open()? else { return Ok(None) };
        let uploaded = DeviceWeights::upload(weights, precision.dtype(), &place, job);
        // A card takes its work from each thread on its own.
        let weights =
            told(device, uploaded.and_then(|weights| place.synchronize().map(|()| weights).map_err(Into::into)))?;
        Ok(Some(Self { device, place, weights }))
    }

    /// Bytes that the frozen matrices take on the device.
    pub(crate) fn weight_bytes(&self) -> usize {
        self.weights.bytes()
    }

    /// See [`crate::Decoder::token_losses`].
    pub(crate) fn token_losses(
        &self,
        config: &DecoderConfig,
        adapter: Option<&Adapter>,
        rows: Rows<'_>,
    ) -> Result<Vec<f64>> {
        self.refuse(adapter)?;
        told(self.device, self.try_losses(config, adapter, rows))
    }

    /// See [`crate::Decoder::loss_and_gradients`].
    pub(crate) fn loss_and_gradients(
        &self,
        config: &DecoderConfig,
        adapter: &Adapter,
        rows: Rows<'_>,
        scale: f32,
        options: &StepOptions,
        grads: &mut [f32],
    ) -> Result<LossSum> {
        self.refuse(Some(adapter))?;
        told(self.device, self.try_gradients(config, adapter, rows, scale, options, grads))
    }

    /// See [`crate::Decoder::logits`].
    pub(crate) fn logits(&self, config: &DecoderConfig, adapter: Option<&Adapter>, rows: Rows<'_>) -> Result<Vec<f32>> {
        self.refuse(adapter)?;
        told(self.device, self.try_logits(config, adapter, rows))
    }

    fn try_losses(&self, config: &DecoderConfig, adapter: Option<&Adapter>, rows: Rows<'_>) -> Result<Vec<f64>> {
        if rows.targets.is_empty() {
            return Ok(Vec::new());
        }
        let x = self.last_hidden(config, adapter, rows)?;
        let (places, ids) = self.targets(rows)?;
        let normed = rms(&x.index_select(&places, 0)?, &self.weights.final_norm, config.norm_epsilon)?;
        let targets = Targets { ids: &ids, weights: None, objective: Objective::default() };
        Ok(self.head(config).losses(&normed, targets, None)?.0)
    }

    fn try_gradients(
        &self,
        config: &DecoderConfig,
        adapter: &Adapter,
        rows: Rows<'_>,
        scale: f32,
        options: &StepOptions,
        grads: &mut [f32],
    ) -> Result<LossSum> {
        let dropout_seed = options.dropout_seed.filter(|_| adapter.config().dropout > 0.0);
        let pass = self.pass(config, Some(adapter), rows, dropout_seed)?;
        let layers = self.layers(&pass);

        let mut x = self.embedded(config, rows)?;
        let mut saved: Vec<Kept> = Vec::new();
        for layer in &layers {
            let (y, of_layer) = layer.forward(&x)?;
            saved.push(if options.checkpointing { Kept::Input(x) } else { Kept::All(Box::new(of_layer)) });
            x = y;
        }

        let (places, ids) = self.targets(rows)?;
        let predicting = x.index_select(&places, 0)?;
        let normed = rms(&predicting, &self.weights.final_norm, config.norm_epsilon)?;
        let targets = Targets { ids: &ids, weights: rows.weights, objective: options.objective };
        let (nats, d_normed) = self.head(config).losses(&normed, targets, Some(scale))?;
        let sum = LossSum {
            nats: nats.iter().sum(),
            tokens: nats.len(),
            weight: rows.weights.map_or(nats.len() as f64, |all| all.iter().map(|one| f64::from(*one)).sum()),
        };
        let Some(d_normed) = d_normed else { return Ok(sum) };
        let d_rows = rms_backward(&d_normed, &predicting, &self.weights.final_norm, config.norm_epsilon)?;
        // Every row predicts one token at most, so nothing is added twice.
        let mut dx = x.zeros_like()?.index_add(&places, &d_rows, 0)?;
        drop((x, normed, predicting, d_normed, d_rows));

        let mut gradients = Gradients::default();
        for layer in layers.iter().rev() {
            let of_layer = match saved.pop() {
                Some(Kept::All(of_layer)) => *of_layer,
                Some(Kept::Input(input)) => layer.forward(&input)?.1,
                None => break,
            };
            match layer.backward(of_layer, &dx, &mut gradients, layer.index > 0)? {
                Some(next) => dx = next,
                None => break,
            }
        }
        gradients.add_to(grads)?;
        Ok(sum)
    }

    fn try_logits(&self, config: &DecoderConfig, adapter: Option<&Adapter>, rows: Rows<'_>) -> Result<Vec<f32>> {
        let x = self.last_hidden(config, adapter, rows)?;
        let normed = rms(&x, &self.weights.final_norm, config.norm_epsilon)?;
        let (head, tokens) = (self.head(config), normed.dim(0)?);
        let mut logits = Vec::with_capacity(tokens * config.vocabulary_size);
        for first in (0..tokens).step_by(head.rows()) {
            let some = normed.narrow(0, first, head.rows().min(tokens - first))?;
            logits.extend(head.logits(&some)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(logits)
    }

    /// What comes out of the last layer, `[tokens, hidden]`, when no backward pass follows.
    fn last_hidden(&self, config: &DecoderConfig, adapter: Option<&Adapter>, rows: Rows<'_>) -> Result<Tensor> {
        let pass = self.pass(config, adapter, rows, None)?;
        let mut x = self.embedded(config, rows)?;
        for layer in self.layers(&pass) {
            x = layer.forward(&x)?.0;
        }
        Ok(x)
    }

    fn pass<'a>(
        &self,
        config: &'a DecoderConfig,
        adapter: Option<&'a Adapter>,
        rows: Rows<'_>,
        dropout_seed: Option<u64>,
    ) -> Result<Pass<'a>> {
        let tokens = rows.embedded.len() / config.hidden_size;
        let positions = positions(rows.starts, tokens);
        let tables = Ropes::new(config, positions.iter().max().map_or(0, |last| last + 1));
        let mut ropes = Vec::new();
        for (rope, table) in config.ropes.iter().zip(tables.tables()) {
            let shape = (tokens, rope.dimensions / 2);
            let cosines: Vec<f32> = positions.iter().flat_map(|at| table.at(*at).0).copied().collect();
            let sines: Vec<f32> = positions.iter().flat_map(|at| table.at(*at).1).copied().collect();
            ropes.push((Tensor::from_vec(cosines, shape, &self.place)?, Tensor::from_vec(sines, shape, &self.place)?));
        }
        let mut seen = BTreeMap::new();
        for layer in &config.layers {
            if let Entry::Vacant(empty) = seen.entry(layer.window) {
                empty.insert(Seen::new(rows.starts, tokens, layer.window, &self.place)?);
            }
        }
        let adapter = match adapter {
            Some(adapter) => {
                let params = adapter.params();
                Some((adapter, Tensor::from_slice(params, params.len(), &self.place)?))
            }
            None => None,
        };
        Ok(Pass { config, adapter, dropout_seed, ropes, seen })
    }

    fn layers<'a>(&'a self, pass: &'a Pass<'a>) -> Vec<Layer<'a>> {
        let kinds = self.weights.layers.iter().zip(&pass.config.layers).enumerate();
        kinds
            .filter_map(|(index, (weights, kind))| {
                Some(Layer { weights, index, pass, seen: pass.seen.get(&kind.window)? })
            })
            .collect()
    }

    fn embedded(&self, config: &DecoderConfig, rows: Rows<'_>) -> Result<Tensor> {
        let tokens = rows.embedded.len() / config.hidden_size;
        Ok(Tensor::from_slice(rows.embedded, (tokens, config.hidden_size), &self.place)?)
    }

    /// The rows that predict something, `[targets]` u32 on the device, and what they predict.
    fn targets(&self, rows: Rows<'_>) -> Result<(Tensor, Vec<u32>)> {
        let (places, ids): (Vec<u32>, Vec<u32>) = rows.targets.iter().map(|(row, id)| (*row as u32, *id)).unzip();
        let count = places.len();
        Ok((Tensor::from_vec(places, count, &self.place)?, ids))
    }

    fn head(&self, config: &DecoderConfig) -> Head<'_> {
        Head { weight: &self.weights.head, vocabulary: config.vocabulary_size, softcap: config.logit_softcap }
    }

    /// What is not computed here.
    fn refuse(&self, adapter: Option<&Adapter>) -> Result<()> {
        adapter.map_or(Ok(()), |adapter| self.device.check_trains(adapter.is_full(), adapter.config().use_dora))
    }
}

/// What is kept of a layer for its backward pass.
enum Kept {
    /// Its input; the layer is computed again.
    Input(Tensor),
    All(Box<Saved>),
}

/// A failure of candle's as one of the device's: where its memory ran out, that is said.
pub(super) fn told<T>(device: Device, outcome: Result<T>) -> Result<T> {
    outcome.map_err(|error| match error {
        ModelError::Tensor(error) => {
            let problem = error.to_string();
            let full = ["out of memory", "OUT_OF_MEMORY"].iter().any(|words| problem.contains(words));
            let advice = if problem.contains(TOO_LARGE) {
                "Set `precision` to `bf16`, which holds numbers of any size"
            } else if full {
                "Its memory is full: lower `micro_batch_tokens`, set `gradient_checkpointing` to `on`, choose a smaller base model, or the device `cpu`"
            } else {
                "Run `hone doctor`; if its test of this card fails, choose the device `cpu`"
            };
            ModelError::Device { device: device.to_string(), problem, advice }
        }
        other => other,
    })
}
