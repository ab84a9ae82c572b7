//! Archives and scanned pages through the real binary.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

mod common;

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use common::{Said, ask, hone, in_project, project};
use hone_job::fs;
use serde_json::Value;

const MANUAL: &str = "# The winch\n\nPress the green button for three seconds.\n";
const TABLE: &str = "question,answer\nWho looks at the lamp?,Whoever has the watch.\nWhen?,Twice a night.\n";

/// A ZIP file of these files.
fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn names(outcome: &Value) -> Vec<&str> {
    outcome["documents"].as_array().unwrap().iter().map(|document| document["name"].as_str().unwrap()).collect()
}

fn import(dir: &Path, file: &Path, more: &[&str]) -> Said {
    in_project(dir, &[&["import", file.to_str().unwrap()], more].concat())
}

#[test]
fn a_zip_gives_its_files_once_names_the_rest_and_a_changed_one_changes_only_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("p");
    project(&dir);
    let file = folder.path().join("office.zip");
    let with = |table: &str| packed(&[("deck/winch.md", MANUAL), ("faq.csv", table), ("a.exe", "MZ"), ("notes/", "")]);
    fs::write_atomic(&file, &with(TABLE)).unwrap();
    let said = import(&dir, &file, &[]);
    let outcome = said.result();
    assert_eq!(names(outcome), ["office.zip › deck/winch.md", "office.zip › faq.csv"]);
    assert_eq!((outcome["passages"].as_u64(), outcome["rows"].as_u64()), (Some(1), Some(3)), "{said:?}");
    let issue = &outcome["issues"][0];
    assert_eq!(
        (issue["code"].as_str(), issue["file"].as_str()),
        (Some("unsupported_format"), Some("office.zip › a.exe"))
    );

    assert_eq!(import(&dir, &file, &[]).result()["unchanged"], 2);
    fs::write_atomic(&file, &with(&TABLE.replace("Twice a night", "Hourly"))).unwrap();
    let again = import(&dir, &file, &[]);
    let outcome = again.result();
    assert_eq!((outcome["unchanged"].as_u64(), names(outcome)), (Some(1), vec!["office.zip › faq.csv"]), "{again:?}");
    let changes = &outcome["changed"][0]["changes"];
    assert_eq!((changes["rows_kept"].as_u64(), changes["rows_added"].as_u64()), (Some(1), Some(1)));
    let found = in_project(&dir, &["rows", "list", "--search", "hourly"]);
    assert_eq!(found.result()["total"], 1);
    // The archive itself is not kept, the files are, by their bytes.
    assert_eq!(fs::list_dir(&dir.join("sources")).unwrap().len(), 2);
}

fn scan() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/tests/made/scan.pdf")
}

#[test]
fn without_tesseract_a_scan_is_named_and_recognising_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let without = |words: &[&str]| {
        let mut command = hone(None);
        command.env("PATH", folder.path()).arg("--project").arg(folder.path());
        ask(command, &[&["import", scan().to_str().unwrap()], words].concat())
    };
    let said = without(&[]);
    assert!(said.failure()["hint"].as_str().unwrap().contains("Tesseract"), "{said:?}");
    assert_eq!(said.result()["issues"][0]["code"], "pdf_without_text");
    let said = without(&["--ocr"]);
    assert_eq!(said.failure()["code"], "not_found");
    assert!(said.failure()["hint"].as_str().unwrap().contains("apt install tesseract-ocr"), "{said:?}");
}

#[test]
fn a_scan_that_came_in_without_text_is_read_when_it_is_recognised() {
    if hone_data::import::ocr::find(&std::env::var_os("PATH").unwrap_or_default()).is_none() {
        assert!(std::env::var_os("HONE_REQUIRE_TESSERACT").is_none(), "tesseract is not installed");
        eprintln!("SKIPPED: tesseract is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    project(dir);
    assert_eq!(import(dir, &scan(), &[]).failure()["code"], "bad_input");
    let said = import(dir, &scan(), &["--ocr"]);
    let outcome = said.result();
    assert!(outcome["passages"].as_u64() > Some(0), "{said:?}");
    assert_eq!(outcome["issues"][0]["code"], "recognised");
    let found = in_project(dir, &["rows", "list", "--search", "hydraulic crane"]);
    assert!(found.result()["total"].as_u64() > Some(0), "{found:?}");
    // Read once, it is a document like another.
    assert_eq!(import(dir, &scan(), &[]).result()["unchanged"], 1);
    assert_eq!(import(dir, &scan(), &["--ocr"]).result()["unchanged"], 1);
}
