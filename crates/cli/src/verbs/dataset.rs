//! `hone rows export [--format F] [--to FILE | --folder DIR]`: the rows for other programs, and their card.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use hone_data::clean::{Bar, CleanOptions, language_of, row_text};
use hone_data::dataset::{self, Card, CardRule, CardSource, Form, Length, Line};
use hone_data::{Row, Split};
use hone_job::{ErrorCode, fs};
use hone_studio::{Project, RuleHits, Store};
use hone_train::config::TrainOn;
use hone_train::sequences::sequences;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ts_rs::TS;

use crate::args::{RowFormat, RowsExport};
use crate::context::Context;
use crate::failure::{Failure, Outcome, check};
use crate::output::Report;
use crate::verbs::base;

/// A dataset that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DatasetOutcome {
    /// The folder.
    pub folder: String,
    /// The files in it.
    pub files: Vec<String>,
    /// Rows in all of them.
    pub rows: u64,
}

/// Writes the rows.
pub fn run(arguments: &RowsExport, context: &Context) -> Outcome {
    let project = context.project()?;
    let store = project.store()?;
    let rows = store.approved_rows()?;
    if let Some(folder) = &arguments.folder {
        return folder_of(folder, arguments.format, &rows, &project, &store, context);
    }
    let names = document_names(&store)?;
    let rows: Vec<&Row> = rows.iter().collect();
    if arguments.to.is_none() && arguments.format == RowFormat::Parquet {
        return Err(Failure::new(
            ErrorCode::BadConfig,
            "A Parquet file is not text, so it cannot be written to the terminal",
            "Name a file with `--to` or a folder with `--folder`",
        ));
    }
    let bytes = written(&rows, arguments.format, &names)?;
    let Some(to) = &arguments.to else {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let value = match form(arguments.format) {
            Some(form) => json!(rows.iter().map(|row| Line::of(row, form)).collect::<Vec<_>>()),
            None => json!({ "csv": text }),
        };
        return Ok(Report::new(&value, text));
    };
    fs::write_atomic(to, &bytes)?;
    let words = format!("Wrote {} rows to `{}`.", rows.len(), to.display());
    Ok(Report::new(&json!({ "file": to, "rows": rows.len() }), words))
}

/// The form of a line, where the format has lines.
fn form(format: RowFormat) -> Option<Form> {
    match format {
        RowFormat::Openai => Some(Form::Openai),
        RowFormat::Alpaca => Some(Form::Alpaca),
        RowFormat::Csv | RowFormat::Parquet => None,
    }
}

fn ending(format: RowFormat) -> &'static str {
    match format {
        RowFormat::Openai | RowFormat::Alpaca => "jsonl",
        RowFormat::Csv => "csv",
        RowFormat::Parquet => "parquet",
    }
}

fn written(rows: &[&Row], format: RowFormat, names: &HashMap<String, String>) -> Outcome<Vec<u8>> {
    if let Some(form) = form(format) {
        return Ok(rows.iter().map(|row| Line::of(row, form).written()).collect::<String>().into_bytes());
    }
    let name = |hash: &str| names.get(hash).cloned().unwrap_or_default();
    if format == RowFormat::Csv {
        return Ok(dataset::csv(rows, &name));
    }
    dataset::parquet(rows, &name).map_err(|error| {
        let message = format!("The rows could not be written as Parquet: {error}");
        Failure::new(ErrorCode::Internal, message, "Choose another form, and report this")
    })
}

fn document_names(store: &Store) -> Outcome<HashMap<String, String>> {
    Ok(store.documents()?.into_iter().map(|document| (document.hash, document.name)).collect())
}

