//! Drafting and review through the real binary: rules on the sample handbook, a double of Ollama, stop, kill and resume.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Said, ask, hone, in_project, project};
use hone_job::fs;
use serde_json::{Value, json};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// A project with the sample handbook, English and Chinese.
fn handbook(dir: &Path) {
    project(dir);
    let said = in_project(dir, &["import", samples().join("handbook.docx").to_str().unwrap()]);
    assert_eq!(said.last(), "done", "{said:?}");
}

fn passages(dir: &Path) -> u64 {
    in_project(dir, &["draft", "--status"]).result()["passages"].as_u64().unwrap()
}

#[test]
fn rules_draft_the_sample_handbook_in_both_languages_and_every_quote_stands_in_it() {
    let folder = tempfile::tempdir().unwrap();
    handbook(folder.path());
    let said = in_project(folder.path(), &["draft", "--by", "rules", "--per-passage", "200"]);
    assert_eq!((said.status, said.last()), (Some(0), "done"), "{said:?}");
    let outcome = said.result();
    println!("{outcome}");
    assert!(outcome["drafts"].as_u64() > Some(200), "{outcome}");
    assert_eq!((&outcome["not_grounded"], &outcome["failed"]), (&json!(0), &json!(0)), "{outcome}");

    let page = in_project(folder.path(), &["rows", "list", "--origin", "drafted", "--limit", "2000"]);
    let rows = page.result()["rows"].as_array().unwrap().clone();
    let pair = |row: &Value| {
        (
            row["messages"][0]["content"].as_str().unwrap().to_owned(),
            row["messages"][1]["content"].as_str().unwrap().to_owned(),
        )
    };
    let pairs: Vec<_> = rows.iter().map(pair).collect();
    let answer = |question: &str| {
        let found = pairs.iter().find(|(asked, _)| asked == question);
        found.map_or_else(|| panic!("`{question}` is not asked among {pairs:#?}"), |(_, answer)| answer.as_str())
    };
    // What the handbook says, read by a person.
    assert_eq!(answer("What is the extension of Halina Voss?"), "The extension of Halina Voss is 220.");
    assert_eq!(answer("What is the draught of Petrel?"), "The draught of Petrel is 1.5 m.");
    assert!(
        answer("What is the muster signal?").starts_with("The muster signal is seven short blasts and one long blast")
    );
    assert!(
        answer("What are the 6 steps or points under “Fire”, in order?")
            .contains("Pull the red fuel levers outside door 5")
    );
    assert_eq!(answer("A的成人单程是什么？"), "A的成人单程是9.60 克朗。");
    assert!(answer("“旅行团”有哪5个步骤或要点？").contains("黄色小旗"));

    assert!(rows.iter().all(|row| row["status"] == "draft"), "nothing is trained on before it is approved");
    let exam = rows.iter().filter(|row| row["split"] == "exam").count();
    assert!(exam > 0, "some of them are kept for the exam");
    let again = in_project(folder.path(), &["draft"]);
    assert_eq!((again.last(), &again.result()["passages"]), ("done", &json!(0)), "nothing is drafted twice");
}

#[test]
fn drafts_are_reviewed_on_the_command_line_one_by_one_and_by_filter_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("p");
    project(&dir);
    let file = folder.path().join("book.md");
    let rows: String = (0..40).map(|n| format!("| Boat {n:02}a | {n} m |\n")).collect();
    fs::write_atomic(&file, format!("# Boats\n\n| Boat | Length |\n| --- | --- |\n{rows}").as_bytes()).unwrap();
    in_project(&dir, &["import", file.to_str().unwrap()]);
    let drafted = in_project(&dir, &["draft", "--per-passage=40", "--kind=fact"]);
    assert_eq!(drafted.result()["drafts"], 40, "{drafted:?}");

    let refused = in_project(&dir, &["rows", "approve", "--origin=drafted", "--grounding=found"]);
    assert_eq!(
        refused.failure()["message"],
        "Of these drafts 0 were read one by one; approving the rest at once asks for 2"
    );
    assert_eq!(in_project(&dir, &["rows", "approve"]).failure()["message"], "Which rows?");
    let ids: Vec<String> = in_project(&dir, &["rows", "list", "--status=draft"]).result()["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].to_string())
        .collect();
    in_project(&dir, &["rows", "approve", &ids[0]]);
    in_project(&dir, &["rows", "reject", &ids[1]]);
    let rest = in_project(&dir, &["rows", "approve", "--origin=drafted", "--grounding=found"]);
    assert_eq!(rest.result()["ids"].as_array().unwrap().len(), 38, "{rest:?}");
    let review = |dir: &Path| in_project(dir, &["rows", "review"]).result().clone();
    assert_eq!(review(&dir), json!({"waiting": 0, "approved": 39, "rejected": 1, "read": 2, "wanted": 2}));
    assert_eq!(in_project(&dir, &["rows", "undo"]).result()["ids"].as_array().unwrap().len(), 38);
    assert_eq!(review(&dir)["waiting"], 38);
    assert_eq!(in_project(&dir, &["rows", "reject", "--all"]).result()["ids"].as_array().unwrap().len(), 38);
}

