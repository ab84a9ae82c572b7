//! Generation with a key-value cache, several prompts at a time.
//!
//! Prompts are read packed; then each step runs every live prompt's newest token through the layers together, so that the
//! weights are read once for all of them.
//!
//! On the processor, also for a decoder on a graphics card: one token at a time leaves a card idle unless it has kernels of its
//! own for it, and the exam and `hone chat` then write the same tokens with every device.

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::batch::{check_ids, positions};
use crate::decoder::{Decoder, FEW};
use crate::error::{ModelError, Result};
use crate::lora::{Adapter, RowNorms};
use crate::ops;
use crate::pass::{Pass, Ropes};
use crate::sampler::Sampler;
use crate::threads::lead;

/// Prompt tokens that are read in one pass.
const PREFILL_TOKENS: usize = 2048;

/// How to continue prompts.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// Most tokens to write per prompt.
    pub max_tokens: usize,
    /// 0 takes the likeliest token every time; higher values vary more.
    pub temperature: f64,
    /// Choose among this many likeliest tokens only.
    pub top_k: Option<usize>,
    /// Choose among the likeliest tokens that together reach this probability only.
    pub top_p: Option<f64>,
    /// Choose among tokens at least this share as likely as the likeliest only.
    pub min_p: Option<f64>,
    /// Positive logits of recent tokens are divided by this, negative ones multiplied; 1 changes nothing.
    pub repeat_penalty: f64,
    /// How many tokens are recent, those of the prompt included.
    pub repeat_last: usize,
    /// The same seed writes the same text; every prompt of a call draws its own sequence from it.
    pub seed: u64,
    /// Tokens that end the text; they are not part of it.
    pub stop_ids: Vec<u32>,
    /// Longest prompt and text together, tokens; `None` takes the model's own limit.
    pub context: Option<usize>,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            max_tokens: 256,
            temperature: 0.0,
            top_k: None,
            top_p: None,
            min_p: None,
            repeat_penalty: 1.0,
            repeat_last: 64,
            seed: 0,
            stop_ids: Vec::new(),
            context: None,
        }
    }
}

/// What is laid over the base model.
#[derive(Clone, Copy)]
struct Tuned<'a> {
    adapter: Option<&'a Adapter>,
    norms: Option<&'a RowNorms>,
}

/// One prompt being continued.
struct Live {
    prompt: usize,
    /// Per layer, `[positions, kv]`.
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    sampler: Sampler,
    /// The token to feed next, and its position.
    last: u32,
    position: usize,
}

impl Decoder {
    /// Continues each prompt until a stop token, `max_tokens`, or the end of the context.
    ///
    /// `on_token` hears of every token as it is written, with its prompt's index; breaking stops all prompts at once and
    /// returns what was written.
    ///
    /// # Errors
    /// [`ModelError::ContextFull`] for a prompt that leaves no room, [`ModelError::TokenOutOfRange`], [`ModelError::AdapterMismatch`].
    pub fn generate(
        &self,
        adapter: Option<&Adapter>,
        prompts: &[Vec<u32>],
        options: &GenerateOptions,
        on_token: &mut dyn FnMut(usize, u32) -> ControlFlow<()>,
    ) -> Result<Vec<Vec<u32>>> {
        let config = self.config();
        let context = options.context.unwrap_or(config.context_length).min(config.context_length);
        if let Some(adapter) = adapter {
            adapter.check_fits(config)?;
        }
        let norms = self.row_norms(adapter)?;
        let tuned = Tuned { adapter, norms: norms.as_ref() };
        for prompt in prompts {
            check_ids(prompt, config)?;
            if prompt.len() >= context {
                return Err(ModelError::ContextFull { tokens: prompt.len(), context });
            }
        }
        let mut written = vec![Vec::new(); prompts.len()];
        if options.max_tokens == 0 {
            return Ok(written);
        }
        let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
        let ropes = Ropes::new(config, context.min(longest + options.max_tokens));

        let vocabulary = config.vocabulary_size;
        let mut live = Vec::new();
        for group in groups(prompts) {
            let (mut opened, mut logits) = lead(|| self.read_prompts(tuned, prompts, &group, options, &ropes))?;
            let mut choices = Vec::new();
            for (prompt, logits) in opened.iter_mut().zip(logits.chunks_exact_mut(vocabulary)) {
                choices.push(prompt.sampler.choose(logits));
            }
            live.extend(opened.into_iter().zip(choices));
        }
        loop {
            // Take in the choices; those that end leave.
            let mut going = Vec::new();
            for (mut prompt, id) in live {
                if options.stop_ids.contains(&id) {
                    continue;
                }
                written[prompt.prompt].push(id);
                if on_token(prompt.prompt, id).is_break() {
                    return Ok(written);
                }
                prompt.last = id;
                if written[prompt.prompt].len() < options.max_tokens && prompt.position + 1 < context {
                    going.push(prompt);
                }
            }
            if going.is_empty() {
                return Ok(written);
            }
            let mut logits = lead(|| self.advance(tuned, &mut going, &ropes))?;
            let mut choices = Vec::new();
            for (prompt, logits) in going.iter_mut().zip(logits.chunks_exact_mut(vocabulary)) {
                choices.push(prompt.sampler.choose(logits));
            }
            live = going.into_iter().zip(choices).collect();
        }
    }

