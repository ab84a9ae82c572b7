//! Conversations to token ids with a loss mask.
//!
//! A content could spell out a control token. So the template is rendered with placeholders in place of the contents,
//! the result is cut at the template's own control tokens, and only then do the contents come in, as plain text.

use super::{ChatFormat, ChatMessage, jinja};
use crate::error::{ModelError, Result};
use crate::tokenizer::{Piece, Tokenizer};

/// Token ids and which of them are trained, equally long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Token ids, BOS first.
    pub ids: Vec<u32>,
    /// Whether the model learns to say that token.
    pub trained: Vec<bool>,
}

impl Encoded {
    fn push(&mut self, ids: impl IntoIterator<Item = u32>, trained: bool) {
        self.ids.extend(ids);
        self.trained.resize(self.ids.len(), trained);
    }

    /// How many tokens are trained.
    pub fn trained_tokens(&self) -> usize {
        self.trained.iter().filter(|trained| **trained).count()
    }
}

/// Stands for the content of message `index`. Letters only, so that no template trims, splits or escapes it.
fn placeholder(index: usize) -> String {
    format!("\u{E0F0}HoneContent{index}\u{E0F1}")
}

/// A part of the rendered conversation.
enum Part<'a> {
    /// A control token of the template.
    Token(u32),
    /// Text of the template.
    Template(&'a str),
    /// The content of that message.
    Content(usize),
}

fn parts<'a>(tokenizer: &Tokenizer, rendered: &'a str, messages: usize) -> Vec<Part<'a>> {
    let names: Vec<String> = (0..messages).map(placeholder).collect();
    let mut parts = Vec::new();
    for piece in tokenizer.cut_at_controls(rendered) {
        let mut text = match piece {
            Piece::Token(id) => {
                parts.push(Part::Token(id));
                continue;
            }
            Piece::Text(text) => text,
        };
        let first = |text: &str| {
            let places = names.iter().enumerate().filter_map(|(index, name)| Some((text.find(name)?, index)));
            places.min()
        };
        while let Some((start, index)) = first(text) {
            parts.extend([Part::Template(&text[..start]), Part::Content(index)]);
            text = &text[start + names[index].len()..];
        }
        parts.push(Part::Template(text));
    }
    parts
}

fn rendered(format: &ChatFormat, messages: &[ChatMessage], add_generation_prompt: bool) -> Result<String> {
    let stand_ins: Vec<ChatMessage> = messages
        .iter()
        .enumerate()
        .map(|(index, message)| ChatMessage::new(message.role.clone(), placeholder(index)))
        .collect();
    jinja::render(&format.jinja, &format.tokens, &stand_ins, add_generation_prompt)
}

fn encode(tokenizer: &Tokenizer, messages: &[ChatMessage], rendered: &str) -> Result<Encoded> {
    let mut encoded = Encoded::default();
    // Template text and the contents of others form one run between control tokens, tokenised together as Ollama will.
    // An answer stands alone: while generating, the model begins it on a fresh token.
    let mut run = String::new();
    let mut after_answer = false;
    for part in parts(tokenizer, rendered, messages.len()) {
        match part {
            Part::Template("") => continue,
            Part::Template(text) => run.push_str(text),
            Part::Content(index) if messages[index].role == "assistant" => {
                encoded.push(tokenizer.encode_part(&std::mem::take(&mut run), encoded.ids.is_empty())?, false);
                encoded.push(tokenizer.encode_part(messages[index].content.trim(), encoded.ids.is_empty())?, true);
                after_answer = true;
                continue;
            }
            Part::Content(index) => run.push_str(messages[index].content.trim()),
            Part::Token(id) => {
                encoded.push(tokenizer.encode_part(&std::mem::take(&mut run), encoded.ids.is_empty())?, false);
                encoded.push([id], after_answer);
            }
        }
        after_answer = false;
    }
    encoded.push(tokenizer.encode_part(&run, encoded.ids.is_empty())?, false);
    if let Some(bos) = tokenizer.bos().filter(|bos| tokenizer.add_bos() && encoded.ids.first() != Some(bos)) {
        encoded.ids.insert(0, bos);
        encoded.trained.insert(0, false);
    }
    Ok(encoded)
}

pub(super) fn conversation(format: &ChatFormat, tokenizer: &Tokenizer, messages: &[ChatMessage]) -> Result<Encoded> {
    let empty = messages.iter().position(|message| message.content.trim().is_empty());
    if let Some(index) = empty {
        return Err(ModelError::Conversation { index: index + 1, problem: "has no text".to_owned() });
    }
    if !messages.iter().any(|message| message.role == "assistant") {
        let problem = "is the last and nobody answers it: there is nothing to learn".to_owned();
        return Err(ModelError::Conversation { index: messages.len(), problem });
    }
    encode(tokenizer, messages, &rendered(format, messages, false)?)
}

pub(super) fn prompt(format: &ChatFormat, tokenizer: &Tokenizer, messages: &[ChatMessage]) -> Result<Vec<u32>> {
    Ok(encode(tokenizer, messages, &rendered(format, messages, true)?)?.ids)
}

pub(super) fn reading(tokenizer: &Tokenizer, text: &str) -> Result<Encoded> {
    let mut encoded = Encoded::default();
    encoded.push(tokenizer.bos(), false);
    encoded.push(tokenizer.encode(text)?, true);
    encoded.push(tokenizer.eos(), true);
    Ok(encoded)
}
