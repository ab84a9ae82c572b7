//! `hone draft …`: questions and answers from passages, kept passage by passage, so that it can be stopped and goes on.

pub mod args;
mod augment;
mod writers;

use std::collections::HashMap;

use hone_draft::{Made, Wish, by_rules, draft_passage};
use hone_job::ErrorCode;
use hone_studio::store::{DraftedStatus, DraftingFailure, DraftingState, PassageDrafted, PassageHit};
use hone_studio::{Project, Store, runs};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::context::Context;
use crate::failure::{self, Failure, Outcome};
use crate::output::{Report, duration, table};
use args::Draft;
pub use augment::run as augment;
use writers::Chosen;

/// Passages that may fail one after the other, none having gone well, before the work stops.
const HOPELESS: u64 = 6;

/// What drafting made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DraftOutcome {
    /// Who wrote.
    pub writer: String,
    /// Passages that were to be drafted from.
    pub passages: u64,
    /// Passages from which drafts came.
    pub done: u64,
    /// Passages with nothing to ask.
    pub nothing: u64,
    /// Passages that failed.
    pub failed: u64,
    /// Drafts that are new.
    pub drafts: u64,
    /// Drafts that stood there already.
    pub known: u64,
    /// New drafts whose quote is not in the passage.
    pub not_grounded: u64,
    /// Tokens that the writer read.
    pub prompt_tokens: u64,
    /// Tokens that the writer wrote.
    pub answer_tokens: u64,
    /// Time that the writer took, seconds.
    pub seconds: f64,
    /// The passages that failed, and why.
    pub failures: Vec<DraftingFailure>,
}

/// Drafts, or tells how far drafting is, or who could write.
pub fn run(arguments: &Draft, context: &Context) -> Outcome {
    if arguments.writers {
        return Ok(writers::list());
    }
    let project = context.project()?;
    if arguments.status {
        let state = project.store()?.drafting()?;
        let words = state_words(&state);
        return Ok(Report::new(&state, words));
    }
    let settings = arguments.settings()?;
    let chosen = writers::choose(&arguments.writer, context)?;
    let mut store = project.store()?;
    let mut waiting = store.passages_to_draft(chosen.name(), &arguments.document, arguments.again)?;
    waiting.truncate(arguments.first.unwrap_or(usize::MAX));
    let mut outcome =
        DraftOutcome { writer: chosen.name().to_owned(), passages: waiting.len() as u64, ..DraftOutcome::default() };
    if waiting.is_empty() {
        return nothing_waits(&store, outcome);
    }
    let names: HashMap<String, String> =
        store.documents()?.into_iter().map(|document| (document.hash, document.name)).collect();
    context.job.stage("draft");
    let mut ended = Ok(());
    for (at, hit) in waiting.iter().enumerate() {
        ended = failure::check(&context.job);
        if ended.is_err() {
            break;
        }
        context.job.progress(at as u64, outcome.passages, "passages");
        let name = names.get(&hit.document).map_or("", String::as_str);
        let wish = Wish {
            document: name,
            heading: &hit.passage.heading,
            text: &hit.passage.text,
            settings: &settings,
            temperature: arguments.writer.temperature,
        };
        let made = match &chosen {
            Chosen::Rules => Ok(by_rules(&wish)),
            Chosen::Model(writer) => draft_passage(writer, &wish, &context.job),
        };
        ended = made.map_err(Failure::from).and_then(|made| keep(&mut store, &mut outcome, hit, name, made, context));
        if ended.is_ok() && outcome.failed >= HOPELESS && outcome.done + outcome.nothing == 0 {
            ended = Err(hopeless(&outcome));
        }
        if ended.is_err() {
            break;
        }
    }
    part(&project, &mut store, outcome.drafts)?;
    if ended.is_ok() {
        context.job.progress(outcome.passages, outcome.passages, "passages");
    }
    let report = Report::new(&outcome, words(&outcome));
    match ended.and_then(|()| something(&outcome)) {
        Ok(()) => Ok(report),
        Err(failure) => {
            // What was made, and what failed and why, is told before the end is.
            context.say(report);
            Err(failure)
        }
    }
}