#[test]
fn more_rows_are_made_from_approved_ones_each_waiting_with_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("p");
    project(&dir);
    let table = folder.path().join("faq.csv");
    fs::write_atomic(
        &table,
        "question,answer,split\nWhen does the ferry begin?,At nine.,train\nHow often does it begin?,Daily.,exam\n什么时候开始登船？,八点。,train\n"
            .as_bytes(),
    )
    .unwrap();
    in_project(&dir, &["import", table.to_str().unwrap()]);
    let made = in_project(&dir, &["augment", "--how=synonyms"]);
    assert_eq!(
        (&made.result()["parents"], &made.result()["drafts"]),
        (&json!(2), &json!(2)),
        "the exam row is left alone"
    );
    let page = in_project(&dir, &["rows", "list", "--kind=synonyms"]);
    let page = page.result();
    assert_eq!(
        page["rows"].as_array().unwrap().iter().map(|row| row["status"].clone()).collect::<Vec<_>>(),
        ["draft", "draft"]
    );
    assert_eq!(page["drafts"][0]["parent"], 1);
    assert_ne!(page["rows"][0]["messages"][0]["content"], "When does the ferry begin?");
    assert_eq!(page["rows"][0]["messages"][1]["content"], "At nine.", "the answer stays");
    let words = folder.path().join("words.txt");
    fs::write_atomic(&words, b"ferry, boat\n").unwrap();
    in_project(&dir, &["augment", "--how=synonyms", "--words", words.to_str().unwrap()]);
    let found = in_project(&dir, &["rows", "list", "--search=boat"]);
    assert_eq!(found.result()["rows"][0]["messages"][0]["content"], "When does the boat begin?");
    fs::write_atomic(&words, b"lonely\n").unwrap();
    let refused = in_project(&dir, &["augment", "--how=synonyms", "--words", words.to_str().unwrap()]);
    assert!(refused.failure()["message"].as_str().unwrap().contains("line 1 of the word list"), "{refused:?}");
    let refused = in_project(&dir, &["augment", "--how=paraphrase"]);
    assert_eq!(refused.failure()["message"], "Rewording and translating need a model");
}

/// A double of Ollama that writes one draft a passage, quoting its first words; `answer` may say otherwise.
struct Ollama {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Ollama {
    fn start(answer: impl Fn(usize, &str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (shared, answer) = (asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, answer) = (shared.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &asked, &*answer));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn words<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["draft", "--by=ollama", "--model=writer", "--address", &self.address][..], more].concat()
    }
}

