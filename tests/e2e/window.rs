//! The real window, driven as a person would.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use hone_e2e::{Desk, Window};
use serde_json::json;

const PROJECT: &str = "Alma 夜航";

/// Points on the loss curve.
const POINTS: &str = "Number(document.querySelector('[data-test=\"loss-curve\"]')?.dataset.points ?? 0)";
const STATUS: &str = "document.querySelector('[data-test=\"run-status\"]')?.dataset.status";

#[tokio::test]
async fn the_whole_way_from_dropped_documents_to_a_modelfile() {
    let Some(desk) = Desk::new(true) else { return };
    let clock = Clock(Instant::now());
    let files = desk.write_documents();
    let window = Window::open(&desk, &[]).await;
    clock.say("open");

    window.make_project(PROJECT).await;
    assert!(desk.project(PROJECT).join("project.toml").is_file());
    import(&window, &files).await;
    clock.say("import");
    clean(&window).await;
    clock.say("clean");
    configure(&window).await;
    clock.say("configure");

    // The window is closed in the middle of the training; another shows it as it is.
    window.press("main-action").await;
    window.wait("the loss curve shows two steps", &format!("{POINTS} >= 3"), 240).await;
    window.picture("5-train-running").await;
    clock.say("first steps");
    window.close().await;
    let before = desk.runs(PROJECT)[0]["step"].as_u64().unwrap();
    let window = Window::open(&desk, &["--project", desk.project(PROJECT).to_str().unwrap()]).await;
    window
        .wait("the curve of the running training", &format!("{POINTS} > {before} && {STATUS} === 'running'"), 60)
        .await;
    let points = window.script(&format!("return {POINTS}"), vec![]).await;
    window.wait("the curve moves on", &format!("{POINTS} > {points} && {STATUS} === 'running'"), 60).await;
    clock.say("closed and opened again");

    window.press("stop").await;
    window.wait("the training has stopped", &format!("{STATUS} === 'cancelled'"), 60).await;
    window.picture("6-train-stopped").await;
    let run = desk.runs(PROJECT)[0].clone();
    let folder = desk.project(PROJECT).join("runs").join(run["id"].as_str().unwrap());
    assert_eq!(run["status"], "cancelled");
    assert!(folder.join("checkpoints").read_dir().unwrap().next().is_some(), "stopping leaves a checkpoint");
    let stopped_at = run["step"].as_u64().unwrap();
    assert!(stopped_at < run["total_steps"].as_u64().unwrap(), "stopped before its end");
    clock.say("stop");

    window.press("resume").await;
    window.wait("the training is done", &format!("{STATUS} === 'done'"), 240).await;
    window.picture("7-train-done").await;
    let runs = desk.runs(PROJECT);
    assert_eq!(runs.len(), 1, "the same run went on");
    assert_eq!(runs[0]["step"], runs[0]["total_steps"]);
    clock.say("resume to the end");

    evaluate(&window).await;
    clock.say("evaluate");
    export(&window).await;
    let modelfile = std::fs::read_to_string(desk.project(PROJECT).join("exports/alma/Modelfile")).unwrap();
    assert!(modelfile.contains("FROM ./") && modelfile.contains("TEMPLATE"), "{modelfile}");
    clock.say("export");

    chinese_and_dark(&window).await;
    window.close().await;
    // What was chosen is still chosen in the next window.
    let window = Window::open(&desk, &[]).await;
    window.see("recent-project", 30).await;
    window.wait("it speaks Chinese", "document.documentElement.lang.startsWith('zh')", 10).await;
    assert_eq!(window.text("recent-project").await, PROJECT);
    window.picture("14-welcome-zh-dark").await;
    window.close().await;
    clock.say("Chinese and dark");
}

