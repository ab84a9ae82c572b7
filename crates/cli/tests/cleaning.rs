//! Cleaning, parting and writing out rows through the real binary.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

mod common;

use std::path::Path;

use common::{Said, ask, hone, in_project, project, starter};
use hone_job::fs;
use serde_json::Value;

const TABLE: &str = "question,answer,label\n\
    When does the ferry leave?,It  leaves at nine.,times\n\
    When does the ferry leave?,It leaves at nine.,times\n\
    Whom do I call?,\"Call +49 170 5550142, or write to desk@alma.example.\",people\n\
    Where is the pier?,It is <b>beside</b> the market &amp; the ｍｉｌｌ.,places\n\
    When does the last ferry leave?,At ten.,times\n\
    When does the last ferry leave?,At eleven.,times\n";

fn filled(dir: &Path) {
    project(dir);
    let file = dir.join("questions.csv");
    fs::write_atomic(&file, TABLE.as_bytes()).unwrap();
    let said = in_project(dir, &["import", file.to_str().unwrap()]);
    assert_eq!(said.result()["rows"], 6, "{said:?}");
}

/// Rule and its hits, of those that have any.
fn hits(said: &Said) -> Vec<(String, u64)> {
    let rules = said.result()["rules"].as_array().unwrap();
    let count = |rule: &Value| ["changed", "dropped", "flagged"].iter().map(|name| rule[name].as_u64().unwrap()).sum();
    rules
        .iter()
        .map(|rule| (rule["rule"].as_str().unwrap().to_owned(), count(rule)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn answers(dir: &Path) -> Vec<String> {
    let said = in_project(dir, &["rows", "list", "--status=approved"]);
    let rows = said.result()["rows"].as_array().unwrap();
    rows.iter().map(|row| row["messages"][1]["content"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn rules_show_their_hits_apply_and_come_back_and_careful_ones_wait_to_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    filled(dir);
    let before = answers(dir);
    let preview = in_project(dir, &["clean", "--preview"]);
    let expected =
        [("html", 1), ("width", 1), ("whitespace", 1), ("personal", 1), ("duplicates", 1), ("contradictions", 2)];
    assert_eq!(hits(&preview), expected.map(|(rule, count)| (rule.to_owned(), count)));
    assert_eq!(answers(dir), before, "a look changes nothing");

    in_project(dir, &["clean"]).result();
    let cleaned = answers(dir);
    assert_eq!(cleaned.len(), 5);
    assert_eq!(cleaned[0], "It leaves at nine.");
    assert_eq!(cleaned[1], before[2], "personal details stay until somebody asks");
    assert_eq!(cleaned[2], "It is beside the market & the mill.");
    assert_eq!(hits(&in_project(dir, &["clean"])).len(), 5, "the same again");
    assert_eq!(answers(dir), cleaned);

    let words = ["clean", "--rule=personal", "--set=personal.own=@alma.example"];
    in_project(dir, &words).result();
    assert_eq!(answers(dir)[1], "Call [telephone], or write to desk@alma.example.");
    in_project(dir, &["clean", "--rule=personal", "--keep=3"]).result();
    assert_eq!(answers(dir)[1], before[2]);

    for rule in ["html", "width", "whitespace", "personal", "duplicates"] {
        in_project(dir, &["clean", &format!("--undo={rule}")]).result();
    }
    assert_eq!(answers(dir), before);
}

#[test]
fn wrong_rules_and_options_are_named_with_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    for words in [
        &["clean", "--rule=shine"][..],
        &["clean", "--set=near_duplicates.threshold=7"],
        &["clean", "--set=near_duplicates=7"],
        &["clean", "--set=shine.on=1"],
    ] {
        assert_eq!(in_project(folder.path(), words).failure()["code"], "bad_config", "{words:?}");
    }
}

#[test]
fn parts_are_drawn_anew_with_other_shares_and_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    project(dir);
    let table: String = (0..40).map(|n| format!("Question {n}?,Answer {n}.\n")).collect();
    let file = dir.join("many.csv");
    fs::write_atomic(&file, format!("question,answer\n{table}").as_bytes()).unwrap();
    in_project(dir, &["import", file.to_str().unwrap()]).result();
    let counts = |said: &Said| ["train", "valid", "exam"].map(|part| said.result()[part].as_u64().unwrap());
    assert_eq!(counts(&in_project(dir, &["rows", "split", "--exam=20", "--valid=5"])), [30, 2, 8]);
    assert!(fs::read_to_string(&dir.join("project.toml")).unwrap().contains("exam_percent = 20"));
    assert_eq!(counts(&in_project(dir, &["rows", "split", "--seed=7"])), [30, 2, 8]);
}

#[test]
fn a_dataset_is_a_file_for_each_part_with_a_card_and_spares_a_strangers_readme() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    filled(dir);
    in_project(dir, &["clean"]).result();
    let out = dir.join("out");
    let said = in_project(dir, &["rows", "export", "--format=csv", "--folder", out.to_str().unwrap()]);
    assert_eq!(said.result()["rows"], 5);
    let card = fs::read_to_string(&out.join("README.md")).unwrap();
    for wanted in
        ["| train | 5 |", "| questions.csv | csv | 5 |", "| `whitespace` | 1 |", "| times | 3 |", "Fewer than 50 rows"]
    {
        assert!(card.contains(wanted), "{wanted:?} is missing in\n{card}");
    }
    let table = fs::read_to_string(&out.join("train.csv")).unwrap();
    assert!(table.starts_with("row,part,label,document") && table.lines().count() == 6, "{table}");
    // Once more into the same folder is fine; a folder with somebody's own README is not.
    in_project(dir, &["rows", "export", "--folder", out.to_str().unwrap()]).result();
    let theirs = dir.join("theirs");
    fs::create_dir_all(&theirs).unwrap();
    fs::write_atomic(&theirs.join("README.md"), b"# Mine\n").unwrap();
    let said = in_project(dir, &["rows", "export", "--folder", theirs.to_str().unwrap()]);
    assert!(said.failure()["message"].as_str().unwrap().contains("README.md"));
    assert_eq!(fs::read_to_string(&theirs.join("README.md")).unwrap(), "# Mine\n");
}

#[test]
fn rows_written_as_parquet_are_the_same_rows_when_they_come_in_again() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, other) = (folder.path().join("one"), folder.path().join("other"));
    filled(&dir);
    in_project(&dir, &["rows", "export", "--format=parquet", "--folder", dir.join("out").to_str().unwrap()]).result();
    project(&other);
    in_project(&other, &["import", dir.join("out/train.parquet").to_str().unwrap()]).result();
    let rows = |dir: &Path| in_project(dir, &["rows", "export"]).result().clone();
    assert_eq!(rows(&other), rows(&dir));
    let refused = in_project(&dir, &["rows", "export", "--format=parquet"]);
    assert!(refused.failure()["hint"].as_str().unwrap().contains("--to"));
}

