//! The frozen numbers of a base model, as f32 or as they are stored.

use std::ops::{Deref, Range};

use candle_core::quantized::GgmlDType;
use hone_job::Job;
use serde::{Deserialize, Serialize};

use crate::config::DecoderConfig;
use crate::error::{ModelError, Result};
use crate::gguf::{GgufFile, TensorEntry};
use crate::lora::{TargetModule, half_row};
use crate::ops;
use crate::pool::{Buffer, Pool};

const EMBEDDING: &str = "token_embd.weight";
const HEAD: &str = "output.weight";

/// How the frozen matrices lie in memory. The arithmetic is f32 and the result the same bits either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightStorage {
    /// Expanded once: fastest, four bytes a number.
    Expanded,
    /// As in the file, expanded when a layer needs them: the size of the file, a few percent slower.
    Stored,
}

/// Reads one tensor of any type that Hone reads, as f32, row after row.
///
/// # Errors
/// [`ModelError::Damaged`] when the bytes do not fit the shape.
pub fn dequantise(file: &GgufFile, tensor: &TensorEntry) -> Result<Vec<f32>> {
    let mut values = vec![0.0; tensor.shape.iter().product()];
    expand(file, tensor, &mut values)?;
    Ok(values)
}

fn expand(file: &GgufFile, tensor: &TensorEntry, values: &mut [f32]) -> Result<()> {
    ops::dequantise(tensor.dtype, file.bytes(tensor), values).map_err(|problem| ModelError::Damaged {
        path: file.path().to_owned(),
        place: format!("tensor `{}`", tensor.name),
        problem,
    })
}

/// A frozen matrix `[rows, columns]`, or several with the same columns on top of each other.
#[derive(Debug)]
pub(crate) struct Frozen {
    rows: usize,
    columns: usize,
    numbers: Numbers,
}

#[derive(Debug)]
enum Numbers {
    Expanded(Vec<f32>),
    Stored(Vec<Part>),
}

/// One tensor of the file within a stack.
struct Source {
    name: String,
    rows: usize,
    /// Width of a head whose rows the file keeps in pairs, to be sorted into halves.
    paired_head: Option<usize>,
}

#[derive(Debug)]
struct Part {
    rows: Range<usize>,
    dtype: GgmlDType,
    /// The blocks, in words so that they are aligned.
    words: Vec<u64>,
    bytes: usize,
}

/// Rows of a frozen matrix as f32.
pub(crate) enum Rows<'a> {
    /// Lent from where they lie.
    Lent(&'a [f32]),
    /// Expanded into a buffer.
    Expanded(Buffer<'a>),
}

impl Deref for Rows<'_> {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        match self {
            Self::Lent(values) => values,
            Self::Expanded(buffer) => buffer,
        }
    }
}

impl Frozen {
    fn load(file: &GgufFile, sources: &[Source], columns: usize, storage: WeightStorage) -> Result<Self> {
        let rows = sources.iter().map(|source| source.rows).sum();
        // Every shape is checked before anything of that size is allocated: the sizes are only what the file says of itself.
        let tensors: Vec<&TensorEntry> =
            sources.iter().map(|source| find(file, &source.name, &[source.rows, columns])).collect::<Result<_>>()?;
        let mut expanded = Vec::new();
        let mut parts = Vec::new();
        let mut first = 0;
        if storage == WeightStorage::Expanded {
            expanded = vec![0.0; rows * columns];
        }
        for (Source { rows, paired_head, .. }, tensor) in sources.iter().zip(tensors) {
            let place = first..first + rows;
            first = place.end;
            match storage {
                WeightStorage::Expanded => {
                    let place = &mut expanded[place.start * columns..place.end * columns];
                    expand(file, tensor, place)?;
                    sort_rows(place, columns, *paired_head);
                }
                WeightStorage::Stored => {
                    let bytes = file.bytes(tensor);
                    let mut words = vec![0u64; bytes.len().div_ceil(8)];
                    let copied = &mut bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()];
                    copied.copy_from_slice(bytes);
                    sort_rows(copied, bytes.len() / rows, *paired_head);
                    parts.push(Part { rows: place, dtype: tensor.dtype, words, bytes: bytes.len() });
                }
            }
        }
        let numbers = match storage {
            WeightStorage::Expanded => Numbers::Expanded(expanded),
            WeightStorage::Stored => Numbers::Stored(parts),
        };
        Ok(Self { rows, columns, numbers })
    }

    /// Rows of all parts together.
    pub(crate) fn row_count(&self) -> usize {
        self.rows
    }

    /// Width of a row.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// All rows as f32.
    pub(crate) fn all<'a>(&'a self, pool: &'a Pool) -> Result<Rows<'a>> {
        self.rows(0..self.rows, pool)
    }

    /// Some rows as f32.
    pub(crate) fn rows<'a>(&'a self, wanted: Range<usize>, pool: &'a Pool) -> Result<Rows<'a>> {
        let parts = match &self.numbers {
            Numbers::Expanded(values) => {
                return Ok(Rows::Lent(&values[wanted.start * self.columns..wanted.end * self.columns]));
            }
            Numbers::Stored(parts) => parts,
        };
        let mut buffer = pool.take(wanted.len() * self.columns);
        for part in parts {
            let (from, to) = (part.rows.start.max(wanted.start), part.rows.end.min(wanted.end));
            if from >= to {
                continue;
            }
            let row_bytes = part.bytes / part.rows.len();
            let bytes: &[u8] = bytemuck::cast_slice(&part.words);
            let bytes = &bytes[(from - part.rows.start) * row_bytes..(to - part.rows.start) * row_bytes];
            let target = &mut buffer[(from - wanted.start) * self.columns..(to - wanted.start) * self.columns];
            ops::dequantise(part.dtype, bytes, target).map_err(candle_core::Error::Msg)?;
        }
        Ok(Rows::Expanded(buffer))
    }

    /// Bytes it takes.
    fn memory(&self) -> usize {
        match &self.numbers {
            Numbers::Expanded(values) => size_of_val(values.as_slice()),
            Numbers::Stored(parts) => parts.iter().map(|part| size_of_val(part.words.as_slice())).sum(),
        }
    }
}

