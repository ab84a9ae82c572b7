//! Every file of `tests/bad-input/` ends in the issue that names what is wrong with it, and in whatever could be read.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

use std::path::{Path, PathBuf};

use hone_data::content::document_text;
use hone_data::import::{ReadOptions, ReadOutcome, list, open_archive, read, read_bytes, read_entry};
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
        ("bomb.odt", "too_large"),
        ("locked.epub", "password_protected"),
        ("outside.epub", "damaged"),
        ("word-97.doc", "unsupported_format"),
        ("cut-off.parquet", "damaged"),
        ("lying-footer.parquet", "damaged"),
        ("nested.zip", "unsupported_format"),
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
        ("cut-off-text.odt", "damaged", "after paragraph 1", "What stands before the cut."),
        ("cut-off-slide.pptx", "damaged", "slide 1", "The lamp on the pier.\n\nIt burns at night."),
        ("deep-lists.odt", "too_deep", "", "Shallow."),
        ("deep.html", "too_deep", "", "deep down"),
        ("unclosed.html", "too_deep", "", "end"),
        ("binary.rtf", "damaged", "after paragraph 1", "Before."),
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
    for name in ["entities.docx", "entities.odt"] {
        let text = text(&read_file(name));
        assert!(text.contains("Before &b; between &f; after & end."), "{text}");
        assert!(!text.contains("root:"));
    }
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
fn sheets_and_groups_that_claim_millions_are_read_as_what_they_hold() {
    let sheet = read_file("million-columns.ods");
    assert!(text(&sheet).starts_with("Who?|Me"), "{}", text(&sheet));
    assert!(text(&read_file("deep.rtf")).contains("deep"));
}

#[test]
fn an_archive_gives_what_is_good_in_it_names_the_rest_and_writes_nothing() {
    let path = folder().join("hostile.zip");
    let bytes = hone_job::fs::read(&path).unwrap();
    let options = ReadOptions { max_unpacked: 64 << 20, ..ReadOptions::default() };
    let found: Vec<(String, String)> = open_archive(&path, &bytes, &options)
        .unwrap()
        .map(|entry| {
            let said = match &entry.bytes {
                Err(issue) => format!("{} {}", issue.code, issue.file),
                Ok(bytes) => {
                    let outcome = read_entry(&path, &entry.name, bytes, &options, &Job::silent()).unwrap();
                    let document = outcome.document.as_ref();
                    assert!(document.is_none_or(|document| document.path == path.display().to_string()));
                    outcome
                        .issues
                        .first()
                        .map_or_else(|| text(&outcome), |issue| format!("{} {}", issue.code, issue.file))
                }
            };
            (entry.name, said)
        })
        .collect();
    let found: Vec<_> = found.iter().map(|(name, said)| (name.as_str(), said.trim())).collect();
    let good = "The lamp on the pier burns from dusk to dawn.";
    assert_eq!(
        found,
        [
            ("hostile.zip › ../../../../tmp/hone-was-here.txt", good),
            ("hostile.zip › C:\\Windows\\hone.txt", "The lamp on the pier burns from dusk to dawn.\nC"),
            ("hostile.zip › /etc/hone.txt", "The lamp on the pier burns from dusk to dawn.\netc"),
            ("hostile.zip › link.txt", "not_a_file hostile.zip › link.txt"),
            ("hostile.zip › deartxt.exe", "unsupported_format hostile.zip › deartxt.exe"),
            ("hostile.zip › CON.txt", "The lamp on the pier burns from dusk to dawn.\nCON"),
            ("hostile.zip › inner.zip", "unsupported_format hostile.zip › inner.zip"),
            ("hostile.zip › bomb.txt", "too_large hostile.zip › bomb.txt"),
            // Of two entries of one name, programs that unpack keep the last.
            ("hostile.zip › twice.md", "# Twice"),
        ]
    );
    assert!(!Path::new("/tmp/hone-was-here.txt").exists() && !Path::new("/etc/hone.txt").exists());
}

/// A PDF of this many pages, each of its own, all with the same drawing.
fn long_pdf(pages: usize) -> Vec<u8> {
    let mut bytes = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    let mut object = |text: String| {
        places.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n{text}\nendobj\n", places.len()).into_bytes());
    };
    let kids: Vec<String> = (0..pages).map(|at| format!("{} 0 R", at + 5)).collect();
    object("<< /Type /Catalog /Pages 2 0 R >>".to_owned());
    object(format!("<< /Type /Pages /Kids [{}] /Count {pages} >>", kids.join(" ")));
    object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned());
    let drawing = "BT /F1 12 Tf 70 700 Td (One of many pages) Tj ET";
    object(format!("<< /Length {} >>\nstream\n{drawing}\nendstream", drawing.len()));
    for _ in 0..pages {
        let resources = "/Resources << /Font << /F1 3 0 R >> >>";
        object(format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R {resources} >>"));
    }
    let start = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", places.len() + 1).into_bytes());
    for place in &places {
        bytes.extend(format!("{place:010} 00000 n \n").into_bytes());
    }
    bytes.extend(
        format!("trailer << /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", places.len() + 1).into_bytes(),
    );
    bytes
}

#[test]
fn a_pdf_of_a_hundred_thousand_pages_is_read_up_to_the_limit() {
    let options = ReadOptions { max_pages: 300, max_page_seconds: 300, ..ReadOptions::default() };
    let outcome = read_bytes(Path::new("long.pdf"), &long_pdf(100_000), &options, &Job::silent()).unwrap();
    assert_eq!(outcome.issues[0].code, "too_many_pages");
    assert!(outcome.issues[0].message.contains("100000 pages; those after page 300"), "{}", outcome.issues[0].message);
    assert_eq!(outcome.document.unwrap().pages, Some(300));
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
