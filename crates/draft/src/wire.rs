//! What goes over the wire in both protocols: only the fields that are used.

use hone_data::draft::Prompt;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{DraftError, Result};
use crate::writer::{Ask, Said};

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Ollama's own.
    Ollama,
    /// OpenAI's chat completions, as llama.cpp, LM Studio, vLLM and others speak it too.
    OpenAi,
}

/// Smallest context that is asked for, tokens.
const CONTEXT: u64 = 4096;

impl Protocol {
    /// The path behind the address.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Ollama => "/api/chat",
            Self::OpenAi => "/chat/completions",
        }
    }

    /// The body of a request. `held` says whether the server is to hold the model to the schema.
    pub(crate) fn body(self, model: &str, ask: &Ask<'_>, held: bool) -> Value {
        let Prompt { system, user } = ask.prompt;
        let messages = json!([{"role": "system", "content": system}, {"role": "user", "content": user}]);
        match self {
            Self::Ollama => {
                // Ollama cuts a prompt that does not fit from its front, without a word: ask for enough room. Two and a
                // half bytes a token is little for every script.
                let tokens = (system.len() + user.len()) as u64 * 2 / 5 + ask.max_tokens;
                let context = tokens.next_multiple_of(1024).max(CONTEXT);
                json!({
                    "model": model, "messages": messages, "stream": false, "think": false, "format": ask.schema,
                    "options": {"temperature": ask.temperature, "seed": ask.seed, "num_predict": ask.max_tokens, "num_ctx": context},
                })
            }
            Self::OpenAi => {
                let mut body = json!({
                    "model": model, "messages": messages, "stream": false, "temperature": ask.temperature, "seed": ask.seed,
                    "max_tokens": ask.max_tokens,
                });
                if held {
                    let form = json!({"name": "answer", "strict": true, "schema": ask.schema});
                    body["response_format"] = json!({"type": "json_schema", "json_schema": form});
                }
                body
            }
        }
    }

    /// Reads the body of a good answer.
    pub(crate) fn read(self, body: &str) -> Result<Said> {
        let not_understood = |error: serde_json::Error| DraftError::NotUnderstood { problem: error.to_string() };
        let value: Value = serde_json::from_str(body).map_err(not_understood)?;
        // An error can come although HTTP has said that all is well.
        if let Some(message) = error_in(&value) {
            return Err(DraftError::Refused { status: 200, message });
        }
        match self {
            Self::Ollama => {
                let answer: OllamaAnswer = serde_json::from_value(value).map_err(not_understood)?;
                whole(answer.done_reason.as_deref(), answer.eval_count)?;
                Ok(Said {
                    text: answer.message.content.unwrap_or_default(),
                    prompt_tokens: answer.prompt_eval_count,
                    answer_tokens: answer.eval_count,
                })
            }
            Self::OpenAi => {
                let answer: OpenAiAnswer = serde_json::from_value(value).map_err(not_understood)?;
                let usage = answer.usage.unwrap_or_default();
                let choice = answer
                    .choices
                    .into_iter()
                    .next()
                    .ok_or_else(|| DraftError::NotUnderstood { problem: "it holds no choice".to_owned() })?;
                whole(choice.finish_reason.as_deref(), usage.completion_tokens)?;
                Ok(Said {
                    text: choice.message.content.unwrap_or_default(),
                    prompt_tokens: usage.prompt_tokens,
                    answer_tokens: usage.completion_tokens,
                })
            }
        }
    }
}

fn whole(reason: Option<&str>, tokens: u64) -> Result<()> {
    if reason == Some("length") { Err(DraftError::CutOff { tokens }) } else { Ok(()) }
}

/// The server's words about what went wrong: `{"error": "…"}` or `{"error": {"message": "…"}}`.
pub(crate) fn error_in(value: &Value) -> Option<String> {
    match value.get("error")? {
        Value::String(message) if !message.is_empty() => Some(message.clone()),
        Value::Object(error) => Some(
            error
                .get("message")
                .and_then(Value::as_str)
                .map_or_else(|| Value::Object(error.clone()).to_string(), str::to_owned),
        ),
        _ => None,
    }
}

#[derive(Deserialize)]
struct SaidMessage {
    content: Option<String>,
}

#[derive(Deserialize)]
struct OllamaAnswer {
    message: SaidMessage,
    done_reason: Option<String>,
    #[serde(default)]
    prompt_eval_count: u64,
    #[serde(default)]
    eval_count: u64,
}

#[derive(Deserialize)]
struct OpenAiAnswer {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: SaidMessage,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

/// The models that Ollama lists.
#[derive(Deserialize)]
pub(crate) struct Tags {
    #[serde(default)]
    pub models: Vec<Tagged>,
}

/// A model that Ollama lists.
#[derive(Deserialize)]
pub(crate) struct Tagged {
    pub name: String,
    #[serde(default)]
    pub size: u64,
    #[serde(default)]
    pub remote_host: String,
    #[serde(default)]
    pub capabilities: Vec<String>,
}
