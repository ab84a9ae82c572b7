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
    assert_eq!((parsed.issues[0].code.as_str(), parsed.issues[0].place.as_str()), ("too_many_columns", "sheet Far"));
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
