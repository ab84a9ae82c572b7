//! Model families: how each one's file is read into a [`DecoderConfig`]. One file per family; what all share is here.

mod gemma2;
mod gemma3;
mod llama;
mod phi3;
mod qwen2;
mod qwen3;

use crate::config::{Activation, DecoderConfig, LayerConfig, RopeConfig};
use crate::error::{ModelError, Result};
use crate::gguf::{GgufFile, Value};
use crate::weights::{check_all_read, dequantise};

/// Reads a family's keys.
type ReadFamily = fn(&Reader<'_>) -> Result<DecoderConfig>;

/// The families that can be trained, as `general.architecture` names them, each with its reader.
const FAMILIES: &[(&str, ReadFamily)] = &[
    ("gemma2", gemma2::read),
    ("gemma3", gemma3::read),
    ("llama", llama::read),
    ("phi3", phi3::read),
    ("qwen2", qwen2::read),
    ("qwen3", qwen3::read),
];

/// The shape of the model in `file`.
///
/// # Errors
/// [`ModelError::UnsupportedArchitecture`] for a family that Hone cannot train; [`ModelError::NotABaseModel`] for adapters and
/// parts of split files; what the family's reader finds wrong.
pub fn read_config(file: &GgufFile) -> Result<DecoderConfig> {
    file.check_whole_model()?;
    let Some((_, read)) = FAMILIES.iter().find(|(name, _)| *name == file.architecture()) else {
        return Err(ModelError::UnsupportedArchitecture {
            path: file.path().to_owned(),
            found: file.architecture().to_owned(),
            supported: FAMILIES.iter().map(|(name, _)| *name).collect(),
        });
    };
    let reader = Reader { file };
    if reader.number_or("expert_count", 0)? > 0 {
        return Err(reader.wrong("expert_count", "experts: Hone does not train mixtures of experts yet"));
    }
    let config = read(&reader)?;
    if config.head_size == 0 || config.head_size % 2 != 0 {
        return Err(reader.wrong("attention.head_count", "which leaves no even width for a head"));
    }
    if config.heads % config.kv_heads != 0 {
        return Err(reader.wrong("attention.head_count_kv", "which does not divide the number of heads"));
    }
    for rope in &config.ropes {
        if rope.dimensions % 2 != 0 || rope.dimensions > config.head_size {
            return Err(reader.wrong("rope.dimension_count", "a width that cannot be rotated within a head"));
        }
        if !rope.frequency_factors.is_empty() && rope.frequency_factors.len() != rope.dimensions / 2 {
            return Err(reader.wrong("rope.dimension_count", "not twice as many as the file has factors for"));
        }
    }
    check_all_read(file, &config)?;
    Ok(config)
}

/// A value for people.
fn written(value: &Value) -> String {
    let number = || value.as_u64().map(|number| number.to_string()).or(value.as_f64().map(|number| number.to_string()));
    value.as_str().map(str::to_owned).or_else(number).unwrap_or_else(|| value.kind().to_owned())
}

/// A file and its family's keys.
struct Reader<'a> {
    file: &'a GgufFile,
}

impl Reader<'_> {
    /// The name of a key of this family, e.g. `llama.block_count`.
    fn key(&self, leaf: &str) -> String {
        format!("{}.{leaf}", self.file.architecture())
    }

    fn wrong(&self, leaf: &str, problem: &'static str) -> ModelError {
        let key = self.key(leaf);
        let value = self.file.get(&key).map_or_else(|| "missing".to_owned(), written);
        ModelError::Configuration { path: self.file.path().to_owned(), key, value, problem }
    }

    /// A size that must be there and above 0.
    fn size(&self, leaf: &str) -> Result<usize> {
        match self.file.u32(&self.key(leaf))? {
            0 => Err(self.wrong(leaf, "which no model can have")),
            size => Ok(size as usize),
        }
    }

    /// A size above 0, or `default` when the key is missing.
    fn size_or(&self, leaf: &str, default: usize) -> Result<usize> {
        if self.file.get(&self.key(leaf)).is_some() { self.size(leaf) } else { Ok(default) }
    }

    fn number_or(&self, leaf: &str, default: u32) -> Result<u32> {
        self.file.u32_or(&self.key(leaf), default)
    }

    fn decimal_or(&self, leaf: &str, default: f32) -> Result<f32> {
        self.file.f32_or(&self.key(leaf), default)
    }

    fn text(&self, leaf: &str) -> Option<&str> {
        self.file.get(&self.key(leaf)).and_then(Value::as_str)
    }

    /// What most families have: pre-norms, SwiGLU, every layer alike and seeing everything, whole heads rotated.
    fn plain(&self) -> Result<DecoderConfig> {
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
            tensor: "token_embd.weight".to_owned(),
        })?;
        let rope = RopeConfig {
            scaling_factor: self.linear_scaling()?,
            frequency_factors: self.frequency_factors("rope_freqs.weight")?,
            ..RopeConfig::plain(
                self.decimal_or("rope.freq_base", 10_000.0)?,
                self.size_or("rope.dimension_count", head_size)?,
            )
        };
        Ok(DecoderConfig {
            architecture: self.file.architecture().to_owned(),
            vocabulary_size: embedding.shape.first().copied().unwrap_or(0),
            hidden_size,
            heads,
            kv_heads: self.size_or("attention.head_count_kv", heads)?,
            head_size,
            feed_forward_size: self.size("feed_forward_length")?,
            context_length: self.size("context_length")?,
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
            layers: vec![LayerConfig { window: None, rope: 0 }; layers],
        })
    }

    /// The factor of linear scaling.
    fn linear_scaling(&self) -> Result<f32> {
        match self.text("rope.scaling.type") {
            None | Some("none" | "longrope") => Ok(1.0),
            Some("linear") => self.decimal_or("rope.scaling.factor", 1.0),
            Some(_) => {
                Err(self.wrong("rope.scaling.type", "a way of stretching positions that Hone does not compute yet"))
            }
        }
    }

    /// One factor for each pair of a head, from a tensor of the file.
    fn frequency_factors(&self, tensor: &str) -> Result<Vec<f32>> {
        self.file.tensor(tensor).map_or(Ok(Vec::new()), |entry| dequantise(self.file, entry))
    }
}
