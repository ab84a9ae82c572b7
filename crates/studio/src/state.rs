//! Where the project stands: the six steps, derived from its folder each time.

use std::path::Path;

use hone_data::clean::Rule;
use hone_job::run::{RunState, RunStatus, is_alive};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::exports::{self, ExportEntry};
use crate::store::{DocumentCounts, RowCounts};
use crate::{Project, RuleHits, StudioError, runs};

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum StepStatus {
    /// Its result is there.
    Done,
    /// A worker is on it.
    Running,
    /// The next thing to do.
    Now,
    /// Waits for the ones before.
    Later,
}

/// The project with its six steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ProjectState {
    /// The project's folder.
    pub dir: String,
    /// Its name.
    pub name: String,
    /// Reference of the base model.
    pub base: String,
    /// Language of the documents.
    pub language: String,
    /// Documents in, rows out.
    pub import: ImportStep,
    /// Rules and review.
    pub clean: CleanStep,
    /// What will be trained on.
    pub configure: ConfigureStep,
    /// The newest training.
    pub train: TrainStep,
    /// The newest exam.
    pub evaluate: EvaluateStep,
    /// What was exported.
    pub export: ExportStep,
}

/// The step Import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ImportStep {
    /// How it stands.
    pub status: StepStatus,
    /// How much came in.
    pub documents: DocumentCounts,
    /// Rows that came out.
    pub rows: u64,
}

/// The step Clean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CleanStep {
    /// How it stands. Cleaning is not asked for twice: once a training was started it is done.
    pub status: StepStatus,
    /// The applied rules.
    pub rules: Vec<Rule>,
    /// Rows that the rules change.
    pub changed: u64,
    /// Rows that are left out, by the user or by a rule.
    pub left_out: u64,
    /// Rows that wait for review.
    pub drafts: u64,
    /// How the rows are parted.
    pub split: SplitChoice,
}

/// How the rows are parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SplitChoice {
    /// Draws which row goes where.
    pub seed: u64,
    /// Percent of the rows that are measured during training.
    pub valid: u8,
    /// Percent of the conversations that are kept for the exam.
    pub exam: u8,
}

/// The step Configure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ConfigureStep {
    /// How it stands.
    pub status: StepStatus,
    /// The rows that a training started now would see.
    pub rows: RowCounts,
}

/// The step Train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TrainStep {
    /// How it stands.
    pub status: StepStatus,
    /// How many trainings there are.
    pub runs: u64,
    /// The newest.
    pub run: Option<RunState>,
    /// Whether a worker is on the newest now.
    pub alive: bool,
    /// Whether the newest was cut off or stopped and can go on.
    pub resumable: bool,
}

/// The step Evaluate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct EvaluateStep {
    /// How it stands.
    pub status: StepStatus,
    /// The newest training that was examined.
    pub run: Option<String>,
    /// Its report for people.
    pub report: Option<String>,
}

/// The step Export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ExportStep {
    /// How it stands.
    pub status: StepStatus,
    /// All exports, newest first.
    pub exports: Vec<ExportEntry>,
}

/// Derives the state of a project from its folder.
///
/// # Errors
/// What the disk or the database refuses.
pub fn read(project: &Project) -> Result<ProjectState, StudioError> {
    let store = project.store()?;
    let documents = store.document_counts()?;
    let rows = store.row_counts()?;
    let rules = store.applied_rules(0)?;
    let runs = runs::list(project)?;
    let exports = exports::list(project)?;

    let newest = runs.first();
    let folder = |run: &RunState| project.runs_dir().join(&run.id);
    let alive = newest.is_some_and(|run| is_alive(&folder(run)));
    let trained = runs.iter().any(|run| run.status == RunStatus::Done);
    let examined = runs.iter().find(|run| folder(run).join("eval.json").is_file());
    let resumable =
        newest.is_some_and(|run| !alive && run.status != RunStatus::Done && runs::has_checkpoint(&folder(run)));

    let mut steps = Steps { open: true };
    let import = steps.next(rows.total > 0, false);
    let clean = steps.next(rows.total > 0 && (newest.is_some() || store.is_clean()?), false);
    let configure = steps.next(newest.is_some(), false);
    let train = steps.next(trained, alive);
    let evaluate = steps.next(examined.is_some(), false);
    let export = steps.next(!exports.is_empty(), false);

    let sum = |count: fn(&RuleHits) -> u64| rules.iter().map(count).sum();
    let report = examined.map(|run| folder(run).join("report.html")).filter(|report| report.is_file());
    Ok(ProjectState {
        dir: text(project.dir()),
        name: project.file().name.clone(),
        base: project.file().base.clone(),
        language: project.file().language.clone(),
        import: ImportStep { status: import, documents, rows: rows.total },
        clean: CleanStep {
            status: clean,
            rules: rules.iter().map(|hits| hits.rule).collect(),
            changed: sum(|hits| hits.changed),
            left_out: rows.rejected,
            drafts: rows.drafts,
            split: SplitChoice {
                seed: project.file().split_seed,
                valid: project.file().valid_percent,
                exam: project.file().exam_percent,
            },
        },
        configure: ConfigureStep { status: configure, rows },
        train: TrainStep { status: train, runs: runs.len() as u64, run: newest.cloned(), alive, resumable },
        evaluate: EvaluateStep {
            status: evaluate,
            run: examined.map(|run| run.id.clone()),
            report: report.as_deref().map(text),
        },
        export: ExportStep { status: export, exports },
    })
}

/// Walks the steps in order: the first that is not done is the one to do now.
struct Steps {
    open: bool,
}

impl Steps {
    fn next(&mut self, done: bool, running: bool) -> StepStatus {
        if running {
            self.open = false;
            StepStatus::Running
        } else if done {
            StepStatus::Done
        } else if std::mem::take(&mut self.open) {
            StepStatus::Now
        } else {
            StepStatus::Later
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
