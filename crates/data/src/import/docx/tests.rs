use std::io::{Cursor, Write};

use hone_job::Job;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::BlockKind;
use crate::content::document_text;
use crate::import::ReadOptions;

const STYLES: &str = r#"<w:styles>
<w:style w:styleId="T"><w:name w:val="Title"/></w:style>
<w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="Own"><w:name w:val="My chapter"/><w:basedOn w:val="H1"/></w:style>
<w:style w:styleId="Deep"><w:name w:val="Section"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>
<w:style w:styleId="Loop"><w:name w:val="Loop"/><w:basedOn w:val="Loop"/></w:style>
<w:style w:styleId="C1"><w:name w:val="toc 1"/></w:style>
</w:styles>"#;
const NUMBERING: &str = r#"<w:numbering>
<w:abstractNum w:abstractNumId="7"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/></w:lvl>
<w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>
<w:num w:numId="3"><w:abstractNumId w:val="7"/></w:num></w:numbering>"#;
const FOOTNOTES: &str = r#"<w:footnotes><w:footnote w:type="separator" w:id="0"><w:p><w:r><w:t>---</w:t></w:r></w:p></w:footnote>
<w:footnote w:id="2"><w:p><w:r><w:t>See the log.</w:t></w:r></w:p></w:footnote></w:footnotes>"#;

fn package(body: &str) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [
        ("word/document.xml", format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>")),
        ("word/styles.xml", STYLES.to_owned()),
        ("word/numbering.xml", NUMBERING.to_owned()),
        ("word/footnotes.xml", FOOTNOTES.to_owned()),
    ] {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn parse(body: &str) -> Parsed {
    read(&Input { name: "t.docx", bytes: &package(body), options: &ReadOptions::default(), job: &Job::silent() })
}

fn check(body: &str, expected: &str) {
    let parsed = parse(body);
    assert_eq!(parsed.issues, []);
    let Content::Text(blocks) = parsed.content else { panic!() };
    assert_eq!(document_text(&blocks), expected);
}

fn run(text: &str) -> String {
    format!("<w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r>")
}

fn styled(style: &str, text: &str) -> String {
    format!("<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr>{}</w:p>", run(text))
}

fn plain(text: &str) -> String {
    format!("<w:p>{}</w:p>", run(text))
}

fn item(depth: u8, text: &str) -> String {
    format!(
        "<w:p><w:pPr><w:numPr><w:ilvl w:val=\"{depth}\"/><w:numId w:val=\"3\"/></w:numPr></w:pPr>{}</w:p>",
        run(text)
    )
}

#[test]
fn headings_are_told_by_their_style_its_base_or_its_outline_level() {
    let body = [
        styled("T", "A"),
        styled("H1", "B"),
        styled("Own", "C"),
        styled("Deep", "D"),
        styled("Loop", "E"),
        styled("C1", "toc"),
    ]
    .concat();
    let Content::Text(blocks) = parse(&body).content else { panic!() };
    let levels: Vec<_> = blocks
        .iter()
        .map(|block| match &block.kind {
            BlockKind::Heading { level, title } => (*level, title.as_str()),
            _ => (0, block.text.trim()),
        })
        .collect();
    assert_eq!(levels, [(1, "A"), (1, "B"), (1, "C"), (3, "D"), (0, "E")]);
}

#[test]
fn lists_keep_their_numbers_and_depth() {
    let body = [plain("Do:"), item(0, "one"), item(1, "inner"), item(0, "two"), plain("Done.")].concat();
    check(&body, "Do:\n\n1. one\n  - inner\n2. two\n\nDone.\n\n");
}

#[test]
fn tables_become_markdown_and_a_table_within_a_cell_one_line() {
    let cell = |content: &str| format!("<w:tc>{content}</w:tc>");
    let row = |cells: &[String]| format!("<w:tr>{}</w:tr>", cells.concat());
    let inner = format!("<w:tbl>{}</w:tbl>", row(&[cell(&plain("x")), cell(&plain("y"))]));
    let wide = format!("<w:tc><w:tcPr><w:gridSpan w:val=\"2\"/></w:tcPr>{}</w:tc>", plain("all"));
    let body = format!(
        "<w:tbl>{}{}{}</w:tbl>",
        row(&[cell(&plain("a")), cell(&plain("b"))]),
        row(&[cell(&(plain("1") + &plain("2"))), cell(&inner)]),
        row(&[wide]),
    );
    check(&body, "| a | b |\n|---|---|\n| 1<br>2 | x y |\n| all |  |\n\n");
}

#[test]
fn notes_stand_below_their_paragraph() {
    let body = format!("<w:p>{}<w:r><w:footnoteReference w:id=\"2\"/></w:r>{}</w:p>", run("It broke"), run(" twice."));
    check(&body, "It broke[^1] twice.\n\n[^1]: See the log.\n\n");
}

#[test]
fn deleted_hidden_and_field_text_is_left_out_and_inserted_and_linked_text_kept() {
    let body = format!(
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins>{}</w:ins><w:hyperlink>{}</w:hyperlink>\
         <w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>{}</w:p>",
        run("new "),
        run("link"),
        run(" &lt;5 &amp; &#233;"),
    );
    check(&body, "new link <5 & é\n\n");
}

#[test]
fn the_text_of_a_text_box_is_kept_once() {
    let boxed = |text: &str| format!("<w:txbxContent>{}</w:txbxContent>", plain(text));
    let body = format!(
        "<w:p><w:r><mc:AlternateContent><mc:Choice>{}</mc:Choice><mc:Fallback>{}</mc:Fallback></mc:AlternateContent></w:r>{}</w:p>",
        boxed("boxed"),
        boxed("boxed"),
        run("around"),
    );
    check(&body, "boxed\n\naround\n\n");
}
