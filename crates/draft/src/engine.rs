//! Hone's own engine as a writer: no server, no network.

use std::ops::ControlFlow;
use std::path::Path;

use hone_job::Job;
use hone_model::gguf::GgufFile;
use hone_model::tokenizer::TextStream;
use hone_model::{ChatFormat, ChatMessage, Decoder, GenerateOptions, Tokenizer};

use crate::error::{DraftError, Result};
use crate::guided::{end, fill};
use crate::writer::{Ask, Said};

/// Longest text between two quotation marks, tokens.
const LONGEST: usize = 200;

/// A model in this process.
#[derive(Debug)]
pub struct Engine {
    decoder: Decoder,
    tokenizer: Tokenizer,
    chat: ChatFormat,
    name: String,
}

impl Engine {
    /// Loads the model in the GGUF file at `path`; `reference` is what people call it.
    ///
    /// # Errors
    /// A file that cannot be used, or a cancelled job.
    pub fn load(path: &Path, reference: &str, job: &Job) -> Result<Self> {
        let file = GgufFile::open(path)?;
        let tokenizer = Tokenizer::from_gguf(&file)?;
        let chat = ChatFormat::from_gguf(&file, &tokenizer)?;
        let decoder = Decoder::load(&file, job)?;
        Ok(Self { decoder, tokenizer, chat, name: format!("engine:{reference}") })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Asks once: the form is written for the model, it fills in the words.
    pub(crate) fn say(&self, ask: &Ask<'_>, job: &Job) -> Result<Said> {
        let messages = [ChatMessage::new("system", &ask.prompt.system), ChatMessage::new("user", &ask.prompt.user)];
        // Some templates know no system turn.
        let prompt = self.chat.encode_prompt(&self.tokenizer, &messages).or_else(|_| {
            let both = format!("{}\n\n{}", ask.prompt.system, ask.prompt.user);
            self.chat.encode_prompt(&self.tokenizer, &[ChatMessage::new("user", both)])
        })?;
        let mut said = Said::default();
        said.text = fill(ask.schema, &mut |so_far: &str| {
            let mut ids = prompt.clone();
            ids.extend(self.tokenizer.encode(so_far)?);
            said.prompt_tokens += ids.len() as u64;
            let (text, tokens) = self.words(ids, ask, said.answer_tokens, job)?;
            said.answer_tokens += tokens;
            Ok::<_, DraftError>(text)
        })?;
        Ok(said)
    }

    /// What the model writes up to the closing quotation mark, and in how many tokens.
    fn words(&self, ids: Vec<u32>, ask: &Ask<'_>, turn: u64, job: &Job) -> Result<(String, u64)> {
        let options = GenerateOptions {
            max_tokens: LONGEST,
            temperature: ask.temperature,
            top_p: Some(0.95),
            seed: ask.seed.wrapping_mul(1009).wrapping_add(turn),
            stop_ids: self.chat.stop_ids.clone(),
            ..GenerateOptions::default()
        };
        let mut stream = TextStream::new(&self.tokenizer);
        let (mut text, mut closed) = (String::new(), None);
        let written = self.decoder.generate(None, &[ids], &options, &mut |_, id| {
            text += &stream.push(id);
            closed = end(&text);
            if closed.is_some() || job.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        job.check()?;
        let tokens = written.first().map_or(0, Vec::len);
        // The end of its turn closes the mark as well.
        match closed {
            Some(end) => text.truncate(end),
            None if tokens >= LONGEST => return Err(DraftError::CutOff { tokens: tokens as u64 }),
            None => {}
        }
        Ok((text, tokens as u64))
    }
}
