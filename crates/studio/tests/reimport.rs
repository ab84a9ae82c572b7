//! A file that comes in again: what stays, what goes, and that nothing is lost on the way.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use hone_data::{Document, Mapping, Message, Origin, Passage, Role, Row, RowStatus, Split};
use hone_studio::store::{Changes, FileMapping};
use hone_studio::{RowFilter, Store, StudioError};

fn document(hash: &str, path: &str) -> Document {
    Document {
        hash: hash.into(),
        name: path.rsplit('/').next().unwrap().into(),
        path: path.into(),
        format: "csv".into(),
        bytes: 1,
        pages: None,
        characters: 1,
        issues: vec![],
    }
}

fn row(hash: &str, question: &str, origin: Origin, passage: Option<u32>) -> Row {
    let message = |role, content: &str| Message { role, content: content.into() };
    Row {
        id: 0,
        messages: vec![message(Role::User, question), message(Role::Assistant, "So.")],
        text: String::new(),
        label: None,
        origin,
        document: Some(hash.into()),
        passage,
        line: None,
        status: RowStatus::Approved,
        split: None,
        metadata: BTreeMap::new(),
    }
}

fn passage(index: u32, text: &str) -> Passage {
    Passage { index, pages: None, heading: String::new(), text: text.into(), tokens: 3 }
}

fn import(store: &mut Store, hash: &str, replaces: Option<&str>, passages: &[&str], rows: &[&str]) -> Changes {
    store
        .import(hash, replaces, |intake| {
            for (index, text) in passages.iter().enumerate() {
                intake.passage(&passage(index as u32, text))?;
            }
            for question in rows {
                intake.row(&row(hash, question, Origin::Mapped, None))?;
            }
            Ok::<_, StudioError>((document(hash, "/home/x/faq.csv"), None))
        })
        .unwrap()
}

fn questions(store: &Store) -> Vec<(i64, String)> {
    let page = store.rows(&RowFilter::default(), 0, 1000).unwrap();
    assert_eq!(page.total as usize, page.rows.len());
    page.rows.into_iter().map(|row| (row.id, row.messages[0].content.clone())).collect()
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("hone.db")).unwrap();
    (folder, store)
}

#[test]
fn rows_that_say_the_same_stay_with_what_was_decided_about_them() {
    let (_folder, mut store) = store();
    import(&mut store, "v1", None, &[], &["a", "b", "b", "c"]);
    store.set_status(&[1], RowStatus::Rejected).unwrap();
    let edited = Row { split: Some(Split::Exam), ..row("v1", "b, but better", Origin::Mapped, None) };
    store.edit(2, &edited).unwrap();

    let changes = import(&mut store, "v2", Some("v1"), &[], &["new", "b", "a", "b", "b"]);
    let expected = Changes { rows_added: 2, rows_removed: 1, rows_kept: 3, ..Changes::default() };
    assert_eq!(changes, expected, "of three b's two were there");
    let held = questions(&store);
    let words: Vec<(i64, &str)> = held.iter().map(|(id, question)| (*id, question.as_str())).collect();
    assert_eq!(words, [(1, "a"), (2, "b, but better"), (3, "b"), (5, "new"), (6, "b")]);
    assert_eq!(store.row(1).unwrap().status, RowStatus::Rejected);
    assert_eq!(store.row(2).unwrap().split, Some(Split::Exam));
    assert_eq!(store.row(2).unwrap().document.as_deref(), Some("v2"));
    assert_eq!(store.documents().unwrap().iter().map(|d| d.hash.as_str()).collect::<Vec<_>>(), ["v2"]);
    assert_eq!(store.row_counts().unwrap().total, 5);
}

