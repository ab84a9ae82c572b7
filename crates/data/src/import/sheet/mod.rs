//! Spreadsheets: sheets of rows become records. Formulas are taken as the values they last had.

mod xls;

pub(super) use xls::read as read_xls;

use std::io::{Cursor, Read};

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxError};
use csv::StringRecord;
use zip::ZipArchive;

use crate::import::table::{MAX_COLUMNS, is_header, named};
use crate::import::{Input, Parsed};
use crate::issue::IssueList;
use crate::{Content, Issue, Record, Records};

const AGAIN: &str = "Copy or download it again, or open it in its program and save it as new";

type Workbook<'a> = Xlsx<Cursor<&'a [u8]>>;

/// Reads an Excel workbook: every sheet is a table whose first row names its columns; columns of the same name are one.
///
/// The cells come one after the other, so that a single cell in the last row of a sheet costs no memory for the rows before it.
pub(super) fn read(input: &Input) -> Parsed {
    if let Some(issue) = bomb(input) {
        return Parsed::nothing(issue);
    }
    let mut workbook: Workbook = match Xlsx::new(Cursor::new(input.bytes)) {
        Ok(workbook) => workbook,
        Err(error) => return Parsed::nothing(damaged(input.name, &error)),
    };
    let mut sheets = Sheets::new(input.name);
    for sheet in workbook.sheet_names() {
        match rows(&mut workbook, &sheet) {
            Ok(rows) => sheets.add(&sheet, rows),
            Err(error) => sheets.damaged(&sheet, &error.to_string()),
        }
    }
    sheets.finish()
}

/// The sheets of a workbook while they become one list of records.
pub(super) struct Sheets<'a> {
    file: &'a str,
    records: Records,
    issues: IssueList,
    filled: Vec<String>,
}

impl<'a> Sheets<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self { file, records: Records::default(), issues: IssueList::default(), filled: Vec::new() }
    }

    /// Adds the rows of a sheet; one without rows is no sheet.
    pub(super) fn add(&mut self, sheet: &str, rows: Vec<Row>) {
        if !rows.is_empty() {
            add(&mut self.records, rows, self.file, sheet, &mut self.issues);
            self.filled.push(sheet.to_owned());
        }
    }

    /// A sheet that cannot be read, or not to its end.
    pub(super) fn damaged(&mut self, sheet: &str, cause: &str) {
        let message = format!("This sheet cannot be read: {cause}");
        self.issues.push(Issue::partial("damaged_sheet", self.file, &format!("sheet {sheet}"), message, AGAIN));
    }

    pub(super) fn finish(mut self) -> Parsed {
        if self.filled.len() > 1 {
            self.issues.push(Issue::remark(
                "several_sheets",
                self.file,
                "",
                format!("{} sheets were read: {}", self.filled.len(), self.filled.join(", ")),
                "Take out the sheets that hold nothing to learn from, if there are any",
            ));
        }
        let mut issues = self.issues.into_issues();
        if self.records.records.is_empty() {
            let message = "The workbook has no rows below its column names";
            issues.push(Issue::unreadable("no_records", self.file, message, "Check that it was saved completely"));
            return Parsed { content: Content::Nothing, pages: None, issues };
        }
        Parsed { content: Content::Records(self.records), pages: None, issues }
    }
}

/// A package that unpacks to more than the limit. Its own figures are not believed: everything is unpacked once, into nothing.
fn bomb(input: &Input) -> Option<Issue> {
    let limit = input.options.max_unpacked;
    let mut archive = ZipArchive::new(Cursor::new(input.bytes)).ok()?;
    let mut left = limit;
    for index in 0..archive.len() {
        // What cannot be unpacked is named when it is read.
        let Ok(entry) = archive.by_index(index) else { continue };
        let unpacked = std::io::copy(&mut entry.take(left + 1), &mut std::io::sink()).unwrap_or(0);
        if unpacked > left {
            let message = format!("It unpacks to more than the limit of {} MB", limit >> 20);
            return Some(Issue::unreadable(
                "too_large",
                input.name,
                message,
                "If you trust it, save it as CSV and import that",
            ));
        }
        left -= unpacked;
    }
    None
}

