//! `hone import PATH…`: files or folders in, documents and issues out.

mod large;
mod mapped;
mod take;

use std::path::PathBuf;

use hone_data::import::ReadOptions;
use hone_data::import::ocr::{self, Recogniser};
use hone_data::passages::PassageLength;
use hone_data::{Document, Issue, IssueKind, MappedFile, import};
use hone_job::ErrorCode;
use hone_studio::store::Changes;
use hone_studio::{Project, StudioError};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use self::mapped::Chosen;
use self::take::{Source, Taking};
use crate::args::Import;
use crate::context::Context;
use crate::failure::{self, Failure, Outcome};
use crate::output::Report;
use crate::verbs::base;

/// Recognition of one page, and reading of one document with it, are given up after this long.
const MAX_OCR_PAGE_SECONDS: u64 = 120;
const MAX_OCR_SECONDS: u64 = 6 * 3600;

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ImportOutcome {
    /// The files that went in.
    pub documents: Vec<Document>,
    /// What was noticed, in the files that went in and in those that did not.
    pub issues: Vec<Issue>,
    /// Passages added.
    pub passages: u64,
    /// Rows added.
    pub rows: u64,
    /// Files that were there already, as they are.
    pub unchanged: u64,
    /// Files that were there already and give something else now.
    pub changed: Vec<ChangedFile>,
    /// How the columns of the structured files were understood.
    pub mappings: Vec<MappedFile>,
}

/// A file that was there already, and what became of its passages and rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ChangedFile {
    /// Hash of the document as it is now.
    pub document: String,
    /// File name.
    pub name: String,
    /// Whether the file changed; else it was read in another way.
    pub new_bytes: bool,
    /// What became of its passages and rows.
    pub changes: Changes,
}

/// Imports what the arguments name.
pub fn run(arguments: &Import, context: &Context) -> Outcome {
    let mut project = context.project()?;
    if let Some(length) = arguments.passages.as_deref() {
        project.set_passages(passage_length(length)?)?;
    }
    let chosen = Chosen::of(&arguments.map)?;
    let listing = import::list(&arguments.paths);
    let mut sources: Vec<Source> = listing.files.iter().map(|file| Source::of(file)).collect();
    for hash in &arguments.document {
        let document = project.store()?.document(hash)?;
        let document = document.ok_or_else(|| StudioError::NoSuchDocument { hash: hash.clone() })?;
        sources.push(Source::again(&project, &document));
    }
    let mut options = ReadOptions::default();
    if arguments.ocr {
        options.ocr = Some(recogniser(&project.file().language)?);
        options.max_seconds = MAX_OCR_SECONDS;
    }
    let anew = !chosen.is_empty() || arguments.passages.is_some() || !arguments.document.is_empty();
    let (outcome, failed) = take_all(&project, &sources, &chosen, anew, &options, listing.issues, context)?;
    let report = Report::new(&outcome, words(&outcome));
    match failed {
        None => Ok(report),
        Some(failure) => {
            // What went in is told before the failure is.
            context.say(report);
            Err(failure)
        }
    }
}

/// Reads each file and stores what came out of it, a transaction a file. What cannot be stored does not keep the
/// others out; the first such failure comes back beside the outcome.
pub fn import(project: &Project, paths: &[PathBuf], context: &Context) -> Outcome<(ImportOutcome, Option<Failure>)> {
    let listing = import::list(paths);
    let sources: Vec<Source> = listing.files.iter().map(|file| Source::of(file)).collect();
    take_all(project, &sources, &Chosen::default(), false, &ReadOptions::default(), listing.issues, context)
}

fn take_all(
    project: &Project,
    sources: &[Source],
    chosen: &Chosen,
    anew: bool,
    options: &ReadOptions,
    issues: Vec<Issue>,
    context: &Context,
) -> Outcome<(ImportOutcome, Option<Failure>)> {
    let mut store = project.store()?;
    let count = base::token_count(&project.file().base, context);
    let passages = project.file().passages;
    let total = sources.iter().map(Source::bytes).sum();
    let mut taking = Taking { project, chosen, passages, anew, options, count: &*count, context, done: 0, total };
    let mut outcome = ImportOutcome { issues, ..ImportOutcome::default() };
    let mut failed = None;
    context.job.stage("import");
    for source in sources {
        failure::check(&context.job)?;
        context.job.progress(taking.done, total, "bytes");
        match taking.take(&mut store, source, &mut outcome) {
            Ok(()) => {}
            Err(Failure::Cancelled) => return Err(Failure::Cancelled),
            Err(error) => failed = failed.or(Some(error.at(&source.path))),
        }
        taking.done += source.bytes();
    }
    store.assign_splits(project.file().split_seed, project.shares())?;
    context.job.progress(total, total, "bytes");
    if outcome.documents.is_empty() && outcome.unchanged == 0 {
        failed = failed.or_else(|| nothing(&outcome.issues));
    }
    Ok((outcome, failed))
}