async fn import(window: &Window, files: &[std::path::PathBuf]) {
    window.see("drop-zone", 10).await;
    window.drop_files(files).await;
    window.wait("two documents", "document.querySelectorAll('[data-test=\"document-row\"]').length === 2", 120).await;
    let continues = "document.querySelector('[data-test=\"step-import\"]').innerText.includes('15 rows')";
    window.wait("the rows are counted", continues, 60).await;
    window.wait("the file that could not be read", "document.querySelector('[data-test=\"unread-row\"]')", 30).await;
    let text = window.script("return document.body.innerText", vec![]).await;
    let text = text.as_str().unwrap();
    for name in ["ferry.md", "fragen 问答.csv", "broken.pdf"] {
        assert!(text.contains(name), "`{name}` is not named: {text}");
    }
    window.picture("2-import").await;
}

async fn clean(window: &Window) {
    window.press("rail-clean").await;
    window.press("tab-rows").await;
    window.wait("the rows", "document.querySelectorAll('[data-test=\"row-item\"]').length >= 14", 30).await;
    window.picture("3-rows").await;
    window.press("tab-seen").await;
    let learned = "document.querySelector('[data-test=\"seen\"]')?.innerText.includes('22:40')";
    window.wait("a row as the model will see it", learned, 60).await;
    window.see("enough", 60).await;
    window.picture("3-seen").await;

    // A rule: its hit before and after, applied, undone, applied again, all of it in the project's database.
    window.press("tab-rules").await;
    window.press("look-whitespace").await;
    let would = "document.querySelector('[data-test=\"rule-told\"]')?.innerText.includes('would change 1 row')";
    window.wait("what the rule would do", would, 60).await;
    let diff = "document.querySelectorAll('[data-test=\"rule-hit\"] del').length === 1";
    window.wait("the blank that goes", diff, 10).await;
    window.picture("3-rules").await;
    for again in [true, false] {
        window.press("apply-rule").await;
        window.wait("the rule is applied", "document.querySelector('[data-test=\"undo-rule\"]')", 60).await;
        if again {
            window.press("undo-rule").await;
            window.wait("the rule is undone", would, 60).await;
        }
    }
    window.press("quiet-rules").await;
    window.press("look-personal").await;
    window.picture("3-personal").await;
}

async fn configure(window: &Window) {
    window.press("rail-configure").await;
    window.press("goal-quick").await;
    window.press("all-settings").await;
    for (knob, value) in [("epochs", "20"), ("batch_size", "2"), ("max_steps", "80"), ("lora.rank", "8")] {
        window.set_knob(knob, value).await;
    }
    let planned = "document.querySelector('aside').innerText.includes('80') && !document.querySelector('.old')";
    window.see("plan-time", 60).await;
    window.wait("a plan of 80 steps", planned, 60).await;
    window.picture("4-configure").await;
}

async fn evaluate(window: &Window) {
    window.press("rail-evaluate").await;
    window.press("start-exam").await;
    window.wait("the measures", "document.querySelectorAll('[data-test=\"measure-row\"]').length > 0", 300).await;
    window.see("answer-row", 10).await;
    window.picture("8-evaluate").await;
}

async fn export(window: &Window) {
    window.press("rail-export").await;
    window.press("size-q8_0").await;
    window.fill("export-name", "alma").await;
    window.press("write-export").await;
    window.see("export-done", 180).await;
    window.picture("9-export").await;
}

async fn chinese_and_dark(window: &Window) {
    window.press("settings").await;
    window.press("language-zh").await;
    window.press("theme-dark").await;
    window.press("settings-close").await;
    window
        .wait(
            "it speaks Chinese",
            "document.querySelector('[data-test=\"step-export\"]').innerText.includes('导出')",
            10,
        )
        .await;
    let light = "(c => c[0] + c[1] + c[2])(getComputedStyle(document.querySelector('main')).backgroundColor.match(/\\d+/g).map(Number))";
    window.wait("the page is dark", &format!("{light} < 150"), 10).await;
    for (number, step) in ["import", "clean", "configure", "train", "evaluate"].into_iter().enumerate() {
        window.press(&format!("rail-{step}")).await;
        window.see(&format!("step-{step}"), 10).await;
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        window.picture(&format!("1{number}-{step}-zh-dark")).await;
    }
}

