//! Foreign files in: what they hold, and what was wrong with them. Bad input is an issue, never an error.
//!
//! Each format is one file or folder here. Text recognition itself ([`ocr`]) is a program of its own; where it is not
//! asked for, scanned pages are named.

mod archive;
mod decode;
mod docx;
mod epub;
mod flow;
mod format;
mod grid;
mod html;
mod json;
mod list;
mod markdown;
pub mod ocr;
mod opendocument;
mod package;
mod paragraphs;
mod parquet;
mod pdf;
mod portions;
mod pptx;
mod read;
mod rtf;
mod sheet;
mod table;
mod watch;
mod xml;

use hone_job::Job;

use crate::{Content, Document, Issue};

pub use archive::{Archive, Entry, WITHIN, open as open_archive};
pub use format::Format;
pub use list::{Listing, list};
pub use portions::{Look, LookError, Portions, look, open};
pub use read::{hash, read, read_bytes, read_entry};

/// How one file is read: within which limits, and what with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// A larger file is not read, bytes.
    pub max_bytes: u64,
    /// A packed file that unpacks to more is not read, bytes.
    pub max_unpacked: u64,
    /// Nesting of elements or values beyond this is cut off.
    pub max_depth: usize,
    /// Further pages are left out.
    pub max_pages: u32,
    /// Reading a PDF stops between two pages after this long, seconds.
    pub max_seconds: u64,
    /// A PDF whose reader spends this long on one page is given up, seconds.
    pub max_page_seconds: u64,
    /// What recognises the text of scanned pages; without it they are named and left out.
    pub ocr: Option<ocr::Recogniser>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            max_bytes: 2 << 30,
            max_unpacked: 256 << 20,
            max_depth: 256,
            max_pages: 20_000,
            max_seconds: 600,
            max_page_seconds: 20,
            ocr: None,
        }
    }
}

/// What reading one file gave.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadOutcome {
    /// The document with its issues; absent when the file gave nothing.
    pub document: Option<Document>,
    /// What it holds.
    pub content: Content,
    /// Everything noticed, also when there is no document.
    pub issues: Vec<Issue>,
}

/// What a format's reader gets.
struct Input<'a> {
    name: &'a str,
    bytes: &'a [u8],
    options: &'a ReadOptions,
    job: &'a Job,
}

/// What a format's reader gives.
struct Parsed {
    content: Content,
    pages: Option<u32>,
    issues: Vec<Issue>,
}

impl Parsed {
    fn nothing(issue: Issue) -> Self {
        Self { content: Content::Nothing, pages: None, issues: vec![issue] }
    }
}
