//! `hone lab logits`

use std::path::PathBuf;

use clap::Args;
use hone_job::{ErrorCode, fs};
use hone_model::{Adapter, WeightStorage};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;

use super::{Computes, load};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::Report;

/// Logits of given token ids.
#[derive(Debug, Args)]
pub struct Logits {
    /// The base model
    #[arg(long, value_name = "REF")]
    model: String,
    /// A PEFT adapter's folder
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// A file with a JSON list of token ids
    #[arg(long, value_name = "JSON")]
    tokens: PathBuf,
    /// Where the tensor `logits` goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    computes: Computes,
}

/// Computes and writes them.
pub fn run(arguments: &Logits, context: &Context) -> Outcome {
    let ids: Vec<u32> = fs::read_json(&arguments.tokens)?;
    let decoder = load(&arguments.model, arguments.computes.with(WeightStorage::Expanded), &context.job)?;
    let adapter = arguments.adapter.as_ref().map(|folder| Adapter::load_peft(folder, decoder.config())).transpose()?;
    let logits = decoder.logits(adapter.as_ref(), &ids)?;
    let shape = [ids.len(), decoder.config().vocabulary_size];
    let bytes: Vec<u8> = logits.iter().flat_map(|value| value.to_le_bytes()).collect();
    let file = TensorView::new(Dtype::F32, shape.to_vec(), &bytes)
        .and_then(|view| safetensors::serialize([("logits", view)], None))
        .map_err(|error| {
            Failure::new(ErrorCode::Internal, format!("The logits cannot be written: {error}"), "Report this")
        })?;
    fs::write_atomic(&arguments.out, &file)?;
    let words = format!("Logits of {} tokens are in `{}`.", ids.len(), arguments.out.display());
    Ok(Report::new(&json!({ "shape": shape, "path": arguments.out }), words))
}
