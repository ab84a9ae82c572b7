//! Bad input through the real binary: each broken file is named with the place and what to do, the others go in, and
//! nothing that was there is lost.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

mod common;

use std::path::Path;
use std::process::Command;

use common::{ask, broken, hone, in_project, project};
use hone_job::fs;

#[test]
fn each_broken_file_is_named_with_what_to_do_and_the_good_one_goes_in() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("p");
    project(&dir);
    let good = folder.path().join("good.txt");
    fs::write_atomic(&good, b"The ferry leaves at nine.").unwrap();
    for (name, code) in [
        ("empty.txt", "empty_file"),
        ("scanned.pdf", "pdf_without_text"),
        ("password.pdf", "password_protected"),
        ("cut-off.docx", "damaged"),
    ] {
        let file = broken().join(name);
        let said = in_project(&dir, &["import", file.to_str().unwrap(), good.to_str().unwrap()]);
        assert_eq!((said.status, said.last()), (Some(0), "done"), "{said:?}");
        let issues = said.result()["issues"].as_array().unwrap();
        let issue = issues
            .iter()
            .find(|issue| issue["file"] == name)
            .unwrap_or_else(|| panic!("{name} is not named: {issues:?}"));
        assert_eq!(issue["kind"], "unreadable", "{issue}");
        assert!(issue["code"].as_str().unwrap().contains(code), "{name}: {issue}");
        assert!(!issue["hint"].as_str().unwrap().is_empty());
    }
    assert_eq!(in_project(&dir, &["rows", "list"]).result()["total"], 1);
}

#[test]
fn a_file_alone_that_gives_nothing_fails_the_import() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let said = in_project(folder.path(), &["import", broken().join("empty.txt").to_str().unwrap(), "/nowhere/x.pdf"]);
    assert_eq!(said.result()["issues"].as_array().unwrap().len(), 2);
    assert_eq!(said.failure()["code"], "bad_input");
    assert!(said.failure()["message"].as_str().unwrap().starts_with("None of the 2 files could be used"));
}

#[test]
fn a_missing_column_is_named_with_the_columns_there_are() {
    let folder = tempfile::tempdir().unwrap();
    project(&folder.path().join("p"));
    let table = folder.path().join("faq.csv");
    fs::write_atomic(&table, b"question,reply\nWhen?,At nine.\n").unwrap();
    let said = in_project(&folder.path().join("p"), &["import", "--map=answer=antwort", table.to_str().unwrap()]);
    let issue = &said.result()["issues"][0];
    assert_eq!((issue["code"].as_str(), issue["place"].as_str()), (Some("missing_column"), Some("column antwort")));
    assert!(issue["hint"].as_str().unwrap().contains("`reply`"), "{issue}");
}

#[test]
fn a_broken_line_is_named_by_its_number_and_the_other_lines_go_in() {
    let folder = tempfile::tempdir().unwrap();
    project(&folder.path().join("p"));
    let lines = folder.path().join("faq.jsonl");
    fs::write_atomic(
        &lines,
        b"{\"question\":\"A?\",\"answer\":\"B.\"}\n{\"question\":\n{\"question\":\"C?\",\"answer\":\"D.\"}\n",
    )
    .unwrap();
    let said = in_project(&folder.path().join("p"), &["import", lines.to_str().unwrap()]);
    assert_eq!((said.status, said.result()["rows"].as_u64()), (Some(0), Some(2)));
    assert!(said.result()["issues"][0]["place"].as_str().unwrap().contains("line 2"), "{said:?}");
}

#[test]
fn a_folder_of_broken_files_is_gone_through_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let said = in_project(folder.path(), &["import", broken().to_str().unwrap()]);
    assert_eq!(said.status, Some(0), "{:?}", said.events.last());
    let documents = said.result()["documents"].as_array().unwrap();
    assert!(documents.iter().any(|document| document["name"] == "good.pdf"));
    assert!(documents.iter().any(|document| document["name"] == "good.docx"));
}

#[test]
fn model_files_that_are_none_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.gguf");
    fs::write_atomic(&empty, b"").unwrap();
    let cut = folder.path().join("cut.gguf");
    // Magic, version 3, one tensor, one key; then nothing.
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend([1u64, 1].iter().flat_map(|count| count.to_le_bytes()));
    fs::write_atomic(&cut, &bytes).unwrap();
    for path in [&empty, &cut, &folder.path().to_path_buf()] {
        let said = ask(hone(None), &["models", "show", path.to_str().unwrap()]);
        let message = said.failure()["message"].as_str().unwrap();
        assert!(message.contains(path.to_str().unwrap()), "{message}");
    }
}

/// A small file system in memory, or `None` with a line in the output where mounting is not allowed.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "hone-test"]).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { folder });
        }
        println!("SKIPPED: this machine does not let the test mount a small disk");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).output();
    }
}

#[test]
fn a_full_disk_is_named_and_what_was_there_stays() {
    let Some(disk) = SmallDisk::mount("1500k") else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    let dir = disk.folder.path().join("p");
    project(&dir);
    let file = |name: &str, bytes: usize| {
        let path = elsewhere.path().join(name);
        let text = format!("{name} says that the ferry leaves at nine. ").repeat(bytes / 40);
        fs::write_atomic(&path, text.as_bytes()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let first = file("first.txt", 2_000);
    assert_eq!(in_project(&dir, &["import", &first]).status, Some(0));
    let rows = in_project(&dir, &["rows", "list"]).result().clone();

    let said = in_project(&dir, &["import", &file("large.txt", 3_000_000), &file("last.txt", 2_000)]);
    let failure = said.failure();
    assert_eq!(failure["code"], "no_space", "{failure}");
    assert!(failure["message"].as_str().unwrap().contains("large.txt"), "{failure}");
    let names: Vec<_> =
        said.result()["documents"].as_array().unwrap().iter().map(|document| document["name"].clone()).collect();
    assert_eq!(names, ["last.txt"], "the file that fits went in");
    let now = in_project(&dir, &["rows", "list"]).result().clone();
    assert_eq!(now["rows"][0], rows["rows"][0]);
    assert_eq!(fs::list_dir(&dir.join("sources")).unwrap().len(), 2, "nothing half written stays");
}

#[test]
fn no_permission_to_write_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("p");
    project(&dir);
    let paper = folder.path().join("paper.txt");
    fs::write_atomic(&paper, b"The ferry leaves at nine.").unwrap();
    let Some(command) = as_nobody(folder.path()) else { return };
    let said = ask(command, &["--project", dir.to_str().unwrap(), "import", paper.to_str().unwrap()]);
    assert_eq!(said.failure()["code"], "no_permission", "{said:?}");
    assert!(said.failure()["message"].as_str().unwrap().contains(dir.to_str().unwrap()));
}

/// The worker as a user who owns nothing here; root is allowed everything and would prove nothing.
fn as_nobody(folder: &Path) -> Option<Command> {
    let worker = folder.join("hone");
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_hone")).arg(&worker).status();
    let opened = Command::new("chmod").args(["-R", "a+rX"]).arg(folder).status();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let can = Command::new("setpriv").args(nobody).arg("true").status();
    if ![copied, opened, can].into_iter().all(|status| status.is_ok_and(|status| status.success())) {
        println!("SKIPPED: this machine does not let the test become another user");
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(nobody).arg(worker).env("HONE_MODELS", "/nonexistent").current_dir("/");
    Some(command)
}
