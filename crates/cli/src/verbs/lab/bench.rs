//! `hone lab bench`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use hone_job::Job;
use hone_model::spans::{self, Profile, Work};
use hone_model::{Adapter, Batch, Decoder, Device, LoraConfig, Precision, StepOptions, TargetModule, WeightStorage};
use hone_train::optimiser::{AdamW, OptimiserConfig};
use serde::Serialize;

use super::{Computes, batch, load, usage};
use crate::context::Context;
use crate::failure::{Outcome, check};
use crate::output::{Report, bytes, table};

/// Speed and peak memory of training steps.
#[derive(Debug, Args)]
pub struct Bench {
    /// The base model
    #[arg(long, value_name = "REF")]
    model: String,
    /// A batch's file, or a number of made-up rows of which two in five tokens are trained
    #[arg(long, value_name = "JSON|ROWS", default_value = "4")]
    batch: String,
    /// Tokens of each made-up row
    #[arg(long, default_value_t = 256)]
    seq: usize,
    /// A PEFT adapter's folder; without it, a fresh adapter on all seven projections
    #[arg(long, value_name = "DIR", conflicts_with = "rank")]
    adapter: Option<PathBuf>,
    /// Rank of the fresh adapter
    #[arg(long, default_value_t = 16)]
    rank: usize,
    /// `DoRA` instead of plain LoRA for the fresh adapter
    #[arg(long, conflicts_with = "adapter")]
    dora: bool,
    /// Measured steps, after one that is not
    #[arg(long, default_value_t = 3)]
    steps: usize,
    /// Threads; without it, one per core
    #[arg(long)]
    threads: Option<usize>,
    /// Compute each layer again in the backward pass
    #[arg(long)]
    checkpointing: bool,
    /// Keep the weights as the file stores them and expand each layer when it is needed
    #[arg(long)]
    stored: bool,
    #[command(flatten)]
    computes: Computes,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    tokens: usize,
    trained_tokens: usize,
    threads: usize,
    checkpointing: bool,
    device: Device,
    precision: Precision,
    /// Wall time of each step.
    seconds: Vec<f64>,
    /// Processor time of each step, where the system tells it.
    cpu_seconds: Vec<f64>,
    losses: Vec<f64>,
    /// Of one step on the processor: what its matrix products alone would take at the best rate measured here, and where the
    /// time went.
    floor: Option<Floor>,
    tokens_per_second: f64,
    tokens_per_cpu_second: Option<f64>,
    /// Loading included.
    peak_bytes: u64,
    /// The most memory of a graphics card that was taken at once, weights included, where a card computes.
    card_bytes: Option<u64>,
}

/// Medians of a step, seconds.
#[derive(Debug, Serialize)]
struct Floor {
    /// Multiplications and additions of the products of frozen, head and adapter matrices.
    product_flops: f64,
    /// The best rate at which this machine multiplied matrices before and after the steps.
    best_flops_per_second: f64,
    /// Their quotient.
    least_seconds: f64,
    /// The floor over the median step.
    share: f64,
    /// Wall time by kind of work.
    work: BTreeMap<&'static str, f64>,
}

/// Measures.
pub fn run(arguments: &Bench, context: &Context) -> Outcome {
    if let Some(threads) = arguments.threads {
        hone_model::use_threads(threads)?;
    }
    let storage = if arguments.stored { WeightStorage::Stored } else { WeightStorage::Expanded };
    let decoder = load(&arguments.model, arguments.computes.with(storage), &context.job)?;
    let batch = match arguments.batch.parse() {
        Ok(rows) => made_up(rows, arguments.seq, decoder.config().vocabulary_size),
        Err(_) => batch::read(arguments.batch.as_ref())?,
    };
    let mut adapter = match &arguments.adapter {
        Some(folder) => Adapter::load_peft(folder, decoder.config())?,
        None => decoder.fresh_adapter(&LoraConfig { use_dora: arguments.dora, ..lora(arguments.rank) }, 0)?,
    };
    let measured = measure(arguments, &decoder, &mut adapter, &batch, &context.job)?;
    let per_second = |value: Option<f64>| value.map_or("unknown".to_owned(), |value| format!("{value:.0}"));
    let mut lines = vec![
        vec!["tokens a second".to_owned(), per_second(Some(measured.tokens_per_second))],
        vec!["tokens a processor second".to_owned(), per_second(measured.tokens_per_cpu_second)],
        vec!["peak memory".to_owned(), bytes(measured.peak_bytes)],
    ];
    lines.extend(measured.floor.as_ref().map(|floor| {
        vec!["share of what products alone would take".to_owned(), format!("{:.0} %", floor.share * 100.0)]
    }));
    lines.extend(measured.card_bytes.map(|taken| vec!["memory of the card".to_owned(), bytes(taken)]));
    Ok(Report::new(&measured, table(&lines)))
}

