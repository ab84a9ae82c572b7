//! The adapter: every trainable number in one flat buffer, with a table that says what lies where.

use std::ops::Range;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{LoraConfig, TargetModule};
use crate::config::DecoderConfig;
use crate::error::{ModelError, Result};
use crate::ops::{Mat, MatMut, sgemm};

/// Which of the two matrices of a projection's adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoraPart {
    /// `[rank, in]`, random at the start.
    A,
    /// `[out, rank]`, zero at the start.
    B,
}

/// One matrix of the adapter and its place in the flat buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterTensor {
    /// PEFT's name in `adapter_model.safetensors`.
    pub name: String,
    /// Layer, counted from 0.
    pub layer: usize,
    /// The projection it belongs to.
    pub module: TargetModule,
    /// `A` or `B`.
    pub part: LoraPart,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Place in [`Adapter::params`].
    pub range: Range<usize>,
}

/// Where one projection's matrices lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// `A`, `[rank, in]`.
    pub a: Range<usize>,
    /// `B`, `[out, rank]`.
    pub b: Range<usize>,
}

/// A LoRA adapter for every layer of a decoder.
///
/// The projections that read the same input (q, k, v; gate, up) keep their `A` matrices side by side, so that one
/// product serves all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    config: LoraConfig,
    tensors: Vec<AdapterTensor>,
    slots: Vec<[Option<Slot>; TargetModule::ALL.len()]>,
    /// Width of a head whose rows the model's file keeps in pairs, see [`DecoderConfig::paired_rows`].
    paired_head: Option<usize>,
    params: Vec<f32>,
}

/// Projections with a common input, in the order of the flat buffer.
const GROUPS: [&[TargetModule]; 4] = [
    &[TargetModule::QProj, TargetModule::KProj, TargetModule::VProj, TargetModule::QkvProj],
    &[TargetModule::OProj],
    &[TargetModule::GateProj, TargetModule::UpProj, TargetModule::GateUpProj],
    &[TargetModule::DownProj],
];

impl Adapter {
    /// A fresh adapter: `A` uniform in `±1/sqrt(in)` (Kaiming with `a = sqrt(5)`, as PEFT does), `B` zero, so that the
    /// tuned model starts equal to the base model. The same seed gives the same bits.
    ///
    /// # Errors
    /// [`ModelError::Lora`] when the settings make no sense.
    pub fn new(decoder: &DecoderConfig, config: &LoraConfig, seed: u64) -> Result<Self> {
        let mut adapter = Self::zeros(decoder, config)?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for tensor in &adapter.tensors {
            if tensor.part == LoraPart::A {
                let bound = 1.0 / (tensor.shape[1] as f32).sqrt();
                for value in &mut adapter.params[tensor.range.clone()] {
                    *value = random.random_range(-bound..bound);
                }
            }
        }
        Ok(adapter)
    }

    /// An adapter of which every number is zero.
    ///
    /// # Errors
    /// [`ModelError::Lora`] when the settings make no sense.
    pub fn zeros(decoder: &DecoderConfig, config: &LoraConfig) -> Result<Self> {
        config.check()?;
        let config = config.for_model(decoder);
        let mut tensors = Vec::new();
        let mut slots = Vec::new();
        let mut end = 0;
        for layer in 0..decoder.layers.len() {
            let mut of_layer: [Option<Slot>; TargetModule::ALL.len()] = Default::default();
            for group in GROUPS {
                for part in [LoraPart::A, LoraPart::B] {
                    for &module in group.iter().filter(|module| config.target_modules.contains(module)) {
                        let [out, input] = module.shape(decoder);
                        let shape = if part == LoraPart::A { [config.rank, input] } else { [out, config.rank] };
                        let range = end..end + shape[0] * shape[1];
                        end = range.end;
                        let slot = of_layer[module as usize].get_or_insert(Slot { a: 0..0, b: 0..0 });
                        match part {
                            LoraPart::A => slot.a = range.clone(),
                            LoraPart::B => slot.b = range.clone(),
                        }
                        tensors.push(AdapterTensor {
                            name: peft_name(layer, module, part),
                            layer,
                            module,
                            part,
                            shape,
                            range,
                        });
                    }
                }
            }
            slots.push(of_layer);
        }
        let paired_head = decoder.paired_rows.then_some(decoder.head_size);
        Ok(Self { config, tensors, slots, paired_head, params: vec![0.0; end] })
    }

