use csv::{ReaderBuilder, StringRecord};

use crate::import::{Input, Parsed, decode};
use crate::issue::IssueList;
use crate::{Content, Issue, Record, Records};

/// Delimiters that are tried.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// More columns than a table has.
pub(super) const MAX_COLUMNS: usize = 1000;
/// After this many quotes that are opened and never closed, the rest is left out.
const MAX_REPAIRS: usize = 20;

/// Reads comma-, tab-, semicolon- or bar-separated values. Rows that do not fit the header are named by their line.
pub(super) fn read(input: &Input) -> Parsed {
    let mut found = Vec::new();
    let text = match decode::decode(input, &mut found) {
        Ok(text) => text,
        Err(issue) => return Parsed::nothing(issue),
    };
    let mut issues = IssueList::default();
    issues.extend(found);
    let delimiter = delimiter(&text);
    let mut rows = rows(&text, delimiter, input.name, &mut issues).into_iter().peekable();
    let Some((_, first)) = rows.peek() else {
        return Parsed::nothing(Issue::unreadable(
            "empty_file",
            input.name,
            "The table has no rows",
            "Check that it was saved completely",
        ));
    };
    if first.len() > MAX_COLUMNS {
        let message = format!("The table has {} columns, more than the limit of {MAX_COLUMNS}", first.len());
        return Parsed::nothing(Issue::unreadable(
            "too_many_columns",
            input.name,
            message,
            "Keep the columns that hold questions and answers",
        ));
    }
    let width = first.len();
    let columns = if is_header(first) {
        let first = rows.next().map(|(_, first)| first).unwrap_or_default();
        named(first.iter())
    } else {
        issues.push(no_header(input.name));
        named(std::iter::repeat_n("", width))
    };
    let mut records = Vec::new();
    for (line, row) in rows {
        records.extend(fitted(&row, line, width, input.name, &mut issues));
    }
    if records.is_empty() {
        let mut issues = issues.into_issues();
        issues.push(no_records(input.name));
        return Parsed { content: Content::Nothing, pages: None, issues };
    }
    Parsed { content: Content::Records(Records { columns, records }), pages: None, issues: issues.into_issues() }
}

/// The record of a row, unless it has more values than there are columns.
fn fitted(row: &StringRecord, line: u32, width: usize, file: &str, issues: &mut IssueList) -> Option<Record> {
    if row.len() > width && row.iter().skip(width).any(|value| !value.trim().is_empty()) {
        issues.push(ragged(file, line, "Too many values", row, width, "so it was left out"));
        return None;
    }
    if row.len() < width {
        let issue = ragged(file, line, "Too few values", row, width, "so the last ones are empty");
        issues.push(Issue { kind: crate::IssueKind::Remark, ..issue });
    }
    Some(Record { line, values: row.iter().take(width).map(str::to_owned).collect(), messages: Vec::new() })
}

fn no_header(file: &str) -> Issue {
    Issue::remark(
        "no_header",
        file,
        "line 1",
        "The first line does not look like column names, so it was taken as a row",
        "Put a line with column names first if it is one",
    )
}

fn no_records(file: &str) -> Issue {
    Issue::unreadable(
        "no_records",
        file,
        "The table has column names but no rows that fit them",
        "Check the delimiter, and that the table was saved completely",
    )
}

/// Rows of a portion.
const PORTION: usize = 2000;

/// A large table in UTF-8 whose quotes close, read in portions.
pub(super) struct Rows<R> {
    reader: csv::Reader<R>,
    name: String,
    columns: Vec<String>,
    first: Option<StringRecord>,
    ends_with_line: bool,
    issues: IssueList,
    found: bool,
}

impl<R: std::io::Read> Rows<R> {
    /// `head` is the beginning of the file. `None` where its first row is no row of a table.
    pub(super) fn open(source: R, name: &str, head: &[u8], ends_with_line: bool) -> Option<Self> {
        let delimiter = delimiter(&String::from_utf8_lossy(head));
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(1 << 20)
            .from_reader(source);
        let mut first = StringRecord::new();
        if !reader.read_record(&mut first).ok()? || first.len() > MAX_COLUMNS {
            return None;
        }
        let mut issues = IssueList::default();
        let (columns, first) = if is_header(&first) {
            (named(first.iter()), None)
        } else {
            issues.push(no_header(name));
            (named(std::iter::repeat_n("", first.len())), Some(first))
        };
        Some(Self { reader, name: name.to_owned(), columns, first, ends_with_line, issues, found: false })
    }