fn measure(arguments: &Bench, decoder: &Decoder, adapter: &mut Adapter, batch: &Batch, job: &Job) -> Outcome<Measured> {
    let options = StepOptions { checkpointing: arguments.checkpointing, ..StepOptions::default() };
    let mut optimiser = AdamW::new(&OptimiserConfig::default(), adapter.params().len());
    let mut grads = vec![0.0; adapter.params().len()];
    let trained_tokens = batch.trained_tokens();
    let (mut seconds, mut cpu_seconds, mut losses) = (Vec::new(), Vec::new(), Vec::new());
    let mut profiles = Vec::new();
    let best_rate = (arguments.computes.device == Device::Cpu).then(hone_model::best_product_rate);
    for step in 0..=arguments.steps {
        check(job)?;
        let (wall, cpu) = (Instant::now(), usage::cpu_seconds());
        grads.fill(0.0);
        let scale = 1.0 / trained_tokens.max(1) as f32;
        let (loss, profile) = spans::watch(|| -> Outcome<_> {
            let loss = decoder.loss_and_gradients(adapter, batch, scale, &options, &mut grads)?;
            optimiser.step(adapter.params_mut(), &grads, 1e-3)?;
            Ok(loss)
        });
        losses.push(loss?.mean());
        // The first step touches fresh memory.
        if step > 0 {
            profiles.push(profile);
            seconds.push(wall.elapsed().as_secs_f64());
            cpu_seconds.extend(usage::cpu_seconds().zip(cpu).map(|(after, before)| after - before));
        }
        job.progress(step as u64, arguments.steps as u64, "steps");
    }
    let card = arguments.computes.device.memory()?;
    let tokens = batch.ids.len();
    let rate = |seconds: &[f64]| (tokens * seconds.len()) as f64 / seconds.iter().sum::<f64>();
    Ok(Measured {
        tokens,
        trained_tokens,
        threads: hone_model::threads(),
        checkpointing: arguments.checkpointing,
        device: arguments.computes.device,
        precision: arguments.computes.precision,
        card_bytes: card.map(|card| card.peak),
        tokens_per_second: rate(&seconds),
        tokens_per_cpu_second: (!cpu_seconds.is_empty()).then(|| rate(&cpu_seconds)),
        seconds,
        cpu_seconds,
        losses,
        floor: best_rate.map(|before| floor(&profiles, before.max(hone_model::best_product_rate()))),
        peak_bytes: hone_hardware::peak_memory(),
    })
}

fn floor(profiles: &[Profile], best_flops_per_second: f64) -> Floor {
    let median = |of: &dyn Fn(&Profile) -> f64| {
        let mut values: Vec<f64> = profiles.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    };
    let product_flops = median(&|profile| profile.product_flops);
    let least_seconds = product_flops / best_flops_per_second;
    let seconds = median(&|profile| profile.seconds);
    let mut work: BTreeMap<_, _> =
        Work::ALL.into_iter().map(|work| (work.name(), median(&|profile| profile.of(work)))).collect();
    work.insert("other", median(&|profile| profile.seconds - profile.by_work.iter().sum::<f64>()));
    Floor { product_flops, best_flops_per_second, least_seconds, share: least_seconds / seconds, work }
}

fn lora(rank: usize) -> LoraConfig {
    LoraConfig {
        rank,
        alpha: 2.0 * rank as f64,
        dropout: 0.0,
        target_modules: TargetModule::SEVEN.to_vec(),
        use_rslora: false,
        use_dora: false,
    }
}

/// Rows of scattered ids, the last two in five of each trained.
fn made_up(rows: usize, length: usize, vocabulary: usize) -> Batch {
    let mut batch = Batch::default();
    let mut id = 1usize;
    for _ in 0..rows {
        let ids: Vec<u32> = (0..length)
            .map(|_| {
                id = (id * 7919 + 12345) % vocabulary;
                id as u32
            })
            .collect();
        let labels: Vec<i64> =
            ids.iter().enumerate().map(|(at, id)| if at * 5 >= length * 3 { i64::from(*id) } else { -100 }).collect();
        batch.push(&ids, &labels);
    }
    batch
}
