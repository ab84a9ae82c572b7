//! Every file of `tests/bad-input/` ends in the issue that names what is wrong with it, and in whatever could be read.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

use std::path::{Path, PathBuf};

use hone_data::content::document_text;
use hone_data::import::{ReadOptions, ReadOutcome, list, read};
use hone_data::{Content, IssueKind};
use hone_job::Job;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bad-input")
}

fn read_file(name: &str) -> ReadOutcome {
    let options = ReadOptions { max_unpacked: 64 << 20, ..ReadOptions::default() };
    read(&folder().join(name), &options, &Job::silent()).unwrap()
}

fn text(outcome: &ReadOutcome) -> String {
    match &outcome.content {
        Content::Text(blocks) => document_text(blocks),
        Content::Records(records) => records.records.iter().map(|record| record.values.join("|") + "\n").collect(),
        Content::Nothing => String::new(),
    }
}

/// The first issue is this one, and every issue names its file, says something and says what to do.
fn check(name: &str, code: &str, kind: IssueKind, place: &str) -> ReadOutcome {
    let outcome = read_file(name);
    let issue = outcome.issues.first().unwrap_or_else(|| panic!("{name}: no issue, text: {}", text(&outcome)));
    assert_eq!(
        (issue.code.as_str(), issue.kind, issue.place.as_str()),
        (code, kind, place),
        "{name}: {}",
        issue.message
    );
    for issue in &outcome.issues {
        assert_eq!(issue.file, name);
        assert!(!issue.message.is_empty() && !issue.hint.is_empty(), "{name}");
        assert!(!issue.message.ends_with('.'), "{}", issue.message);
    }
    assert_eq!(outcome.document.is_none(), kind == IssueKind::Unreadable, "{name}");
    outcome
}

#[test]
fn files_that_give_nothing_say_why() {
    use IssueKind::Unreadable;
    for (name, code) in [
        ("empty.txt", "empty_file"),
        ("blank.md", "empty_file"),
        ("cut-off.pdf", "damaged"),
        ("password.pdf", "password_protected"),
        ("old-password.pdf", "password_protected"),
        ("scanned.pdf", "pdf_without_text"),
        ("cut-off.docx", "damaged"),
        ("bomb.docx", "too_large"),
        ("no-text.docx", "no_text"),
        ("picture.txt", "unsupported_format"),
        ("noise.txt", "binary_file"),
        ("spreadsheet.xlsx", "damaged"),
        ("header-only.csv", "no_records"),
    ] {
        check(name, code, Unreadable, "");
    }
}

#[test]
fn a_scanned_pdf_names_its_share_of_pages_without_text() {
    let nothing = check("scanned.pdf", "pdf_without_text", IssueKind::Unreadable, "");
    assert!(nothing.issues[0].message.contains("3 of 3 pages (100 %)"), "{}", nothing.issues[0].message);
    let half = check("half-scanned.pdf", "pdf_without_text", IssueKind::Partial, "pages 2–3");
    assert!(half.issues[0].message.contains("2 of 4 pages (50 %)"), "a blank page is not a scanned one");
    assert!(text(&half).contains("The pier lamp"));
}

#[test]
fn the_parts_that_can_be_read_go_in() {
    use IssueKind::Partial;
    for (name, code, place, kept) in [
        ("cut-off-text.docx", "damaged", "after paragraph 1", "What stands before the cut."),
        ("ragged.csv", "ragged_row", "line 3", "Why?|Because"),
        ("unclosed-quote.csv", "unclosed_quote", "line 3", "When?|Now\nWhy?|Because"),
        ("broken-line.jsonl", "broken_line", "line 2", "Why?"),
        ("cut-off.json", "broken_list", "line 2", "Who?"),
        ("nul-bytes.csv", "control_characters", "", "Who?|Me"),
    ] {
        let outcome = check(name, code, Partial, place);
        assert!(text(&outcome).contains(kept), "{name}: {}", text(&outcome));
    }
}

#[test]
fn lying_extensions_and_mixed_encodings_are_remarks_and_the_file_is_read_as_what_it_is() {
    let pdf = check("really-a-pdf.txt", "lying_extension", IssueKind::Remark, "");
    assert_eq!(pdf.document.as_ref().unwrap().format, "pdf");
    assert!(text(&pdf).contains("burns from dusk to dawn"));
    let mixed = check("mixed-encodings.txt", "mixed_encodings", IssueKind::Remark, "line 4");
    assert!(text(&mixed).ends_with("黎明。\n由港口值班员看管。\n"));
    assert!(text(&check("really-text.pdf", "lying_extension", IssueKind::Remark, "")).contains("just words"));
}

#[test]
fn a_pdf_that_only_forbids_printing_is_read() {
    for name in ["good.pdf", "no-printing.pdf"] {
        let outcome = read_file(name);
        assert_eq!(outcome.issues, [], "{name}");
        let text = text(&outcome);
        assert!(text.contains("looked after by the harbour watch. A broken lamp"), "{text}");
        assert_eq!(outcome.document.unwrap().pages, Some(2));
    }
}

#[test]
fn entities_of_its_own_and_files_they_name_are_not_expanded() {
    let text = text(&read_file("entities.docx"));
    assert!(text.contains("Before &b; between &f; after & end."), "{text}");
    assert!(!text.contains("root:"));
}

#[test]
fn bombs_and_loops_end_in_an_issue_or_in_their_text() {
    let nested = check("nested-tables.docx", "too_deep", IssueKind::Partial, "");
    assert!(text(&nested).contains("Shallow."));
    check("page-loop.pdf", "damaged", IssueKind::Unreadable, "");
    let bomb = check("bomb.pdf", "damaged_page", IssueKind::Partial, "page 1");
    assert!(text(&bomb).contains("The second page"), "only the first page is the bomb");
}

#[test]
fn a_folder_of_bad_files_is_read_to_its_end() {
    let listing = list(&[folder()]);
    assert_eq!(listing.issues, []);
    let options = ReadOptions { max_unpacked: 64 << 20, ..ReadOptions::default() };
    let good =
        listing.files.iter().filter(|file| read(file, &options, &Job::silent()).unwrap().document.is_some()).count();
    assert!(good >= 12, "{good} of {}", listing.files.len());
}

#[test]
fn an_unreadable_path_and_a_cancelled_job_are_told() {
    let missing = read(Path::new("/nowhere/a.pdf"), &ReadOptions::default(), &Job::silent()).unwrap();
    assert_eq!(missing.issues[0].code, "unreadable");
    assert!(missing.issues[0].message.contains("/nowhere/a.pdf"));
    let job = Job::silent();
    job.cancel();
    assert!(read(&folder().join("good.pdf"), &ReadOptions::default(), &job).is_err());
    let small = ReadOptions { max_bytes: 10, ..ReadOptions::default() };
    assert_eq!(read(&folder().join("good.pdf"), &small, &Job::silent()).unwrap().issues[0].code, "too_large");
}
