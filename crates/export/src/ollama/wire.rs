//! What goes over the wire: only the fields that are used.

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub(super) struct VersionAnswer {
    pub(super) version: String,
}

#[derive(Deserialize)]
pub(super) struct Tags {
    #[serde(default)]
    pub(super) models: Vec<Listed>,
}

/// A model that Ollama has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// Its name with tag.
    pub name: String,
    /// Size in bytes.
    #[serde(default)]
    pub size: u64,
    /// Digest of its manifest.
    #[serde(default)]
    pub digest: String,
}

/// What Ollama knows about a model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Shown {
    /// Its Modelfile; the `FROM` line names the file in Ollama's store.
    #[serde(default)]
    pub modelfile: String,
    /// Its chat template.
    #[serde(default)]
    pub template: String,
    /// Its parameters, one a line.
    #[serde(default)]
    pub parameters: String,
    /// Its system text.
    #[serde(default)]
    pub system: String,
}

/// A line of a streamed answer.
#[derive(Debug, Default, Deserialize)]
pub(super) struct StatusLine {
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) completed: u64,
    #[serde(default)]
    pub(super) total: u64,
    #[serde(default)]
    pub(super) error: String,
}

#[derive(Deserialize)]
pub(super) struct ErrorAnswer {
    pub(super) error: String,
}

/// A prompt to continue, exactly as written: no template, no system text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRequest {
    /// The model's name in Ollama.
    pub model: String,
    /// The text to continue, without BOS: the server adds it.
    pub prompt: String,
    /// Most tokens to write.
    pub max_tokens: usize,
    /// Longest prompt and answer together, tokens.
    pub context: u32,
    /// Texts that end the answer.
    pub stops: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct GenerateBody<'a> {
    pub(super) model: &'a str,
    pub(super) prompt: &'a str,
    pub(super) raw: bool,
    pub(super) stream: bool,
    pub(super) options: Options<'a>,
}

/// Greedy: nothing is left to chance.
#[derive(Serialize)]
pub(super) struct Options<'a> {
    pub(super) temperature: f32,
    pub(super) top_k: u32,
    pub(super) seed: u32,
    pub(super) repeat_penalty: f32,
    pub(super) num_predict: usize,
    pub(super) num_ctx: u32,
    pub(super) stop: &'a [String],
}

/// What Ollama wrote.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Generated {
    /// The text.
    #[serde(default)]
    pub response: String,
    /// `stop` or `length`.
    #[serde(default)]
    pub done_reason: String,
    /// Tokens of the prompt, BOS included, as Ollama counts them; 0 when they came from its cache.
    #[serde(default)]
    pub prompt_eval_count: u32,
    /// Tokens written.
    #[serde(default)]
    pub eval_count: u32,
    #[serde(default)]
    pub(super) error: String,
}

#[derive(Serialize)]
pub(super) struct ChatBody<'a> {
    pub(super) model: &'a str,
    pub(super) messages: &'a [hone_model::ChatMessage],
    pub(super) stream: bool,
    #[serde(rename = "_debug_render_only")]
    pub(super) render_only: bool,
}

#[derive(Deserialize)]
pub(super) struct ChatAnswer {
    #[serde(rename = "_debug_info")]
    pub(super) debug: Option<DebugInfo>,
}

#[derive(Deserialize)]
pub(super) struct DebugInfo {
    pub(super) rendered_template: String,
}
