use std::io::{Cursor, Write};

use hone_job::Job;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::content::document_text;
use crate::import::{Parsed, ReadOptions};
use crate::{BlockKind, Content};

fn package(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn parse(body: &str, reader: fn(&Input) -> Parsed) -> Parsed {
    let styles = r#"<office:automatic-styles><style:style style:name="P1" style:parent-style-name="Title"/>
        <style:style style:name="T1"><style:text-properties text:display="none"/></style:style>
        <style:style style:name="L" style:parent-style-name="L"/>
        <text:list-style style:name="N"><text:list-level-style-number text:level="1" style:num-format="1"/></text:list-style>
        </office:automatic-styles>"#;
    let content =
        format!("<office:document-content>{styles}<office:body>{body}</office:body></office:document-content>");
    let bytes = package(&[("content.xml", &content)]);
    reader(&Input { name: "t.odt", bytes: &bytes, options: &ReadOptions::default(), job: &Job::silent() })
}

fn check(body: &str, expected: &str) {
    let parsed = parse(body, read_text);
    assert_eq!(parsed.issues, []);
    let Content::Text(blocks) = parsed.content else { panic!() };
    assert_eq!(document_text(&blocks), expected);
}

#[test]
fn titles_headings_spaces_and_notes_are_read_and_deleted_and_hidden_text_left_out() {
    let body = "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes>\
        <text:p text:style-name=\"P1\">Care</text:p><text:h text:outline-level=\"2\">The\n lamp</text:h>\
        <text:p>It<text:s text:c=\"2\"/>broke<text:note><text:note-citation>1</text:note-citation><text:note-body>\
        <text:p>See the log.</text:p></text:note-body></text:note> twice.<text:span text:style-name=\"T1\">hidden</text:span>\
        <text:line-break/>Then<text:tab/>&lt;5.</text:p>";
    check(body, "Care\n\nThe lamp\n\nIt  broke[^1] twice.\nThen\t<5.\n\n[^1]: See the log.\n\n");
    let Content::Text(blocks) = parse(body, read_text).content else { panic!() };
    assert_eq!(blocks[1].kind, BlockKind::Heading { level: 2, title: "The lamp".into() });
}

#[test]
fn lists_and_tables_keep_their_shape() {
    let item = |text: &str| format!("<text:list-item><text:p>{text}</text:p>");
    let body = format!(
        "<text:list text:style-name=\"N\">{}<text:list>{}</text:list-item></text:list></text:list-item>{}<text:p>more</text:p></text:list-item></text:list>\
         <table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell><text:p>b</text:p></table:table-cell></table:table-row>\
         <table:table-row><table:table-cell table:number-columns-spanned=\"2\"><text:p>1</text:p></table:table-cell><table:covered-table-cell/></table:table-row></table:table>",
        item("one"),
        item("inner"),
        item("two"),
    );
    check(&body, "1. one\n  - inner\n2. two\nmore\n\n| a | b |\n|---|---|\n| 1 |  |\n\n");
}

#[test]
fn a_locked_file_and_one_without_content_are_named() {
    let lock = "<manifest><file-entry full-path=\"content.xml\"><encryption-data/></file-entry></manifest>";
    for (parts, code) in [
        (vec![("META-INF/manifest.xml", lock), ("content.xml", "x")], "password_protected"),
        (vec![("meta.xml", "")], "damaged"),
        (vec![("content.xml", "<office:body/>")], "no_text"),
    ] {
        let bytes = package(&parts);
        let input = Input { name: "t.odt", bytes: &bytes, options: &ReadOptions::default(), job: &Job::silent() };
        assert_eq!(read_text(&input).issues[0].code, code);
    }
}

#[test]
fn sheets_become_records_and_a_million_empty_or_repeated_cells_cost_nothing() {
    let cell = |text: &str| {
        format!("<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>")
    };
    let body = format!(
        "<table:table table:name=\"One\"><table:table-row>{}{}</table:table-row>\
         <table:table-row table:number-rows-repeated=\"3\"><table:table-cell table:number-columns-repeated=\"16384\"/></table:table-row>\
         <table:table-row>{}<table:table-cell office:value-type=\"float\" office:value=\"12.5\"><text:p>12,50 €</text:p></table:table-cell></table:table-row>\
         <table:table-row>{}<table:table-cell office:value-type=\"date\" office:date-value=\"2026-11-25T18:00:00\"><text:p>x</text:p></table:table-cell></table:table-row>\
         <table:table-row table:number-rows-repeated=\"1048570\"><table:table-cell table:number-columns-repeated=\"1000000\"><text:p>x</text:p></table:table-cell></table:table-row>\
         </table:table>",
        cell("part"),
        cell("price"),
        cell("Bolt<text:line-break/>M8"),
        cell("Nut"),
    );
    let parsed = parse(&body, read_sheet);
    let Content::Records(records) = parsed.content else { panic!("{:?}", parsed.issues) };
    assert_eq!(records.columns, ["part", "price"]);
    let rows: Vec<_> = records.records.iter().map(|record| (record.line, record.values.join("|"))).collect();
    assert_eq!(rows, [(5, "Bolt\nM8|12.5".to_owned()), (6, "Nut|2026-11-25 18:00".to_owned()), (7, "x|".to_owned())]);
}
