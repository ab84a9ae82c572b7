//! GGUF's keys of one file, and what most families make of them.

use super::rope;
use crate::config::{Activation, DecoderConfig, LayerConfig};
use crate::error::{ModelError, Result};
use crate::gguf::{Array, Value};
use crate::source::ModelFile;
use crate::weights::dequantise;

/// No model comes near to a size like this.
const LIMIT: u32 = 1 << 28;

/// A value for people.
fn written(value: &Value) -> String {
    let number = || value.as_u64().map(|number| number.to_string()).or(value.as_f64().map(|number| number.to_string()));
    value.as_str().map(str::to_owned).or_else(number).unwrap_or_else(|| value.kind().to_owned())
}

/// A file and its family's keys.
pub(super) struct Reader<'a> {
    pub(super) file: &'a ModelFile,
}

impl Reader<'_> {
    /// The name of a key of this family, e.g. `llama.block_count`.
    pub(super) fn key(&self, leaf: &str) -> String {
        format!("{}.{leaf}", self.file.architecture())
    }

    pub(super) fn wrong(&self, leaf: &str, problem: &'static str) -> ModelError {
        let key = self.key(leaf);
        let value = self.file.get(&key).map_or_else(|| "missing".to_owned(), written);
        let key = self.file.written_key(&key).to_owned();
        ModelError::Configuration { path: self.file.path().to_owned(), key, value, problem }
    }

    /// Whether there is such a key.
    pub(super) fn has(&self, leaf: &str) -> bool {
        self.file.get(&self.key(leaf)).is_some()
    }

    /// Whether there is such a key, with a list.
    pub(super) fn has_list(&self, leaf: &str) -> bool {
        self.file.get(&self.key(leaf)).is_some_and(|value| value.as_array().is_some())
    }

    /// A size that must be there and above 0.
    pub(super) fn size(&self, leaf: &str) -> Result<usize> {
        match self.file.u32(&self.key(leaf))? {
            // Above this, sizes that are multiplied with each other could overflow before a tensor proves them wrong.
            0 | LIMIT.. => Err(self.wrong(leaf, "which no model can have")),
            size => Ok(size as usize),
        }
    }

    /// A size above 0, or `default` when the key is missing.
    pub(super) fn size_or(&self, leaf: &str, default: usize) -> Result<usize> {
        if self.file.get(&self.key(leaf)).is_some() { self.size(leaf) } else { Ok(default) }
    }

    pub(super) fn number_or(&self, leaf: &str, default: u32) -> Result<u32> {
        self.file.u32_or(&self.key(leaf), default)
    }

    pub(super) fn decimal_or(&self, leaf: &str, default: f32) -> Result<f32> {
        self.file.f32_or(&self.key(leaf), default)
    }

    pub(super) fn text(&self, leaf: &str) -> Option<&str> {
        self.file.get(&self.key(leaf)).and_then(Value::as_str)
    }

    /// How far each of `count` layers sees: the file's window, in the layers that its pattern names, or else in those that
    /// `by_default` holds for.
    pub(super) fn windows(&self, count: usize, by_default: impl Fn(usize) -> bool) -> Result<Vec<Option<usize>>> {
        let window = self.number_or("attention.sliding_window", 0)? as usize;
        let pattern = match self.file.get(&self.key("attention.sliding_window_pattern")) {
            Some(Value::Array(Array::Bool(flags))) if flags.len() == count => Some(flags),
            Some(Value::Array(_)) => {
                let problem = "not one truth value for each layer";
                return Err(self.wrong("attention.sliding_window_pattern", problem));
            }
            _ => None,
        };
        let has = |layer| pattern.map_or_else(|| by_default(layer), |flags| flags[layer]);
        Ok((0..count).map(|layer| (window > 0 && has(layer)).then_some(window)).collect())
    }

    /// What most families have: pre-norms, SwiGLU, every layer alike, whole heads rotated.
    ///
    /// Windows are computed where a folder has them. llama.cpp does not for these families, so that the longest text ends where the
    /// two would begin to differ.
    pub(super) fn plain(&self) -> Result<DecoderConfig> {
        let hidden_size = self.size("embedding_length")?;
        let layers = self.size("block_count")?;
        if layers > self.file.tensors().len() {
            return Err(self.wrong("block_count", "more layers than the file has tensors"));
        }
        let heads = self.size("attention.head_count")?;
        let head_size = self.size_or("attention.key_length", hidden_size / heads)?;
        if self.size_or("attention.value_length", head_size)? != head_size {
            return Err(
                self.wrong("attention.value_length", "unlike the width of the keys, which Hone does not compute")
            );
        }
        let embedding = self.file.tensor("token_embd.weight").ok_or_else(|| ModelError::MissingTensor {
            path: self.file.path().to_owned(),
            tensor: self.file.written_name("token_embd.weight"),
        })?;
        let rope = rope::read(self, head_size)?;
        let windows = self.windows(layers, |_| true)?;
        let narrowest = windows.iter().flatten().min().copied().unwrap_or(usize::MAX);
        Ok(DecoderConfig {
            architecture: self.file.architecture().to_owned(),
            vocabulary_size: embedding.shape.first().copied().unwrap_or(0),
            hidden_size,
            heads,
            kv_heads: self.size_or("attention.head_count_kv", heads)?,
            head_size,
            feed_forward_size: self.size("feed_forward_length")?,
            context_length: self.size("context_length")?.min(narrowest),
            norm_epsilon: self.file.f32(&self.key("attention.layer_norm_rms_epsilon"))?,
            attention_scale: 1.0 / (head_size as f32).sqrt(),
            attention_softcap: None,
            logit_softcap: None,
            embedding_scale: 1.0,
            tied_head: self.file.tensor("output.weight").is_none(),
            activation: Activation::Silu,
            qk_norm: false,
            post_norms: false,
            fused: false,
            paired_rows: false,
            ropes: vec![rope],
            layers: windows.into_iter().map(|window| LayerConfig { window, rope: 0 }).collect(),
        })
    }

    /// One factor for each pair of a head, from a tensor of the file.
    pub(super) fn frequency_factors(&self, tensor: &str) -> Result<Vec<f32>> {
        self.file.tensor(tensor).map_or(Ok(Vec::new()), |entry| dequantise(self.file, entry))
    }
}