#[tokio::test]
async fn drafts_written_by_rules_from_an_archive_are_reviewed_with_the_keyboard() {
    let Some(desk) = Desk::new(true) else { return };
    let archive = desk.write_archive();
    let window = Window::open(&desk, &[]).await;
    window.make_project(PROJECT).await;
    window.drop_files(&[archive]).await;
    let both = "document.querySelectorAll('[data-test=\"document-row\"]').length === 2";
    window.wait("both files of the archive", both, 60).await;

    // Nothing is said to be done with nothing made: the drafts are counted.
    window.see("drafting", 30).await;
    window.choose("draft-writer", "rules").await;
    window.press("draft-start").await;
    window.see("draft-finished", 60).await;
    let drafts: u64 = window.text("draft-count").await.parse().unwrap();
    assert!(drafts >= 4, "{drafts} drafts");
    window.picture("15-drafted").await;

    window.press("go-review").await;
    let count = |left: u64| format!("document.querySelectorAll('[data-test=\"draft-item\"]').length === {left}");
    window.wait("the drafts", &count(drafts), 30).await;
    window.wait("the passage with the words marked", "document.querySelector('mark')", 30).await;
    window.picture("16-review").await;
    let decided = |at: u64, status: &str| {
        format!("document.querySelector('[data-test=\"draft-item\"][data-at=\"{at}\"]')?.dataset.status === '{status}'")
    };
    window.keys("a").await;
    window.wait("the first is approved", &decided(0, "approved"), 10).await;
    window.keys("r").await;
    window.wait("the second is rejected", &decided(1, "rejected"), 10).await;
    window.keys("z").await;
    window.wait("the second waits again", &count(drafts - 1), 10).await;

    // What is changed by hand stays in the row.
    window.keys("e").await;
    window.wait("the text can be changed", "document.querySelector('[data-test=\"review\"] textarea')", 10).await;
    let script = "const field = document.querySelector('[data-test=\"review\"] textarea'); field.value = 'What is asked by hand?';
        field.dispatchEvent(new Event('input', { bubbles: true }));";
    window.script(script, vec![]).await;
    window.press("save-row").await;
    let changed = "document.querySelector('[data-test=\"draft-list\"]').innerText.includes('What is asked by hand?')";
    window.wait("the changed question in the list", changed, 10).await;

    // One was read of so few: the rest may go together, and only what is approved is studied.
    window.press("approve-rest").await;
    window.press("approve-rest-do").await;
    window.press("tab-seen").await;
    window.wait("what the model will see", "document.querySelector('[data-test=\"seen\"]')", 60).await;
    window.picture("17-review-done").await;
    window.close().await;
}

#[tokio::test]
async fn documents_can_be_chosen_in_the_systems_dialog() {
    let Some(desk) = Desk::new(true) else { return };
    let files = desk.write_documents();
    let window = Window::open(&desk, &[]).await;
    window.make_project(PROJECT).await;
    // Keys that reach the dialog while it opens can get lost: what came of a try is looked at, and it is given up as a person would.
    let mut chosen = false;
    for _ in 0..5 {
        window.press("open-files").await;
        let path = files[0].clone();
        chosen = tokio::task::spawn_blocking(move || choose_in_dialog(&path)).await.unwrap();
        if chosen {
            break;
        }
    }
    assert!(chosen, "xdotool could not choose a file in the dialog");
    window.wait("the document", "document.querySelectorAll('[data-test=\"document-row\"]').length === 1", 60).await;
    assert!(window.text("document-row").await.contains("ferry.md"));
    window.close().await;
}