    /// The settings it was made with.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// What lies where in [`Adapter::params`], in order and without gaps.
    pub fn tensors(&self) -> &[AdapterTensor] {
        &self.tensors
    }

    /// Every trainable number.
    pub fn params(&self) -> &[f32] {
        &self.params
    }

    /// Every trainable number, to change.
    pub fn params_mut(&mut self) -> &mut [f32] {
        &mut self.params
    }

    /// Adds `scaling · B · A` to the weight that a GGUF tensor of this name holds, `[out, in]` row by row. Says whether
    /// this adapter touches that tensor.
    ///
    /// # Errors
    /// [`ModelError::AdapterMismatch`] when `weight` has another size than the adapter was made for.
    pub fn merge_into(&self, gguf_name: &str, weight: &mut [f32]) -> Result<bool> {
        let Some((layer, mut modules)) = TargetModule::from_gguf_name(gguf_name) else { return Ok(false) };
        let Some(slots) = self.slots.get(layer) else { return Ok(false) };
        let found = modules.find_map(|module| Some((module, slots[module as usize].as_ref()?)));
        let Some((module, slot)) = found else { return Ok(false) };
        let rank = self.config.rank;
        let (out, input) = (slot.b.len() / rank, slot.a.len() / rank);
        if weight.len() != out * input {
            return Err(ModelError::AdapterMismatch {
                problem: format!(
                    "`{gguf_name}` holds {} numbers, the adapter was made for {out} x {input}",
                    weight.len()
                ),
            });
        }
        let a = Mat::new(&self.params[slot.a.clone()], rank, input);
        let mut b = self.params[slot.b.clone()].to_vec();
        if let (Some(size), TargetModule::QProj | TargetModule::KProj) = (self.paired_head, module) {
            let halves = std::mem::take(&mut b);
            let rows = (0..out).flat_map(|row| &halves[half_row(row, size) * rank..][..rank]);
            b = rows.copied().collect();
        }
        sgemm(MatMut::new(weight, out, input), 1.0, Mat::new(&b, out, rank), a, self.config.scaling());
        Ok(true)
    }

    /// Where one projection's matrices lie, if it has any.
    pub(crate) fn slot(&self, layer: usize, module: TargetModule) -> Option<&Slot> {
        self.slots[layer][module as usize].as_ref()
    }

    /// Whether it was made for a decoder of this shape.
    ///
    /// # Errors
    /// [`ModelError::AdapterMismatch`] when it was not.
    pub(crate) fn check_fits(&self, decoder: &DecoderConfig) -> Result<()> {
        let wanted = self.config.trainable_parameters(decoder);
        if self.slots.len() == decoder.layers.len() && self.params.len() == wanted {
            return Ok(());
        }
        Err(ModelError::AdapterMismatch {
            problem: format!(
                "the adapter has {} layers and {} numbers, this base model takes {} layers and {wanted} numbers",
                self.slots.len(),
                self.params.len(),
                decoder.layers.len(),
            ),
        })
    }
}

/// Where a row of a file with paired rows ([`DecoderConfig::paired_rows`]) stands once the rows of each head of width `size`
/// are sorted into halves: pair `i` is the rows `i` and `i + size / 2`.
pub(crate) fn half_row(paired: usize, size: usize) -> usize {
    let (head, at) = (paired / size, paired % size);
    head * size + at % 2 * (size / 2) + at / 2
}

fn peft_name(layer: usize, module: TargetModule, part: LoraPart) -> String {
    let part = match part {
        LoraPart::A => "lora_A",
        LoraPart::B => "lora_B",
    };
    format!("base_model.model.model.layers.{layer}.{}.{}.{part}.weight", module.parent(), module.name())
}
