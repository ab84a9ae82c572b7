use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hone_job::{Cancelled, Job, fs};
use sha2::{Digest, Sha256};

use crate::content::document_text;
use crate::import::format::{Recognised, recognise};
use crate::import::{
    Format, Input, Parsed, ReadOptions, ReadOutcome, docx, json, markdown, paragraphs, sheet, table, watch,
};
use crate::{Content, Document, Issue};

/// Parsers of foreign files recurse; a deep stack turns many overflows into depth limits. Bytes.
const STACK: usize = 256 << 20;

/// Reads one file. Whatever is wrong with it comes back as issues.
///
/// # Errors
/// [`Cancelled`] when `job` was asked to stop.
pub fn read(path: &Path, options: &ReadOptions, job: &Job) -> Result<ReadOutcome, Cancelled> {
    job.check()?;
    let name = file_name(path);
    let refused = |code, message: String, hint| {
        let issue = Issue::unreadable(code, &name, message, hint);
        Ok(ReadOutcome { document: None, content: Content::Nothing, issues: vec![issue] })
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > options.max_bytes => {
            let message = format!(
                "The file has {} MB, more than the limit of {} MB",
                metadata.len() >> 20,
                options.max_bytes >> 20
            );
            return refused("too_large", message, "Split it into smaller files");
        }
        Ok(metadata) if !metadata.is_file() => {
            return refused("not_a_file", "This is not a file".to_owned(), "Choose a document");
        }
        _ => {}
    }
    match fs::read(path) {
        Ok(bytes) => read_bytes(path, &bytes, options, job),
        Err(error) => {
            let hint = "Allow reading it, or check that it is still there and the disk is connected";
            refused("unreadable", error.to_string(), hint)
        }
    }
}

/// As [`read`], for bytes that are at hand; `path` gives the name and the extension.
///
/// # Errors
/// [`Cancelled`] when `job` was asked to stop.
pub fn read_bytes(path: &Path, bytes: &[u8], options: &ReadOptions, job: &Job) -> Result<ReadOutcome, Cancelled> {
    let name = file_name(path);
    let (format, parsed) = parse(path, &Input { name: &name, bytes, options, job })?;
    let Parsed { content, pages, issues } = parsed;
    let characters = match &content {
        Content::Nothing => 0,
        Content::Text(blocks) => document_text(blocks).chars().count(),
        Content::Records(records) => records
            .records
            .iter()
            .map(|record| {
                let values: usize = record.values.iter().map(|value| value.chars().count()).sum();
                values + record.messages.iter().map(|message| message.content.chars().count()).sum::<usize>()
            })
            .sum(),
    };
    let document = (content != Content::Nothing).then(|| Document {
        hash: hash(bytes),
        name,
        path: path.display().to_string(),
        format: format.map_or("", Format::name).to_owned(),
        bytes: bytes.len() as u64,
        pages,
        characters: characters as u64,
        issues: issues.clone(),
    });
    Ok(ReadOutcome { document, content, issues })
}

/// The hash by which a document is known: SHA-256 of its bytes, lower-case hex.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The last part of a path, as the user knows it.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn parse(path: &Path, input: &Input) -> Result<(Option<Format>, Parsed), Cancelled> {
    let unreadable = |code, message: String, hint| Parsed::nothing(Issue::unreadable(code, input.name, message, hint));
    let parsed = match recognise(path, input.bytes) {
        Recognised::Known(format, as_claimed) => {
            let mut parsed = isolated(format, input)?;
            if !as_claimed && parsed.content != Content::Nothing {
                parsed.issues.insert(
                    0,
                    Issue::remark(
                        "lying_extension",
                        input.name,
                        "",
                        format!("The name says otherwise, but this is a {} and was read as one", format.title()),
                        "Rename it if you like; nothing was left out",
                    ),
                );
            }
            return Ok((Some(format), parsed));
        }
        Recognised::Unsupported(what, hint) => {
            unreadable("unsupported_format", format!("This is {what}, which Hone does not read"), hint)
        }
        Recognised::Protected => unreadable(
            "password_protected",
            "This Office file is protected by a password, or is of an old kind".to_owned(),
            "Open it in its program, save it as DOCX or XLSX without a password, and import that",
        ),
        Recognised::Empty => {
            unreadable("empty_file", "The file is empty".to_owned(), "Check that it was saved or copied completely")
        }
    };
    Ok((None, parsed))
}

/// Runs the reader on a thread of its own with a deep stack, so that a panic in foreign code costs one file.
fn isolated(format: Format, input: &Input) -> Result<Parsed, Cancelled> {
    if format == Format::Pdf {
        return watch::pdf(input, STACK);
    }
    let work = || catch_unwind(AssertUnwindSafe(|| dispatch(format, input)));
    let outcome = std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().name("reader".to_owned()).stack_size(STACK).spawn_scoped(scope, work);
        match reader {
            Ok(reader) => reader.join().unwrap_or_else(Err),
            Err(_) => work(),
        }
    });
    Ok(outcome.unwrap_or_else(|panic| {
        let cause = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        stopped(format, input.name, cause.unwrap_or("no cause given"))
    }))
}

/// What a file gives whose reader panicked.
pub(super) fn stopped(format: Format, name: &str, cause: &str) -> Parsed {
    Parsed::nothing(Issue::unreadable(
        "damaged",
        name,
        format!("This {} is damaged in a way that stopped its reader: {cause}", format.title()),
        "Open it in the program that made it, save it again, and import that",
    ))
}

fn dispatch(format: Format, input: &Input) -> Parsed {
    match format {
        Format::Docx => docx::read(input),
        Format::Markdown => markdown::read(input),
        Format::Text | Format::Pdf => paragraphs::read(input),
        Format::Csv => table::read(input),
        Format::Xlsx => sheet::read(input),
        Format::Jsonl => json::read(input),
    }
}