/// One decoder layer. Norm weights multiply as they are (Gemma's `1 + w` is added by the file's writer).
#[derive(Debug)]
pub(crate) struct LayerWeights {
    pub(crate) attention_norm: Vec<f32>,
    pub(crate) query_norm: Option<Vec<f32>>,
    pub(crate) key_norm: Option<Vec<f32>>,
    pub(crate) post_attention_norm: Option<Vec<f32>>,
    pub(crate) feed_forward_norm: Vec<f32>,
    pub(crate) post_feed_forward_norm: Option<Vec<f32>>,
    /// Queries, keys and values, stacked.
    pub(crate) qkv: Frozen,
    /// Added to the stacked queries, keys and values.
    pub(crate) qkv_bias: Option<Vec<f32>>,
    pub(crate) output: Frozen,
    /// Gate and up, stacked.
    pub(crate) gate_up: Frozen,
    pub(crate) down: Frozen,
}

/// All frozen numbers of a base model.
#[derive(Debug)]
pub(crate) struct Weights {
    /// `[vocabulary, hidden]`.
    pub(crate) embedding: Frozen,
    /// The LM head, `[vocabulary, hidden]`; `None` where the embedding is used for it.
    own_head: Option<Frozen>,
    pub(crate) layers: Vec<LayerWeights>,
    pub(crate) final_norm: Vec<f32>,
}

impl Weights {
    pub(crate) fn load(file: &GgufFile, config: &DecoderConfig, storage: WeightStorage, job: &Job) -> Result<Self> {
        let total = config.layers.len() as u64 + 1;
        job.progress(0, total, "layers");
        let hidden = config.hidden_size;
        let vocabulary =
            |name: &str| [Source { name: name.to_owned(), rows: config.vocabulary_size, paired_head: None }];
        let embedding = Frozen::load(file, &vocabulary(EMBEDDING), hidden, storage)?;
        let own_head =
            (!config.tied_head).then(|| Frozen::load(file, &vocabulary(HEAD), hidden, storage)).transpose()?;
        let mut layers = Vec::new();
        for layer in 0..config.layers.len() {
            job.check()?;
            layers.push(Self::load_layer(file, config, layer, storage)?);
            job.progress(layer as u64 + 1, total, "layers");
        }
        let final_norm = vector(file, "output_norm.weight", hidden)?;
        job.progress(total, total, "layers");
        Ok(Self { embedding, own_head, layers, final_norm })
    }

    /// The matrix that turns the last hidden rows into logits.
    pub(crate) fn head(&self) -> &Frozen {
        self.own_head.as_ref().unwrap_or(&self.embedding)
    }

    fn load_layer(
        file: &GgufFile,
        config: &DecoderConfig,
        layer: usize,
        storage: WeightStorage,
    ) -> Result<LayerWeights> {
        let hidden = config.hidden_size;
        let norm = |leaf: &str, length| vector(file, &format!("blk.{layer}.{leaf}.weight"), length);
        let optional = |there: bool, leaf: &str, length| there.then(|| norm(leaf, length)).transpose();
        let stack = |modules: &[TargetModule]| {
            let columns = modules[0].shape(config)[1];
            let parts: Vec<_> = modules
                .iter()
                .map(|module| Source {
                    name: format!("blk.{layer}.{}.weight", module.gguf_name()),
                    rows: module.shape(config)[0],
                    paired_head: paired_head(config, *module),
                })
                .collect();
            Frozen::load(file, &parts, columns, storage)
        };
        let qkv = TargetModule::qkv(config);
        Ok(LayerWeights {
            attention_norm: norm("attn_norm", hidden)?,
            query_norm: optional(config.qk_norm, "attn_q_norm", config.head_size)?,
            key_norm: optional(config.qk_norm, "attn_k_norm", config.head_size)?,
            post_attention_norm: optional(config.post_norms, "post_attention_norm", hidden)?,
            feed_forward_norm: norm("ffn_norm", hidden)?,
            post_feed_forward_norm: optional(config.post_norms, "post_ffw_norm", hidden)?,
            qkv: stack(qkv)?,
            qkv_bias: bias(file, config, layer, qkv)?,
            output: stack(&[TargetModule::OProj])?,
            gate_up: stack(TargetModule::gate_up(config))?,
            down: stack(&[TargetModule::DownProj])?,
        })
    }

