//! What can go wrong with a base model: its file, its tokenizer, its chat template, its tensors.

use std::path::PathBuf;

use hone_job::{Cancelled, ErrorCode, Explain, fs::FsError};

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, ModelError>;

/// A failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Reading or writing failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The work was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A tensor operation failed.
    #[error("tensor arithmetic failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The file has no GGUF signature.
    #[error("`{}` is not a GGUF file: it {found}", path.display())]
    NotGguf {
        /// The file.
        path: PathBuf,
        /// What it holds or lacks.
        found: String,
    },
    /// The file is a GGUF file that contradicts itself or ends too early.
    #[error("`{}` is damaged at {place}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        place: String,
        /// What is wrong there.
        problem: String,
    },
    /// A tensor is stored in a type that Hone does not read.
    #[error("`{}` stores tensor `{tensor}` as {dtype}, which Hone does not read", path.display())]
    UnsupportedDtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The type's name.
        dtype: String,
    },
    /// A valid file of a kind that cannot be a base model.
    #[error("`{}` cannot be used as a base model: {reason}", path.display())]
    NotABaseModel {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file of a Hugging Face folder is missing.
    #[error("`{}` lacks the file `{file}`", folder.display())]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// The file.
        file: String,
    },
    /// Weights in a form that can run programs when it is read.
    #[error("`{}` holds weights as pickle, which can run programs when it is read; Hone reads safetensors", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
    },
    /// A Hugging Face folder whose weights were quantised.
    #[error("`{}` is quantised with `{method}`, which Hone does not read", path.display())]
    QuantisedCheckpoint {
        /// The folder.
        path: PathBuf,
        /// `quant_method` of its `config.json`.
        method: String,
    },
    /// A model family that Hone cannot train.
    #[error("`{}` is a `{found}` model; Hone trains {}", path.display(), list(supported))]
    UnsupportedArchitecture {
        /// The file.
        path: PathBuf,
        /// `general.architecture` of the file.
        found: String,
        /// The families that work.
        supported: Vec<&'static str>,
    },
    /// A metadata key that the model needs is missing.
    #[error("`{}` lacks the metadata key `{key}`", path.display())]
    MissingKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A metadata key has another type than it should.
    #[error("`{}`: the metadata key `{key}` should be {expected} and is {found}", path.display())]
    KeyType {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The type it should have.
        expected: &'static str,
        /// The type it has.
        found: &'static str,
    },
    /// A tensor that the model needs is missing.
    #[error("`{}` lacks the tensor `{tensor}`", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("`{}`: tensor `{tensor}` should have shape {expected:?} and has {found:?}", path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Outermost first.
        expected: Vec<usize>,
        /// Outermost first.
        found: Vec<usize>,
    },
    /// A configuration value that no model of the family can have.
    #[error("`{}`: `{key}` is {value}, {problem}", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// The metadata key.
        key: String,
        /// Its value.
        value: String,
        /// Why that cannot be.
        problem: &'static str,
    },
    /// The tokenizer in the metadata is of a kind that Hone does not rebuild.
    #[error("`{}` has a tokenizer of kind `{kind}`; Hone rebuilds `llama`, and `gpt2` with known pre-tokenizers", path.display())]
    UnsupportedTokenizer {
        /// The file.
        path: PathBuf,
        /// `tokenizer.ggml.model`.
        kind: String,
    },
    /// The tokenizer could not be rebuilt or refused a text.
    #[error("the tokenizer failed while {doing}: {source}")]
    Tokenizer {
        /// What was being done.
        doing: &'static str,
        /// The tokenizer library's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The chat template refused a conversation or does not parse.
    #[error("the chat template of this model refused the conversation: {source}")]
    Template {
        /// The template engine's error.
        source: Box<minijinja::Error>,
    },
    /// A conversation that cannot be trained on or answered.
    #[error("message {index} of the conversation {problem}")]
    Conversation {
        /// Counted from 1.
        index: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A model reference that leads nowhere.
    #[error("no model `{reference}`: {problem}")]
    NoModel {
        /// As it was given.
        reference: String,
        /// What was looked for.
        problem: String,
        /// What the user can do.
        hint: String,
    },
    /// A download failed.
    #[error("cannot download `{file}` of `{repository}`: {source}")]
    Download {
        /// The repository.
        repository: String,
        /// The file in it.
        file: String,
        /// The client's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An adapter that cannot be used with this model.
    #[error("the adapter in `{}` cannot be used: {problem}", path.display())]
    Adapter {
        /// The adapter's folder or file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Adapter settings that make no sense.
    #[error("the adapter settings cannot be used: {problem}")]
    Lora {
        /// Which setting and why.
        problem: String,
    },
    /// Settings of the loss that make no sense.
    #[error("the settings of the loss cannot be used: {problem}")]
    Objective {
        /// Which setting and why.
        problem: String,
    },
    /// An adapter and a base model, or a buffer, of different shapes.
    #[error("the adapter does not fit: {problem}")]
    AdapterMismatch {
        /// What differs.
        problem: String,
    },
    /// A batch that contradicts itself.
    #[error("the batch cannot be used: {problem}")]
    Batch {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The number of threads was set too late.
    #[error("cannot use {count} threads: the engine has already started")]
    Threads {
        /// The number asked for.
        count: usize,
    },
    /// A device that is not there, failed, or does not compute what is asked of it.
    #[error("the device `{device}` cannot be used: {problem}")]
    Device {
        /// As it is written in a run configuration.
        device: String,
        /// What is wrong.
        problem: String,
        /// What to choose instead.
        advice: &'static str,
    },
    /// A prompt leaves no room for an answer.
    #[error("the prompt is {tokens} tokens long, the model reads {context}")]
    ContextFull {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens that fit.
        context: usize,
    },
    /// Part of the adapter would not learn: a fault in the engine.
    #[error("no gradient reaches `{tensor}`")]
    NoGradient {
        /// PEFT's name of the adapter tensor.
        tensor: String,
    },
    /// A token id outside the vocabulary.
    #[error("token id {id} is outside the vocabulary of {vocabulary} tokens")]
    TokenOutOfRange {
        /// The id.
        id: u32,
        /// The vocabulary's size.
        vocabulary: usize,
    },
    /// A batch or argument whose lengths contradict each other.
    #[error("{what} should be {expected} long and is {found}")]
    Length {
        /// Which list.
        what: &'static str,
        /// Expected length.
        expected: usize,
        /// Length found.
        found: usize,
    },
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl Explain for ModelError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Fs(error) => error.code(),
            Self::NotGguf { .. } | Self::Conversation { .. } | Self::ContextFull { .. } => ErrorCode::BadInput,
            Self::Damaged { .. } | Self::MissingKey { .. } | Self::KeyType { .. } | Self::MissingTensor { .. } => {
                ErrorCode::CorruptModel
            }
            Self::TensorShape { .. }
            | Self::MissingFile { .. }
            | Self::Configuration { .. }
            | Self::Adapter { .. }
            | Self::AdapterMismatch { .. } => ErrorCode::CorruptModel,
            Self::UnsupportedDtype { .. }
            | Self::Pickle { .. }
            | Self::QuantisedCheckpoint { .. }
            | Self::NotABaseModel { .. }
            | Self::UnsupportedArchitecture { .. }
            | Self::UnsupportedTokenizer { .. }
            | Self::Template { .. } => ErrorCode::UnsupportedModel,
            Self::NoModel { .. } => ErrorCode::NotFound,
            Self::Download { .. } => ErrorCode::Network,
            Self::Lora { .. } | Self::Objective { .. } | Self::Device { .. } => ErrorCode::BadConfig,
            Self::Cancelled(_)
            | Self::Batch { .. }
            | Self::NoGradient { .. }
            | Self::Threads { .. }
            | Self::Tensor(_)
            | Self::Tokenizer { .. }
            | Self::TokenOutOfRange { .. }
            | Self::Length { .. } => ErrorCode::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Fs(error) => return error.hint(),
            Self::NoModel { hint, .. } => hint.as_str(),
            Self::Device { advice, .. } => advice,
            Self::NotGguf { .. } => "Choose a model file that ends in `.gguf`",
            Self::Damaged { .. } | Self::MissingTensor { .. } | Self::TensorShape { .. } => {
                "The download may be incomplete: fetch the file again, or choose another model"
            }
            Self::MissingFile { .. } => {
                "Fetch the whole folder again: `config.json`, every `.safetensors` file, `tokenizer.json`"
            }
            Self::Pickle { .. } => {
                "Convert it once, in Python: `AutoModelForCausalLM.from_pretrained(folder).save_pretrained(other_folder)`"
            }
            Self::QuantisedCheckpoint { .. } => "Choose the folder of the unquantised model, or a `.gguf` file of it",
            Self::MissingKey { .. } | Self::KeyType { .. } | Self::Configuration { .. } => {
                "Choose another file or folder of this model"
            }
            Self::UnsupportedDtype { .. } => "Choose a file of this model in `Q4_K_M`, `Q8_0`, `F16` or `BF16`",
            Self::UnsupportedArchitecture { .. } | Self::UnsupportedTokenizer { .. } | Self::NotABaseModel { .. } => {
                "Choose a text model of one of these families: Gemma 2 or 3, Llama, Mistral, Qwen 2, 2.5 or 3, Phi-3, Phi-4-mini"
            }
            Self::Template { .. } => "Check that the roles alternate between user and assistant",
            Self::ContextFull { .. } => "Shorten the prompt, or begin a new conversation",
            Self::Conversation { .. } => "Edit or reject this row",
            Self::Download { .. } => "Check the connection and try again; what was fetched so far is kept",
            Self::Adapter { .. } | Self::AdapterMismatch { .. } => {
                "Use the base model that this adapter was trained on, or train again"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}
