//! `hone import PATH…`: files or folders in, documents and issues out.

use std::path::{Path, PathBuf};

use hone_data::import::{self, ReadOptions, ReadOutcome};
use hone_data::passages::{self, PassageLength};
use hone_data::split::SplitShares;
use hone_data::{Content, Document, Issue, IssueKind, MappedFile, Mapping, Records, mapping, reading};
use hone_job::{ErrorCode, fs};
use hone_studio::store::{Added, Imported};
use hone_studio::{Project, Store, sources};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::args::Import;
use crate::context::Context;
use crate::failure::{self, Failure, Outcome};
use crate::output::Report;
use crate::verbs::base::{self, TokenCount};

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
    /// Files that were there already.
    pub unchanged: u64,
    /// How the columns of the structured files were understood.
    pub mappings: Vec<MappedFile>,
}

/// Imports what the arguments name.
pub fn run(arguments: &Import, context: &Context) -> Outcome {
    let chosen = chosen(&arguments.map)?;
    let (outcome, failed) = import(&context.project()?, &arguments.paths, &chosen, context)?;
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
pub fn import(
    project: &Project,
    paths: &[PathBuf],
    chosen: &[(String, String)],
    context: &Context,
) -> Outcome<(ImportOutcome, Option<Failure>)> {
    let mut store = project.store()?;
    let count = base::token_count(&project.file().base, context);
    let listing = import::list(paths);
    let mut outcome = ImportOutcome { issues: listing.issues, ..ImportOutcome::default() };
    let mut failed = None;
    context.job.stage("import");
    for (done, path) in listing.files.iter().enumerate() {
        failure::check(&context.job)?;
        context.job.progress(done as u64, listing.files.len() as u64, "files");
        match take(project, &mut store, path, chosen, &count, &mut outcome, context) {
            Ok(()) => {}
            Err(Failure::Cancelled) => return Err(Failure::Cancelled),
            Err(error) => failed = failed.or(Some(error.at(path))),
        }
    }
    store.assign_splits(project.file().split_seed, SplitShares::default())?;
    context.job.progress(listing.files.len() as u64, listing.files.len() as u64, "files");
    if outcome.documents.is_empty() && outcome.unchanged == 0 {
        failed = failed.or_else(|| nothing(&outcome.issues));
    }
    Ok((outcome, failed))
}

/// One file.
fn take(
    project: &Project,
    store: &mut Store,
    path: &Path,
    chosen: &[(String, String)],
    count: &TokenCount,
    outcome: &mut ImportOutcome,
    context: &Context,
) -> Outcome<()> {
    let options = ReadOptions::default();
    let small_enough = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= options.max_bytes);
    let bytes = if small_enough { fs::read(path).ok() } else { None };
    let Some(bytes) = bytes else {
        let refused = import::read(path, &options, &context.job).map_err(|_| Failure::Cancelled)?;
        outcome.issues.extend(refused.issues);
        return Ok(());
    };
    let hash = import::hash(&bytes);
    if store.has_document(&hash)? {
        outcome.unchanged += 1;
        return Ok(());
    }
    let ReadOutcome { document, content, mut issues } =
        import::read_bytes(path, &bytes, &options, &context.job).map_err(|_| Failure::Cancelled)?;
    let (mut passages, mut rows) = (Vec::new(), Vec::new());
    let mut mapped = None;
    match &content {
        Content::Nothing => {}
        Content::Text(blocks) => {
            passages = passages::split(blocks, count, PassageLength::default());
            rows = reading::rows(&hash, &passages);
        }
        Content::Records(records) => {
            let name = document.as_ref().map_or("", |document| document.name.as_str());
            let mapping = with_chosen(mapping::guess(records), chosen, records);
            let applied = mapping::apply(records, &mapping, &hash, name);
            mapped = Some(MappedFile::of(&hash, name, records, &mapping, &applied.rows));
            issues.extend(applied.issues);
            rows = applied.rows;
        }
    }
    let gave = document.is_some();
    let document = Document { issues: issues.clone(), ..document.unwrap_or_else(|| nameless(path, &hash, &bytes)) };
    outcome.issues.extend(issues);
    let copied = if gave { Some(sources::keep(project, path, &hash)?) } else { None };
    let imported = Imported { document, passages, rows };
    match store.add(&imported) {
        Ok(Added::Unchanged) => outcome.unchanged += 1,
        Ok(Added::New { passages, rows }) => {
            outcome.passages += passages as u64;
            outcome.rows += rows as u64;
            outcome.mappings.extend(mapped);
            if gave {
                outcome.documents.push(imported.document);
            }
        }
        Err(error) => {
            if let Some((copy, true)) = copied {
                fs::remove_file(&copy)?;
            }
            return Err(error.into());
        }
    }
    Ok(())
}

