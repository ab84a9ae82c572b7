//! Which projections get an adapter, and of what size.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::config::DecoderConfig;
use crate::error::{ModelError, Result};

/// The settings of a LoRA adapter (Hu et al. 2021, <https://arxiv.org/abs/2106.09685>), with PEFT's meanings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
#[ts(export)]
pub struct LoraConfig {
    /// Inner width of the two adapter matrices.
    pub rank: usize,
    /// The adapter's output is multiplied by `alpha / rank`, or by `alpha / sqrt(rank)` with rsLoRA.
    pub alpha: f64,
    /// Share of the adapter's inputs set to zero during training, `0 <= dropout < 1`.
    #[serde(default)]
    pub dropout: f64,
    /// Projections that get an adapter, in every layer.
    pub target_modules: Vec<TargetModule>,
    /// Rank-stabilised scaling (Kalajdzievski 2023, <https://arxiv.org/abs/2312.03732>).
    #[serde(default)]
    pub use_rslora: bool,
    /// Trains the lengths of the adapted weights' rows apart from their directions (`DoRA`, Liu et al. 2024,
    /// <https://arxiv.org/abs/2402.09353>).
    #[serde(default)]
    pub use_dora: bool,
}

/// A projection of a decoder layer, named as Transformers names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum TargetModule {
    /// Queries.
    QProj,
    /// Keys.
    KProj,
    /// Values.
    VProj,
    /// Attention output.
    OProj,
    /// Gate of the feed-forward part.
    GateProj,
    /// Other half of the feed-forward input.
    UpProj,
    /// Feed-forward output.
    DownProj,
    /// Queries, keys and values in one matrix (Phi-3).
    QkvProj,
    /// Gate and up in one matrix (Phi-3).
    GateUpProj,
}

impl TargetModule {
    /// The seven of most families, in the order in which a layer uses them.
    pub const SEVEN: [Self; 7] =
        [Self::QProj, Self::KProj, Self::VProj, Self::OProj, Self::GateProj, Self::UpProj, Self::DownProj];
    /// Every one, each at the index of its number.
    pub const ALL: [Self; 9] = [
        Self::QProj,
        Self::KProj,
        Self::VProj,
        Self::OProj,
        Self::GateProj,
        Self::UpProj,
        Self::DownProj,
        Self::QkvProj,
        Self::GateUpProj,
    ];

