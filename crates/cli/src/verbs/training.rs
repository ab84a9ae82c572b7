//! Which training a name on the command line means, and what it learned.

use std::path::Path;

use hone_job::ErrorCode;
use hone_job::run::{RunState, RunStatus};
use hone_model::{Adapter, Decoder};
use hone_studio::{Project, runs};

use crate::failure::{Failure, Outcome};

/// A training that is done; `latest` is the newest.
pub fn done(project: &Project, run: &str) -> Outcome<RunState> {
    let all = runs::list(project)?;
    let found = match run {
        "latest" => all.into_iter().find(|state| state.status == RunStatus::Done),
        id => {
            runs::dir(project, id)?;
            all.into_iter().find(|state| state.id == id)
        }
    };
    match found {
        Some(state) if state.status == RunStatus::Done => Ok(state),
        Some(state) => Err(Failure::new(
            ErrorCode::NotFound,
            format!("The training `{}` is not done yet: {} of {} steps", state.id, state.step, state.total_steps),
            "Wait for it, or go on with it: `hone train --resume RUN`",
        )),
        None => {
            Err(Failure::new(ErrorCode::NotFound, "No training of this project is done", "Start one with `hone train`"))
        }
    }
}

/// What a training learned.
pub fn adapter(run: &Path, decoder: &Decoder) -> Outcome<Adapter> {
    Ok(Adapter::load(&run.join("adapter"), decoder.config())?)
}
