//! What was asked for: every knob of a run, as written in a preset or in `config.toml` of a run.

use hone_model::{
    DecoderConfig, Device, LoraConfig, Objective, Placement, Precision, StepOptions, WeightStorage, full_parameters,
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::{Result, TrainError};
use crate::optimiser::OptimiserConfig;

/// How the learning rate moves after the warmup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Schedule {
    /// Stays.
    Constant,
    /// Falls to zero in a straight line.
    Linear,
    /// Falls to zero along half a cosine.
    Cosine,
}

/// What is trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum TrainOn {
    /// Conversations where there are any, else the texts to read.
    Auto,
    /// Conversations only, what the model says in them.
    Answers,
    /// Texts only, every token.
    Reading,
    /// Both.
    All,
}

/// Something Hone may decide by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Choice {
    /// On when memory would not suffice otherwise.
    Auto,
    /// Yes.
    On,
    /// No.
    Off,
}

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Method {
    /// A LoRA adapter beside the frozen model.
    #[default]
    Lora,
    /// Every matrix, bias and norm of the model itself.
    Full,
}

/// Who moves the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(export)]
pub enum OptimiserKind {
    /// `AdamW` with a state of 32 bits a number.
    #[default]
    #[serde(rename = "adamw")]
    AdamW,
    /// `AdamW` with a state of 8 bits a number.
    #[serde(rename = "adamw_8bit")]
    AdamW8Bit,
}

/// A run as it was asked for. Numbers that follow from it and the rows are in [`crate::Plan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[allow(clippy::struct_excessive_bools)] // each is a knob of its own
#[serde(deny_unknown_fields)]
#[ts(export)]
pub struct RunConfig {
    /// The preset it began as.
    pub preset: String,
    /// What is trained.
    #[serde(default)]
    pub method: Method,
    /// Passes over the training rows.
    pub epochs: u32,
    /// Ends the run after so many steps; 0: only `epochs` counts.
    pub max_steps: u32,
    /// Rows per step (one optimiser update).
    pub batch_size: u32,
    /// Highest learning rate, reached at the end of the warmup.
    pub learning_rate: f64,
    /// How it moves from there.
    pub schedule: Schedule,
    /// Share of all steps over which it rises from zero.
    pub warmup_ratio: f64,
    /// Rows longer than this many tokens are cut at their end.
    pub max_seq_len: u32,
    /// What is trained on.
    pub train_on: TrainOn,
    /// Rows of similar length share a step, in random order of the steps.
    #[serde(default)]
    pub group_by_length: bool,
    /// Several rows of a step pass through the model one behind the other; they never see each other.
    #[serde(default = "yes")]
    pub packing: bool,
    /// Rows of rare labels count more, so that every label counts the same in all.
    #[serde(default)]
    pub balance_labels: bool,
    /// Share of a target that is spread evenly over the vocabulary.
    #[serde(default)]
    pub label_smoothing: f64,
    /// Exponent of the focal loss; 0: plain cross-entropy.
    #[serde(default)]
    pub focal_gamma: f64,
    /// Strength of `NEFTune`'s noise on what the model reads; 0: none.
    #[serde(default)]
    pub neftune_alpha: f64,
    /// Everything random follows from it: the adapter's start, the order of the rows, dropout, noise.
    pub seed: u64,
    /// Who moves the parameters.
    #[serde(default)]
    pub optimiser: OptimiserKind,
    /// Decoupled weight decay of `AdamW`.
    pub weight_decay: f64,
    /// Decay of `AdamW`'s two moving averages.
    pub betas: [f64; 2],
    /// Added to `AdamW`'s denominator.
    pub eps: f64,
    /// The gradient is scaled down to this global L2 norm; 0: never.
    pub max_grad_norm: f64,
    /// Held-out loss is measured every so many steps; 0: once per epoch.
    pub valid_every: u32,
    /// Ends the run after so many measurements without a better held-out loss; 0: never.
    pub early_stopping: u32,
    /// Keeps the adapter with the best held-out loss instead of the last one.
    pub keep_best: bool,
    /// A checkpoint every so many minutes; 0: not by time.
    pub checkpoint_minutes: f64,
    /// A checkpoint every so many steps; 0: not by steps.
    pub checkpoint_steps: u32,
    /// Recomputes activations instead of keeping them: less memory, about a quarter more time.
    pub gradient_checkpointing: Choice,
    /// Keeps the base model's weights in memory as its file stores them and expands each layer when it is used: about the size
    /// of the file instead of four bytes a number, a few percent more time, the same result to the bit.
    #[serde(default = "auto")]
    pub stored_weights: Choice,
    /// Tokens that pass through the model at once, within a step; 0: as many as fit.
    pub micro_batch_tokens: u32,
    /// What computes the training: `cpu`, or `cuda`, `cuda:1` ... with a worker that was built for graphics cards.
    #[serde(default)]
    #[ts(type = "string")]
    pub device: Device,
    /// What a graphics card keeps and multiplies the frozen weights in. The processor computes in 32 bits and refuses the others.
    #[serde(default)]
    pub precision: Precision,
    /// The adapter; not looked at with `method = "full"`.
    pub lora: LoraConfig,
}

