//! The command line as scripts and the window rely on it: events, exit statuses, what a person reads.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

mod common;

use std::io::Write;
use std::process::Stdio;

use common::{ask, hone, in_project, project};
use hone_job::fs;

#[test]
fn a_verb_that_goes_through_ends_with_done_and_status_0() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let said = in_project(folder.path(), &["rows", "list"]);
    assert_eq!((said.status, said.last()), (Some(0), "done"));
    assert_eq!(said.result()["total"], 0);
    assert_eq!(said.stderr, "", "a program that reads the events gets no progress line");
}

#[test]
fn a_verb_that_fails_ends_with_failed_and_status_1() {
    let folder = tempfile::tempdir().unwrap();
    let said = in_project(folder.path(), &["rows", "list"]);
    assert_eq!(said.failure()["code"], "not_found");
    assert!(said.failure()["message"].as_str().unwrap().contains("is not a Hone project"));
}

#[test]
fn wrong_arguments_are_status_2_and_leave_stdout_empty() {
    for words in [&["rows", "fly"][..], &["train", "--presett=x"], &["eval"], &["clean", "--undo=a", "--preview"]] {
        let output = hone(None).arg("--json").args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{words:?}");
    }
}

#[test]
fn a_line_on_stdin_stops_and_closed_stdin_does_not() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let papers = folder.path().join("papers");
    fs::create_dir_all(&papers).unwrap();
    for number in 0..400 {
        let text = format!("Paper {number} has its own words. ").repeat(2000);
        fs::write_atomic(&papers.join(format!("{number}.txt")), text.as_bytes()).unwrap();
    }
    let start = || {
        let mut command = hone(None);
        command.args(["--json", "--project"]).arg(folder.path()).arg("import").arg(&papers);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut stopped = start();
    stopped.stdin.take().unwrap().write_all(b"cancel\n").unwrap();
    let output = stopped.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stdout).unwrap().ends_with("{\"event\":\"cancelled\"}\n"));

    let mut going_on = start();
    drop(going_on.stdin.take());
    assert_eq!(going_on.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(
        in_project(folder.path(), &["rows", "list"]).result()["total"].as_u64().map(|total| total >= 400),
        Some(true)
    );
}

#[test]
fn nobody_reading_is_no_reason_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let papers = folder.path().join("papers");
    fs::create_dir_all(&papers).unwrap();
    for number in 0..50 {
        fs::write_atomic(&papers.join(format!("{number}.txt")), format!("Paper {number}.").as_bytes()).unwrap();
    }
    let mut command = hone(None);
    command.args(["--json", "--project"]).arg(folder.path()).arg("import").arg(&papers);
    let mut worker = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(worker.stdout.take());
    assert_eq!(worker.wait().unwrap().code(), Some(0));
    assert_eq!(in_project(folder.path(), &["rows", "list"]).result()["total"], 50);
}

