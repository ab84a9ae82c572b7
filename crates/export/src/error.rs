//! What can go wrong on the way out.

use std::path::PathBuf;

use hone_job::{Cancelled, ErrorCode, Explain, fs::FsError};
use hone_model::ModelError;

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, ExportError>;

/// A failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Reading or writing failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The work was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The base model or the adapter cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Quantising failed.
    #[error("cannot store `{tensor}` as {dtype}: {source}")]
    Quantise {
        /// The tensor.
        tensor: String,
        /// The type's name.
        dtype: &'static str,
        /// The tensor library's error.
        source: candle_core::Error,
    },
    /// A merged weight is not a number, or too large for its type.
    #[error("`{tensor}` holds a value that is not a finite number after merging")]
    NotFinite {
        /// The tensor.
        tensor: String,
    },
    /// The adapter names a tensor that the base model does not have.
    #[error("the adapter changes `{tensor}`, which `{}` does not have", path.display())]
    ForeignAdapter {
        /// The tensor.
        tensor: String,
        /// The base model.
        path: PathBuf,
    },
    /// What was learned has no form that llama.cpp's adapters can hold.
    #[error("{kind} cannot be written as an adapter for llama.cpp and Ollama")]
    NoAdapter {
        /// What it is.
        kind: &'static str,
    },
    /// A tensor came out with another size than announced: a fault in Hone.
    #[error("`{tensor}` should take {expected} bytes and took {found}")]
    TensorSize {
        /// The tensor.
        tensor: String,
        /// Announced.
        expected: u64,
        /// Written.
        found: u64,
    },
    /// The disk has not enough room.
    #[error("the export needs {} of free space in `{}`, there are {}", size(*needed), path.display(), size(*free))]
    NoSpace {
        /// The folder.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// The chat template cannot be written in Ollama's form.
    #[error("the chat template renders a conversation of {messages} messages otherwise than Ollama's form of it would")]
    IrregularTemplate {
        /// Length of the conversation that differs.
        messages: usize,
        /// What the template renders.
        expected: String,
        /// What Ollama's form would render.
        found: String,
    },
    /// A text that the Modelfile's grammar has no way to write.
    #[error("{what} has a line that ends in three double quotes, which a Modelfile cannot hold")]
    Unwritable {
        /// Which text.
        what: &'static str,
    },
    /// A name that Ollama does not accept.
    #[error("`{name}` cannot be a model's name in Ollama: {problem}")]
    BadName {
        /// The name.
        name: String,
        /// Why.
        problem: &'static str,
    },
    /// Ollama is on another machine.
    #[error("Ollama's address `{address}` is on another machine; Hone sends models only to this one")]
    RemoteOllama {
        /// The address.
        address: String,
    },
    /// Nothing answers at Ollama's address.
    #[error("no Ollama answers at `{address}`")]
    Unreachable {
        /// The address.
        address: String,
        /// The client's error.
        source: Box<ureq::Error>,
    },
    /// The connection broke while something was being sent or received.
    #[error("the connection to Ollama broke while {doing}: {problem}")]
    Broken {
        /// What was being done.
        doing: &'static str,
        /// What the client noticed.
        problem: String,
    },
    /// Ollama answered with an error.
    #[error("Ollama refused {doing}: {message}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// Ollama's words.
        message: String,
    },
    /// Ollama is too old for what is needed.
    #[error("Ollama {found} is too old for {purpose}; it needs {needed}")]
    TooOld {
        /// The version that answered.
        found: String,
        /// The first version that can.
        needed: &'static str,
        /// What for.
        purpose: &'static str,
    },
    /// Ollama lists no model of that name.
    #[error("Ollama has no model `{name}`")]
    NoSuchModel {
        /// The name.
        name: String,
    },
}

#[allow(clippy::cast_precision_loss)]
fn size(bytes: u64) -> String {
    if bytes < 1_000_000_000 {
        return format!("{:.0} MB", (bytes as f64 / 1e6).ceil());
    }
    format!("{:.1} GB", bytes as f64 / 1e9)
}

impl Explain for ExportError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Fs(error) => error.code(),
            Self::Model(error) => error.code(),
            Self::NoSpace { .. } => ErrorCode::NoSpace,
            Self::ForeignAdapter { .. } | Self::NotFinite { .. } => ErrorCode::CorruptModel,
            Self::IrregularTemplate { .. } => ErrorCode::UnsupportedModel,
            Self::Unwritable { .. } | Self::BadName { .. } => ErrorCode::BadInput,
            Self::RemoteOllama { .. } | Self::NoAdapter { .. } => ErrorCode::BadConfig,
            Self::Unreachable { .. } => ErrorCode::OllamaUnreachable,
            Self::Broken { .. } | Self::Refused { .. } | Self::TooOld { .. } => ErrorCode::OllamaRefused,
            Self::NoSuchModel { .. } => ErrorCode::NotFound,
            Self::Cancelled(_) | Self::Quantise { .. } | Self::TensorSize { .. } => ErrorCode::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Fs(error) => return error.hint(),
            Self::Model(error) => return error.hint(),
            Self::NoSpace { .. } => "Free some space, choose another folder, or a smaller quantisation",
            Self::ForeignAdapter { .. } => "Use the base model that this adapter was trained on",
            Self::NoAdapter { .. } => "Export one model with it joined in: leave `--format` out",
            Self::NotFinite { .. } => "The training went wrong; train again with a lower `learning_rate`",
            Self::IrregularTemplate { .. } => {
                "Choose a base model without a template of its own; Hone then uses a plain one"
            }
            Self::Unwritable { .. } => "Create the model in Ollama directly instead: its API takes any text",
            Self::BadName { .. } => "Use letters, digits, `-`, `_` and `.`, for example `my-handbook`",
            Self::RemoteOllama { .. } => {
                "Unset OLLAMA_HOST or point it at this machine; the exported folder can be copied by hand"
            }
            Self::Unreachable { .. } => {
                "Start Ollama, then try again; or run `ollama create NAME -f Modelfile` in the exported folder yourself"
            }
            Self::Broken { .. } => "Check that Ollama is still running and the disk is not full, then try again",
            Self::Refused { .. } => "The exported folder is complete; see Ollama's own log for more",
            Self::TooOld { .. } => "Update Ollama",
            Self::NoSuchModel { .. } => "Export with this name first",
            Self::Cancelled(_) | Self::Quantise { .. } | Self::TensorSize { .. } => return None,
        };
        Some(text.to_owned())
    }

    fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled(_) => true,
            Self::Model(error) => error.is_cancelled(),
            _ => false,
        }
    }
}
