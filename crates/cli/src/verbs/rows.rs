//! `hone rows …`: page, show, change, write out.

use std::io::Read;
use std::path::Path;

use hone_data::draft::Grounding;
use hone_data::{Row, RowStatus};
use hone_job::{ErrorCode, fs};
use hone_studio::store::Decided;
use hone_studio::{RowFilter, RowPage};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args::{Decide, Rows, RowsFilter, RowsList, RowsSplit};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Report, table};
use crate::verbs::{dataset, row_view, seen};

/// Does one of the verbs of `rows`.
pub fn run(arguments: Rows, context: &Context) -> Outcome {
    match arguments {
        Rows::List(arguments) => list(&arguments, context),
        Rows::Show { id } => row_view::run(id, context),
        Rows::Edit { id, file } => edit(id, file.as_deref(), context),
        Rows::Approve(arguments) => decide(&arguments, RowStatus::Approved, context),
        Rows::Reject(arguments) => decide(&arguments, RowStatus::Rejected, context),
        Rows::Undo => undo(context),
        Rows::Review(which) => review(&which, context),
        Rows::Export(arguments) => dataset::run(&arguments, context),
        Rows::Seen(arguments) => seen::run(&arguments, context),
        Rows::Split(arguments) => split(&arguments, context),
    }
}

fn list(arguments: &RowsList, context: &Context) -> Outcome {
    let filter = filter(&arguments.filter)?;
    let page = context.project()?.store()?.rows(&filter, arguments.offset, arguments.limit)?;
    let words = page_words(&page, arguments.offset);
    Ok(Report::new(&page, words))
}

fn filter(which: &RowsFilter) -> Outcome<RowFilter> {
    Ok(RowFilter {
        split: word("split", which.split.as_deref(), "train, valid or exam")?,
        status: word("status", which.status.as_deref(), "draft, approved or rejected")?,
        origin: word("origin", which.origin.as_deref(), "reading, mapped, drafted or manual")?,
        document: which.document.clone(),
        search: which.search.clone(),
        kind: word(
            "kind",
            which.kind.as_deref(),
            "fact, procedure, definition, comparison, refusal, paraphrase, synonyms or back_translation",
        )?,
        grounding: word("grounding", which.grounding.as_deref(), "found, missing or no_quote")?,
    })
}

fn page_words(page: &RowPage, offset: u64) -> String {
    let mut lines = vec![["row", "part", "status", "says"].map(str::to_owned).to_vec()];
    lines.extend(page.rows.iter().map(|row| {
        let loose = page.drafts.iter().any(|note| note.row == row.id && note.grounding == Grounding::Missing);
        let status = plain(&row.status) + if loose { ", not grounded" } else { "" };
        vec![row.id.to_string(), row.split.map_or(String::new(), |split| plain(&split)), status, gist(row)]
    }));
    let last = offset + page.rows.len() as u64;
    let at_least = if page.at_least { "at least " } else { "" };
    format!("{}rows {} to {last} of {at_least}{}", table(&lines), (offset + 1).min(last), page.total)
}

/// The first words of a row on one line.
fn gist(row: &Row) -> String {
    let text = hone_data::clean::row_text(row);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(72).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

fn edit(id: i64, file: Option<&Path>, context: &Context) -> Outcome {
    let text = if let Some(file) = file {
        fs::read_to_string(file)?
    } else {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|source| fs::FsError {
            action: "read",
            path: "stdin".into(),
            source,
        })?;
        text
    };
    let mut store = context.project()?.store()?;
    let mut row = store.row(id)?;
    // What the given object leaves out stays as it is.
    let mut value = serde_json::to_value(&row).unwrap_or_default();
    let not_understood = |error: serde_json::Error| {
        Failure::new(
            ErrorCode::BadInput,
            format!("The new row is not understood: {error}"),
            "Give it as in `hone --json rows show`",
        )
    };
    let given: serde_json::Map<String, Value> = serde_json::from_str(&text).map_err(not_understood)?;
    for (key, field) in given {
        value[key] = field;
    }
    row = serde_json::from_value(value).map_err(not_understood)?;
    store.edit(id, &row)?;
    Ok(Report::new(&store.row(id)?, format!("Row {id} is changed.")))
}

/// Draws the parts anew.
fn split(arguments: &RowsSplit, context: &Context) -> Outcome {
    let mut project = context.project()?;
    let file = project.file();
    let (seed, valid, exam) = (
        arguments.seed.unwrap_or(file.split_seed),
        arguments.valid.unwrap_or(file.valid_percent),
        arguments.exam.unwrap_or(file.exam_percent),
    );
    context.job.stage("split");
    project.set_split(seed, valid, exam)?;
    let mut store = project.store()?;
    store.redraw_splits(seed, project.shares())?;
    let counts = store.row_counts()?;
    let words = format!(
        "{} rows to train on, {} to measure on, {} kept for the exam.",
        counts.train, counts.valid, counts.exam
    );
    Ok(Report::new(&counts, words))
}

fn decide(arguments: &Decide, status: RowStatus, context: &Context) -> Outcome {
    let filter = filter(&arguments.filter)?;
    let narrowed = filter != RowFilter::default();
    let mut store = context.project()?.store()?;
    let decided = match (&arguments.ids[..], narrowed || arguments.all) {
        ([], true) => store.set_status_where(&filter, status, arguments.unread)?,
        ([], false) => return Err(unclear("Which rows?")),
        (_, true) => return Err(unclear("Either numbers or a choice of rows, not both")),
        (ids, false) => {
            store.set_status(ids, status)?;
            Decided { ids: ids.to_vec(), status: Some(status) }
        }
    };
    let what = if status == RowStatus::Approved { "in" } else { "left out" };
    let words = match decided.ids[..] {
        [id] => format!("Row {id} is {what}."),
        [] => "No row waits for review there.".to_owned(),
        _ => format!("{} rows are {what}. Take it back with `hone rows undo`.", decided.ids.len()),
    };
    Ok(Report::new(&decided, words))
}

fn unclear(message: &str) -> Failure {
    let hint = "Give their numbers, or narrow with `--kind`, `--grounding`, `--document`, `--search`, `--origin`, or take `--all`";
    Failure::new(ErrorCode::BadConfig, message, hint)
}

fn undo(context: &Context) -> Outcome {
    let undone = context.project()?.store()?.undo_decision()?;
    let words = match &undone {
        Some(undone) => format!(
            "Taken back: {} as before.",
            if undone.ids.len() == 1 { "1 row is".to_owned() } else { format!("{} rows are", undone.ids.len()) }
        ),
        None => "There is nothing to take back.".to_owned(),
    };
    Ok(Report::new(&undone, words))
}

fn review(which: &RowsFilter, context: &Context) -> Outcome {
    let review = context.project()?.store()?.review(&filter(which)?)?;
    let words = format!(
        "{} wait, {} are approved, {} rejected. {} were read one by one; the rest may be approved at once from {} on.",
        review.waiting, review.approved, review.rejected, review.read, review.wanted
    );
    Ok(Report::new(&review, words))
}

fn word<T: DeserializeOwned>(name: &str, value: Option<&str>, allowed: &str) -> Outcome<Option<T>> {
    let Some(value) = value else { return Ok(None) };
    serde_json::from_value(Value::String(value.to_owned())).map(Some).map_err(|_| {
        Failure::new(
            ErrorCode::BadConfig,
            format!("`--{name} {value}` is not understood"),
            &format!("Choose {allowed}"),
        )
    })
}

fn plain(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
