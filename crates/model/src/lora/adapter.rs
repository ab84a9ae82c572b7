//! The adapter: every trainable number in one flat buffer, with a table that says what lies where.

use std::ops::Range;
use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{LoraConfig, TargetModule};
use crate::config::DecoderConfig;
use crate::error::{ModelError, Result};
use crate::full::{FILE, FullLayout};
use crate::ops::{Mat, MatMut, Onto, dot, scale, sgemm};

/// Which part of a projection's adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoraPart {
    /// `[rank, in]`, random at the start.
    A,
    /// `[out, rank]`, zero at the start.
    B,
    /// With `DoRA`: the lengths of the adapted weight's rows, `[out]`, at the start those of the frozen weight.
    Magnitude,
}

/// One tensor of the adapter and its place in the flat buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterTensor {
    /// PEFT's name in `adapter_model.safetensors`.
    pub name: String,
    /// Layer, counted from 0.
    pub layer: usize,
    /// The projection it belongs to.
    pub module: TargetModule,
    /// Which part of it.
    pub part: LoraPart,
    /// Rows and columns, or only rows.
    pub shape: Vec<usize>,
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
    /// `[out]`, empty without `DoRA`.
    pub magnitude: Range<usize>,
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
    /// With full fine-tuning: what lies where. There is then no LoRA tensor.
    full: Option<FullLayout>,
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
    /// tuned model starts equal to the base model. The same seed gives the same bits. The magnitudes of `DoRA` depend on
    /// the frozen weights and are zero here; [`crate::Decoder::fresh_adapter`] makes a whole adapter.
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
        let parts: &[LoraPart] = if config.use_dora {
            &[LoraPart::A, LoraPart::B, LoraPart::Magnitude]
        } else {
            &[LoraPart::A, LoraPart::B]
        };
        for layer in 0..decoder.layers.len() {
            let mut of_layer: [Option<Slot>; TargetModule::ALL.len()] = Default::default();
            for group in GROUPS {
                for part in parts {
                    for &module in group.iter().filter(|module| config.target_modules.contains(module)) {
                        let [out, input] = module.shape(decoder);
                        let shape = match part {
                            LoraPart::A => vec![config.rank, input],
                            LoraPart::B => vec![out, config.rank],
                            LoraPart::Magnitude => vec![out],
                        };
                        let range = end..end + shape.iter().product::<usize>();
                        end = range.end;
                        let empty = Slot { a: 0..0, b: 0..0, magnitude: 0..0 };
                        let slot = of_layer[module as usize].get_or_insert(empty);
                        match part {
                            LoraPart::A => slot.a = range.clone(),
                            LoraPart::B => slot.b = range.clone(),
                            LoraPart::Magnitude => slot.magnitude = range.clone(),
                        }
                        tensors.push(AdapterTensor {
                            name: peft_name(layer, module, *part),
                            layer,
                            module,
                            part: *part,
                            shape,
                            range,
                        });
                    }
                }
            }
            slots.push(of_layer);
        }
        let paired_head = decoder.paired_rows.then_some(decoder.head_size);
        Ok(Self { config, tensors, slots, paired_head, full: None, params: vec![0.0; end] })
    }

    /// All numbers of a model, to be trained themselves.
    pub(crate) fn full(layout: FullLayout, params: Vec<f32>) -> Self {
        let (rank, alpha, dropout, target_modules) = (1, 1.0, 0.0, Vec::new());
        let config = LoraConfig { rank, alpha, dropout, target_modules, use_rslora: false, use_dora: false };
        let slots = layout.layers.iter().map(|_| Default::default()).collect();
        Self { config, tensors: Vec::new(), slots, paired_head: None, full: Some(layout), params }
    }

    /// Whether it is not LoRA but the whole model, trained.
    pub fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// What lies where, with full fine-tuning.
    pub(crate) fn layout(&self) -> Option<&FullLayout> {
        self.full.as_ref()
    }

    /// With full fine-tuning, every tensor's GGUF name and its place in [`Adapter::params`]; empty with LoRA, whose tensors are
    /// [`Adapter::tensors`].
    pub fn places(&self) -> Vec<(String, Range<usize>)> {
        let tensors = self.full.iter().flat_map(|layout| &layout.tensors);
        tensors.map(|tensor| (tensor.name.clone(), tensor.range.clone())).collect()
    }

    /// The GGUF names of the tensors that it changes.
    pub fn touched(&self) -> Vec<String> {
        let mut names: Vec<String> = match &self.full {
            Some(layout) => layout.tensors.iter().map(|tensor| tensor.name.clone()).collect(),
            None => self.tensors.iter().map(|t| format!("blk.{}.{}.weight", t.layer, t.module.gguf_name())).collect(),
        };
        names.dedup();
        names
    }

    /// Reads what [`Adapter::save`] wrote, or a PEFT folder.
    ///
    /// # Errors
    /// As [`Adapter::load_peft`].
    pub fn load(folder: &Path, decoder: &DecoderConfig) -> Result<Self> {
        if !folder.join(FILE).is_file() {
            return Self::load_peft(folder, decoder);
        }
        let (layout, params) = FullLayout::load(folder, decoder)?;
        Ok(Self::full(layout, params))
    }

    /// Writes it: LoRA as PEFT has it, a fully trained model as `tuned.safetensors`. `base` is the base model's name.
    ///
    /// # Errors
    /// [`ModelError::Fs`] when a file cannot be written.
    pub fn save(&self, folder: &Path, base: &str) -> Result<()> {
        match &self.full {
            Some(layout) => layout.save(folder, &self.params),
            None => self.save_peft(folder, base),
        }
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

    /// Adds `scaling · B · A` to the weight that a GGUF tensor of this name holds, `[out, in]` row by row; with `DoRA` it then
    /// brings the rows to the trained lengths, and with full fine-tuning it replaces the numbers instead. Says whether this
    /// adapter touches that tensor.
    ///
    /// # Errors
    /// [`ModelError::AdapterMismatch`] when `weight` has another size than the adapter was made for.
    pub fn merge_into(&self, gguf_name: &str, weight: &mut [f32]) -> Result<bool> {
        if let Some(layout) = &self.full {
            let Some(tensor) = layout.tensors.iter().find(|tensor| tensor.name == gguf_name) else { return Ok(false) };
            if weight.len() != tensor.range.len() {
                let (found, wanted) = (weight.len(), tensor.range.len());
                let problem = format!("`{gguf_name}` holds {found} numbers, what was trained has {wanted}");
                return Err(ModelError::AdapterMismatch { problem });
            }
            weight.copy_from_slice(&tensor.to_file(&self.params));
            return Ok(true);
        }
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
        // The file's row and the adapter's.
        let places = (0..out).map(|row| match (self.paired_head, module) {
            (Some(size), TargetModule::QProj | TargetModule::KProj) => half_row(row, size),
            _ => row,
        });
        let b = &self.params[slot.b.clone()];
        let b: Vec<f32> = places.clone().flat_map(|row| &b[row * rank..][..rank]).copied().collect();
        sgemm(MatMut::new(weight, out, input), Onto::Itself, Mat::new(&b, out, rank), a, self.config.scaling());
        if self.config.use_dora {
            let lengths = &self.params[slot.magnitude.clone()];
            for (row, place) in weight.chunks_exact_mut(input).zip(places) {
                let norm = dot(row, row).sqrt();
                scale(row, if norm > 0.0 { lengths[place] / norm } else { 0.0 });
            }
        }
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
        let wanted = match &self.full {
            Some(layout) => FullLayout::new(decoder, layout.layers.iter().any(|layer| layer.qkv_bias.is_some())).len(),
            None => self.config.trainable_parameters(decoder),
        };
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
        LoraPart::A => "lora_A.weight",
        LoraPart::B => "lora_B.weight",
        LoraPart::Magnitude => "lora_magnitude_vector",
    };
    format!("base_model.model.model.layers.{layer}.{}.{}.{part}", module.parent(), module.name())
}
