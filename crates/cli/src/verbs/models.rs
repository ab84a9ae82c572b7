//! `hone models list`, `models get NAME`, `models show REF`

use std::path::Path;

use hone_job::ErrorCode;
use hone_model::source::{self, BaseModel};
use hone_model::{ModelFile, fetch};
use serde_json::json;

use crate::args::Models;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Report, bytes, table};
use crate::verbs::base;

/// Does one of the verbs of `models`.
pub fn run(arguments: &Models, context: &Context) -> Outcome {
    match arguments {
        Models::List => Ok(list()),
        Models::Get { name } => get(name, context),
        Models::Show { reference } => show(reference),
    }
}

fn list() -> Report {
    let models = source::list(&base::places());
    let mut lines =
        vec![["name", "family", "parameters", "size", "stored as", "reference"].map(str::to_owned).to_vec()];
    lines.extend(models.iter().map(|model| {
        vec![
            model.name.clone(),
            model.architecture.clone(),
            format!("{:.0} M", model.parameters as f64 / 1e6),
            bytes(model.bytes),
            model.quantisation.clone(),
            model.reference.clone(),
        ]
    }));
    let words = if models.is_empty() {
        "No base model is at hand. Fetch one: hone models get gemma3-270m".to_owned()
    } else {
        table(&lines)
    };
    Report::new(&models, words)
}

fn get(name: &str, context: &Context) -> Outcome {
    let Some(entry) = source::find(name) else {
        let known: Vec<_> = source::catalogue().iter().map(|entry| entry.name).collect();
        return Err(Failure::new(
            ErrorCode::NotFound,
            format!("There is no model `{name}` in the catalogue"),
            &format!("Choose one of {}", known.join(", ")),
        ));
    };
    let endpoint = std::env::var("HF_ENDPOINT").unwrap_or_else(|_| fetch::DEFAULT_ENDPOINT.to_owned());
    let path = fetch::fetch(entry, &base::places().models_dir, &endpoint, &context.job)?;
    let words = format!("`{}` is in `{}`.", entry.title, path.display());
    Ok(Report::new(&base::resolve(name)?, words))
}

fn show(reference: &str) -> Outcome {
    let model = base::resolve(reference)?;
    let file = ModelFile::open(Path::new(&model.path))?;
    let base = base::open(reference)?;
    let words = words(&model, file.tensors().len(), &base.chat.stop_texts);
    let value = json!({
        "model": model,
        "tensors": file.tensors().len(),
        "chat_format": { "origin": base.chat.origin, "stop": base.chat.stop_texts },
    });
    Ok(Report::new(&value, words))
}

fn words(model: &BaseModel, tensors: usize, stops: &[String]) -> String {
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    table(&[
        line("name", model.name.clone()),
        line("lies in", model.path.clone()),
        line("size", bytes(model.bytes)),
        line("family", model.architecture.clone()),
        line("parameters", format!("{:.0} million", model.parameters as f64 / 1e6)),
        line("stored as", model.quantisation.clone()),
        line("longest text", format!("{} tokens", model.context_length)),
        line("tensors", tensors.to_string()),
        line("turns end with", stops.join(" ")),
    ])
}