/// A file that gave nothing: it stands in the list with its issues, and is read anew when it is imported again.
fn nameless(path: &Path, hash: &str, bytes: &[u8]) -> Document {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    Document {
        hash: hash.to_owned(),
        name: text(path.file_name()),
        path: path.display().to_string(),
        format: text(path.extension()).to_lowercase(),
        bytes: bytes.len() as u64,
        pages: None,
        characters: 0,
        issues: Vec::new(),
    }
}

/// `--map question=Frage` as pairs.
fn chosen(words: &[String]) -> Outcome<Vec<(String, String)>> {
    const PARTS: [&str; 7] = ["question", "answer", "context", "system", "text", "label", "split"];
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some((part, column)) if PARTS.contains(&part) => Ok((part.to_owned(), column.to_owned())),
            _ => Err(Failure::new(
                ErrorCode::BadConfig,
                format!("`--map {word}` is not understood"),
                "Write PART=COLUMN, where PART is question, answer, context, system, text, label or split",
            )),
        })
        .collect()
}

/// The guess with what was chosen; an empty column means none. A choice concerns the files that could have it: one
/// that was chosen and is not there is named by `mapping::apply`.
fn with_chosen(mut mapping: Mapping, chosen: &[(String, String)], records: &Records) -> Mapping {
    if records.records.iter().all(|record| !record.messages.is_empty()) {
        return mapping;
    }
    for (part, column) in chosen {
        let column = (!column.is_empty()).then(|| column.clone());
        match part.as_str() {
            "question" => mapping.question = column,
            "answer" => mapping.answer = column,
            "context" => mapping.context = column,
            "system" => mapping.system = column,
            "text" => mapping.text = column,
            "label" => mapping.label = column,
            _ => mapping.split = column,
        }
    }
    mapping
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
    let mut words = format!(
        "{} in, {} there already: {} and {} added.\n",
        many(outcome.documents.len() as u64, "file"),
        outcome.unchanged,
        many(outcome.passages, "passage"),
        many(outcome.rows, "row")
    );
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
    fn at(self, path: &Path) -> Self {
        match self {
            Self::Error(mut error) => {
                error.message = format!("`{}` could not be stored: {}", path.display(), error.message);
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
    fn a_choice_overrides_the_guess_and_an_empty_one_clears_it() {
        let records = Records { columns: vec!["q".into(), "a".into()], records: vec![hone_data::Record::default()] };
        let guess = Mapping { question: Some("q".into()), split: Some("a".into()), ..Mapping::default() };
        let chosen = chosen(&["answer=a".into(), "split=".into()]).unwrap();
        let mapping = with_chosen(guess, &chosen, &records);
        assert_eq!((mapping.question.as_deref(), mapping.answer.as_deref()), (Some("q"), Some("a")));
        assert_eq!(mapping.split, None);
    }

    #[test]
    fn a_mapping_that_is_not_understood_is_named() {
        let Err(Failure::Error(error)) = chosen(&["frage=q".into()]) else { panic!("understood") };
        assert_eq!(error.code, ErrorCode::BadConfig);
        assert!(error.message.contains("frage=q"));
    }
}
