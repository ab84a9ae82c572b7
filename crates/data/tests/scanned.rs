//! A PDF as a scanner makes it (`made/scan.pdf`), with and without text recognition.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use hone_data::content::document_text;
use hone_data::import::ocr::{self, Recogniser};
use hone_data::import::{ReadOptions, ReadOutcome, read};
use hone_data::{Content, IssueKind};
use hone_job::{Job, fs};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/made")
}

/// Runs of three letters or digits.
fn shingles(text: &str) -> HashSet<[char; 3]> {
    let letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    letters.windows(3).map(|three| [three[0], three[1], three[2]]).collect()
}

fn scan(options: &ReadOptions) -> ReadOutcome {
    read(&folder().join("scan.pdf"), options, &Job::silent()).unwrap()
}

#[test]
fn a_scan_is_named_with_its_share_of_pages_and_what_to_do() {
    let outcome = scan(&ReadOptions::default());
    let issue = &outcome.issues[0];
    assert_eq!((issue.kind, issue.code.as_str()), (IssueKind::Unreadable, "pdf_without_text"));
    assert!(issue.message.contains("2 of 2 pages (100 %)") && issue.hint.contains("Tesseract"), "{issue:?}");
}

#[test]
fn a_scan_is_read_where_tesseract_is_installed_and_says_so() {
    let Some(program) = ocr::find(&std::env::var_os("PATH").unwrap_or_default()) else {
        assert!(std::env::var_os("HONE_REQUIRE_TESSERACT").is_none(), "tesseract is not installed");
        eprintln!("SKIPPED: tesseract is not installed");
        return;
    };
    let languages = ocr::chosen("en", &ocr::languages(&program));
    assert_eq!(languages, ["eng"]);
    let ocr = Some(Recogniser { program, languages, max_page_seconds: 120 });
    let outcome = scan(&ReadOptions { ocr, ..ReadOptions::default() });
    let Content::Text(blocks) = &outcome.content else { panic!("{:?}", outcome.issues) };
    let text = document_text(blocks);
    let golden = fs::read_to_string(&folder().join("scan.txt")).unwrap();
    let (found, theirs) = (shingles(&text), shingles(&golden));
    let recall = theirs.intersection(&found).count() as f64 / theirs.len() as f64;
    // Tesseract 5.3 with its data for English gives 0.916 on this page of 150 dots an inch; the table is what it misreads.
    assert!(recall >= 0.9, "{recall:.3}\n{text}");
    assert!(text.contains("Her hydraulic crane lifts 1.2 tonnes at 3 metres and 0.5 tonnes at 6 metres."), "{text}");
    assert_eq!(blocks.last().unwrap().pages, Some((2, 2)));
    let issue = &outcome.issues[0];
    assert_eq!((issue.kind, issue.code.as_str(), issue.place.as_str()), (IssueKind::Remark, "recognised", "pages 1–2"));
    assert!(issue.message.starts_with("The text of 2 pages was recognised from pictures, 9"), "{}", issue.message);
    assert_eq!(outcome.issues.len(), 1);
}