/// Types a path into the system's dialog; whether the dialog took it. Else it is closed.
fn choose_in_dialog(path: &Path) -> bool {
    // The slash alone opens the field for a path; the rest follows once the field is there.
    let typing = format!(
        "find() {{ xdotool search --onlyvisible --name 'document' | tail -1; }}
         gone() {{ for _ in 1 2 3 4 5 6 7 8 9 10; do [ -z \"$(find)\" ] && return 0; sleep 0.2; done; return 1; }}
         xdotool search --sync --onlyvisible --name 'document' >/dev/null; sleep 1
         xdotool windowfocus --sync \"$(find)\"; sleep 0.5
         xdotool key slash; sleep 1; xdotool key ctrl+a; xdotool type --delay 30 '{}'; sleep 0.5
         for _ in 1 2 3; do xdotool key Return; gone && exit 0; done
         for _ in 1 2 3 4; do xdotool key Escape; gone && exit 1; done",
        path.display()
    );
    Command::new("timeout").args(["60", "sh", "-c", &typing]).status().is_ok_and(|status| status.success())
}

#[tokio::test]
async fn the_page_reaches_no_host() {
    let Some(desk) = Desk::new(false) else { return };
    let window = Window::open(&desk, &[]).await;
    window.see("new-project", 30).await;
    // A server that answers, so that only the page's policy can be what refuses.
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("http://{}/", server.local_addr().unwrap());
    let asked = |script: &'static str, url: String| window.answer_of(script, url);
    for url in
        [here.clone(), here.replace("127.0.0.1", "localhost"), "https://example.org/".into(), "http://[::1]:9/".into()]
    {
        let script = "const [url, done] = arguments; fetch(url, { mode: 'no-cors' }).then(() => done('reached'), e => done(e.name))";
        assert_eq!(asked(script, url.clone()).await, json!("TypeError"), "{url}");
        let script = "const [url, done] = arguments; document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective), { once: true });
            const image = new Image(); image.onload = () => done('loaded'); image.src = url;";
        assert_eq!(asked(script, url.clone()).await, json!("img-src"), "{url}");
    }
    let script = "const [code, done] = arguments; try { done(new Function(code)()) } catch (e) { done(e.name) }";
    assert_eq!(asked(script, "return 'evaluated'".into()).await, json!("EvalError"));
    let nobody = tokio::time::timeout(std::time::Duration::from_millis(300), server.accept()).await;
    assert!(nobody.is_err(), "something knocked at the server");
    window.close().await;
}

#[tokio::test]
async fn the_page_has_commands_and_events_and_nothing_more() {
    let Some(desk) = Desk::new(false) else { return };
    let window = Window::open(&desk, &[]).await;
    window.see("new-project", 30).await;
    let call = "const [command, done] = arguments; const [name, args] = JSON.parse(command);
        window.__TAURI_INTERNALS__.invoke(name, args).then(() => done('answered'), e => done(e.code ?? 'refused'))";
    for (command, answer) in [
        (json!(["settings_read", {}]), "answered"),
        (json!(["plugin:event|emit", { "event": "hello", "payload": 1 }]), "answered"),
        (json!(["plugin:fs|read_file", { "path": "/etc/passwd" }]), "refused"),
        (json!(["plugin:shell|execute", { "program": "sh" }]), "refused"),
        (json!(["plugin:window|close", {}]), "refused"),
        (json!(["documents", { "dir": "/" }]), "not_found"),
        (json!(["reveal", { "path": "/etc" }]), "bad_input"),
        (json!(["project_open", { "dir": "../.." }]), "bad_input"),
        (json!(["project_create", { "dir": null, "name": "../evil", "base": "x", "language": "en" }]), "bad_input"),
    ] {
        assert_eq!(window.answer_of(call, command.to_string()).await, json!(answer), "{command}");
    }
    assert!(!desk.home().join("evil").exists());
    window.close().await;
}

struct Clock(Instant);

impl Clock {
    fn say(&self, what: &str) {
        println!("{:6.1} s  {what}", self.0.elapsed().as_secs_f64());
    }
}
