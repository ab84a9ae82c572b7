//! `hone train [--preset P] [--set key=value]… [--resume [RUN]] [--no-preflight]`

use std::path::PathBuf;

use hone_job::{ErrorCode, RunState};
use hone_studio::{Project, runs};
use hone_train::run_folder::latest_resumable;

use crate::args::Train;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::Report;
use crate::verbs::plan::Material;

/// Trains, or goes on.
pub fn run(arguments: &Train, context: &Context) -> Outcome {
    let state = train(arguments, context)?;
    let words = words(&state);
    Ok(Report::new(&state, words))
}

/// Trains, or goes on; answers the run as it ended.
pub fn train(arguments: &Train, context: &Context) -> Outcome<RunState> {
    let material = Material::gather(&arguments.knobs, context)?;
    let resume = arguments.resume.as_deref().map(|run| to_resume(&material.project, run)).transpose()?;
    let request = material.request(resume.as_deref(), !arguments.no_preflight);
    Ok(hone_train::train(&request, &context.job)?)
}

/// The folder of the run to go on with; `latest` is the newest that can.
fn to_resume(project: &Project, run: &str) -> Outcome<PathBuf> {
    if run != "latest" {
        return Ok(runs::dir(project, run)?);
    }
    latest_resumable(&project.runs_dir())?.ok_or_else(|| {
        Failure::new(
            ErrorCode::NotFound,
            "No training of this project was stopped or cut off",
            "Start a new one with `hone train`",
        )
    })
}

fn words(state: &RunState) -> String {
    let mut words = format!("Training `{}` is done: {} steps.\n", state.id, state.step);
    if let (Some(before), Some(after)) = (state.loss_before, state.loss_after) {
        words += &format!("Held-out loss: {before:.4} before, {after:.4} after (nats per token).\n");
    }
    words + &format!("Next: hone eval {}", state.id)
}