/// Keeps what came from one passage.
fn keep(
    store: &mut Store,
    outcome: &mut DraftOutcome,
    hit: &PassageHit,
    name: &str,
    made: Made,
    context: &Context,
) -> Outcome<()> {
    let status = match (&made.failure, made.drafts.len()) {
        (Some(_), _) => DraftedStatus::Failed,
        (None, 0) => DraftedStatus::Nothing,
        (None, _) => DraftedStatus::Done,
    };
    let page = hit.passage.pages.map(|(first, _)| first);
    let written = made.drafts.len() as u64;
    let loose = made.drafts.iter().filter(|(_, grounding)| *grounding == hone_data::draft::Grounding::Missing).count();
    let reason = made.failure.unwrap_or_default();
    let added = store.add_drafts(&PassageDrafted {
        document: hit.document.clone(),
        passage: hit.passage.index,
        page,
        writer: outcome.writer.clone(),
        status,
        tries: made.tries,
        reason: reason.clone(),
        prompt_tokens: made.prompt_tokens,
        answer_tokens: made.answer_tokens,
        seconds: made.seconds,
        drafts: made.drafts,
    })?;
    outcome.drafts += added;
    outcome.known += written - added;
    outcome.not_grounded += loose as u64;
    outcome.prompt_tokens += made.prompt_tokens;
    outcome.answer_tokens += made.answer_tokens;
    outcome.seconds += made.seconds;
    match status {
        DraftedStatus::Done => outcome.done += 1,
        DraftedStatus::Nothing => outcome.nothing += 1,
        DraftedStatus::Failed => {
            outcome.failed += 1;
            let failure = DraftingFailure {
                document: name.to_owned(),
                passage: hit.passage.index,
                page,
                heading: hit.passage.heading.clone(),
                tries: made.tries,
                reason,
            };
            context.job.notice("draft_failed", failed_words(&failure));
            outcome.failures.push(failure);
        }
    }
    Ok(())
}

/// Parts the rows. While nothing was trained, passages with questions may still go to the exam.
fn part(project: &Project, store: &mut Store, drafts: u64) -> Outcome<()> {
    if drafts > 0 && runs::list(project)?.is_empty() {
        store.part_anew()?;
    }
    Ok(store.assign_splits(project.file().split_seed, project.shares())?)
}

/// Drafting that gave nothing is not done.
fn something(outcome: &DraftOutcome) -> Outcome<()> {
    if outcome.drafts + outcome.known > 0 {
        return Ok(());
    }
    let passages = many(outcome.passages, "passage");
    let (message, hint) = match outcome.failures.first() {
        Some(first) => (
            format!("No question came out of {passages}: {} failed. {}", outcome.failed, failed_words(first)),
            "Choose another model, or draft by rules, which need none",
        ),
        None if outcome.writer == hone_data::draft::rules::NAME => (
            format!("The rules found nothing to ask in {passages}"),
            "They need headings, definitions, tables or numbered steps; let a model draft instead",
        ),
        None => (
            format!("The model found nothing to ask in {passages}"),
            "Ask for other kinds of question, or choose another model",
        ),
    };
    Err(Failure::new(ErrorCode::NoRows, message, hint))
}

fn hopeless(outcome: &DraftOutcome) -> Failure {
    let first = outcome.failures.first().map(failed_words).unwrap_or_default();
    Failure::new(
        ErrorCode::NoRows,
        format!("The first {} passages all failed, so drafting stopped. {first}", outcome.failed),
        "Choose another model; drafting goes on where it was",
    )
}

fn nothing_waits(store: &Store, outcome: DraftOutcome) -> Outcome {
    let state = store.drafting()?;
    if state.passages == 0 {
        return Err(Failure::new(
            ErrorCode::NoRows,
            "This project has no passages to draft from",
            "Import a document with running text first; tables of questions and answers become rows by themselves",
        ));
    }
    let words = "Every passage was drafted from already; `--again` does it anew.";
    Ok(Report::new(&outcome, words))
}

fn failed_words(failure: &DraftingFailure) -> String {
    let page = failure.page.map_or(String::new(), |page| format!(", page {page}"));
    format!("`{}`{page}, passage {}: {}", failure.document, failure.passage + 1, failure.reason)
}

fn words(outcome: &DraftOutcome) -> String {
    let mut words = format!(
        "{} from {} of {}; they wait for review.\n",
        many(outcome.drafts, "draft"),
        outcome.done,
        many(outcome.passages, "passage")
    );
    for (count, what) in [
        (outcome.not_grounded, "with a quote that is not in the passage"),
        (outcome.known, "stood there already"),
        (outcome.nothing, "passages with nothing to ask"),
        (outcome.failed, "passages failed"),
    ] {
        if count > 0 {
            words += &format!("  {count} {what}\n");
        }
    }
    for failure in &outcome.failures {
        words += &format!("    {}\n", failed_words(failure));
    }
    if outcome.answer_tokens > 0 {
        let time = duration(std::time::Duration::from_secs_f64(outcome.seconds));
        words += &format!("  {} tokens read, {} written, in {time}\n", outcome.prompt_tokens, outcome.answer_tokens);
    }
    words + "Look at them with `hone rows list --status draft`."
}

fn state_words(state: &DraftingState) -> String {
    if state.writers.is_empty() {
        return format!("Nobody has drafted from the {} yet.", many(state.passages, "passage"));
    }
    let head = ["writer", "done", "nothing to ask", "failed", "of", "drafts", "not grounded"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(state.writers.iter().map(|writer| {
        let counts = [writer.done, writer.nothing, writer.failed, state.passages, writer.drafts, writer.not_grounded];
        [vec![writer.writer.clone()], counts.iter().map(u64::to_string).collect()].concat()
    }));
    let mut words = table(&lines);
    for failure in state.writers.iter().flat_map(|writer| &writer.failures) {
        words += &format!("  {}\n", failed_words(failure));
    }
    words
}

pub(super) fn many(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}
