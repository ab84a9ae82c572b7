//! The project folder as the window and the worker see it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

use std::path::Path;

use hone_data::clean::Findings;
use hone_data::{Document, Message, Origin, Role, Row, RowStatus};
use hone_job::run::{self, RunState, RunStatus};
use hone_job::{ErrorCode, Explain, fs};
use hone_studio::store::Imported;
use hone_studio::{Project, ProjectFile, StepStatus, StudioError, exports, runs, settings, sources, state};

fn project(dir: &Path) -> Project {
    Project::create(dir, ProjectFile::new("Ferry handbook", "gemma3-270m", "en")).unwrap()
}

fn run_state(id: &str, status: RunStatus) -> RunState {
    RunState {
        id: id.into(),
        status,
        pid: 1,
        step: 4,
        total_steps: 9,
        epoch: 1.5,
        started_at: "2026-11-24T15:00:00Z".into(),
        updated_at: "2026-11-24T15:01:00Z".into(),
        base: "gemma3-270m".into(),
        loss_before: Some(3.1),
        loss_after: None,
        error: None,
        seconds_left: None,
    }
}

fn add_row(project: &Project) {
    let message = |role, content: &str| Message { role, content: content.into() };
    let row = Row {
        id: 0,
        messages: vec![message(Role::User, "When?"), message(Role::Assistant, "At nine.")],
        text: String::new(),
        label: None,
        origin: Origin::Mapped,
        document: Some("a".into()),
        passage: None,
        line: None,
        status: RowStatus::Approved,
        split: None,
        metadata: std::collections::BTreeMap::new(),
    };
    let document = Document {
        hash: "a".into(),
        name: "a.csv".into(),
        path: "/a.csv".into(),
        format: "csv".into(),
        bytes: 1,
        pages: None,
        characters: 1,
        issues: vec![],
    };
    project.store().unwrap().add(&Imported { document, passages: vec![], rows: vec![row] }).unwrap();
}

#[test]
fn a_project_is_made_in_a_new_folder_and_opened_after_it_was_moved() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("Fähre 渡轮");
    add_row(&project(&first));
    let moved = folder.path().join("moved");
    fs::rename(&first, &moved).unwrap();
    let opened = Project::open(&moved).unwrap();
    assert_eq!(opened.file(), &ProjectFile::new("Ferry handbook", "gemma3-270m", "en"));
    assert_eq!(opened.store().unwrap().row_counts().unwrap().total, 1);
}

#[test]
fn a_folder_with_other_things_in_it_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write_atomic(&folder.path().join("letter.txt"), b"Dear all").unwrap();
    let error = Project::create(folder.path(), ProjectFile::new("N", "b", "en")).unwrap_err();
    assert!(matches!(error, StudioError::NotEmpty { .. }));
    assert_eq!(error.code(), ErrorCode::BadInput);
    assert_eq!(fs::list_dir(folder.path()).unwrap().len(), 1);
    assert_eq!(Project::open(folder.path()).unwrap_err().code(), ErrorCode::NotFound);
}

#[test]
fn a_project_is_not_made_twice_but_one_that_was_cut_off_is() {
    let folder = tempfile::tempdir().unwrap();
    let made = project(folder.path());
    let again = Project::create(folder.path(), made.file().clone());
    assert!(matches!(again, Err(StudioError::AlreadyProject { .. })));
    fs::remove_file(&folder.path().join("project.toml")).unwrap();
    Project::create(folder.path(), made.file().clone()).unwrap();
}

#[test]
fn a_newer_project_is_refused_in_plain_words_and_a_broken_file_by_its_line() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let path = folder.path().join("project.toml");
    fs::write_atomic(&path, b"schema = 7\nfuture = true\n").unwrap();
    let error = Project::open(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains("made by a newer Hone (its layout is version 7, this Hone knows up to 1)"),
        "{error}"
    );
    assert!(error.hint().unwrap().starts_with("Update Hone"));
    fs::write_atomic(&path, b"schema = 1\nname = \n").unwrap();
    let error = Project::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
}

