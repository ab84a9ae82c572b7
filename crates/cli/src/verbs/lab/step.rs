//! `hone lab step`

use std::path::PathBuf;

use clap::Args;
use hone_job::{ErrorCode, fs};
use hone_model::lora::write_tensors;
use hone_model::{Adapter, Objective, StepOptions, WeightStorage};
use hone_train::optimiser::{AdamW, OptimiserConfig};
use serde_json::json;

use super::{Computes, batch, load};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::Report;

/// One training step.
#[derive(Debug, Args)]
pub struct Step {
    /// The base model
    #[arg(long, value_name = "REF")]
    model: String,
    /// A PEFT adapter's folder
    #[arg(long, value_name = "DIR")]
    adapter: PathBuf,
    /// `{"input_ids", "attention_mask", "labels"}`, rows of one length, labels not shifted, −100 = not trained; with
    /// `"row_weights"` the tokens of each row count that much, and the loss is divided by what all tokens count together
    #[arg(long, value_name = "JSON")]
    batch: PathBuf,
    /// Where `loss.json`, `grads.safetensors` and `adapter_model.safetensors` go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// `AdamW`'s learning rate
    #[arg(long, default_value_t = 1e-3)]
    learning_rate: f64,
    /// `AdamW`'s two decay rates
    #[arg(long, value_name = "B1,B2", value_delimiter = ',', num_args = 1, default_value = "0.9,0.999")]
    betas: Vec<f64>,
    /// `AdamW`'s epsilon
    #[arg(long, default_value_t = 1e-8)]
    eps: f64,
    /// `AdamW`'s weight decay
    #[arg(long, default_value_t = 0.01)]
    weight_decay: f64,
    /// Share of each target that is spread over the vocabulary
    #[arg(long, default_value_t = 0.0)]
    label_smoothing: f32,
    /// Exponent of the focal loss, instead of label smoothing
    #[arg(long, default_value_t = 0.0)]
    focal_gamma: f32,
    /// Strength of `NEFTune`'s noise
    #[arg(long, default_value_t = 0.0)]
    neftune_alpha: f32,
    /// Seed of the noise
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Keep the optimiser's state in 8 bits a number
    #[arg(long)]
    eight_bit: bool,
    /// Compute each layer again in the backward pass
    #[arg(long)]
    checkpointing: bool,
    #[command(flatten)]
    computes: Computes,
}

/// Computes and writes it.
pub fn run(arguments: &Step, context: &Context) -> Outcome {
    let [beta1, beta2] = arguments.betas[..] else {
        return Err(Failure::new(ErrorCode::BadConfig, "`--betas` takes two numbers", "Write them as `0.9,0.999`"));
    };
    let batch = batch::read(&arguments.batch)?;
    let decoder = load(&arguments.model, arguments.computes.with(WeightStorage::Expanded), &context.job)?;
    let mut adapter = Adapter::load_peft(&arguments.adapter, decoder.config())?;
    let mut grads = vec![0.0; adapter.params().len()];
    let weight = batch.trained_weight();
    let scale = if weight > 0.0 { (1.0 / weight) as f32 } else { 0.0 };
    let options = StepOptions {
        checkpointing: arguments.checkpointing,
        dropout_seed: (arguments.neftune_alpha > 0.0).then_some(arguments.seed),
        neftune_alpha: arguments.neftune_alpha,
        objective: Objective { label_smoothing: arguments.label_smoothing, focal_gamma: arguments.focal_gamma },
    };
    let loss = decoder.loss_and_gradients(&adapter, &batch, scale, &options, &mut grads)?;

    fs::create_dir_all(&arguments.out)?;
    write_tensors(&arguments.out.join("grads.safetensors"), &adapter, &grads)?;
    let config = OptimiserConfig {
        betas: [beta1, beta2],
        eps: arguments.eps,
        weight_decay: arguments.weight_decay,
        eight_bit: arguments.eight_bit,
    };
    AdamW::new(&config, grads.len()).step(adapter.params_mut(), &grads, arguments.learning_rate)?;
    adapter.save_peft(&arguments.out, &arguments.model)?;
    let result = json!({ "loss": loss.mean(), "trained_tokens": loss.tokens });
    fs::write_json(&arguments.out.join("loss.json"), &result)?;
    let words = format!("Loss {:.6} over {} trained tokens.", loss.mean(), loss.tokens);
    Ok(Report::new(&result, words))
}
