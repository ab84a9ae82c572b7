//! `hone plan [--preset P] [--set key=value]…`: resolve and estimate, no training.

use std::time::Duration;

use hone_data::Row;
use hone_model::source::BaseModel;
use hone_studio::Project;
use hone_train::presets;
use hone_train::{Plan, Request, RunConfig};

use crate::args::Knobs;
use crate::context::Context;
use crate::failure::Outcome;
use crate::output::{Report, bytes, duration, table};
use crate::verbs::base;

/// Resolves the plan of a training started now.
pub fn run(arguments: &Knobs, context: &Context) -> Outcome {
    let plan = resolve(arguments, context)?;
    let words = words(&plan);
    Ok(Report::new(&plan, words))
}

/// Resolves the plan of a training started now.
pub fn resolve(arguments: &Knobs, context: &Context) -> Outcome<Plan> {
    let material = Material::gather(arguments, context)?;
    Ok(hone_train::recipe::plan(&material.request(None, false), &context.job)?)
}

/// What a training is made from.
pub struct Material {
    /// The project.
    pub project: Project,
    base: BaseModel,
    config: RunConfig,
    rows: Vec<Row>,
    runs: std::path::PathBuf,
}

impl Material {
    /// Reads the project, finds its base model, applies the changes to the preset.
    pub fn gather(arguments: &Knobs, context: &Context) -> Outcome<Self> {
        let project = context.project()?;
        let base = base::resolve(&project.file().base)?;
        let mut config = presets::preset(&arguments.preset)?;
        for change in &arguments.changes {
            config.set(change)?;
        }
        config.check()?;
        let rows = project.store()?.approved_rows()?;
        let runs = project.runs_dir();
        Ok(Self { project, base, config, rows, runs })
    }

    /// The request to the trainer.
    pub fn request<'a>(&'a self, resume: Option<&'a std::path::Path>, preflight: bool) -> Request<'a> {
        Request {
            base: &self.base,
            config: &self.config,
            rows: &self.rows,
            runs: &self.runs,
            now: jiff::Zoned::now(),
            preflight,
            resume,
            rehearse_export: &super::export::rehearse,
        }
    }
}

/// What people want to know before they press the button.
fn words(plan: &Plan) -> String {
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let mut lines = vec![
        line("base model", plan.base.clone()),
        line("preset", plan.preset.clone()),
        line("device", plan.device.to_string()),
        line("rows", format!("{} to train on, {} to measure on", plan.train_rows, plan.valid_rows)),
        line("steps", format!("{} in {} passes", plan.total_steps, plan.epochs)),
        line("tokens", format!("{} in all", plan.total_tokens)),
        line("trainable", format!("{} numbers", plan.trainable_parameters)),
        line("memory", format!("about {}, {} are free", bytes(plan.memory_bytes), bytes(plan.memory_available))),
        line("disk", format!("about {}, {} are free", bytes(plan.disk_bytes), bytes(plan.disk_free))),
        line("time", format!("about {}", duration(Duration::from_secs_f64(plan.seconds.max(0.0))))),
    ];
    lines.extend(plan.warnings.iter().map(|warning| line("note", warning.message.clone())));
    table(&lines)
}
