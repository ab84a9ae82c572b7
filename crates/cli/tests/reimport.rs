//! Files that come in again, and tables that are read in another way, through the real binary.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too

mod common;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use common::{Said, hone, in_project, project};
use hone_job::fs;
use serde_json::Value;

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        project(&folder.path().join("p"));
        Self { folder }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write_atomic(&path, text.as_bytes()).unwrap();
        path
    }

    fn hone(&self, words: &[&str]) -> Said {
        in_project(&self.folder.path().join("p"), words)
    }

    fn import(&self, path: &Path, more: &[&str]) -> Value {
        let said = self.hone(&[&["import", path.to_str().unwrap()], more].concat());
        assert_eq!(said.status, Some(0), "{said:?}");
        said.result().clone()
    }

    fn rows(&self) -> Vec<Value> {
        self.hone(&["rows", "list", "--limit=1000"]).result()["rows"].as_array().unwrap().clone()
    }
}

fn sources(desk: &Desk) -> usize {
    fs::list_dir(&desk.folder.path().join("p/sources")).unwrap().len()
}

#[test]
fn the_same_table_adds_nothing_and_a_changed_one_keeps_what_was_decided() {
    let desk = Desk::new();
    let table = desk.write("faq.csv", "question,answer\nA?,a\nB?,b\nC?,c\n");
    desk.import(&table, &[]);
    let again = desk.import(&table, &[]);
    assert_eq!((&again["unchanged"], &again["rows"], &again["changed"]), (&1.into(), &0.into(), &Value::Array(vec![])));
    desk.hone(&["rows", "reject", "2"]);

    desk.write("faq.csv", "question,answer\nZ?,z\nA?,a\nB?,b\n");
    let changed = desk.import(&table, &[]);
    let file = &changed["changed"][0];
    assert_eq!((&file["name"], &file["new_bytes"]), (&"faq.csv".into(), &true.into()));
    let counts = &file["changes"];
    assert_eq!(
        (&counts["rows_added"], &counts["rows_removed"], &counts["rows_kept"]),
        (&1.into(), &1.into(), &2.into())
    );
    let rows = desk.rows();
    let ids: Vec<_> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [1, 2, 4]);
    assert_eq!((&rows[1]["status"], &rows[1]["line"]), (&"rejected".into(), &4.into()));
    assert_eq!(sources(&desk), 1, "the old copy is gone");
}