fn auto() -> Choice {
    Choice::Auto
}

fn yes() -> bool {
    true
}

impl RunConfig {
    /// Reads a configuration and checks it.
    ///
    /// # Errors
    /// [`TrainError::Config`] for bad TOML, missing or unknown knobs; else as [`RunConfig::check`].
    pub fn from_toml(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| TrainError::Config { problem: error.to_string() })?;
        config.check()?;
        Ok(config)
    }

    /// The configuration as TOML.
    ///
    /// # Errors
    /// [`TrainError::Config`] when a number does not fit into TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|error| TrainError::Config { problem: error.to_string() })
    }

    /// The optimiser's settings.
    pub fn optimiser(&self) -> OptimiserConfig {
        let eight_bit = self.optimiser == OptimiserKind::AdamW8Bit;
        OptimiserConfig { betas: self.betas, eps: self.eps, weight_decay: self.weight_decay, eight_bit }
    }

    /// Numbers that the run changes.
    pub fn trainable_parameters(&self, decoder: &DecoderConfig) -> usize {
        match self.method {
            Method::Lora => self.lora.trainable_parameters(decoder),
            Method::Full => full_parameters(decoder),
        }
    }

    /// What a trained token costs.
    pub fn objective(&self) -> Objective {
        Objective { label_smoothing: self.label_smoothing as f32, focal_gamma: self.focal_gamma as f32 }
    }

    /// Where the base model's numbers lie and are multiplied.
    pub fn placement(&self, stored_weights: bool) -> Placement {
        let storage = if stored_weights { WeightStorage::Stored } else { WeightStorage::Expanded };
        Placement { device: self.device, storage, precision: self.precision }
    }

    /// How a micro-batch is computed. Everything random in it follows from `seed`.
    pub fn step_options(&self, checkpointing: bool, seed: u64) -> StepOptions {
        StepOptions {
            checkpointing,
            dropout_seed: Some(seed),
            neftune_alpha: self.neftune_alpha as f32,
            objective: self.objective(),
        }
    }

    /// Whether every knob is in its range and the device computes what they ask for together.
    ///
    /// # Errors
    /// As [`RunConfig::check_ranges`]; [`TrainError::Model`] for what the device does not compute.
    pub fn check(&self) -> Result<()> {
        self.check_ranges()?;
        let full = self.method == Method::Full;
        self.device.check_trains(full, !full && self.lora.use_dora)?;
        Ok(self.device.check_precision(self.precision)?)
    }

    /// Whether every knob is in its range.
    ///
    /// # Errors
    /// [`TrainError::OutOfRange`] naming the first that is not; [`TrainError::Model`] for the adapter's own and the loss's.
    pub(crate) fn check_ranges(&self) -> Result<()> {
        let finite_above_zero = |value: f64| value.is_finite() && value > 0.0;
        let finite_not_negative = |value: f64| value.is_finite() && value >= 0.0;
        let [beta1, beta2] = self.betas;
        let checks = [
            ("epochs", self.epochs.to_string(), (1..=1000).contains(&self.epochs), "from 1 to 1000"),
            ("batch_size", self.batch_size.to_string(), (1..=4096).contains(&self.batch_size), "from 1 to 4096"),
            (
                "learning_rate",
                self.learning_rate.to_string(),
                finite_above_zero(self.learning_rate) && self.learning_rate <= 1.0,
                "above 0 and at most 1",
            ),
            ("warmup_ratio", self.warmup_ratio.to_string(), (0.0..=1.0).contains(&self.warmup_ratio), "from 0 to 1"),
            ("max_seq_len", self.max_seq_len.to_string(), self.max_seq_len >= 8, "at least 8"),
            (
                "neftune_alpha",
                self.neftune_alpha.to_string(),
                (0.0..=100.0).contains(&self.neftune_alpha),
                "from 0 to 100",
            ),
            ("weight_decay", self.weight_decay.to_string(), (0.0..=1.0).contains(&self.weight_decay), "from 0 to 1"),
            (
                "betas",
                format!("[{beta1}, {beta2}]"),
                (0.0..1.0).contains(&beta1) && (0.0..1.0).contains(&beta2),
                "two numbers from 0 to below 1",
            ),
            ("eps", self.eps.to_string(), finite_above_zero(self.eps), "above 0"),
            ("max_grad_norm", self.max_grad_norm.to_string(), finite_not_negative(self.max_grad_norm), "0 or above"),
            (
                "checkpoint_minutes",
                self.checkpoint_minutes.to_string(),
                finite_not_negative(self.checkpoint_minutes),
                "0 or above",
            ),
            ("lora.rank", self.lora.rank.to_string(), (1..=1024).contains(&self.lora.rank), "from 1 to 1024"),
        ];
        if let Some((key, value, _, allowed)) = checks.into_iter().find(|(_, _, holds, _)| !holds) {
            return Err(TrainError::OutOfRange { key, value, allowed });
        }
        self.objective().check()?;
        Ok(self.lora.check()?)
    }
}