fn damaged(file: &str, error: &XlsxError) -> Issue {
    if matches!(error, XlsxError::Password) {
        let message = "This Excel workbook is protected by a password";
        return Issue::unreadable("password_protected", file, message, "Save it without a password, and import that");
    }
    let message = format!("This Excel workbook is damaged or was cut off: {error}");
    Issue::unreadable("damaged", file, message, AGAIN)
}

/// One row of a sheet: its number, from 1, and its cells with their columns, from 0, in order.
pub(super) struct Row {
    pub line: u32,
    pub cells: Vec<(usize, String)>,
}

impl Row {
    fn width(&self) -> usize {
        self.cells.last().map_or(0, |(column, _)| column + 1)
    }
}

/// The rows of a sheet that hold anything.
fn rows(workbook: &mut Workbook, sheet: &str) -> Result<Vec<Row>, XlsxError> {
    let mut cells = workbook.worksheet_cells_reader(sheet)?;
    let mut rows: Vec<Row> = Vec::new();
    while let Some(cell) = cells.next_cell()? {
        let (row, column) = cell.get_position();
        let text = text(cell.get_value());
        if text.trim().is_empty() {
            continue;
        }
        let line = row + 1;
        if rows.last().is_none_or(|last| last.line != line) {
            rows.push(Row { line, cells: Vec::new() });
        }
        if let Some(row) = rows.last_mut() {
            row.cells.push((column as usize, text));
        }
    }
    Ok(rows)
}

fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Int(number) => number.to_string(),
        // Rust writes 7.0 as `7`, and every number with as many digits as it has.
        DataRef::Float(number) => number.to_string(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(date) => moment(date),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

/// A date, a time of day, both, or a span of hours, as far as the cell says it.
fn moment(date: &ExcelDateTime) -> String {
    let minutes = (date.as_f64() * 24.0 * 60.0).round();
    if date.is_duration() {
        return format!("{}:{:02}", (minutes / 60.0).floor(), minutes.rem_euclid(60.0));
    }
    let (year, month, day, hour, minute, ..) = date.to_ymd_hms_milli();
    if date.as_f64() < 1.0 {
        format!("{hour:02}:{minute:02}")
    } else if (hour, minute) == (0, 0) {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
    }
}

/// Adds the rows of a sheet to what was read before.
fn add(records: &mut Records, rows: Vec<Row>, file: &str, sheet: &str, issues: &mut IssueList) {
    let widest = rows.iter().map(Row::width).max().unwrap_or(0);
    let width = widest.min(MAX_COLUMNS);
    if widest > width {
        issues.push(Issue::partial(
            "too_many_columns",
            file,
            &format!("sheet {sheet}"),
            format!("The sheet has {widest} columns; those after the first {MAX_COLUMNS} were left out"),
            "Keep the columns that hold questions and answers",
        ));
    }
    let mut rows = rows.into_iter().peekable();
    let first: StringRecord = rows.peek().map_or_else(StringRecord::new, |row| values(row, width).into());
    let names = if is_header(&first) {
        rows.next();
        named(first.iter())
    } else {
        issues.push(Issue::remark(
            "no_header",
            file,
            &format!("sheet {sheet}, line 1"),
            "The first row does not look like column names, so it was taken as a row",
            "Put a row with column names first if it is one",
        ));
        named(std::iter::repeat_n("", width))
    };
    let places: Vec<usize> = names
        .into_iter()
        .map(|name| {
            records.column(&name).unwrap_or_else(|| {
                records.columns.push(name);
                records.columns.len() - 1
            })
        })
        .collect();
    for row in rows {
        let mut of_record = vec![String::new(); records.columns.len()];
        for (place, value) in places.iter().zip(values(&row, width)) {
            of_record[*place] = value;
        }
        records.records.push(Record { line: row.line, values: of_record, messages: Vec::new() });
    }
}

/// The cells of a row by column, empty where there is none.
fn values(row: &Row, width: usize) -> Vec<String> {
    let mut values = vec![String::new(); width];
    for (column, text) in row.cells.iter().filter(|(column, _)| *column < width) {
        values[*column].clone_from(text);
    }
    values
}

#[cfg(test)]
mod tests;
