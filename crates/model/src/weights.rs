//! The frozen numbers of a base model, as f32 or as they are stored.

use std::ops::{Deref, Range};

use candle_core::quantized::GgmlDType;
use hone_job::Job;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::config::DecoderConfig;
use crate::error::{ModelError, Result};
use crate::gguf::TensorEntry;
use crate::lora::{TargetModule, half_row};
use crate::ops::{self, StoredRows, Weight};
use crate::pages::Numbers as Expanded;
use crate::pool::{Buffer, Pool};
use crate::source::ModelFile;
use crate::spans::{Work, span};

const EMBEDDING: &str = "token_embd.weight";
const HEAD: &str = "output.weight";
/// Numbers per stretch of the test for numbers that are none.
const CHECKED: usize = 1 << 16;

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
pub fn dequantise(file: &ModelFile, tensor: &TensorEntry) -> Result<Vec<f32>> {
    let mut values = vec![0.0; tensor.shape.iter().product()];
    expand(file, tensor, &mut values)?;
    Ok(values)
}

fn expand(file: &ModelFile, tensor: &TensorEntry, values: &mut [f32]) -> Result<()> {
    ops::dequantise(tensor.dtype, file.bytes(tensor), values).map_err(|problem| damaged(file, tensor, problem))
}

fn damaged(file: &ModelFile, tensor: &TensorEntry, problem: String) -> ModelError {
    let place = format!("tensor `{}`", file.written_name(&tensor.name));
    ModelError::Damaged { path: file.path().to_owned(), place, problem }
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
    Expanded(Expanded),
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

/// A frozen matrix, in the form in which it is multiplied.
pub(crate) enum AtWork<'a> {
    /// As numbers.
    Numbers(Rows<'a>),
    /// As its file stores it.
    Stored(Vec<StoredRows<'a>>),
}

impl AtWork<'_> {
    pub(crate) fn weight(&self) -> Weight<'_> {
        match self {
            Self::Numbers(rows) => Weight::Expanded(rows),
            Self::Stored(parts) => Weight::Stored(parts),
        }
    }
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
    fn load(file: &ModelFile, sources: &[Source], columns: usize, storage: WeightStorage) -> Result<Self> {
        let rows = sources.iter().map(|source| source.rows).sum();
        // Every shape is checked before anything of that size is allocated: the sizes are only what the file says of itself.
        let tensors: Vec<&TensorEntry> =
            sources.iter().map(|source| find(file, &source.name, &[source.rows, columns])).collect::<Result<_>>()?;
        let mut expanded = Expanded::default();
        let mut parts = Vec::new();
        let mut first = 0;
        if storage == WeightStorage::Expanded {
            expanded = Expanded::zeros(rows * columns);
        }
        for (Source { rows, paired_head, .. }, tensor) in sources.iter().zip(tensors) {
            let place = first..first + rows;
            first = place.end;
            match storage {
                WeightStorage::Expanded => {
                    let place = &mut expanded[place.start * columns..place.end * columns];
                    expand(file, tensor, place)?;
                    check_finite(file, tensor, place, 0)?;
                    sort_rows(place, columns, *paired_head);
                }
                WeightStorage::Stored => {
                    let bytes = file.bytes(tensor);
                    check_stored(file, tensor, columns)?;
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

    /// All rows for a forward pass; with `few` rows of input, stored blocks are not expanded.
    pub(crate) fn at_work<'a>(&'a self, few: bool, pool: &'a Pool) -> Result<AtWork<'a>> {
        match self.stored().filter(|_| few) {
            Some(parts) => Ok(AtWork::Stored(parts)),
            None => Ok(AtWork::Numbers(self.all(pool)?)),
        }
    }

    /// The blocks, one part below the other, where they are kept as stored.
    pub(crate) fn stored(&self) -> Option<Vec<StoredRows<'_>>> {
        match &self.numbers {
            Numbers::Stored(parts) => Some(parts.iter().map(Part::stored).collect()),
            Numbers::Expanded(_) => None,
        }
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
        let _span = span(Work::Expansion);
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
            Numbers::Expanded(values) => size_of_val(&**values),
            Numbers::Stored(parts) => parts.iter().map(|part| size_of_val(part.words.as_slice())).sum(),
        }
    }
}

impl Part {
    fn stored(&self) -> StoredRows<'_> {
        let bytes: &[u8] = bytemuck::cast_slice(&self.words);
        StoredRows { dtype: self.dtype, bytes: &bytes[..self.bytes], rows: self.rows.len() }
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
    pub(crate) fn load(file: &ModelFile, config: &DecoderConfig, storage: WeightStorage, job: &Job) -> Result<Self> {
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
        file: &ModelFile,
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

fn find<'f>(file: &'f ModelFile, name: &str, shape: &[usize]) -> Result<&'f TensorEntry> {
    let tensor = file
        .tensor(name)
        .ok_or_else(|| ModelError::MissingTensor { path: file.path().to_owned(), tensor: file.written_name(name) })?;
    if tensor.shape != shape {
        return Err(ModelError::TensorShape {
            path: file.path().to_owned(),
            tensor: file.written_name(name),
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

/// Sorts rows from halves into pairs, as GGUF has them for the architecture `llama`: the reverse of what reading does. `row` is the
/// length of a row, `head` the rows of a head ([`ModelFile::paired_in_gguf`]).
pub fn sort_into_pairs<T: Copy>(rows: &mut [T], row: usize, head: usize) {
    let halves = rows.to_vec();
    for (at, paired) in rows.chunks_exact_mut(row).enumerate() {
        let place = half_row(at, head) * row;
        paired.copy_from_slice(&halves[place..place + row]);
    }
}

/// The bias of the stacked projections; those without one get zeros.
fn bias(file: &ModelFile, config: &DecoderConfig, layer: usize, modules: &[TargetModule]) -> Result<Option<Vec<f32>>> {
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

/// Every tensor that the configuration needs is there in its shape.
///
/// # Errors
/// [`ModelError::MissingTensor`], [`ModelError::TensorShape`] naming the first that is not.
pub(crate) fn check_shapes(file: &ModelFile, config: &DecoderConfig) -> Result<()> {
    let hidden = config.hidden_size;
    let vocabulary = [config.vocabulary_size, hidden];
    find(file, EMBEDDING, &vocabulary)?;
    if !config.tied_head {
        find(file, HEAD, &vocabulary)?;
    }
    find(file, "output_norm.weight", &[hidden])?;
    let (qkv, gate_up) = (TargetModule::qkv(config), TargetModule::gate_up(config));
    let others = [TargetModule::OProj, TargetModule::DownProj];
    for layer in 0..config.layers.len() {
        for module in qkv.iter().chain(gate_up).chain(&others) {
            find(file, &format!("blk.{layer}.{}.weight", module.gguf_name()), &module.shape(config))?;
        }
        for (there, leaf, length) in norms(config) {
            if there {
                find(file, &format!("blk.{layer}.{leaf}.weight"), &[length])?;
            }
        }
    }
    Ok(())
}

/// The norms of a layer: whether this model has it, its name, its length.
fn norms(config: &DecoderConfig) -> [(bool, &'static str, usize); 6] {
    [
        (true, "attn_norm", config.hidden_size),
        (true, "ffn_norm", config.hidden_size),
        (config.qk_norm, "attn_q_norm", config.head_size),
        (config.qk_norm, "attn_k_norm", config.head_size),
        (config.post_norms, "post_attention_norm", config.hidden_size),
        (config.post_norms, "post_ffw_norm", config.hidden_size),
    ]
}

/// A tensor that is not read would be a part of the model that is not computed.
///
/// # Errors
/// [`ModelError::NotABaseModel`] naming the first such tensor.
pub(crate) fn check_all_read(file: &ModelFile, config: &DecoderConfig) -> Result<()> {
    let unread = file.tensors().iter().find(|tensor| !is_read(&tensor.name, config));
    let Some(tensor) = unread else { return Ok(()) };
    let reason =
        format!("it holds `{}`, a part that Hone does not compute for this family", file.written_name(&tensor.name));
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
        || norms(config).iter().any(|(there, name, _)| *there && leaf.strip_suffix(".weight") == Some(name))
}

fn vector(file: &ModelFile, name: &str, length: usize) -> Result<Vec<f32>> {
    let tensor = find(file, name, &[length])?;
    let values = dequantise(file, tensor)?;
    check_finite(file, tensor, &values, 0)?;
    Ok(values)
}

/// The same for a tensor that stays as it is stored, some rows at a time.
fn check_stored(file: &ModelFile, tensor: &TensorEntry, columns: usize) -> Result<()> {
    let bytes = file.bytes(tensor);
    let rows = tensor.shape[0];
    let row_bytes = bytes.len() / rows;
    let step = (CHECKED / columns).max(1);
    let mut values = vec![0.0; step.min(rows) * columns];
    for first in (0..rows).step_by(step) {
        let count = step.min(rows - first);
        let values = &mut values[..count * columns];
        let bytes = &bytes[first * row_bytes..(first + count) * row_bytes];
        ops::dequantise(tensor.dtype, bytes, values).map_err(|problem| damaged(file, tensor, problem))?;
        check_finite(file, tensor, values, first * columns)?;
    }
    Ok(())
}

/// One number that is none would make every answer and every gradient none.
fn check_finite(file: &ModelFile, tensor: &TensorEntry, values: &[f32], first: usize) -> Result<()> {
    // Any number times 0 is 0, but for those that are not finite: one sum per stretch instead of a test per number.
    let sound = |values: &[f32]| values.iter().map(|value| value * 0.0).sum::<f32>() == 0.0;
    if values.par_chunks(CHECKED).all(sound) {
        return Ok(());
    }
    let at = first + values.iter().position(|value| !value.is_finite()).unwrap_or(0);
    let columns = tensor.shape.last().copied().unwrap_or(1).max(1);
    let place = format!("tensor `{}`, row {}, column {}", file.written_name(&tensor.name), at / columns, at % columns);
    let problem = "the weight there is not a finite number".to_owned();
    Err(ModelError::Damaged { path: file.path().to_owned(), place, problem })
}
