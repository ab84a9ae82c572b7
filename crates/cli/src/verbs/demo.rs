//! `hone demo [--out DIR] [--until STAGE]`: the whole main job on the sample documents and the starter model.
//! What is there already is not done again, so that a demo that was cut off goes on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hone_eval::EvalReport;
use hone_job::{ErrorCode, RunState, fs};
use hone_studio::{Project, ProjectFile, project, runs};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::args::{Clean, Demo, Eval, Export, ExportFormat, Knobs, Stage, Train};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Report, duration, table};
use crate::verbs::{base, clean, eval, export, import, samples, train, training};

/// The starter model's name in the catalogue.
const STARTER: &str = "gemma3-270m";
/// The name of the export, and of the model in Ollama.
const NAME: &str = "handbook";

/// What the demo made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DemoOutcome {
    /// The project's folder.
    pub project: String,
    /// What was done, in order.
    pub stages: Vec<DemoStage>,
    /// Held-out loss of the base model, nats per trained token.
    pub loss_before: Option<f64>,
    /// Held-out loss after the training, nats per trained token.
    pub loss_after: Option<f64>,
    /// Training questions that were asked word for word.
    pub asked: Option<u64>,
    /// How many of them were answered with the right fact.
    pub right: Option<u64>,
    /// Where the Modelfile lies.
    pub modelfile: Option<String>,
}

/// One part of the demo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DemoStage {
    /// Its name.
    pub name: String,
    /// How long it took, seconds; absent when its result was there already.
    pub seconds: Option<f64>,
}

/// Does the main job.
pub fn run(arguments: &Demo, context: &Context) -> Outcome {
    let mut outcome = DemoOutcome::default();
    let project = outcome.timed("project", |_| make(&arguments.out).map(Some))?;
    let Some(project) = project else { return Err(base::not_a_model(STARTER)) };
    let context = &context.of_project(project.dir());
    outcome.project = project.dir().to_string_lossy().into_owned();

    outcome.timed("import", |_| take_in(&project, context))?;
    if arguments.until >= Stage::Train {
        outcome.timed("clean", |_| tidy(&project, context))?;
        outcome.timed("train", |_| learn(&project, context))?;
    }
    let state = training::done(&project, "latest").ok();
    if let (true, Some(state)) = (arguments.until >= Stage::Eval, &state) {
        outcome.timed("eval", |outcome| examine(&project, state, outcome, context))?;
    }
    if let (true, Some(state)) = (arguments.until >= Stage::Export, &state) {
        outcome.timed("export", |outcome| write(&project, state, outcome, context))?;
    }
    let words = words(&outcome);
    Ok(Report::new(&outcome, words))
}

impl DemoOutcome {
    /// Does one part and notes how long it took; a part that answers `None` was done before.
    fn timed<T>(&mut self, name: &str, part: impl FnOnce(&mut Self) -> Outcome<Option<T>>) -> Outcome<Option<T>> {
        let begun = Instant::now();
        let made = part(self)?;
        let seconds = made.is_some().then(|| begun.elapsed().as_secs_f64());
        self.stages.push(DemoStage { name: name.to_owned(), seconds });
        Ok(made)
    }
}

/// The project, opened or made.
fn make(dir: &Path) -> Outcome<Project> {
    if project::is_project(dir) {
        return Ok(Project::open(dir)?);
    }
    base::resolve(STARTER)?;
    Ok(Project::create(dir, ProjectFile::new("Ferry handbook", STARTER, "en"))?)
}

fn take_in(project: &Project, context: &Context) -> Outcome<Option<()>> {
    if project.store()?.row_counts()?.total > 0 {
        return Ok(None);
    }
    let files = samples::write(&project.dir().join("samples"))?;
    let (_, failed) = import::import(project, &files, context)?;
    failed.map_or(Ok(Some(())), Err)
}

fn tidy(project: &Project, context: &Context) -> Outcome<Option<()>> {
    if project.store()?.is_clean()? {
        return Ok(None);
    }
    clean::run(&Clean::default(), context)?;
    Ok(Some(()))
}

fn learn(project: &Project, context: &Context) -> Outcome<Option<()>> {
    if training::done(project, "latest").is_ok() {
        return Ok(None);
    }
    let cut_off =
        runs::list(project)?.into_iter().find(|run| runs::read(project, &run.id).is_ok_and(|run| run.resumable));
    let knobs = Knobs { preset: "balanced".to_owned(), changes: Vec::new() };
    let arguments = Train { knobs, resume: cut_off.map(|run| run.id), no_preflight: false };
    train::train(&arguments, context)?;
    Ok(Some(()))
}

fn examine(project: &Project, state: &RunState, outcome: &mut DemoOutcome, context: &Context) -> Outcome<Option<()>> {
    let file = runs::dir(project, &state.id)?.join("eval.json");
    let before: Option<EvalReport> = fs::read_json(&file).ok();
    let there = before.is_some();
    let report = match before {
        Some(report) => report,
        None => eval::eval(&Eval { run: state.id.clone(), against: "base".to_owned(), device: None }, context)?.0,
    };
    outcome.loss_before = Some(report.held_out.before);
    outcome.loss_after = Some(report.held_out.after);
    outcome.asked = report.recall.as_ref().map(|recall| recall.asked as u64);
    outcome.right = report.recall.as_ref().map(|recall| recall.right_after as u64);
    Ok((!there).then_some(()))
}

fn write(project: &Project, state: &RunState, outcome: &mut DemoOutcome, context: &Context) -> Outcome<Option<()>> {
    let folder = project.exports_dir().join(NAME);
    let modelfile = folder.join("Modelfile");
    outcome.modelfile = Some(modelfile.to_string_lossy().into_owned());
    if modelfile.is_file() {
        return Ok(None);
    }
    let arguments = Export {
        run: state.id.clone(),
        to: Some(folder),
        format: ExportFormat::Merged,
        quantize: "f16".to_owned(),
        ollama: None,
        prove: false,
    };
    export::export(&arguments, context)?;
    if modelfile.is_file() {
        return Ok(Some(()));
    }
    Err(Failure::new(ErrorCode::Internal, format!("The export wrote no `{}`", modelfile.display()), "Report this"))
}

fn words(outcome: &DemoOutcome) -> String {
    let mut lines = vec![["stage", "time"].map(str::to_owned).to_vec()];
    lines.extend(outcome.stages.iter().map(|stage| {
        let took = stage.seconds.map(|seconds| duration(Duration::from_secs_f64(seconds)));
        vec![stage.name.clone(), took.unwrap_or_else(|| "there already".to_owned())]
    }));
    let mut words = table(&lines);
    words += &format!("\nproject            {}\n", outcome.project);
    if let (Some(before), Some(after)) = (outcome.loss_before, outcome.loss_after) {
        words += &format!("held-out loss      {before:.4} before, {after:.4} after (nats per token)\n");
    }
    if let (Some(asked), Some(right)) = (outcome.asked, outcome.right) {
        words += &format!("training questions {right} of {asked} answered with the right fact\n");
    }
    if let Some(modelfile) = &outcome.modelfile {
        let folder = PathBuf::from(modelfile).parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        words += &format!(
            "Modelfile          {modelfile}\n\nTry it in Ollama:\n  cd {folder}\n  ollama create {NAME} -f Modelfile\n  ollama run {NAME}\n"
        );
    }
    words
}