/// One file for each part, and the card.
fn folder_of(
    folder: &Path,
    format: RowFormat,
    rows: &[Row],
    project: &Project,
    store: &Store,
    context: &Context,
) -> Outcome {
    context.job.stage("write");
    fs::create_dir_all(folder)?;
    let card = folder.join("README.md");
    if card.exists() && !fs::read_to_string(&card)?.contains(dataset::CARD_MARK) {
        return Err(Failure::new(
            ErrorCode::BadInput,
            format!("`{}` is there already and is not a dataset's card of Hone", card.display()),
            "Choose another folder",
        ));
    }
    let names = document_names(store)?;
    let ending = ending(format);
    let mut files: Vec<PathBuf> = Vec::new();
    for (name, part) in [("train", Split::Train), ("valid", Split::Valid), ("exam", Split::Exam)] {
        check(&context.job)?;
        let rows: Vec<&Row> = rows.iter().filter(|row| row.split.unwrap_or(Split::Train) == part).collect();
        if !rows.is_empty() {
            let path = folder.join(format!("{name}.{ending}"));
            fs::write_atomic(&path, &written(&rows, format, &names)?)?;
            files.push(path);
        }
    }
    fs::write_atomic(&card, self::card(rows, project, store, context)?.markdown().as_bytes())?;
    files.push(card);
    let outcome = DatasetOutcome {
        folder: folder.to_string_lossy().into_owned(),
        files: files.iter().map(|file| file.to_string_lossy().into_owned()).collect(),
        rows: rows.len() as u64,
    };
    let words = format!("Wrote {} rows and their card to `{}`.", rows.len(), folder.display());
    Ok(Report::new(&outcome, words))
}

/// What is known of the rows.
fn card(rows: &[Row], project: &Project, store: &Store, context: &Context) -> Outcome<Card> {
    let counts = store.row_counts()?;
    let mut of_document: HashMap<&str, u64> = HashMap::new();
    for document in rows.iter().filter_map(|row| row.document.as_deref()) {
        *of_document.entry(document).or_default() += 1;
    }
    let sources = store.documents()?.into_iter().filter_map(|document| {
        let rows = of_document.get(document.hash.as_str()).copied()?;
        Some(CardSource { name: document.name, format: document.format, hash: document.hash, rows })
    });
    Ok(Card {
        name: project.file().name.clone(),
        base: project.file().base.clone(),
        date: jiff::Zoned::now().date().to_string(),
        parts: [counts.train, counts.valid, counts.exam],
        left_out: counts.rejected,
        drafts: counts.drafts,
        length: length(rows, project, context)?,
        languages: bars(rows.iter().map(|row| language_of(&row_text(row)).unwrap_or("und").to_owned())),
        labels: bars(rows.iter().filter_map(|row| row.label.clone())),
        origins: bars(rows.iter().map(|row| word(&json!(row.origin)))),
        sources: sources.collect(),
        rules: store.applied_rules(0)?.iter().map(card_rule).collect(),
    })
}

fn length(rows: &[Row], project: &Project, context: &Context) -> Outcome<Option<Length>> {
    let Ok(base) = base::open(&project.file().base) else { return Ok(None) };
    let trained: Vec<&Row> = rows.iter().filter(|row| row.split.unwrap_or(Split::Train) == Split::Train).collect();
    let mut lengths = Vec::new();
    for portion in trained.chunks(256) {
        check(&context.job)?;
        let made = sequences(portion, &base.tokenizer, &base.chat, TrainOn::All, usize::MAX)?;
        lengths.extend(made.sequences.iter().map(|sequence| sequence.ids.len() as u64));
    }
    Ok(Length::of(lengths))
}

fn card_rule(hits: &RuleHits) -> CardRule {
    let all = json!(CleanOptions::default().with_rule(hits.rule, &hits.options));
    let options = all.get(hits.rule.code()).map(Value::to_string).unwrap_or_default();
    CardRule { rule: hits.rule, counts: [hits.changed, hits.dropped, hits.flagged], options }
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// How often each name is met, the most frequent first.
fn bars(names: impl Iterator<Item = String>) -> Vec<Bar> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let mut bars: Vec<Bar> = counts.into_iter().map(|(name, rows)| Bar { name, rows, out: 0 }).collect();
    bars.sort_by_key(|bar| std::cmp::Reverse(bar.rows));
    bars
}
