use std::io::{Cursor, Write};

use hone_job::Job;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::content::document_text;
use crate::import::ReadOptions;

/// A presentation of these slides, each with its notes, in the order `order`.
fn package(slides: &[(&str, &str)], order: &[usize]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let mut part = |name: &str, text: &str| {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    };
    let listed: String = order.iter().map(|at| format!("<p:sldId id=\"25{at}\" r:id=\"r{at}\"/>")).collect();
    part("ppt/presentation.xml", &format!("<p:presentation><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>"));
    let relation = |id: &str, kind: &str, target: &str| {
        format!("<Relationship Id=\"{id}\" Type=\"http://x/relationships/{kind}\" Target=\"{target}\"/>")
    };
    let linked: String =
        (0..slides.len()).map(|at| relation(&format!("r{at}"), "slide", &format!("slides/s{at}.xml"))).collect();
    part("ppt/_rels/presentation.xml.rels", &format!("<Relationships>{linked}</Relationships>"));
    for (at, (slide, notes)) in slides.iter().enumerate() {
        part(
            &format!("ppt/slides/s{at}.xml"),
            &format!("<p:sld><p:cSld><p:spTree>{slide}</p:spTree></p:cSld></p:sld>"),
        );
        let to_notes = relation("r1", "notesSlide", &format!("../notesSlides/n{at}.xml"));
        part(&format!("ppt/slides/_rels/s{at}.xml.rels"), &format!("<Relationships>{to_notes}</Relationships>"));
        part(&format!("ppt/notesSlides/n{at}.xml"), &format!("<p:notes>{notes}</p:notes>"));
    }
    archive.finish().unwrap().into_inner()
}

fn shape(kind: &str, paragraphs: &str) -> String {
    let place = if kind.is_empty() { String::new() } else { format!("<p:nvPr><p:ph type=\"{kind}\"/></p:nvPr>") };
    format!("<p:sp>{place}<p:txBody>{paragraphs}</p:txBody></p:sp>")
}

fn paragraph(properties: &str, text: &str) -> String {
    format!("<a:p><a:pPr {properties}</a:pPr><a:r><a:t>{text}</a:t></a:r></a:p>")
}

fn parse(bytes: &[u8]) -> Parsed {
    read(&Input { name: "t.pptx", bytes, options: &ReadOptions::default(), job: &Job::silent() })
}

#[test]
fn slides_come_in_the_order_of_the_presentation_with_titles_lists_tables_and_notes() {
    let cell = |text: &str| format!("<a:tc><a:txBody>{}</a:txBody></a:tc>", paragraph(">", text));
    let row = |a: &str, b: &str| format!("<a:tr>{}{}</a:tr>", cell(a), cell(b));
    let table = format!("<p:graphicFrame><a:tbl>{}{}</a:tbl></p:graphicFrame>", row("Pump", "Litres"), row("A", "40"));
    let first = [
        shape("sldNum", &paragraph(">", "17")),
        shape("body", &(paragraph(">", "Close the valve") + &paragraph("lvl=\"1\">", "by hand"))),
        shape("title", &paragraph(">", "Shutting &amp; down")),
        shape("", &paragraph(">", "A loose box")),
        table,
    ]
    .concat();
    let steps = paragraph("><a:buAutoNum type=\"arabicPeriod\"/>", "one") + &paragraph("><a:buAutoNum/>", "two");
    let second = shape("ctrTitle", &paragraph(">", "The pumps")) + &shape("", &steps);
    let notes = shape("sldImg", "")
        + &shape("body", &paragraph(">", "Say it slowly."))
        + &shape("sldNum", &paragraph(">", "3"));
    let parsed = parse(&package(&[(&first, &notes), (&second, "")], &[1, 0]));
    assert_eq!((parsed.issues.as_slice(), parsed.pages), (&[][..], Some(2)));
    let Content::Text(blocks) = parsed.content else { panic!() };
    assert_eq!(
        document_text(&blocks),
        "The pumps\n\n1. one\n2. two\n\nShutting & down\n\n- Close the valve\n  - by hand\n\nA loose box\n\n\
         | Pump | Litres |\n|---|---|\n| A | 40 |\n\nSay it slowly.\n\n"
    );
    assert_eq!(blocks.last().unwrap().pages, Some((2, 2)));
}

#[test]
fn a_slide_that_breaks_off_is_named_and_the_others_are_read() {
    let broken = format!("{}<p:sp><a:p><a:r><a:t>lost", shape("", &paragraph(">", "kept")));
    let mut bytes = package(&[("", ""), (&shape("", &paragraph(">", "whole")), "")], &[0, 1]);
    let parsed = parse(&bytes);
    assert_eq!(parsed.issues, []);
    bytes = package(&[(&format!("{broken}<![CDATA["), ""), (&shape("", &paragraph(">", "whole")), "")], &[0, 1]);
    let parsed = parse(&bytes);
    assert_eq!((parsed.issues[0].code.as_str(), parsed.issues[0].place.as_str()), ("damaged", "slide 1"));
    let Content::Text(blocks) = parsed.content else { panic!() };
    assert_eq!(document_text(&blocks), "kept\n\nlost\n\nwhole\n\n");
}

#[test]
fn slides_without_a_word_are_an_issue_not_an_empty_success() {
    assert_eq!(parse(&package(&[("", "")], &[0])).issues[0].code, "no_text");
    assert_eq!(parse(&package(&[], &[])).issues[0].code, "no_text");
}