    pub(super) fn portion(&mut self) -> std::io::Result<Vec<Record>> {
        let width = self.columns.len();
        let mut records = Vec::with_capacity(PORTION);
        if let Some(first) = self.first.take() {
            records.extend(fitted(&first, 1, width, &self.name, &mut self.issues));
        }
        let mut row = StringRecord::new();
        while records.len() < PORTION && self.reader.read_record(&mut row).map_err(unreadable)? {
            // The reader stands behind the row; blank lines before it are not its own.
            let inside: u32 = row.iter().map(newlines).sum();
            let cut_off = self.reader.is_done() && !self.ends_with_line;
            let behind = self.reader.position().line() as u32 - u32::from(!cut_off);
            let line = behind.saturating_sub(inside);
            records.extend(fitted(&row, line, width, &self.name, &mut self.issues));
        }
        self.found |= !records.is_empty();
        Ok(records)
    }

    pub(super) fn read(&self) -> u64 {
        self.reader.position().byte()
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn finish(mut self) -> (Vec<Issue>, R) {
        if !self.found {
            self.issues.push(no_records(&self.name));
        }
        (self.issues.into_issues(), self.reader.into_inner())
    }
}

/// What the reader beneath said.
fn unreadable(error: csv::Error) -> std::io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => std::io::Error::other(format!("{other:?}")),
    }
}

fn ragged(file: &str, line: u32, what: &str, row: &StringRecord, width: usize, so: &str) -> Issue {
    Issue::partial(
        "ragged_row",
        file,
        &format!("line {line}"),
        format!("{what}: this row has {} and the table {width} columns, {so}", row.len()),
        "Put values that hold the delimiter or a line end between double quotes",
    )
}

/// The delimiter under which the first rows have the same number of columns, and the most of them.
fn delimiter(text: &str) -> u8 {
    let mut end = text.len().min(1 << 16);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let score = |delimiter: u8| {
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(&text.as_bytes()[..end]);
        let widths: Vec<usize> = reader.records().take(50).filter_map(Result::ok).map(|row| row.len()).collect();
        let width = widths.first().copied().unwrap_or(0);
        let same = widths.iter().filter(|w| **w == width).count() as f64 / widths.len().max(1) as f64;
        if width < 2 { 0.0 } else { same * same * (1.0 + (width as f64).ln()) }
    };
    DELIMITERS.into_iter().rev().max_by(|a, b| score(*a).total_cmp(&score(*b))).unwrap_or(b',')
}

/// All rows with the line each begins on. A quote that is opened and never closed would swallow the rest of the file:
/// such a row is left out and named, and reading goes on behind its first line.
fn rows(text: &str, delimiter: u8, file: &str, issues: &mut IssueList) -> Vec<(u32, StringRecord)> {
    let mut rows = Vec::new();
    let (mut from, mut lines_before) = (0usize, 0u32);
    for repair in 0..=MAX_REPAIRS {
        let rest = &text[from..];
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(rest.as_bytes());
        let mut last = None;
        for row in reader.records().filter_map(Result::ok) {
            let at = row.position().map_or(0, |position| position.byte() as usize);
            let skipped = rest[at..].len() - rest[at..].trim_start_matches(['\n', '\r']).len();
            let line = row.position().map_or(1, |position| position.line() as u32) + newlines(&rest[at..at + skipped]);
            last = Some((at + skipped, line));
            rows.push((lines_before + line, row));
        }
        let Some((at, line)) = last else { break };
        let swallowed = &rest[at..];
        let open = swallowed.matches('"').count() % 2 == 1 && newlines(swallowed.trim_end()) > 0;
        let Some(next) = swallowed.find('\n').filter(|_| open) else { break };
        rows.pop();
        issues.push(Issue::partial(
            "unclosed_quote",
            file,
            &format!("line {}", lines_before + line),
            "A double quote is opened here and never closed, so this row was left out",
            "Close the quote, or double it where it belongs to the text",
        ));
        if repair == MAX_REPAIRS {
            break;
        }
        from += at + next + 1;
        lines_before += line;
    }
    rows
}

fn newlines(text: &str) -> u32 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u32
}