#[test]
fn the_base_model_tells_what_it_sees_and_which_rows_are_unusual() {
    let Some(models) = starter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    project(dir);
    let table = "question,answer\nWhat is the capital of France?,The capital of France is Paris.\n\
        How many days has a week?,A week has seven days.\n\
        What is next?,zq 9x vv kkq 0w plugh xyzzy 77f qqz rr tnet brx\n";
    let file = dir.join("q.csv");
    fs::write_atomic(&file, table.as_bytes()).unwrap();
    let run = |words: &[&str]| {
        let mut command = hone(Some(&models));
        command.arg("--project").arg(dir);
        ask(command, words)
    };
    run(&["import", file.to_str().unwrap()]).result();
    let seen = run(&["rows", "seen"]);
    let seen = seen.result();
    assert_eq!(
        (seen["rows"].as_u64(), seen["cut_rows"].as_u64(), seen["enough"].as_str()),
        (Some(3), Some(0), Some("few_rows"))
    );
    assert!(seen["trained_tokens"].as_u64() < seen["tokens"].as_u64());
    let short = run(&["rows", "seen", "--longest=16"]);
    assert_eq!(short.result()["cut_rows"], 3, "{short:?}");

    let said = run(&["clean", "--rule=perplexity", "--preview"]);
    let rule = said.result()["rules"][0].clone();
    let unusual: Vec<i64> =
        rule["verdicts"].as_array().unwrap().iter().map(|verdict| verdict["row"].as_i64().unwrap()).collect();
    assert!(unusual.contains(&3) && !unusual.contains(&1), "{rule}");
    assert!(
        rule["details"]["bars"].as_array().unwrap().iter().map(|bar| bar["rows"].as_u64().unwrap()).sum::<u64>() == 3
    );
    // What was measured is kept: the second look needs no model.
    let again = in_project(dir, &["clean", "--rule=perplexity", "--preview"]);
    assert_eq!(again.result()["rules"][0]["dropped"], rule["dropped"]);

    // Fourteen word pieces of text, more than twenty with the marks of the chat form.
    let long = ["clean", "--rule=too_long", "--set=too_long.max_tokens=20"];
    assert_eq!(run(&long).result()["rules"][0]["dropped"], 3, "the marks count");
}
