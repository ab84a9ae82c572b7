//! The chat format of a model: its template, where turns end, and how it was chosen.

use serde::{Deserialize, Serialize};

use super::encode::{self, Encoded};
use super::jinja::{self, Tokens};
use super::plain;
use crate::error::{ModelError, Result};
use crate::gguf::Value;
use crate::source::ModelFile;
use crate::tokenizer::{Piece, Tokenizer};

/// One turn of a conversation, as templates see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

impl ChatMessage {
    /// A message of that role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into() }
    }
}

/// Where a chat template comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormatOrigin {
    /// The model file's own `tokenizer.chat_template`.
    Embedded,
    /// A plain form: the file has none, or one whose turns cannot be trained on.
    Plain,
}

/// How conversations are written for a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatFormat {
    /// The template, in Jinja; an export carries it unchanged.
    pub jinja: String,
    /// Where it comes from.
    pub origin: FormatOrigin,
    /// Texts that end the model's turn, e.g. `<end_of_turn>`.
    pub stop_texts: Vec<String>,
    /// Tokens that end the model's turn or the text.
    pub stop_ids: Vec<u32>,
    /// The token that ends the model's turn and is trained, e.g. `<end_of_turn>`.
    pub end_of_turn: u32,
    pub(super) tokens: Tokens,
}

impl ChatFormat {
    /// The format for a model: its own template when it has one that can be trained on, else the plain form that its
    /// vocabulary has the marks for (`chat/plain.rs`).
    ///
    /// # Errors
    /// When neither can be used with the model's vocabulary.
    pub fn from_gguf(file: &ModelFile, tokenizer: &Tokenizer) -> Result<Self> {
        if let Some(jinja) = file.get("tokenizer.chat_template").and_then(Value::as_str)
            && let Ok(format) = Self::new(jinja.to_owned(), FormatOrigin::Embedded, tokenizer)
        {
            return Ok(format);
        }
        let plain = |form: &&str| Self::new((*form).to_owned(), FormatOrigin::Plain, tokenizer).ok();
        // Marks that the vocabulary lacks would be text like any other.
        let found = plain::FORMS.iter().filter_map(plain).find(|format| !format.has_unknown_marks(tokenizer));
        found.ok_or_else(|| ModelError::Conversation {
            index: 2,
            problem: "cannot be ended: the vocabulary has no control token for it".to_owned(),
        })
    }

    /// Whether a rendered turn holds a mark like `<|user|>` that is no control token.
    pub(super) fn has_unknown_marks(&self, tokenizer: &Tokenizer) -> bool {
        let turn = [ChatMessage::new("user", "Q")];
        let rendered = self.render(&turn, true).unwrap_or_default();
        tokenizer
            .cut_at_controls(&rendered)
            .iter()
            .any(|piece| matches!(piece, Piece::Text(text) if text.contains('<')))
    }

    /// A format from a template, checked for the properties that training relies on.
    ///
    /// # Errors
    /// When the template does not parse, when a conversation does not begin with the prompt that asks for its answer,
    /// or when an answer is not followed by a control token.
    pub fn new(jinja: String, origin: FormatOrigin, tokenizer: &Tokenizer) -> Result<Self> {
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.token(id)).unwrap_or_default().to_owned();
        let tokens = Tokens { bos: text(tokenizer.bos()), eos: text(tokenizer.eos()) };
        let mut format = Self { jinja, origin, stop_texts: Vec::new(), stop_ids: Vec::new(), end_of_turn: 0, tokens };
        let (end_text, end) = format.probe_turn_end(tokenizer)?;
        format.end_of_turn = end;
        format.stop_texts = vec![end_text];
        format.stop_ids = vec![end];
        if let Some(eos) = tokenizer.eos().filter(|eos| *eos != end) {
            format.stop_ids.push(eos);
        }
        Ok(format)
    }

    /// Renders two turns and reads off what follows an answer.
    fn probe_turn_end(&self, tokenizer: &Tokenizer) -> Result<(String, u32)> {
        let messages = [
            ChatMessage::new("user", "Q1"),
            ChatMessage::new("assistant", "A1"),
            ChatMessage::new("user", "Q2"),
            ChatMessage::new("assistant", "A2"),
        ];
        let irregular = |problem: &str| ModelError::Conversation { index: 2, problem: problem.to_owned() };
        let whole = self.render(&messages, false)?;
        for asked in [1, 3] {
            let prompt = self.render(&messages[..asked], true)? + &messages[asked].content;
            if !whole.starts_with(&prompt) {
                return Err(irregular("is rendered otherwise than the prompt that asks for it"));
            }
        }
        let after = whole.split_once("A1").map_or("", |(_, after)| after);
        match tokenizer.cut_at_controls(after).first() {
            Some(Piece::Token(id)) => Ok((tokenizer.token(*id).unwrap_or_default().to_owned(), *id)),
            _ => Err(irregular("is not followed by a control token that ends it")),
        }
    }

    /// The text of a conversation, BOS included where the template writes it; contents are trimmed.
    ///
    /// # Errors
    /// When the template refuses the conversation.
    pub fn render(&self, messages: &[ChatMessage], add_generation_prompt: bool) -> Result<String> {
        let trimmed: Vec<_> = messages.iter().map(|m| ChatMessage::new(m.role.clone(), m.content.trim())).collect();
        jinja::render(&self.jinja, &self.tokens, &trimmed, add_generation_prompt)
    }

    /// The ids of a conversation; trained is exactly what the assistant says and the token that ends its turn.
    ///
    /// Control tokens spelled out in a content stay text.
    ///
    /// # Errors
    /// When the template refuses the conversation or it has no answer to train on.
    pub fn encode(&self, tokenizer: &Tokenizer, messages: &[ChatMessage]) -> Result<Encoded> {
        encode::conversation(self, tokenizer, messages)
    }

    /// The ids that ask for the next answer, BOS included.
    ///
    /// # Errors
    /// When the template refuses the conversation.
    pub fn encode_prompt(&self, tokenizer: &Tokenizer, messages: &[ChatMessage]) -> Result<Vec<u32>> {
        encode::prompt(self, tokenizer, messages)
    }

    /// The ids of a text to read: BOS, the text, EOS; all but BOS trained.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn encode_text(&self, tokenizer: &Tokenizer, text: &str) -> Result<Encoded> {
        encode::reading(tokenizer, text)
    }
}
