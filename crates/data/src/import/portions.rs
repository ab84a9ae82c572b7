//! Large structured files in portions, so that memory does not grow with the file: JSON Lines and tables in UTF-8.
//!
//! Everything else (other encodings, a JSON array, a table with a quote that is never closed) is read as a whole.

use std::io::Read;
use std::path::Path;

use hone_job::fs::FsError;
use hone_job::{Cancelled, Job, fs};
use sha2::{Digest, Sha256};

use crate::import::format::{Format, Recognised, recognise};
use crate::import::{json, table};
use crate::{Issue, Record};

/// Smaller files are read as a whole, bytes.
const LARGE: u64 = 8 << 20;
/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// A line longer than this is no record, bytes.
pub(super) const LONGEST_LINE: usize = 64 << 20;

/// What a first reading of a file's bytes tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// SHA-256 of its bytes, lower-case hex.
    pub hash: String,
    /// Size, bytes.
    pub bytes: u64,
    /// UTF-8 without control characters.
    plain: bool,
    /// No quote is left open.
    quotes_close: bool,
    /// The last byte is a line end.
    ends_with_line: bool,
    head: Vec<u8>,
}

/// Why a file could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// It cannot be read.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The job was asked to stop.
    #[error("stopped")]
    Cancelled,
}

impl From<Cancelled> for LookError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// Reads a file once, whatever its size, for its hash and for what [`open`] needs to know.
///
/// # Errors
/// [`LookError`].
pub fn look(path: &Path, job: &Job) -> Result<Look, LookError> {
    let mut file = fs::open(path)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    let mut text = Plain::default();
    let (mut bytes, mut quotes_close, mut last) = (0u64, true, b'\n');
    let mut head = Vec::new();
    loop {
        job.check()?;
        let count =
            file.read(&mut buffer).map_err(|source| FsError { action: "read", path: path.to_owned(), source })?;
        let Some(end) = buffer[..count].last() else { break };
        let chunk = &buffer[..count];
        last = *end;
        bytes += count as u64;
        sum.update(chunk);
        text.take(chunk);
        quotes_close ^= chunk.iter().fold(false, |open, byte| open ^ (*byte == b'"'));
        if head.len() < CHUNK {
            head.extend_from_slice(&chunk[..count.min(CHUNK - head.len())]);
        }
    }
    let hash = sum.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    Ok(Look { hash, bytes, plain: text.is_plain(), quotes_close, ends_with_line: last == b'\n', head })
}

/// Whether bytes that come in chunks are UTF-8 without control characters.
#[derive(Default)]
struct Plain {
    broken: bool,
    /// The beginning of a character whose rest is in the next chunk.
    open: Vec<u8>,
}

impl Plain {
    fn take(&mut self, chunk: &[u8]) {
        if self.broken {
            return;
        }
        let joined: Vec<u8>;
        let mut rest = chunk;
        if !self.open.is_empty() {
            // A character has at most four bytes.
            let more = chunk.len().min(4);
            joined = [&self.open[..], &chunk[..more]].concat();
            let length = match joined.utf8_chunks().next() {
                Some(first) if !first.valid().is_empty() => first.valid().chars().next().map_or(0, char::len_utf8),
                _ => 0,
            };
            if length <= self.open.len() {
                self.broken = true;
                return;
            }
            rest = &chunk[length - self.open.len()..];
            self.open.clear();
        }
        match std::str::from_utf8(rest) {
            Ok(text) => self.check(text),
            Err(error) => {
                let (valid, open) = rest.split_at(error.valid_up_to());
                self.check(std::str::from_utf8(valid).unwrap_or_default());
                if error.error_len().is_none() { self.open = open.to_vec() } else { self.broken = true }
            }
        }
    }