fn serve(mut stream: TcpStream, asked: &AtomicUsize, answer: &dyn Fn(usize, &str) -> String) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut first, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
            if first.is_empty() {
                first = line;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body = if first.contains("/api/tags") {
            json!({"models": [{"name": "writer:latest"}]}).to_string()
        } else {
            let body: Value = serde_json::from_slice(&body).unwrap();
            let user = body["messages"][1]["content"].as_str().unwrap();
            let text = answer(asked.fetch_add(1, Ordering::SeqCst), user);
            json!({"message": {"role": "assistant", "content": text}, "done": true, "done_reason": "stop",
                "prompt_eval_count": 50, "eval_count": 9})
            .to_string()
        };
        let written = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if written.and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

/// One draft that asks for the passage's first words.
fn one_draft(user: &str) -> String {
    let passage = user.split("\"\"\"").nth(1).unwrap().trim();
    let quote: String = passage.chars().take(24).collect();
    json!({"drafts": [{"kind": "fact", "question": format!("How does “{quote}” go on?"), "answer": passage.chars().take(60).collect::<String>(), "quote": quote}]})
        .to_string()
}

#[test]
fn a_model_in_ollama_drafts_each_passage_once_and_the_cost_is_told() {
    let folder = tempfile::tempdir().unwrap();
    handbook(folder.path());
    let ollama = Ollama::start(|_, user| one_draft(user));
    let count = passages(folder.path());
    let first = in_project(folder.path(), &ollama.words(&["--first=3"]));
    assert_eq!((first.last(), &first.result()["drafts"]), ("done", &json!(3)), "{first:?}");
    let rest = in_project(folder.path(), &ollama.words(&[]));
    assert_eq!(rest.result()["passages"], count - 3, "goes on where it was");
    assert_eq!(ollama.asked() as u64, count);
    let state = in_project(folder.path(), &["draft", "--status"]);
    let writer = &state.result()["writers"][0];
    assert_eq!((&writer["writer"], &writer["done"]), (&json!("ollama:writer"), &json!(count)));
    assert_eq!((&writer["prompt_tokens"], &writer["answer_tokens"]), (&json!(50 * count), &json!(9 * count)));
    let progress: Vec<_> = rest.events.iter().filter(|event| event["event"] == "progress").collect();
    assert_eq!((&progress[0]["unit"], &progress[0]["total"]), (&json!("passages"), &json!(count - 3)));
}

#[test]
fn drafting_never_says_done_with_nothing_but_which_passages_failed_and_why() {
    let folder = tempfile::tempdir().unwrap();
    handbook(folder.path());
    let broken = Ollama::start(|_, _| "I am happy to help!".into());
    let said = in_project(folder.path(), &broken.words(&["--first=2"]));
    let failure = said.failure();
    assert_eq!(failure["code"], "no_rows");
    let message = failure["message"].as_str().unwrap();
    assert!(message.starts_with("No question came out of 2 passages: 2 failed. `handbook.docx`"), "{message}");
    assert!(message.contains("the answer is not JSON"), "{message}");
    assert_eq!(said.result()["failures"].as_array().unwrap().len(), 2);
    assert_eq!(broken.asked(), 6, "each passage is tried three times");
    let hopeless = in_project(folder.path(), &broken.words(&[]));
    assert!(
        hopeless.failure()["message"].as_str().unwrap().starts_with("The first 6 passages all failed"),
        "{hopeless:?}"
    );

    // One that stumbles over some passages is done, and names them.
    let some = Ollama::start(|_, user| if user.contains("Life-saving") { "No.".into() } else { one_draft(user) });
    let said = in_project(folder.path(), &some.words(&[]));
    assert_eq!(said.last(), "done");
    let failures = said.result()["failures"].as_array().unwrap();
    assert!(
        !failures.is_empty() && failures[0]["document"] == "handbook.docx" && failures[0]["tries"] == 3,
        "{failures:?}"
    );
    assert!(said.events.iter().any(|event| event["code"] == "draft_failed"));

    let nobody = in_project(folder.path(), &["draft", "--by=ollama", "--model=m", "--address=http://127.0.0.1:9"]);
    assert_eq!(nobody.failure()["message"], "nothing answers at `http://127.0.0.1:9`");
    let remote =
        in_project(folder.path(), &["draft", "--by=endpoint", "--model=m", "--address=https://api.example.com/v1"]);
    assert!(remote.failure()["message"].as_str().unwrap().ends_with("the documents would leave this machine"));
    let hot = in_project(folder.path(), &["draft", "--temperature=1.2"]);
    assert_eq!(hot.failure()["hint"], "Choose one between 0.3 and 0.7");
}

#[test]
fn a_project_without_passages_says_so() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    assert_eq!(
        in_project(folder.path(), &["draft"]).failure()["message"],
        "This project has no passages to draft from"
    );
}

#[test]
fn what_was_drafted_before_a_stop_or_a_kill_is_kept_and_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    handbook(folder.path());
    let count = passages(folder.path());
    let slow = Ollama::start(|_, user| {
        std::thread::sleep(Duration::from_millis(150));
        one_draft(user)
    });
    let start = |words: &[&str]| {
        let mut command = hone(None);
        command.args(["--json", "--project"]).arg(folder.path()).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let wait_for = |asked: usize| {
        while slow.asked() < asked {
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let mut stopped = start(&slow.words(&[]));
    wait_for(3);
    stopped.stdin.take().unwrap().write_all(b"cancel\n").unwrap();
    let output = stopped.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("\"event\":\"result\"") && told.ends_with("{\"event\":\"cancelled\"}\n"), "{told}");
    let done = || in_project(folder.path(), &["draft", "--status"]).result()["writers"][0]["done"].as_u64().unwrap();
    let kept = done();
    assert!(kept >= 2, "{kept}");

    let mut killed = start(&slow.words(&[]));
    wait_for(slow.asked() + 3);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let kept_after = done();
    assert!(kept_after > kept);
    let asked = slow.asked();
    let rest: Said = ask(
        {
            let mut command = hone(None);
            command.arg("--project").arg(folder.path());
            command
        },
        &slow.words(&[]),
    );
    assert_eq!((rest.last(), &rest.result()["passages"]), ("done", &json!(count - kept_after)));
    assert!(slow.asked() - asked <= (count - kept_after) as usize, "no passage that was kept is asked about again");
    let rows = in_project(folder.path(), &["rows", "list", "--origin=drafted"]);
    assert_eq!(rows.result()["total"], count, "one draft a passage, none lost, none doubled");
}