    /// The leaf name in Transformers and PEFT, e.g. `q_proj`.
    pub fn name(self) -> &'static str {
        match self {
            Self::QProj => "q_proj",
            Self::KProj => "k_proj",
            Self::VProj => "v_proj",
            Self::OProj => "o_proj",
            Self::GateProj => "gate_proj",
            Self::UpProj => "up_proj",
            Self::DownProj => "down_proj",
            Self::QkvProj => "qkv_proj",
            Self::GateUpProj => "gate_up_proj",
        }
    }

    /// The module that holds it in Transformers: `self_attn` or `mlp`.
    pub fn parent(self) -> &'static str {
        match self {
            Self::QProj | Self::KProj | Self::VProj | Self::OProj | Self::QkvProj => "self_attn",
            Self::GateProj | Self::UpProj | Self::DownProj | Self::GateUpProj => "mlp",
        }
    }

    /// The name inside `blk.N.….weight` of a GGUF file, e.g. `attn_q`.
    pub fn gguf_name(self) -> &'static str {
        match self {
            Self::QProj => "attn_q",
            Self::KProj => "attn_k",
            Self::VProj => "attn_v",
            Self::OProj => "attn_output",
            Self::GateProj => "ffn_gate",
            Self::UpProj | Self::GateUpProj => "ffn_up",
            Self::DownProj => "ffn_down",
            Self::QkvProj => "attn_qkv",
        }
    }

    /// The layer of a GGUF weight and the modules that may have this name; `None` for a tensor that no adapter touches.
    pub fn from_gguf_name(tensor: &str) -> Option<(usize, impl Iterator<Item = Self>)> {
        let (layer, leaf) = tensor.strip_prefix("blk.")?.strip_suffix(".weight")?.split_once('.')?;
        Some((layer.parse().ok()?, Self::ALL.into_iter().filter(move |module| module.gguf_name() == leaf)))
    }

    /// The matrices that queries, keys and values of a model come out of, in the order in which they are stacked.
    pub(crate) fn qkv(config: &DecoderConfig) -> &'static [Self] {
        if config.fused { &[Self::QkvProj] } else { &[Self::QProj, Self::KProj, Self::VProj] }
    }

    /// The matrices that gate and up of a model come out of, in the order in which they are stacked.
    pub(crate) fn gate_up(config: &DecoderConfig) -> &'static [Self] {
        if config.fused { &[Self::GateUpProj] } else { &[Self::GateProj, Self::UpProj] }
    }

    /// The modules that stand for this one in a model of that shape.
    fn in_model(self, config: &DecoderConfig) -> Vec<Self> {
        let there = match self {
            Self::QProj | Self::KProj | Self::VProj | Self::QkvProj => Self::qkv(config),
            Self::GateProj | Self::UpProj | Self::GateUpProj => Self::gate_up(config),
            Self::OProj | Self::DownProj => return vec![self],
        };
        if there.contains(&self) { vec![self] } else { there.to_vec() }
    }

    /// Rows and columns of the frozen weight, `[out, in]`.
    pub fn shape(self, config: &DecoderConfig) -> [usize; 2] {
        let hidden = config.hidden_size;
        match self {
            Self::QProj => [config.query_size(), hidden],
            Self::KProj | Self::VProj => [config.kv_size(), hidden],
            Self::OProj => [hidden, config.query_size()],
            Self::GateProj | Self::UpProj => [config.feed_forward_size, hidden],
            Self::DownProj => [hidden, config.feed_forward_size],
            Self::QkvProj => [config.qkv_size(), hidden],
            Self::GateUpProj => [2 * config.feed_forward_size, hidden],
        }
    }
}

impl LoraConfig {
    /// Factor on `B · A`.
    pub fn scaling(&self) -> f32 {
        let rank = self.rank as f64;
        let scaling = if self.use_rslora { self.alpha / rank.sqrt() } else { self.alpha / rank };
        scaling as f32
    }

    /// The same settings with the projections by the names that this model has for them.
    #[must_use]
    pub fn for_model(&self, config: &DecoderConfig) -> Self {
        let mut target_modules: Vec<TargetModule> =
            self.target_modules.iter().flat_map(|module| module.in_model(config)).collect();
        target_modules.sort_unstable();
        target_modules.dedup();
        Self { target_modules, ..self.clone() }
    }

    /// Numbers that training changes.
    pub fn trainable_parameters(&self, config: &DecoderConfig) -> usize {
        let per_layer: usize = self
            .for_model(config)
            .target_modules
            .iter()
            .map(|module| {
                let [out, input] = module.shape(config);
                (out + input) * self.rank + if self.use_dora { out } else { 0 }
            })
            .sum();
        per_layer * config.layers.len()
    }

    /// Whether the numbers make sense together.
    ///
    /// # Errors
    /// [`ModelError::Lora`] naming the setting.
    pub fn check(&self) -> Result<()> {
        let wrong = |reason: String| Err(ModelError::Lora { problem: reason });
        if self.rank == 0 {
            return wrong("`rank` is 0; it must be at least 1".to_owned());
        }
        if !self.alpha.is_finite() || self.alpha <= 0.0 {
            return wrong(format!("`alpha` is {}; it must be above 0", self.alpha));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return wrong(format!("`dropout` is {}; it must be at least 0 and below 1", self.dropout));
        }
        if self.target_modules.is_empty() {
            return wrong("`target_modules` is empty; name at least one projection, e.g. `q_proj`".to_owned());
        }
        let mut modules = self.target_modules.clone();
        modules.sort_unstable();
        if let Some(twice) = modules.windows(2).find(|pair| pair[0] == pair[1]) {
            return wrong(format!("`target_modules` names `{}` twice", twice[0].name()));
        }
        Ok(())
    }
}