#[test]
fn passages_stay_where_the_text_stays_and_rows_made_from_them_follow() {
    let (_folder, mut store) = store();
    import(&mut store, "v1", None, &["One.", "Two.", "Three."], &[]);
    let made = |passage, status| Row { status, ..row("v1", "q", Origin::Drafted, Some(passage)) };
    let ids = store
        .add_rows(&[
            made(1, RowStatus::Approved),
            made(0, RowStatus::Approved),
            made(0, RowStatus::Draft),
            made(2, RowStatus::Draft),
        ])
        .unwrap();
    let changes = import(&mut store, "v2", Some("v1"), &["New.", "Three.", "Two."], &[]);
    assert_eq!((changes.passages_added, changes.passages_removed, changes.passages_kept), (1, 1, 2));
    assert_eq!((changes.rows_kept, changes.rows_removed, changes.back_to_review), (3, 1, 1));
    let texts: Vec<String> = store.passages("v2").unwrap().into_iter().map(|passage| passage.text).collect();
    assert_eq!(texts, ["New.", "Three.", "Two."]);
    let kept = store.row(ids[0]).unwrap();
    assert_eq!((kept.passage, kept.status), (Some(2), RowStatus::Approved), "it points at the passage's new place");
    let lost = store.row(ids[1]).unwrap();
    assert_eq!((lost.passage, lost.status), (None, RowStatus::Draft), "what was reviewed is not thrown away");
    assert!(store.row(ids[2]).is_err(), "an unseen draft of a passage that is gone goes too");
    assert_eq!(store.row(ids[3]).unwrap().passage, Some(1));
    assert!(store.search_passages("One", 5).unwrap().is_empty());
    assert_eq!(store.search_passages("two", 5).unwrap()[0].passage.index, 2);
    assert_eq!(store.search_passages("new", 5).unwrap().len(), 1);
}

#[test]
fn reading_a_file_anew_in_another_way_keeps_its_place_and_what_stays_the_same() {
    let (_folder, mut store) = store();
    import(&mut store, "v1", None, &["One.", "Two."], &["a", "b"]);
    let changes = import(&mut store, "v1", Some("v1"), &["Two.", "One.", "x"], &["b"]);
    assert_eq!((changes.passages_added, changes.passages_kept, changes.rows_removed, changes.rows_kept), (1, 2, 1, 1));
    assert_eq!(questions(&store), [(2, "b".to_owned())]);
    assert_eq!(store.passages("v1").unwrap().len(), 3);
}

#[test]
fn a_failure_in_the_middle_leaves_everything_as_it_was() {
    let (_folder, mut store) = store();
    import(&mut store, "v1", None, &["One.", "Two."], &["a", "b"]);
    let before = (questions(&store), store.documents().unwrap(), store.passages("v1").unwrap());
    let failed = store.import("v2", Some("v1"), |intake| {
        intake.passage(&passage(0, "Two."))?;
        intake.row(&row("v2", "new", Origin::Mapped, None))?;
        Err::<(Document, Option<FileMapping>), _>(StudioError::NoSuchRow { id: 7 })
    });
    assert!(failed.is_err());
    assert_eq!((questions(&store), store.documents().unwrap(), store.passages("v1").unwrap()), before);
    assert_eq!(store.row_counts().unwrap().total, 2);
}

#[test]
fn an_older_version_is_known_by_its_path_or_by_its_name_once_it_is_gone_from_there() {
    let (_folder, mut store) = store();
    import(&mut store, "v1", None, &[], &["a"]);
    let older =
        |path: &str, gone: bool| store.older_version(path, "faq.csv", |_| gone).unwrap().map(|document| document.hash);
    assert_eq!(older("/home/x/faq.csv", false).as_deref(), Some("v1"));
    assert_eq!(older("/home/y/faq.csv", false), None, "another file of the same name");
    assert_eq!(older("/home/y/faq.csv", true).as_deref(), Some("v1"), "it was moved");
    assert!(store.older_version("/home/y/other.csv", "other.csv", |_| true).unwrap().is_none());
}

#[test]
fn a_mapping_is_shown_with_its_file_and_remembered_for_the_next_one() {
    let (_folder, mut store) = store();
    let columns = vec!["q".to_owned(), "a".to_owned()];
    let mapping = Mapping { question: Some("q".into()), answer: Some("a".into()), ..Mapping::default() };
    let file = FileMapping {
        columns: columns.clone(),
        mapping: mapping.clone(),
        sample: vec![vec!["Who?".into(), "Me".into()]],
        conversations: 0,
    };
    store
        .import("v1", None, |intake| {
            intake.row(&row("v1", "Who?", Origin::Mapped, None))?;
            Ok::<_, StudioError>((document("v1", "/home/x/faq.csv"), Some(file)))
        })
        .unwrap();
    let shown = store.file_mapping("v1").unwrap().unwrap();
    assert_eq!((shown.mapping, shown.rows, shown.preview.len(), shown.sample.len()), (mapping.clone(), 1, 1, 1));
    assert!(store.file_mapping("v2").is_err());
    assert_eq!(store.remembered_mapping(&columns).unwrap(), None);
    store.remember_mapping(&columns, &mapping).unwrap();
    assert_eq!(store.remembered_mapping(&columns).unwrap(), Some(mapping));
    assert_eq!(store.remembered_mapping(&["q".to_owned()]).unwrap(), None);
}