#[test]
fn rows_are_edited_left_out_cleaned_and_brought_back() {
    let folder = tempfile::tempdir().unwrap();
    project(&folder.path().join("p"));
    let dir = folder.path().join("p");
    let table = folder.path().join("faq.csv");
    fs::write_atomic(
        &table,
        b"question,answer\nWhen  does it leave?,At nine.\nWhen does it leave?,At nine.\nWhere?,At the quay.\n",
    )
    .unwrap();
    let imported = in_project(&dir, &["import", table.to_str().unwrap()]);
    assert_eq!((imported.status, imported.result()["rows"].as_u64()), (Some(0), Some(3)));
    assert_eq!(imported.result()["mappings"][0]["mapping"]["question"], "question");

    let preview = in_project(&dir, &["clean", "--preview", "--rule=duplicates", "--rule=whitespace"]);
    assert_eq!(preview.result()["rules"][0]["dropped"], 1, "{preview:?}");
    assert_eq!(
        in_project(&dir, &["rows", "list", "--status=rejected"]).result()["total"],
        0,
        "a preview changes nothing"
    );
    in_project(&dir, &["clean"]);
    assert_eq!(in_project(&dir, &["rows", "list", "--status=rejected"]).result()["total"], 1);
    in_project(&dir, &["clean", "--undo=duplicates"]);
    assert_eq!(in_project(&dir, &["rows", "list", "--status=approved"]).result()["total"], 3);

    let edit = folder.path().join("edit.json");
    fs::write_atomic(
        &edit,
        br#"{"messages":[{"role":"user","content":"Where to?"},{"role":"assistant","content":"To Saltby."}]}"#,
    )
    .unwrap();
    let edited = in_project(&dir, &["rows", "edit", "3", "--file", edit.to_str().unwrap()]);
    assert_eq!(edited.result()["messages"][1]["content"], "To Saltby.", "{edited:?}");
    in_project(&dir, &["rows", "reject", "1", "2"]);
    let out = folder.path().join("rows.jsonl");
    in_project(&dir, &["rows", "export", "--format=alpaca", "--to", out.to_str().unwrap()]);
    assert_eq!(
        fs::read_to_string(&out).unwrap(),
        "{\"instruction\":\"Where to?\",\"input\":\"\",\"output\":\"To Saltby.\"}\n"
    );
    assert_eq!(in_project(&dir, &["rows", "approve", "77"]).failure()["message"], "There is no row 77 in this project");
}

#[test]
fn people_read_words() {
    let folder = tempfile::tempdir().unwrap();
    project(&folder.path().join("p"));
    let table = folder.path().join("faq.csv");
    fs::write_atomic(&table, b"question,answer\nWhen does it leave?,At nine.\nWhere?,\n").unwrap();
    let run = |words: &[&str]| {
        let output = hone(None).arg("--project").arg(folder.path().join("p")).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    insta::assert_snapshot!(run(&["import", table.to_str().unwrap()]), @r"
    1 file in, 0 there already: 0 passages and 1 row added.
      faq.csv: 1 row (question = question, answer = answer)
      faq.csv, line 3, column answer: `answer` is empty, so this row was left out. Fill it in and import the file again, or choose another column.
    ");
    insta::assert_snapshot!(run(&["rows", "list"]), @r"
    row  part   status    says
      1  train  approved  When does it leave? At nine.
    rows 1 to 1 of 1
    ");
    insta::assert_snapshot!(run(&["clean"]), @r"
    rule             changes  leaves out  points at
    html                   0           0          0
    characters             0           0          0
    width                  0           0          0
    hyphenation            0           0          0
    whitespace             0           0          0
    boilerplate            0           0          0
    duplicates             0           0          0
    near_duplicates        0           0          0
    too_short              0           0          0
    too_long               0           0          0
    contradictions         0           0          0
    leaks                  0           0          0
    Take one back with `hone clean --undo NAME`.
    ");
}

#[test]
fn a_model_that_is_not_there_is_named_before_a_project_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("p");
    let said = ask(hone(None), &["new", dir.to_str().unwrap(), "--name", "N", "--base", "/nowhere/model.gguf"]);
    assert!(said.failure()["message"].as_str().unwrap().contains("/nowhere/model.gguf"), "{said:?}");
    assert!(!dir.exists());
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_worker_for_the_processor_refuses_a_card_and_says_what_to_choose() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/parity/golden/families/llama3.gguf");
    fs::write_atomic(&folder.path().join("tokens"), b"[1, 2, 3]").unwrap();
    let (tokens, out) = (path("tokens"), path("out"));
    let said =
        ask(hone(None), &["lab", "logits", "--model", model, "--tokens", &tokens, "--out", &out, "--device", "cuda"]);
    assert_eq!(said.failure()["code"], "bad_config");
    assert!(said.failure()["message"].as_str().unwrap().contains("`cuda:0`"));
    assert!(said.failure()["hint"].as_str().unwrap().contains("`cpu`"));
}
