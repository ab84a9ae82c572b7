//! `hone lab …`: the engine taken apart, for engineers and for the comparison with other programs.

mod batch;
mod bench;
mod generate;
mod logits;
mod pages;
mod step;
mod usage;

use std::path::Path;

use clap::{Args, Subcommand};
use hone_job::Job;
use hone_model::{Decoder, Device, ModelFile, Placement, Precision, WeightStorage};

use super::base;
use crate::context::Context;
use crate::failure::Outcome;

/// The engine taken apart.
#[derive(Debug, Args)]
pub struct Lab {
    /// What to do
    #[command(subcommand)]
    verb: LabVerb,
}

#[derive(Debug, Subcommand)]
enum LabVerb {
    /// Logits of given token ids, `[seq, vocab]`, f32
    Logits(logits::Logits),
    /// One training step from a given adapter and batch: loss, gradients, the adapter after one `AdamW` step
    Step(step::Step),
    /// Speed and peak memory of training steps
    Bench(bench::Bench),
    /// How long a page of the project's rows takes
    Pages(pages::Pages),
    /// Greedy continuation of given token ids, and its speed
    Generate(generate::Generate),
}

/// Does what was asked.
pub fn run(arguments: Lab, context: &Context) -> Outcome {
    match arguments.verb {
        LabVerb::Logits(arguments) => logits::run(&arguments, context),
        LabVerb::Step(arguments) => step::run(&arguments, context),
        LabVerb::Bench(arguments) => bench::run(&arguments, context),
        LabVerb::Pages(arguments) => pages::run(&arguments, context),
        LabVerb::Generate(arguments) => generate::run(&arguments, context),
    }
}

/// What computes.
#[derive(Debug, Args)]
struct Computes {
    /// `cpu`, `cuda`, `cuda:1` ..., or `cpu-tensors`: the operations of a graphics card on the processor
    #[arg(long, default_value_t = Device::Cpu)]
    device: Device,
    /// What a graphics card multiplies the frozen weights in: `f32`, `bf16` or `f16`
    #[arg(long, default_value = "f32")]
    precision: Precision,
}

impl Computes {
    fn with(&self, storage: WeightStorage) -> Placement {
        Placement { device: self.device, storage, precision: self.precision }
    }
}

fn load(reference: &str, placement: Placement, job: &Job) -> Outcome<Decoder> {
    // Weights are enough here: a tokenizer that is missing, or cannot be exported, does not matter.
    let file = if Path::new(reference).exists() {
        ModelFile::open(reference.as_ref())?
    } else {
        ModelFile::open(base::resolve(reference)?.path.as_ref())?
    };
    Ok(Decoder::load_on(&file, placement, job)?)
}