    /// Bytes of all matrices.
    pub(crate) fn memory(&self) -> usize {
        let layer = |layer: &LayerWeights| {
            layer.qkv.memory() + layer.output.memory() + layer.gate_up.memory() + layer.down.memory()
        };
        let head = self.own_head.as_ref().map_or(0, Frozen::memory);
        self.embedding.memory() + head + self.layers.iter().map(layer).sum::<usize>()
    }
}

fn find<'f>(file: &'f GgufFile, name: &str, shape: &[usize]) -> Result<&'f TensorEntry> {
    let tensor = file
        .tensor(name)
        .ok_or_else(|| ModelError::MissingTensor { path: file.path().to_owned(), tensor: name.to_owned() })?;
    if tensor.shape != shape {
        return Err(ModelError::TensorShape {
            path: file.path().to_owned(),
            tensor: name.to_owned(),
            expected: shape.to_vec(),
            found: tensor.shape.clone(),
        });
    }
    Ok(tensor)
}

fn paired_head(config: &DecoderConfig, module: TargetModule) -> Option<usize> {
    let turned = matches!(module, TargetModule::QProj | TargetModule::KProj);
    (config.paired_rows && turned).then_some(config.head_size)
}

/// Sorts the rows of each head from pairs into halves, whatever a row is made of.
fn sort_rows<T: Copy>(rows: &mut [T], row: usize, paired_head: Option<usize>) {
    let Some(size) = paired_head else { return };
    let paired = rows.to_vec();
    for (at, paired) in paired.chunks_exact(row).enumerate() {
        let place = half_row(at, size) * row;
        rows[place..place + row].copy_from_slice(paired);
    }
}

/// The bias of the stacked projections; those without one get zeros.
fn bias(file: &GgufFile, config: &DecoderConfig, layer: usize, modules: &[TargetModule]) -> Result<Option<Vec<f32>>> {
    let name = |module: TargetModule| format!("blk.{layer}.{}.bias", module.gguf_name());
    if modules.iter().all(|module| file.tensor(&name(*module)).is_none()) {
        return Ok(None);
    }
    let mut stacked = Vec::new();
    for &module in modules {
        let rows = module.shape(config)[0];
        let mut values = match file.tensor(&name(module)) {
            Some(_) => vector(file, &name(module), rows)?,
            None => vec![0.0; rows],
        };
        sort_rows(&mut values, 1, paired_head(config, module));
        stacked.extend(values);
    }
    Ok(Some(stacked))
}

/// A tensor that is not read would be a part of the model that is not computed.
///
/// # Errors
/// [`ModelError::NotABaseModel`] naming the first such tensor.
pub(crate) fn check_all_read(file: &GgufFile, config: &DecoderConfig) -> Result<()> {
    let unread = file.tensors().iter().find(|tensor| !is_read(&tensor.name, config));
    let Some(tensor) = unread else { return Ok(()) };
    let reason = format!("it holds `{}`, a part that Hone does not compute for this family", tensor.name);
    Err(ModelError::NotABaseModel { path: file.path().to_owned(), reason })
}

fn is_read(name: &str, config: &DecoderConfig) -> bool {
    // Pictures are another model's part of the file, and not computed by the text model.
    if [EMBEDDING, HEAD, "output_norm.weight"].contains(&name) || name.starts_with("v.") || name.starts_with("mm.") {
        return true;
    }
    // Read with the configuration.
    if name.starts_with("rope_f") {
        return true;
    }
    let Some((layer, leaf)) = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else { return false };
    if layer.parse::<usize>().map_or(true, |layer| layer >= config.layers.len()) {
        return false;
    }
    let is_one_of = |modules: &[TargetModule], kind: &str| {
        leaf.strip_suffix(kind).is_some_and(|leaf| modules.iter().any(|module| module.gguf_name() == leaf))
    };
    let (qkv, gate_up) = (TargetModule::qkv(config), TargetModule::gate_up(config));
    is_one_of(qkv, ".weight")
        || is_one_of(qkv, ".bias")
        || is_one_of(gate_up, ".weight")
        || is_one_of(&[TargetModule::OProj, TargetModule::DownProj], ".weight")
        || ["attn_norm.weight", "ffn_norm.weight"].contains(&leaf)
        || config.qk_norm && ["attn_q_norm.weight", "attn_k_norm.weight"].contains(&leaf)
        || config.post_norms && ["post_attention_norm.weight", "post_ffw_norm.weight"].contains(&leaf)
}

fn vector(file: &GgufFile, name: &str, length: usize) -> Result<Vec<f32>> {
    dequantise(file, find(file, name, &[length])?)
}