#[test]
fn a_changed_text_keeps_the_passages_that_stayed() {
    let desk = Desk::new();
    let section = |name: &str| format!("# {name}\n\n{}\n\n", format!("The {name} is here. ").repeat(40));
    let text = desk.write("guide.md", &[section("one"), section("two"), section("three")].concat());
    desk.import(&text, &["--passages", "100-220"]);
    let before = desk.rows();
    assert_eq!(before.len(), 3, "{before:?}");
    desk.hone(&["rows", "reject", "3"]);
    desk.write("guide.md", &[section("new"), section("one"), section("three")].concat());
    let changed = desk.import(&text, &[]);
    let counts = &changed["changed"][0]["changes"];
    assert_eq!(
        (&counts["passages_added"], &counts["passages_removed"], &counts["passages_kept"]),
        (&1.into(), &1.into(), &2.into()),
        "{changed}"
    );
    let rows = desk.rows();
    assert_eq!(rows.iter().map(|row| row["passage"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2, 0]);
    assert_eq!(rows[1]["status"], "rejected");
}

#[test]
fn a_new_version_that_cannot_be_read_does_not_take_the_old_ones_rows() {
    let desk = Desk::new();
    let table = desk.write("faq.csv", "question,answer\nA?,a\n");
    desk.import(&table, &[]);
    desk.write("faq.csv", "  \n");
    let said = desk.hone(&["import", table.to_str().unwrap()]);
    assert_eq!(said.status, Some(1));
    assert_eq!(desk.rows().len(), 1);
    desk.write("faq.csv", "question,answer\nA?,a\nB?,b\n");
    assert_eq!(desk.import(&table, &[])["changed"][0]["changes"]["rows_kept"], 1);
}

#[test]
fn a_table_is_read_with_other_columns_and_the_next_one_like_it_the_same_way() {
    let desk = Desk::new();
    let table = desk.write("a.csv", "x,y,who\nA?,the first letter,Ada\nB?,the second letter,Bo\n");
    let guessed = desk.import(&table, &[]);
    let hash = guessed["documents"][0]["hash"].as_str().unwrap().to_owned();
    let mapped = desk.hone(&["import", &format!("--document={hash}"), "--map=question=y", "--map=answer=x"]);
    assert_eq!(mapped.result()["changed"][0]["new_bytes"], false, "{mapped:?}");
    let rows = desk.rows();
    assert_eq!((rows.len(), &rows[0]["messages"][0]["content"]), (2, &"the first letter".into()));
    assert_eq!(rows[0]["metadata"]["who"], "Ada");

    let other = desk.write("b.csv", "x,y,who\nC?,the third letter,Cy\n");
    let next = desk.import(&other, &[]);
    assert_eq!(next["mappings"][0]["mapping"]["question"], "y", "{next}");
    let error = desk.hone(&["import", "--document=nothing"]);
    assert_eq!(error.failure()["code"], "not_found");
}

fn large(rows: usize, answer: &str) -> String {
    let mut text = String::new();
    for row in 0..rows {
        let filler = "The quay is long and the sea is wide. ".repeat(6);
        let _ = writeln!(text, "{{\"question\": \"What is number {row}?\", \"answer\": \"{answer} {row}. {filler}\"}}");
    }
    text
}

#[test]
fn a_large_file_in_portions_gives_what_it_gives_as_a_whole() {
    let desk = Desk::new();
    let json = large(40_000, "It is");
    assert!(json.len() > 9 << 20);
    let mut table = "question,answer\n".to_owned();
    for line in json.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let _ =
            writeln!(table, "\"{}\",\"{}\"", record["question"].as_str().unwrap(), record["answer"].as_str().unwrap());
    }
    for (name, text, broken) in [("large.jsonl", json, "{\"question\": \n"), ("large.csv", table, "a,b,c,d\n")] {
        let path = desk.write(name, &(text + broken));
        let outcome = desk.import(&path, &[]);
        assert_eq!(outcome["rows"], 40_000);
        let place = &outcome["issues"][0]["place"];
        let line = if name == "large.csv" { "line 40002" } else { "line 40001" };
        assert_eq!(place, line, "{}", outcome["issues"]);
        assert_eq!(desk.import(&path, &[])["unchanged"], 1);
    }
    let counts = desk.hone(&["rows", "list", "--split=exam", "--limit=1"]).result()["total"].as_u64().unwrap();
    // A tenth of 80,000; each question stands in both files and goes the same way.
    assert!((7_000..9_000).contains(&counts), "{counts}");
    let found = desk.hone(&["rows", "list", "--search=number 39999?"]);
    assert_eq!(found.result()["total"], 2);
    assert_eq!(found.result()["rows"][0]["line"], 40_000);
}

#[cfg(unix)]
#[test]
fn a_worker_that_is_killed_in_the_middle_leaves_the_old_version_whole() {
    let desk = Desk::new();
    let path = desk.write("large.jsonl", &large(40_000, "It is"));
    desk.import(&path, &[]);
    desk.hone(&["rows", "reject", "7"]);
    desk.write("large.jsonl", &large(60_000, "It was"));
    let mut worker = hone(None)
        .args(["--json", "--project"])
        .arg(desk.folder.path().join("p"))
        .arg("import")
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Killed once part of it was stored.
    let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    for line in lines {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_ne!(event["event"], "done", "it was done before it could be killed");
        if event["done"].as_u64().is_some_and(|done| done > 4 << 20) {
            break;
        }
    }
    worker.kill().unwrap();
    worker.wait().unwrap();
    let total = |said: Said| said.result()["total"].as_u64().unwrap();
    assert_eq!(total(desk.hone(&["rows", "list", "--limit=1"])), 40_000);
    assert_eq!(total(desk.hone(&["rows", "list", "--search=was", "--limit=1"])), 0);
    assert_eq!(total(desk.hone(&["rows", "list", "--status=rejected"])), 1);
    let changed = desk.import(&path, &[]);
    assert_eq!(changed["changed"][0]["changes"]["rows_added"], 60_000);
    assert_eq!(total(desk.hone(&["rows", "list", "--limit=1"])), 60_000);
}
