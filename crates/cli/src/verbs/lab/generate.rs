//! `hone lab generate`

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use hone_job::fs;
use hone_model::{Adapter, GenerateOptions, Placement, WeightStorage};
use serde::Serialize;

use super::load;
use crate::context::Context;
use crate::failure::Outcome;
use crate::output::{Report, bytes, table};

/// Greedy continuation of given token ids: the tokens, and how fast they were written.
#[derive(Debug, Args)]
pub struct Generate {
    /// The base model
    #[arg(long, value_name = "REF")]
    model: String,
    /// A PEFT adapter's folder
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// A file with a JSON list of token ids
    #[arg(long, value_name = "JSON")]
    tokens: PathBuf,
    /// How many tokens to write
    #[arg(long, default_value_t = 64)]
    count: usize,
    /// Threads; without it, one per core
    #[arg(long)]
    threads: Option<usize>,
    /// Expand the weights to f32 instead of reading them as the file stores them
    #[arg(long)]
    expanded: bool,
}

/// What was written and measured.
#[derive(Debug, Serialize)]
struct Written {
    tokens: Vec<u32>,
    /// From the start to the first token.
    prompt_seconds: f64,
    /// From the first token to the last.
    seconds: f64,
    tokens_per_second: f64,
    threads: usize,
    peak_bytes: u64,
}

/// Writes.
pub fn run(arguments: &Generate, context: &Context) -> Outcome {
    if let Some(threads) = arguments.threads {
        hone_model::use_threads(threads)?;
    }
    let ids: Vec<u32> = fs::read_json(&arguments.tokens)?;
    let storage = if arguments.expanded { WeightStorage::Expanded } else { WeightStorage::Stored };
    let decoder = load(&arguments.model, Placement { storage, ..Placement::default() }, &context.job)?;
    let adapter = arguments.adapter.as_ref().map(|folder| Adapter::load_peft(folder, decoder.config())).transpose()?;
    let options = GenerateOptions { max_tokens: arguments.count, ..GenerateOptions::default() };
    let begun = Instant::now();
    let mut first = None;
    let texts = decoder.generate(adapter.as_ref(), &[ids], &options, &mut |_, _| {
        first.get_or_insert_with(Instant::now);
        ControlFlow::Continue(())
    })?;
    let tokens = texts.into_iter().next().unwrap_or_default();
    let first = first.unwrap_or(begun);
    let seconds = first.elapsed().as_secs_f64();
    let written = Written {
        prompt_seconds: (first - begun).as_secs_f64(),
        seconds,
        // The first token comes with the prompt.
        tokens_per_second: tokens.len().saturating_sub(1) as f64 / seconds.max(f64::MIN_POSITIVE),
        tokens,
        threads: hone_model::threads(),
        peak_bytes: hone_hardware::peak_memory(),
    };
    let words = table(&[
        vec!["tokens a second".to_owned(), format!("{:.1}", written.tokens_per_second)],
        vec!["seconds for the prompt".to_owned(), format!("{:.2}", written.prompt_seconds)],
        vec!["peak memory".to_owned(), bytes(written.peak_bytes)],
    ]);
    Ok(Report::new(&written, words))
}