/// Column names: short, different from each other, no numbers, no questions.
pub(super) fn is_header(row: &StringRecord) -> bool {
    let names: Vec<&str> = row.iter().map(str::trim).filter(|name| !name.is_empty()).collect();
    let is_name = |name: &&str| {
        name.chars().count() <= 60
            && name.parse::<f64>().is_err()
            && !name.ends_with(['?', '？', '。', '.', '!', '！'])
            && name.chars().any(char::is_alphabetic)
    };
    !names.is_empty()
        && names.iter().all(is_name)
        && names.iter().collect::<std::collections::HashSet<_>>().len() == names.len()
}

/// Names with numbers for those that are missing or stand twice.
pub(super) fn named<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for (at, name) in names.enumerate() {
        let name = name.trim();
        let name = if name.is_empty() { format!("column {}", at + 1) } else { name.to_owned() };
        columns.push(if columns.contains(&name) { format!("{name} {}", at + 1) } else { name });
    }
    columns
}

#[cfg(test)]
mod tests {
    use hone_job::Job;

    use super::*;
    use crate::import::ReadOptions;

    fn parse(text: &str) -> Parsed {
        read(&Input { name: "t.csv", bytes: text.as_bytes(), options: &ReadOptions::default(), job: &Job::silent() })
    }

    fn records(text: &str) -> (Records, Vec<(String, String)>) {
        let parsed = parse(text);
        let Content::Records(records) = parsed.content else { panic!("{:?}", parsed.issues) };
        (records, parsed.issues.into_iter().map(|issue| (issue.code, issue.place)).collect())
    }

    fn places(issues: &[(String, String)]) -> Vec<(&str, &str)> {
        issues.iter().map(|(code, place)| (code.as_str(), place.as_str())).collect()
    }

    #[test]
    fn delimiters_quotes_and_a_byte_order_mark_are_understood() {
        for text in [
            "question,answer\n\"a, b?\",\"line 1\nline 2\"\nc?,\"say \"\"hi\"\"\"\n",
            "\u{FEFF}question\tanswer\r\n\"a, b?\"\t\"line 1\r\nline 2\"\r\nc?\t\"say \"\"hi\"\"\"\r\n",
            "question;answer\n\"a, b?\";\"line 1\nline 2\"\n\n\nc?;\"say \"\"hi\"\"\"",
        ] {
            let (records, issues) = records(text);
            assert_eq!(records.columns, ["question", "answer"], "{text}");
            assert_eq!(records.records[0].values, ["a, b?", "line 1\nline 2"]);
            assert_eq!(records.records[1].values, ["c?", "say \"hi\""]);
            assert_eq!(issues, []);
        }
    }

    #[test]
    fn lines_are_those_of_the_file_also_behind_blank_lines_and_long_cells() {
        let (records, _) = records("q,a\n1?,\"x\ny\"\n\n2?,z\n");
        assert_eq!(records.records.iter().map(|record| record.line).collect::<Vec<_>>(), [2, 5]);
    }

    #[test]
    fn ragged_rows_are_named_by_line_and_the_others_go_in() {
        let (records, issues) = records("q,a,n\n1?,x,5\n2?,y\n3?,one, two,7\n4?,z,8,,\n");
        assert_eq!(records.records.len(), 3);
        assert_eq!(places(&issues), [("ragged_row", "line 3"), ("ragged_row", "line 4")]);
    }

    #[test]
    fn an_unclosed_quote_costs_one_row_not_the_rest_of_the_file() {
        let (records, issues) = records("q,a\n1?,x\n2?,\"oops\n3?,y\n4?,z\n");
        assert_eq!(records.records.iter().map(|record| record.line).collect::<Vec<_>>(), [2, 4, 5]);
        assert_eq!(places(&issues), [("unclosed_quote", "line 3")]);
    }

    #[test]
    fn a_table_without_names_keeps_its_first_row() {
        let (records, issues) = records("What is it?,This\nWho?,Me\n");
        assert_eq!(records.columns, ["column 1", "column 2"]);
        assert_eq!(records.records.len(), 2);
        assert_eq!(issues[0].0, "no_header");
    }

    #[test]
    fn a_header_alone_is_an_issue_not_an_empty_success() {
        assert_eq!(parse("question,answer\n").issues[0].code, "no_records");
    }

    #[test]
    fn a_million_columns_are_refused() {
        let wide = vec!["x"; 1_000_000].join(",");
        assert_eq!(parse(&format!("{wide}\n{wide}\n")).issues[0].code, "too_many_columns");
    }
}
