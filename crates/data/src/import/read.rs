use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::AtomicU32;

use hone_job::{Cancelled, Job, fs};
use sha2::{Digest, Sha256};

use crate::content::document_text;
use crate::import::format::{Recognised, recognise};
use crate::import::{
    Format, Input, Parsed, ReadOptions, ReadOutcome, docx, epub, html, json, markdown, opendocument, paragraphs,
    parquet, pdf, pptx, rtf, sheet, table, watch,
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
    read_as(&file_name(path), path, path, bytes, options, job)
}

/// As [`read_bytes`], for a file in an archive: `name` as [`crate::import::Entry`] tells it.
///
/// # Errors
/// [`Cancelled`] when `job` was asked to stop.
pub fn read_entry(
    archive: &Path,
    name: &str,
    bytes: &[u8],
    options: &ReadOptions,
    job: &Job,
) -> Result<ReadOutcome, Cancelled> {
    read_as(name, Path::new(name), archive, bytes, options, job)
}

/// Reads `bytes` as what they and the extension of `like` say; the document has this name and lies at `path`.
fn read_as(
    name: &str,
    like: &Path,
    path: &Path,
    bytes: &[u8],
    options: &ReadOptions,
    job: &Job,
) -> Result<ReadOutcome, Cancelled> {
    let (format, parsed) = parse(like, &Input { name, bytes, options, job })?;
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
        name: name.to_owned(),
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

/// Runs the reader on a thread of its own with a deep stack, so that a panic in foreign code costs one file. Where a
/// file may keep its reader busy for ever, it is watched too; rows and plain text are gone through once.
fn isolated(format: Format, input: &Input) -> Result<Parsed, Cancelled> {
    match format {
        Format::Markdown | Format::Text | Format::Csv | Format::Jsonl => in_scope(format, input),
        _ => watch::watched(format, input, STACK, dispatch),
    }
}

fn in_scope(format: Format, input: &Input) -> Result<Parsed, Cancelled> {
    let work = || catch_unwind(AssertUnwindSafe(|| dispatch(format, input, &AtomicU32::new(0))));
    let outcome = std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().name("reader".to_owned()).stack_size(STACK).spawn_scoped(scope, work);
        match reader {
            Ok(reader) => reader.join().unwrap_or_else(Err),
            Err(_) => work(),
        }
    });
    outcome.unwrap_or_else(|panic| Ok(panicked(format, input.name, &*panic)))
}

/// What a file gives whose reader panicked with these words.
pub(super) fn panicked(format: Format, name: &str, panic: &(dyn Any + Send)) -> Parsed {
    let cause = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    stopped(format, name, cause.unwrap_or("no cause given"))
}

/// What a file gives whose reader was stopped.
pub(super) fn stopped(format: Format, name: &str, cause: &str) -> Parsed {
    Parsed::nothing(Issue::unreadable(
        "damaged",
        name,
        format!("This {} is damaged in a way that stopped its reader: {cause}", format.title()),
        "Open it in the program that made it, save it again, and import that",
    ))
}

/// Reads a file as what it is. Of a PDF, `pages` counts the pages behind it.
///
/// # Errors
/// [`Cancelled`] when the job was asked to stop.
pub(super) fn dispatch(format: Format, input: &Input, pages: &AtomicU32) -> Result<Parsed, Cancelled> {
    Ok(match format {
        Format::Pdf => return pdf::read(input, pages),
        Format::Docx => docx::read(input),
        Format::Pptx => pptx::read(input),
        Format::Odt => opendocument::read_text(input),
        Format::Rtf => rtf::read(input),
        Format::Epub => epub::read(input),
        Format::Html => html::read(input),
        Format::Markdown => markdown::read(input),
        Format::Text => paragraphs::read(input),
        Format::Csv => table::read(input),
        Format::Xlsx => sheet::read(input),
        Format::Xls => sheet::read_xls(input),
        Format::Ods => opendocument::read_sheet(input),
        Format::Parquet => parquet::read(input),
        Format::Jsonl => json::read(input),
    })
}
