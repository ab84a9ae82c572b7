//! `hone chat RUN|REF [--prompt T]`: talk to a base model or to a training's result.

use std::io::BufRead;
use std::ops::ControlFlow;

use hone_model::tokenizer::TextStream;
use hone_model::{Adapter, ChatMessage, Decoder, GenerateOptions, WeightStorage};
use hone_studio::runs;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::args::Chat;
use crate::context::Context;
use crate::failure::{self, Outcome};
use crate::output::Report;
use crate::verbs::base::{self, Base};
use crate::verbs::training;

/// What the model answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ChatAnswer {
    /// The answer.
    pub text: String,
    /// Its tokens, the end of turn included.
    pub tokens: Vec<u32>,
    /// How many tokens the prompt had, template included.
    pub prompt_tokens: u64,
}

/// Answers one prompt, or each line of stdin.
pub fn run(arguments: &Chat, context: &Context) -> Outcome {
    let model = Model::load(&arguments.model, context)?;
    let mut conversation = Vec::new();
    if let Some(prompt) = &arguments.prompt {
        let answer = model.answer(&mut conversation, prompt, arguments, context)?;
        // The words were told token by token.
        return Ok(Report::new(&answer, ""));
    }
    let mut last = None;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if line.trim().is_empty() {
            continue;
        }
        last = Some(model.answer(&mut conversation, &line, arguments, context)?);
    }
    Ok(Report::new(&last, ""))
}

struct Model {
    base: Base,
    decoder: Decoder,
    adapter: Option<Adapter>,
}

impl Model {
    fn load(name: &str, context: &Context) -> Outcome<Self> {
        context.job.stage("load");
        // A project is needed only for a training.
        let dir = context.project().ok().and_then(|project| {
            let dir = if name == "latest" {
                training::done(&project, name).ok().map(|state| state.id)
            } else {
                Some(name.to_owned())
            };
            runs::dir(&project, &dir?).ok()
        });
        let reference = match &dir {
            Some(dir) => hone_job::fs::read_json::<hone_job::RunState>(&dir.join(hone_job::run::STATE_FILE))?.base,
            None if base::resolve(name).is_err() && !name.contains(['/', '.', ':']) => {
                return Err(base::not_a_model(name));
            }
            None => name.to_owned(),
        };
        let base = base::open(&reference)?;
        // As stored: an answer is written one token at a time, and each token reads every weight once.
        let decoder = Decoder::load_with(&base.file, WeightStorage::Stored, &context.job)?;
        let adapter = dir.map(|dir| training::adapter(&dir, &decoder)).transpose()?;
        Ok(Self { base, decoder, adapter })
    }

    fn answer(
        &self,
        conversation: &mut Vec<ChatMessage>,
        prompt: &str,
        arguments: &Chat,
        context: &Context,
    ) -> Outcome<ChatAnswer> {
        conversation.push(ChatMessage::new("user", prompt));
        let ids = self.base.chat.encode_prompt(&self.base.tokenizer, conversation)?;
        let options = GenerateOptions {
            max_tokens: arguments.max_tokens,
            temperature: arguments.temperature,
            top_k: arguments.top_k,
            top_p: arguments.top_p,
            min_p: arguments.min_p,
            repeat_penalty: arguments.repeat_penalty,
            repeat_last: arguments.repeat_last,
            seed: arguments.seed,
            stop_ids: self.base.chat.stop_ids.clone(),
            ..GenerateOptions::default()
        };
        let mut stream = TextStream::new(&self.base.tokenizer);
        let mut text = String::new();
        let mut said = |piece: String| {
            if !piece.is_empty() {
                context.job.notice("token", piece.clone());
                text += &piece;
            }
        };
        let stops = &self.base.chat.stop_ids;
        let answers =
            self.decoder.generate(self.adapter.as_ref(), std::slice::from_ref(&ids), &options, &mut |_, id| {
                if !stops.contains(&id) {
                    said(stream.push(id));
                }
                if context.job.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
        failure::check(&context.job)?;
        said(stream.finish());
        context.job.notice("token", "\n");
        conversation.push(ChatMessage::new("assistant", text.clone()));
        let tokens = answers.into_iter().next().unwrap_or_default();
        Ok(ChatAnswer { text, tokens, prompt_tokens: ids.len() as u64 })
    }
}