/// The program that recognises text, with the languages of the project.
fn recogniser(language: &str) -> Outcome<Recogniser> {
    let Some(program) = ocr::find(&std::env::var_os("PATH").unwrap_or_default()) else {
        return Err(Failure::new(
            ErrorCode::NotFound,
            "Text recognition needs the program `tesseract`, which is not installed",
            "Install Tesseract (`apt install tesseract-ocr`, `brew install tesseract`, or its installer for Windows) \
             with the language of your documents, and import again",
        ));
    };
    let languages = ocr::chosen(language, &ocr::languages(&program));
    if languages.is_empty() {
        return Err(Failure::new(
            ErrorCode::NotFound,
            format!("`{}` has none of the languages of this project", program.display()),
            "Install its language data, such as `tesseract-ocr-eng` or `tesseract-ocr-chi-sim`, and import again",
        ));
    }
    Ok(Recogniser { program, languages, max_page_seconds: MAX_OCR_PAGE_SECONDS })
}

/// `--passages 512-1024`.
fn passage_length(words: &str) -> Outcome<PassageLength> {
    let bounds =
        words.split_once('-').and_then(|(min, max)| Some((min.trim().parse().ok()?, max.trim().parse().ok()?)));
    match bounds {
        Some((min, max)) if (16..=32_768).contains(&max) && (1..=max).contains(&min) => Ok(PassageLength { min, max }),
        _ => Err(Failure::new(
            ErrorCode::BadConfig,
            format!("`--passages {words}` is not understood"),
            "Write two numbers of tokens, such as `512-1024`, the second from 16 to 32768 and not below the first",
        )),
    }
}

/// The failure of an import to which no file contributed.
fn nothing(issues: &[Issue]) -> Option<Failure> {
    let first = issues.iter().find(|issue| issue.kind == IssueKind::Unreadable)?;
    let others = issues.iter().filter(|issue| issue.kind == IssueKind::Unreadable).count() - 1;
    let message = match others {
        0 => format!("`{}` could not be used: {}", first.file, first.message),
        _ => format!("None of the {} files could be used; `{}`: {}", others + 1, first.file, first.message),
    };
    Some(Failure::new(ErrorCode::BadInput, message, &first.hint))
}

fn words(outcome: &ImportOutcome) -> String {
    let new = outcome.documents.len().saturating_sub(outcome.changed.len());
    let mut words = format!(
        "{} in, {} there already: {} and {} added.\n",
        many(new as u64, "file"),
        outcome.unchanged,
        many(outcome.passages, "passage"),
        many(outcome.rows, "row")
    );
    for file in &outcome.changed {
        let Changes {
            passages_added,
            passages_removed,
            passages_kept,
            rows_added,
            rows_removed,
            rows_kept,
            back_to_review,
        } = file.changes;
        let how = if file.new_bytes { "changed" } else { "read anew" };
        let mut parts = Vec::new();
        if passages_added + passages_removed + passages_kept > 0 {
            parts.push(format!("passages: {passages_added} new, {passages_removed} gone, {passages_kept} as before"));
        }
        if rows_added + rows_removed + rows_kept > 0 {
            parts.push(format!("rows: {rows_added} new, {rows_removed} gone, {rows_kept} as before"));
        }
        words += &format!("  {} {how}; {}\n", file.name, parts.join("; "));
        if back_to_review > 0 {
            words += &format!(
                "  {}: {} of a passage that is gone, so please review again\n",
                file.name,
                many(back_to_review, "reviewed row")
            );
        }
    }
    for file in &outcome.mappings {
        let named: Vec<_> =
            file.mapping.named().into_iter().map(|(part, column)| format!("{part} = {column}")).collect();
        let named = if named.is_empty() { "conversations".to_owned() } else { named.join(", ") };
        words += &format!("  {}: {} ({named})\n", file.name, many(file.rows, "row"));
    }
    for issue in &outcome.issues {
        let place = if issue.place.is_empty() { String::new() } else { format!(", {}", issue.place) };
        words += &format!("  {}{place}: {}. {}.\n", issue.file, issue.message, issue.hint);
    }
    words
}

fn many(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

impl Failure {
    /// Says which file was being stored.
    fn at(self, path: &str) -> Self {
        match self {
            Self::Error(mut error) => {
                error.message = format!("`{path}` could not be stored: {}", error.message);
                Self::Error(error)
            }
            Self::Cancelled => Self::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_passages_is_two_numbers_in_order() {
        assert_eq!(passage_length("300-600").ok(), Some(PassageLength { min: 300, max: 600 }));
        for wrong in ["", "512", "600-300", "1-8", "0-100", "a-b", "1-99999"] {
            let Err(Failure::Error(error)) = passage_length(wrong) else { panic!("{wrong} was understood") };
            assert_eq!(error.code, ErrorCode::BadConfig);
        }
    }
}