#[test]
fn the_steps_follow_what_lies_in_the_folder() {
    use StepStatus::{Done, Later, Now, Running};
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let steps = || {
        let state = state::read(&project).unwrap();
        [
            state.import.status,
            state.clean.status,
            state.configure.status,
            state.train.status,
            state.evaluate.status,
            state.export.status,
        ]
    };
    assert_eq!(steps(), [Now, Later, Later, Later, Later, Later]);
    add_row(&project);
    assert_eq!(steps(), [Done, Now, Later, Later, Later, Later]);
    project.store().unwrap().apply_rules(&[hone_data::clean::Rule::Whitespace], &Findings::default()).unwrap();
    assert_eq!(steps(), [Done, Done, Now, Later, Later, Later]);

    let run_dir = project.runs_dir().join("20261124-150000");
    fs::create_dir_all(&run_dir).unwrap();
    fs::write_json(&run_dir.join(run::STATE_FILE), &run_state("20261124-150000", RunStatus::Running)).unwrap();
    let held = run::lock(&run_dir).unwrap();
    assert_eq!(steps(), [Done, Done, Done, Running, Later, Later]);
    drop(held);
    assert_eq!(steps(), [Done, Done, Done, Now, Later, Later], "cut off");
    assert!(!state::read(&project).unwrap().train.resumable, "no checkpoint yet");
    fs::create_dir_all(&run_dir.join("checkpoints/step-4")).unwrap();
    assert!(state::read(&project).unwrap().train.resumable);

    fs::write_json(&run_dir.join(run::STATE_FILE), &run_state("20261124-150000", RunStatus::Done)).unwrap();
    assert_eq!(steps(), [Done, Done, Done, Done, Now, Later]);
    fs::write_atomic(&run_dir.join("eval.json"), b"{}").unwrap();
    assert_eq!(steps(), [Done, Done, Done, Done, Done, Now]);
    let export = project.exports_dir().join("handbook");
    fs::create_dir_all(&export).unwrap();
    fs::write_atomic(&export.join("model.gguf"), b"GGUF").unwrap();
    assert_eq!(steps(), [Done; 6]);
    assert_eq!(exports::list(&project).unwrap()[0].bytes, 4);
}

#[test]
fn a_run_is_read_with_its_whole_lines_only() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let dir = project.runs_dir().join("20261124-150000");
    fs::create_dir_all(&dir).unwrap();
    fs::write_json(&dir.join(run::STATE_FILE), &run_state("20261124-150000", RunStatus::Cancelled)).unwrap();
    let line = r#"{"step":1,"epoch":0.1,"loss":3.0,"loss_ema":3.0,"learning_rate":1e-4,"grad_norm":1.0,"tokens":9,"tokens_per_second":9.0,"step_seconds":1.0,"memory_bytes":5}"#;
    fs::write_atomic(&dir.join("metrics.jsonl"), format!("{line}\n{}", &line[..30]).as_bytes()).unwrap();
    let view = runs::read(&project, "20261124-150000").unwrap();
    assert_eq!((view.metrics.len(), view.alive, view.resumable), (1, false, false));
    runs::cancel(&project, "20261124-150000").unwrap();
    assert!(dir.join("cancel").is_file());
    for id in ["", "..", "../runs", "none"] {
        assert_eq!(runs::read(&project, id).unwrap_err().code(), ErrorCode::NotFound, "{id}");
    }
}

#[test]
fn a_source_is_kept_once_under_its_hash_and_one_that_changed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(&folder.path().join("p"));
    let file = folder.path().join("letter.TXT");
    fs::write_atomic(&file, b"abc").unwrap();
    // FIPS 180-2, appendix B.1
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let (path, new) = sources::keep(&project, &file, hash).unwrap();
    assert!(new && path.ends_with(format!("{hash}.txt")));
    assert_eq!(fs::read(&path).unwrap(), b"abc");
    assert!(!sources::keep(&project, &file, hash).unwrap().1);
    let error = sources::keep(&project, &file, &hash.replace('b', "c")).unwrap_err();
    assert!(matches!(error, StudioError::SourceChanged { .. }), "{error}");
    assert_eq!(fs::list_dir(&project.sources_dir()).unwrap().len(), 1);
}

#[test]
fn recent_projects_are_newest_first_without_those_that_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    assert_eq!(settings::recent(&config).unwrap(), []);
    let (a, b) = (project(&folder.path().join("a")), project(&folder.path().join("b")));
    for opened in [&a, &b, &a] {
        settings::remember(&config, opened, "2026-11-24T15:00:00Z").unwrap();
    }
    let dirs = || settings::recent(&config).unwrap().into_iter().map(|entry| entry.dir).collect::<Vec<_>>();
    let text = |project: &Project| project.dir().to_string_lossy().into_owned();
    assert_eq!(dirs(), [text(&a), text(&b)]);
    fs::remove_dir_all(a.dir()).unwrap();
    assert_eq!(dirs(), [text(&b)]);
}

#[test]
fn settings_survive_and_unreadable_ones_are_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let mut chosen = settings::read(folder.path()).unwrap();
    assert_eq!(chosen, settings::Settings::default());
    chosen.language = Some("zh".into());
    chosen.theme = settings::Theme::Dark;
    settings::write(folder.path(), &chosen).unwrap();
    assert_eq!(settings::read(folder.path()).unwrap(), chosen);
    fs::write_atomic(&folder.path().join("settings.json"), b"{").unwrap();
    assert_eq!(settings::read(folder.path()).unwrap(), settings::Settings::default());
}
