//! What every verb gets: the job, and where things lie. The environment is read here and nowhere else.

use std::path::{Path, PathBuf};

use hone_job::{ErrorCode, Job};
use hone_studio::{Project, project};

use crate::failure::{Failure, Outcome};
use crate::output::{Output, Report};

/// What every verb gets.
pub struct Context {
    /// Reports and asks whether to stop.
    pub job: Job,
    project: Option<PathBuf>,
    output: Output,
}

impl Context {
    /// A context for the project that was named, if one was.
    pub fn new(job: Job, project: Option<PathBuf>, output: Output) -> Self {
        Self { job, project, output }
    }

    /// A context for another project.
    pub fn of_project(&self, dir: &Path) -> Self {
        Self { job: self.job.clone(), project: Some(dir.to_owned()), output: self.output.clone() }
    }

    /// Tells what was made so far, before the verb ends.
    pub fn say(&self, report: Report) {
        self.output.report(report);
    }

    /// Opens the project that was named, else the one that the working folder lies in.
    pub fn project(&self) -> Outcome<Project> {
        if let Some(dir) = &self.project {
            return Ok(Project::open(dir)?);
        }
        let here = std::env::current_dir().unwrap_or_default();
        match here.ancestors().find(|dir| project::is_project(dir)) {
            Some(dir) => Ok(Project::open(dir)?),
            None => Err(Failure::new(
                ErrorCode::NotFound,
                format!("There is no project in `{}`", here.display()),
                "Name one with `--project DIR`, or make one with `hone new DIR --name N --base REF`",
            )),
        }
    }
}