    fn check(&mut self, text: &str) {
        let control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t' | 0xC) || *byte == 0x7F;
        // U+0080 to U+009F are 0xC2 with a byte below 0xA0.
        let bytes = text.as_bytes();
        let high = || bytes.windows(2).any(|pair| pair[0] == 0xC2 && pair[1] < 0xA0);
        self.broken |= bytes.iter().filter(|byte| control(byte)).count() > 0 || (!text.is_ascii() && high());
    }

    fn is_plain(&self) -> bool {
        !self.broken && self.open.is_empty()
    }
}

/// A large structured file, portion by portion.
pub struct Portions<R> {
    reader: Reader<R>,
    read: u64,
}

enum Reader<R> {
    /// Of `buffer` the first `held` bytes are read and not yet given.
    Lines {
        source: R,
        buffer: Vec<u8>,
        held: usize,
        lines: Box<json::Lines>,
        ended: bool,
    },
    Table(Box<table::Rows<R>>),
}

/// Reads a file in portions. `None` where it is small or has to be read as a whole. `name` tells the format by its
/// extension, and names the file in the issues; `look` is what was seen of these very bytes.
pub fn open<R: Read>(source: R, name: &str, look: &Look) -> Option<Portions<R>> {
    if look.bytes < LARGE || !look.plain {
        return None;
    }
    let reader = match recognise(Path::new(name), &look.head) {
        Recognised::Known(Format::Jsonl, _) if json::is_lines(&look.head) => {
            Reader::Lines { source, buffer: Vec::new(), held: 0, lines: Box::new(json::Lines::new(name)), ended: false }
        }
        Recognised::Known(Format::Csv, _) if look.quotes_close => {
            Reader::Table(Box::new(table::Rows::open(source, name, &look.head, look.ends_with_line)?))
        }
        _ => return None,
    };
    Some(Portions { reader, read: 0 })
}

impl<R: Read> Portions<R> {
    /// The next records; none at the end.
    ///
    /// # Errors
    /// What reading the file gives.
    pub fn portion(&mut self) -> std::io::Result<Vec<Record>> {
        match &mut self.reader {
            Reader::Table(rows) => {
                let records = rows.portion()?;
                self.read = rows.read();
                Ok(records)
            }
            Reader::Lines { source, buffer, held, lines, ended } => {
                loop {
                    if *ended {
                        return Ok(Vec::new());
                    }
                    if buffer.len() < *held + CHUNK {
                        buffer.resize(*held + CHUNK, 0);
                    }
                    let count = source.read(&mut buffer[*held..])?;
                    *held += count;
                    self.read += count as u64;
                    let rest = &buffer[..*held];
                    *ended = count == 0;
                    let end = match rest.iter().rposition(|byte| *byte == b'\n') {
                        Some(end) if !*ended => end + 1,
                        None if !*ended && rest.len() < LONGEST_LINE => continue,
                        _ => rest.len(),
                    };
                    // It was found to be UTF-8; a file that is written to meanwhile is refused at its end.
                    let records = lines.take(&String::from_utf8_lossy(&rest[..end]));
                    buffer.copy_within(end..*held, 0);
                    *held -= end;
                    if !records.is_empty() || *ended {
                        return Ok(records);
                    }
                }
            }
        }
    }

    /// Bytes read so far.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// The columns seen so far.
    pub fn columns(&self) -> &[String] {
        match &self.reader {
            Reader::Lines { lines, .. } => lines.columns(),
            Reader::Table(rows) => rows.columns(),
        }
    }

    /// The format's name, as in [`crate::Document::format`].
    pub fn format(&self) -> &'static str {
        match self.reader {
            Reader::Lines { .. } => Format::Jsonl.name(),
            Reader::Table(_) => Format::Csv.name(),
        }
    }

    /// What was noticed; and what was read from, which stands at its end.
    pub fn finish(self) -> (Vec<Issue>, R) {
        match self.reader {
            Reader::Lines { lines, source, .. } => (lines.finish(), source),
            Reader::Table(rows) => rows.finish(),
        }
    }
}