    /// Runs a group of prompts through the layers; gives their caches, and the logits `[prompts, vocabulary]` after each.
    fn read_prompts(
        &self,
        tuned: Tuned<'_>,
        prompts: &[Vec<u32>],
        group: &[usize],
        options: &GenerateOptions,
        ropes: &Ropes,
    ) -> Result<(Vec<Live>, Vec<f32>)> {
        let config = self.config();
        let mut ids = Vec::new();
        let mut starts = Vec::new();
        for &prompt in group {
            starts.push(ids.len());
            ids.extend(&prompts[prompt]);
        }
        let positions = positions(&starts, ids.len());
        let Tuned { adapter, norms } = tuned;
        let pass =
            Pass { adapter, norms, dropout_seed: None, few: false, starts: &starts, positions: &positions, ropes };
        let mut opened: Vec<Live> = group
            .iter()
            .map(|&prompt| Live {
                prompt,
                keys: Vec::new(),
                values: Vec::new(),
                sampler: Sampler::new(options, prompt, &prompts[prompt]),
                last: 0,
                position: prompts[prompt].len(),
            })
            .collect();
        let ends: Vec<usize> = starts.iter().skip(1).copied().chain([ids.len()]).collect();
        let mut x = self.embed(adapter, &ids)?;
        for layer in 0..config.layers.len() {
            let block = self.block(layer, &pass);
            let shape = block.attention();
            let rotated = block.rotated(&block.project(&x)?);
            for ((live, start), end) in opened.iter_mut().zip(&starts).zip(&ends) {
                let rows = rotated[start * shape.step..end * shape.step].chunks_exact(shape.step);
                let (mut keys, mut values) = (Vec::new(), Vec::new());
                for row in rows {
                    let (key, value) = row[config.query_size()..config.qkv_size()].split_at(config.kv_size());
                    keys.extend_from_slice(key);
                    values.extend_from_slice(value);
                }
                live.keys.push(keys);
                live.values.push(values);
            }
            let mut attended = self.pool().take(ids.len() * shape.out_step);
            let mut log_sums = self.pool().take(ids.len() * config.heads);
            ops::attention_forward(self.pool(), &shape, &rotated, &starts, &mut attended, &mut log_sums);
            drop(rotated);
            x = block.finished(&x, &attended)?;
        }
        let width = config.hidden_size;
        let last_rows: Vec<f32> =
            ends.iter().flat_map(|end| x[(end - 1) * width..end * width].iter().copied()).collect();
        let mut logits = vec![0.0; opened.len() * config.vocabulary_size];
        self.logits_of(adapter, &last_rows, &mut logits)?;
        Ok((opened, logits))
    }

    /// One more token for every live prompt: logits `[prompts, vocabulary]`.
    fn advance(&self, tuned: Tuned<'_>, live: &mut [Live], ropes: &Ropes) -> Result<Vec<f32>> {
        let config = self.config();
        let ids: Vec<u32> = live.iter().map(|prompt| prompt.last).collect();
        let positions: Vec<usize> = live.iter().map(|prompt| prompt.position).collect();
        let starts: Vec<usize> = (0..live.len()).collect();
        let Tuned { adapter, norms } = tuned;
        let few = live.len() <= FEW;
        let pass = Pass { adapter, norms, dropout_seed: None, few, starts: &starts, positions: &positions, ropes };
        let mut x = self.embed(adapter, &ids)?;
        for layer in 0..config.layers.len() {
            let block = self.block(layer, &pass);
            let rotated = block.rotated(&block.project(&x)?);
            let shape = block.attention();
            let mut attended = self.pool().take(live.len() * shape.out_step);
            let rows = attended.par_chunks_mut(shape.out_step).zip(rotated.par_chunks(shape.step));
            live.par_iter_mut().zip(rows).for_each(|(prompt, (attended, row))| {
                let (query, key_value) = row[..config.qkv_size()].split_at(config.query_size());
                let attended = &mut attended[..config.query_size()];
                let (key, value) = key_value.split_at(config.kv_size());
                prompt.keys[layer].extend_from_slice(key);
                prompt.values[layer].extend_from_slice(value);
                let (keys, values) = (&prompt.keys[layer], &prompt.values[layer]);
                ops::attend_cached(self.pool(), &shape, query, keys, values, attended);
            });
            x = block.finished(&x, &attended)?;
        }
        for prompt in live.iter_mut() {
            prompt.position += 1;
        }
        let mut logits = vec![0.0; live.len() * config.vocabulary_size];
        self.logits_of(adapter, &x, &mut logits)?;
        Ok(logits)
    }
}

/// Prompts in groups that fit one pass; empty prompts continue nothing.
fn groups(prompts: &[Vec<u32>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut tokens = usize::MAX;
    for (index, prompt) in prompts.iter().enumerate().filter(|(_, prompt)| !prompt.is_empty()) {
        if tokens.saturating_add(prompt.len()) > PREFILL_TOKENS {
            groups.push(Vec::new());
            tokens = 0;
        }
        tokens += prompt.len();
        if let Some(group) = groups.last_mut() {
            group.push(index);
        }
    }
    groups
}
