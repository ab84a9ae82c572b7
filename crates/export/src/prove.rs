//! The proof: what Ollama renders and answers, beside what Hone does.

use std::ops::ControlFlow;
use std::path::Path;

use hone_job::Job;
use hone_model::{ChatFormat, ChatMessage, Decoder, GenerateOptions, Tokenizer};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::{ExportError, Result};
use crate::ollama::{Client, RawRequest};

/// What Ollama was seen to do with an exported model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Proof {
    /// The model's name in Ollama.
    pub model: String,
    /// The version of Ollama that answered.
    pub ollama_version: String,
    /// Conversations, as both render them.
    pub renders: Vec<RenderCheck>,
    /// Prompts, as both answer them.
    pub replays: Vec<Replay>,
    /// Whether every conversation and every answer is the same.
    pub same: bool,
}

/// One conversation rendered twice, without BOS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RenderCheck {
    /// How many messages it has.
    pub messages: u32,
    /// Hone's text.
    pub hone: String,
    /// Ollama's text.
    pub ollama: String,
    /// Whether they are the same.
    pub same: bool,
}

/// One prompt answered twice, both greedily.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Replay {
    /// The prompt's text.
    pub prompt: String,
    /// Hone's answer.
    pub hone: String,
    /// Ollama's answer.
    pub ollama: String,
    /// Tokens of Hone's answer.
    pub tokens: u32,
    /// How many of them, from the first, Ollama wrote too.
    pub same_tokens: u32,
    /// Whether the answers are the same.
    pub same: bool,
}

/// A prompt with Hone's own greedy answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayCase {
    /// The conversation, ending with a user.
    pub messages: Vec<ChatMessage>,
    /// The answer, without the token that ends it.
    pub answer: Vec<u32>,
}

/// Lets Hone answer each conversation greedily. `decoder` should hold the exported file, so that both read the same weights.
///
/// # Errors
/// When a conversation cannot be rendered or does not fit.
pub fn replay_cases(
    decoder: &Decoder,
    tokenizer: &Tokenizer,
    format: &ChatFormat,
    conversations: &[Vec<ChatMessage>],
    max_tokens: usize,
    job: &Job,
) -> Result<Vec<ReplayCase>> {
    job.stage("answer");
    let prompts = conversations.iter().map(|messages| format.encode_prompt(tokenizer, messages));
    let prompts = prompts.collect::<hone_model::Result<Vec<_>>>()?;
    let options = GenerateOptions { max_tokens, stop_ids: format.stop_ids.clone(), ..GenerateOptions::default() };
    let mut go_on = |_, _| if job.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let answers = decoder.generate(None, &prompts, &options, &mut go_on)?;
    job.check()?;
    Ok(conversations.iter().cloned().zip(answers).map(|(messages, answer)| ReplayCase { messages, answer }).collect())
}

/// Replays `cases` through the model `name` in Ollama, compares, and writes `proof.json` into `folder`.
/// `max_tokens` is the limit under which the cases were answered.
///
/// # Errors
/// When Ollama does not have the model, refuses, or the connection breaks.
#[allow(clippy::too_many_arguments)]
pub fn prove(
    client: &Client,
    name: &str,
    cases: &[ReplayCase],
    tokenizer: &Tokenizer,
    format: &ChatFormat,
    max_tokens: usize,
    folder: &Path,
    job: &Job,
) -> Result<Proof> {
    job.stage("prove");
    if !client.has(name)? {
        return Err(ExportError::NoSuchModel { name: name.to_owned() });
    }
    let version = client.version()?;
    let mut renders = Vec::new();
    if version.can_render() {
        for messages in conversations() {
            let hone = without_bos(tokenizer, &format.render(&messages, true)?);
            let Some(ollama) = client.rendered(name, &messages)? else { break };
            let ollama = without_bos(tokenizer, &ollama);
            renders.push(RenderCheck { messages: messages.len() as u32, same: hone == ollama, hone, ollama });
        }
    } else {
        job.notice("ollama_old", format!("Ollama {version} cannot say what it renders; only answers are compared"));
    }
    let mut replays = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        job.check()?;
        job.progress(index as u64, cases.len() as u64, "prompts");
        let prompt = without_bos(tokenizer, &format.render(&case.messages, true)?);
        let prompt_tokens = format.encode_prompt(tokenizer, &case.messages)?.len();
        let request = RawRequest {
            model: name.to_owned(),
            prompt: prompt.clone(),
            max_tokens,
            context: (prompt_tokens + max_tokens + 16).next_multiple_of(256) as u32,
            stops: format.stop_texts.clone(),
        };
        let ollama = client.generate_raw(&request)?.response;
        replays.push(compare(tokenizer, prompt, &case.answer, ollama));
    }
    let same = renders.iter().all(|check| check.same) && replays.iter().all(|replay| replay.same);
    let proof = Proof { model: name.to_owned(), ollama_version: version.to_string(), renders, replays, same };
    hone_job::fs::write_json(&folder.join("proof.json"), &proof)?;
    Ok(proof)
}

/// Ollama gives text, not tokens: a token counts as the same while the text up to it is.
fn compare(tokenizer: &Tokenizer, prompt: String, answer: &[u32], ollama: String) -> Replay {
    let hone = tokenizer.decode(answer);
    let same = hone == ollama;
    let agreed = (0..=answer.len()).rev().find(|count| ollama.starts_with(&tokenizer.decode(&answer[..*count])));
    Replay { prompt, tokens: answer.len() as u32, same_tokens: agreed.unwrap_or(0) as u32, same, hone, ollama }
}

fn without_bos(tokenizer: &Tokenizer, text: &str) -> String {
    let bos = tokenizer.bos().and_then(|id| tokenizer.token(id)).unwrap_or_default();
    text.strip_prefix(bos).unwrap_or(text).to_owned()
}

/// One to three turns, with and without a system text.
fn conversations() -> Vec<Vec<ChatMessage>> {
    let turns = [
        ChatMessage::new("user", "When does the first ferry leave?"),
        ChatMessage::new("assistant", "At twenty to eight."),
        ChatMessage::new("user", "那么星期天呢？"),
    ];
    let system = ChatMessage::new("system", "Answer briefly.");
    let with_system = |turns: &[ChatMessage]| std::iter::once(system.clone()).chain(turns.iter().cloned()).collect();
    vec![turns[..1].to_vec(), turns.to_vec(), with_system(&turns[..1]), with_system(&turns)]
}
