use hone_data::draft::Prompt;
use hone_job::Job;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::engine::Engine;
use crate::error::Result;

/// What a writer is asked.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The words.
    pub prompt: &'a Prompt,
    /// The form of the answer, a JSON schema.
    pub schema: &'a Value,
    /// How much answers vary.
    pub temperature: f64,
    /// Another seed writes another answer.
    pub seed: u64,
    /// The answer ends after so many tokens.
    pub max_tokens: u64,
}

/// What a writer answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The answer.
    pub text: String,
    /// Tokens read, as the server counts.
    pub prompt_tokens: u64,
    /// Tokens written, as the server counts.
    pub answer_tokens: u64,
}

/// Someone who writes drafts.
#[derive(Debug)]
pub enum Writer {
    /// A model behind a server.
    Endpoint(Endpoint),
    /// A model in this process.
    Engine(Box<Engine>),
}

impl Writer {
    /// The name under which its drafts are kept: `ollama:qwen3:4b`, `endpoint:qwen3`, `engine:gemma3-270m`.
    pub fn name(&self) -> &str {
        match self {
            Self::Endpoint(endpoint) => endpoint.name(),
            Self::Engine(engine) => engine.name(),
        }
    }

    /// Asks once.
    ///
    /// # Errors
    /// Whatever kept the answer from coming.
    pub fn say(&self, ask: &Ask<'_>, job: &Job) -> Result<Said> {
        match self {
            Self::Endpoint(endpoint) => endpoint.say(ask, job),
            Self::Engine(engine) => engine.say(ask, job),
        }
    }
}
