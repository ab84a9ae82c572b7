//! One fixed question, answered now and then while the model learns: the part of progress that needs no explanation.

use std::ops::ControlFlow;

use hone_data::{Role, Row};
use hone_job::run::Sample;
use hone_model::{Adapter, ChatFormat, Decoder, GenerateOptions, Tokenizer};

use crate::error::Result;
use crate::sequences::chat_messages;

/// Tokens of an answer at most; enough for a sentence or two.
const ANSWER_TOKENS: usize = 48;

/// The question, ready to be asked.
pub struct Question {
    text: String,
    prompt: Vec<u32>,
    stop_ids: Vec<u32>,
    tokenizer: Tokenizer,
}

impl Question {
    /// The first question that can be asked: of the held-out rows, else of the training rows.
    pub fn choose(valid: &[&Row], train: &[&Row], tokenizer: Tokenizer, format: &ChatFormat) -> Option<Self> {
        let (text, prompt) = valid.iter().chain(train).find_map(|row| {
            let answer = row.messages.iter().position(|message| message.role == Role::Assistant)?;
            let asked = &row.messages[..answer];
            let text = asked.iter().rev().find(|message| message.role == Role::User)?.content.clone();
            let prompt = format.encode_prompt(&tokenizer, &chat_messages(row)[..answer]).ok()?;
            Some((text, prompt))
        })?;
        Some(Self { text, prompt, stop_ids: format.stop_ids.clone(), tokenizer })
    }

    /// Asks it, greedily.
    ///
    /// # Errors
    /// [`crate::TrainError::Model`] when the engine fails.
    pub fn ask(&self, decoder: &Decoder, adapter: &Adapter, step: u32) -> Result<Sample> {
        let options = GenerateOptions {
            max_tokens: ANSWER_TOKENS,
            stop_ids: self.stop_ids.clone(),
            ..GenerateOptions::default()
        };
        let prompts = std::slice::from_ref(&self.prompt);
        let answers = decoder.generate(Some(adapter), prompts, &options, &mut |_, _| ControlFlow::Continue(()))?;
        let ids: Vec<u32> = answers.into_iter().flatten().filter(|id| !self.stop_ids.contains(id)).collect();
        let answer = self.tokenizer.decode(&ids).trim().to_owned();
        Ok(Sample { step, question: self.text.clone(), answer })
    }
}
