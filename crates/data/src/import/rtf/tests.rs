use hone_job::Job;

use super::*;
use crate::content::document_text;
use crate::import::ReadOptions;

fn parse(bytes: &[u8]) -> Parsed {
    read(&Input { name: "t.rtf", bytes, options: &ReadOptions::default(), job: &Job::silent() })
}

fn check(rtf: &[u8], expected: &str) {
    let parsed = parse(rtf);
    assert_eq!(parsed.issues, []);
    let Content::Text(blocks) = parsed.content else { panic!() };
    assert_eq!(document_text(&blocks), expected);
}

#[test]
fn headings_come_from_styles_and_outline_levels_and_hidden_parts_are_left_out() {
    check(
        b"{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}{\\stylesheet{\\s0 Normal;}{\\s3\\b heading 2;}}{\\info{\\title No}}{\\header no\\par}\
          {\\pard\\s3 The lamp\\par}{\\pard\\outlinelevel0 Care\\par}\\pard It {\\b broke}\\rquote s {\\v hidden }{\\*\\bkmkstart x}twice{\\footnote \\chftn  See\\par the log.}.\\line Then\\par\
          {\\field{\\*\\fldinst HYPERLINK \"x\"}{\\fldrslt a link}}{\\shp{\\*\\shpinst{\\sp{\\sn no}{\\sv no}}{\\shptxt boxed\\par}}{\\shprslt no}}\\par}",
        "The lamp\n\nCare\n\nIt broke\u{2019}s twice[^1].\nThen\n\n[^1]: See the log.\n\na link\n\nboxed\n\n",
    );
}

#[test]
fn characters_come_in_code_pages_of_fonts_and_by_number() {
    check(
        b"{\\rtf1\\ansi\\ansicpg1251{\\fonttbl{\\f0 A;}{\\f1\\fcharset134 SimSun;}}\\f0 \\'cf\\'f0\\'e8 {\\f1 \\'c2\\'eb\\'cd\\'b7}\\u8364? \\uc2\\u-10179\\'81\\'40\\u-8704\\'81\\'40 end\\par}",
        "При 码头€ \u{1F600} end\n\n",
    );
}

#[test]
fn lists_and_tables_keep_their_shape() {
    check(
        b"{\\rtf1\\pard{\\listtext 1.\\tab}one\\par\\pard\\ilvl1{\\listtext \\u8226?\\tab}inner\\par\\pard{\\listtext 2.\\tab}two\\par\
          \\trowd\\pard\\intbl a\\cell b|c\\cell\\row\\trowd\\pard\\intbl 1\\par 2\\cell\\cell\\row\\pard after\\par}",
        "1. one\n  - inner\n2. two\n\n| a | b\\|c |\n|---|---|\n| 1<br>2 |  |\n\nafter\n\n",
    );
}

#[test]
fn a_file_that_is_cut_off_keeps_what_stands_before_the_cut() {
    let parsed = parse(b"{\\rtf1 One.\\par Two.");
    assert_eq!((parsed.issues[0].code.as_str(), parsed.issues[0].place.as_str()), ("damaged", "after paragraph 1"));
    let Content::Text(blocks) = parsed.content else { panic!() };
    assert_eq!(document_text(&blocks), "One.\n\nTwo.\n\n");
    assert_eq!(parse(b"{\\rtf1{\\pict 00ff}}").issues[0].code, "no_text");
    let deep =
        ["{\\rtf1 ".to_owned(), "{".repeat(1_000_000), "deep".to_owned(), "}".repeat(1_000_000), "\\par}".to_owned()];
    check(deep.concat().as_bytes(), "deep\n\n");
}
