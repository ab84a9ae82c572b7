use hone_job::{Cancelled, ErrorCode, Explain};
use hone_model::ModelError;

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, DraftError>;

/// Why a writer could not write.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// The work was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The local model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Not an address.
    #[error("`{address}` is not the address of a server: {problem}")]
    BadAddress {
        /// What was given.
        address: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The server is not this computer, and nobody said yes to that.
    #[error("`{address}` is not on this computer: the documents would leave this machine")]
    LeavesMachine {
        /// The address.
        address: String,
    },
    /// The model is served by Ollama, but runs on another computer.
    #[error("Ollama runs `{model}` on `{host}`: the documents would leave this machine")]
    RunsElsewhere {
        /// The model.
        model: String,
        /// Where it runs.
        host: String,
    },
    /// Nothing answers.
    #[error("nothing answers at `{address}`")]
    Unreachable {
        /// The address.
        address: String,
        /// The client's error.
        source: Box<ureq::Error>,
    },
    /// The server does not let us in.
    #[error("`{address}` does not accept the key (HTTP {status})")]
    NotAllowed {
        /// The address.
        address: String,
        /// 401 or 403.
        status: u16,
    },
    /// The server has no such model.
    #[error("`{address}` has no model `{model}`: {message}")]
    NoSuchModel {
        /// The address.
        address: String,
        /// The model.
        model: String,
        /// The server's words.
        message: String,
    },
    /// The server answered with an error.
    #[error("the server refused (HTTP {status}): {message}")]
    Refused {
        /// HTTP's status; 200 for an error that came late.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// The connection broke, or nothing came for too long.
    #[error("the answer did not arrive: {problem}")]
    Broken {
        /// What the client noticed.
        problem: String,
    },
    /// The server's answer is not of its protocol.
    #[error("the server's answer is not understood: {problem}")]
    NotUnderstood {
        /// What the parser says.
        problem: String,
    },
    /// The model went on and on.
    #[error("the answer was cut off after {tokens} tokens")]
    CutOff {
        /// Tokens written.
        tokens: u64,
    },
}

impl DraftError {
    /// Whether trying again, or with another passage, cannot help.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Broken { .. } | Self::NotUnderstood { .. } | Self::CutOff { .. } => false,
            // A passage too long for the local model says nothing about the others.
            Self::Model(error) => !matches!(error, ModelError::ContextFull { .. }),
            _ => true,
        }
    }
}

impl Explain for DraftError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Model(error) => error.code(),
            Self::BadAddress { .. } | Self::LeavesMachine { .. } | Self::RunsElsewhere { .. } => ErrorCode::BadConfig,
            Self::NoSuchModel { .. } => ErrorCode::NotFound,
            Self::Unreachable { .. } => ErrorCode::OllamaUnreachable,
            Self::NotAllowed { .. }
            | Self::Refused { .. }
            | Self::Broken { .. }
            | Self::NotUnderstood { .. }
            | Self::CutOff { .. } => ErrorCode::OllamaRefused,
            Self::Cancelled(_) => ErrorCode::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Model(error) => return error.hint(),
            Self::BadAddress { .. } => "Write it like http://127.0.0.1:8080/v1",
            Self::LeavesMachine { .. } | Self::RunsElsewhere { .. } => {
                "Choose a model on this computer, or say yes to it with `--documents-leave-this-machine`"
            }
            Self::Unreachable { .. } => "Start the server and try again: drafting goes on where it was",
            Self::NotAllowed { .. } => "Put a valid key into the environment variable `HONE_DRAFT_KEY`",
            Self::NoSuchModel { .. } => {
                "Look at the server's models with `hone draft --writers`, or fetch it there first"
            }
            Self::Refused { .. } => "Look at the server's own log, then try again: drafting goes on where it was",
            Self::Broken { .. } => "Check that the server is still running, then try again",
            Self::NotUnderstood { .. } => {
                "Check that the address is that of an OpenAI-compatible server, with its path"
            }
            Self::CutOff { .. } => "Ask for fewer questions a passage, or choose another model",
            Self::Cancelled(_) => return None,
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
