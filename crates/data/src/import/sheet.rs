use std::io::{Cursor, Read};

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxError};
use csv::StringRecord;
use zip::ZipArchive;

use crate::import::table::{MAX_COLUMNS, is_header, named};
use crate::import::{Input, Parsed};
use crate::issue::IssueList;
use crate::{Content, Issue, Record, Records};

const AGAIN: &str = "Copy or download it again, or open it in Excel and save it as new";

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
    let mut records = Records::default();
    let mut issues = IssueList::default();
    let mut filled = Vec::new();
    for sheet in workbook.sheet_names() {
        match rows(&mut workbook, &sheet) {
            Ok(rows) if rows.is_empty() => {}
            Ok(rows) => {
                add(&mut records, rows, input.name, &sheet, &mut issues);
                filled.push(sheet);
            }
            Err(error) => issues.push(Issue::partial(
                "damaged_sheet",
                input.name,
                &format!("sheet {sheet}"),
                format!("This sheet cannot be read: {error}"),
                AGAIN,
            )),
        }
    }
    if filled.len() > 1 {
        issues.push(Issue::remark(
            "several_sheets",
            input.name,
            "",
            format!("{} sheets were read: {}", filled.len(), filled.join(", ")),
            "Take out the sheets that hold nothing to learn from, if there are any",
        ));
    }
    let mut issues = issues.into_issues();
    if records.records.is_empty() {
        let message = "The workbook has no rows below its column names";
        issues.push(Issue::unreadable("no_records", input.name, message, "Check that it was saved completely"));
        return Parsed { content: Content::Nothing, pages: None, issues };
    }
    Parsed { content: Content::Records(records), pages: None, issues }
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
struct Row {
    line: u32,
    cells: Vec<(usize, String)>,
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
mod tests {
    use std::io::Write;

    use hone_job::Job;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::import::ReadOptions;

    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const LINKS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

    /// A workbook with these sheets, each the XML of its rows; styles 1 and 2 are a date and a time of day.
    fn workbook(sheets: &[(&str, &str)]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let mut part = |name: &str, text: &str| {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        };
        let each = |make: &dyn Fn(usize, &str) -> String| -> String {
            sheets.iter().enumerate().map(|(at, (name, _))| make(at + 1, name)).collect()
        };
        let listed = each(&|at, name| format!("<sheet name=\"{name}\" sheetId=\"{at}\" r:id=\"r{at}\"/>"));
        part(
            "xl/workbook.xml",
            &format!("<workbook xmlns=\"{MAIN}\" xmlns:r=\"{LINKS}\"><sheets>{listed}</sheets></workbook>"),
        );
        let linked = each(&|at, _| {
            format!("<Relationship Id=\"r{at}\" Type=\"{LINKS}/worksheet\" Target=\"worksheets/sheet{at}.xml\"/>")
        });
        let package = "http://schemas.openxmlformats.org/package/2006/relationships";
        let whole = format!("<Relationship Id=\"r1\" Type=\"{LINKS}/officeDocument\" Target=\"xl/workbook.xml\"/>");
        part("_rels/.rels", &format!("<Relationships xmlns=\"{package}\">{whole}</Relationships>"));
        part("xl/_rels/workbook.xml.rels", &format!("<Relationships xmlns=\"{package}\">{linked}</Relationships>"));
        part(
            "xl/styles.xml",
            &format!(
                "<styleSheet xmlns=\"{MAIN}\"><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"20\"/></cellXfs></styleSheet>"
            ),
        );
        for (at, (_, rows)) in sheets.iter().enumerate() {
            let sheet = format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>");
            part(&format!("xl/worksheets/sheet{}.xml", at + 1), &sheet);
        }
        zip.finish().unwrap().into_inner()
    }

    fn parse(bytes: &[u8]) -> Parsed {
        let options = ReadOptions { max_unpacked: 8 << 20, ..ReadOptions::default() };
        read(&Input { name: "t.xlsx", bytes, options: &options, job: &Job::silent() })
    }

    fn text_cell(place: &str, text: &str) -> String {
        format!("<c r=\"{place}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
    }

    fn row(line: u32, cells: &[String]) -> String {
        format!("<row r=\"{line}\">{}</row>", cells.concat())
    }

    #[test]
    fn numbers_dates_and_times_come_as_people_write_them() {
        let header = row(1, &["A1", "B1", "C1", "D1"].map(|place| text_cell(place, &format!("column {place}"))));
        // Day 46351 counted from 1899-12-30 is 25 November 2026; three quarters of a day are 18:00.
        let cells = [
            "<c r=\"A2\"><v>7</v></c>",
            "<c r=\"B2\"><v>12.5</v></c>",
            "<c r=\"C2\" s=\"1\"><v>46351</v></c>",
            "<c r=\"D2\" s=\"2\"><v>0.75</v></c>",
        ];
        let parsed = parse(&workbook(&[("Prices", &(header + &row(2, &cells.map(str::to_owned))))]));
        let Content::Records(records) = parsed.content else { panic!("{:?}", parsed.issues) };
        assert_eq!(records.records[0].values, ["7", "12.5", "2026-11-25", "18:00"]);
        assert_eq!((records.records[0].line, parsed.issues.len()), (2, 0));
    }

    #[test]
    fn every_sheet_is_read_and_columns_of_the_same_name_are_one() {
        let sheet = |names: [&str; 2], values: [&str; 2]| {
            row(1, &[text_cell("A1", names[0]), text_cell("B1", names[1])])
                + &row(5, &[text_cell("A5", values[0]), text_cell("B5", values[1])])
        };
        let parsed = parse(&workbook(&[
            ("One", &sheet(["question", "answer"], ["Who?", "Me"])),
            ("Empty", ""),
            ("Two", &sheet(["answer", "where"], ["Here", "shed"])),
        ]));
        let Content::Records(records) = parsed.content else { panic!("{:?}", parsed.issues) };
        assert_eq!(records.columns, ["question", "answer", "where"]);
        let rows: Vec<_> = records.records.iter().map(|record| (record.line, record.values.join("|"))).collect();
        assert_eq!(rows, [(5, "Who?|Me".to_owned()), (5, "|Here|shed".to_owned())]);
        assert!(parsed.issues[0].message.contains("2 sheets were read: One, Two"), "{:?}", parsed.issues);
    }

    #[test]
    fn a_cell_in_the_last_place_of_a_sheet_costs_nothing() {
        let rows = row(1, &[text_cell("A1", "question"), text_cell("B1", "answer")])
            + &row(2, &[text_cell("A2", "Who?"), text_cell("B2", "Me")])
            + &row(1_048_576, &[text_cell("XFD1048576", "far")]);
        let parsed = parse(&workbook(&[("Far", &rows)]));
        let Content::Records(records) = parsed.content else { panic!("{:?}", parsed.issues) };
        assert_eq!(records.records.len(), 2);
        assert_eq!(
            (parsed.issues[0].code.as_str(), parsed.issues[0].place.as_str()),
            ("too_many_columns", "sheet Far")
        );
    }

    #[test]
    fn what_is_cut_off_empty_or_unpacks_without_end_is_named() {
        let sound = workbook(&[("A", &row(1, &[text_cell("A1", "question"), text_cell("B1", "answer")]))]);
        assert_eq!(parse(&sound).issues[0].code, "no_records");
        assert_eq!(parse(&sound[..sound.len() / 2]).issues[0].code, "damaged");
        let bomb = workbook(&[("A", &" ".repeat(9 << 20))]);
        assert!(bomb.len() < 100_000);
        assert_eq!(parse(&bomb).issues[0].code, "too_large");
    }
}
