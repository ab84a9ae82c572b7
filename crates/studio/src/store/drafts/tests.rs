use hone_data::draft::{Draft, DraftKind, Grounding};
use hone_data::split::SplitShares;
use hone_data::{Document, Message, Origin, Passage, Role, RowStatus, Split};
use hone_job::{ErrorCode, Explain};

use super::*;
use crate::RowFilter;
use crate::store::Imported;

/// A project with one document of `passages` passages and their reading rows.
fn store(passages: u32) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("hone.db")).unwrap();
    let document = Document {
        hash: "d".into(),
        name: "handbook.md".into(),
        path: "/home/x/handbook.md".into(),
        format: "markdown".into(),
        bytes: 1,
        pages: None,
        characters: 1,
        issues: vec![],
    };
    let passage = |index| Passage {
        index,
        pages: Some((index + 1, index + 1)),
        heading: format!("{index} Boats"),
        text: format!("Boat {index} has {index} masts. It is red."),
        tokens: 9,
    };
    let passages: Vec<Passage> = (0..passages).map(passage).collect();
    let rows = hone_data::reading::rows("d", &passages);
    store.add(&Imported { document, passages, rows }).unwrap();
    store.assign_splits(42, SplitShares::default()).unwrap();
    (folder, store)
}

fn draft(question: &str, grounding: Grounding) -> (Draft, Grounding) {
    let kind = if grounding == Grounding::NoQuote { DraftKind::Refusal } else { DraftKind::Fact };
    (Draft { kind, question: question.into(), answer: "Some.".into(), quote: "It is red.".into() }, grounding)
}

fn drafted(passage: u32, drafts: Vec<(Draft, Grounding)>) -> PassageDrafted {
    PassageDrafted {
        document: "d".into(),
        passage,
        page: Some(passage + 1),
        writer: "ollama:m".into(),
        status: if drafts.is_empty() { DraftedStatus::Nothing } else { DraftedStatus::Done },
        tries: 1,
        reason: String::new(),
        prompt_tokens: 100,
        answer_tokens: 10,
        seconds: 0.5,
        drafts,
    }
}

fn waiting(store: &Store, writer: &str) -> Vec<u32> {
    store.passages_to_draft(writer, &[], false).unwrap().iter().map(|hit| hit.passage.index).collect()
}

fn drafts(store: &Store) -> Vec<(i64, RowStatus)> {
    let filter = RowFilter { origin: Some(Origin::Drafted), ..RowFilter::default() };
    store.rows(&filter, 0, 1000).unwrap().rows.iter().map(|row| (row.id, row.status)).collect()
}

/// A project with `count` drafts, one a passage.
fn reviewed(count: u32) -> (tempfile::TempDir, Store, Vec<i64>) {
    let (folder, mut store) = store(count);
    for at in 0..count {
        let grounding = if at % 4 == 3 { Grounding::Missing } else { Grounding::Found };
        store.add_drafts(&drafted(at, vec![draft(&format!("How many masts has boat {at}?"), grounding)])).unwrap();
    }
    let ids = drafts(&store).into_iter().map(|(id, _)| id).collect();
    (folder, store, ids)
}

#[test]
fn drafting_goes_on_with_the_passages_that_are_left_and_those_that_failed() {
    let (_folder, mut store) = store(4);
    assert_eq!(waiting(&store, "ollama:m"), [0, 1, 2, 3]);
    store.add_drafts(&drafted(0, vec![draft("Red?", Grounding::Found)])).unwrap();
    store.add_drafts(&drafted(1, vec![])).unwrap();
    let failed = PassageDrafted {
        status: DraftedStatus::Failed,
        tries: 3,
        reason: "the answer is not JSON".into(),
        ..drafted(2, vec![])
    };
    store.add_drafts(&failed).unwrap();
    assert_eq!(waiting(&store, "ollama:m"), [2, 3]);
    assert_eq!(waiting(&store, "rules"), [0, 1, 2, 3], "another writer has its own list");
    assert_eq!(store.passages_to_draft("ollama:m", &[], true).unwrap().len(), 4);
    assert_eq!(store.passages_to_draft("ollama:m", &["other".into()], true).unwrap().len(), 0);

    let state = store.drafting().unwrap();
    assert_eq!((state.passages, state.drafts, state.writers.len()), (4, 1, 1));
    let writer = &state.writers[0];
    assert_eq!((writer.done, writer.nothing, writer.failed), (1, 1, 1));
    assert_eq!((writer.prompt_tokens, writer.answer_tokens), (300, 30));
    let failure = DraftingFailure {
        document: "handbook.md".into(),
        passage: 2,
        page: Some(3),
        heading: "2 Boats".into(),
        tries: 3,
        reason: "the answer is not JSON".into(),
    };
    assert_eq!(writer.failures, [failure]);
}

#[test]
fn a_draft_knows_its_document_passage_page_quote_and_writer_and_is_not_trained_on() {
    let (_folder, mut store) = store(2);
    store.add_drafts(&drafted(1, vec![draft("Red?", Grounding::Missing)])).unwrap();
    let filter = RowFilter { origin: Some(Origin::Drafted), ..RowFilter::default() };
    let page = store.rows(&filter, 0, 10).unwrap();
    let row = &page.rows[0];
    assert_eq!((row.document.as_deref(), row.passage, row.line), (Some("d"), Some(1), Some(2)));
    assert_eq!(row.status, RowStatus::Draft);
    let note = &page.drafts[0];
    assert_eq!((note.row, note.quote.as_str(), note.grounding), (row.id, "It is red.", Grounding::Missing));
    assert_eq!((note.writer.as_str(), note.kind, note.parent), ("ollama:m", DraftKind::Fact, None));
    assert_eq!(store.passage_of(row).unwrap().unwrap().text, "Boat 1 has 1 masts. It is red.");
    assert!(store.approved_rows().unwrap().iter().all(|row| row.origin == Origin::Reading));
    store.set_status(&[row.id], RowStatus::Approved).unwrap();
    assert_eq!(store.approved_rows().unwrap().len(), 3);
}

#[test]
fn drafting_anew_replaces_what_nobody_decided_on_and_asks_nothing_twice() {
    let (_folder, mut store) = store(1);
    let first = ["Red?", "Masts?", "Old?"].map(|question| draft(question, Grounding::Found)).to_vec();
    assert_eq!(store.add_drafts(&drafted(0, first)).unwrap(), 3);
    let ids: Vec<i64> = drafts(&store).into_iter().map(|(id, _)| id).collect();
    store.set_status(&[ids[0]], RowStatus::Approved).unwrap();
    store.set_status(&[ids[1]], RowStatus::Rejected).unwrap();
    let again = ["red?", "Masts?", "New?"].map(|question| draft(question, Grounding::Found)).to_vec();
    assert_eq!(store.add_drafts(&drafted(0, again)).unwrap(), 1, "what was decided stays decided");
    let rows = store.rows(&RowFilter { origin: Some(Origin::Drafted), ..RowFilter::default() }, 0, 9).unwrap().rows;
    let asked: Vec<&str> = rows.iter().map(|row| row.messages[0].content.as_str()).collect();
    assert_eq!(asked, ["Red?", "Masts?", "New?"]);
}

#[test]
fn drafts_are_found_by_kind_quote_and_words() {
    let (_folder, mut store) = store(1);
    let some =
        vec![draft("Red?", Grounding::Found), draft("Blue?", Grounding::Missing), draft("Who?", Grounding::NoQuote)];
    store.add_drafts(&drafted(0, some)).unwrap();
    let count = |filter: RowFilter| store.rows(&filter, 0, 9).unwrap().total;
    let usual = RowFilter::default;
    assert_eq!(count(RowFilter { kind: Some(DraftKind::Refusal), ..usual() }), 1);
    assert_eq!(count(RowFilter { grounding: Some(Grounding::Missing), ..usual() }), 1);
    assert_eq!(count(RowFilter { grounding: Some(Grounding::Found), search: Some("red".into()), ..usual() }), 1);
    assert_eq!(count(RowFilter { grounding: Some(Grounding::Missing), search: Some("red".into()), ..usual() }), 0);
}

#[test]
fn the_rest_is_approved_at_once_only_after_a_sample_of_one_in_twenty() {
    let (_folder, mut store, ids) = reviewed(41);
    let found = RowFilter { grounding: Some(Grounding::Found), ..RowFilter::default() };
    // 31 of the 41 have their quote: one in twenty of them is 1.55, so two.
    let error = store.set_status_where(&found, RowStatus::Approved, false).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (ErrorCode::BadConfig, "Of these drafts 0 were read one by one; approving the rest at once asks for 2")
    );
    store.set_status(&ids[..1], RowStatus::Rejected).unwrap();
    store.set_status(&ids[3..4], RowStatus::Rejected).unwrap();
    assert_eq!(store.review(&found).unwrap().read, 1, "one that is outside the choice does not count for it");
    assert!(store.set_status_where(&found, RowStatus::Approved, false).is_err());
    store.set_status(&ids[1..2], RowStatus::Approved).unwrap();
    let decided = store.set_status_where(&found, RowStatus::Approved, false).unwrap();
    assert_eq!(decided.ids.len(), 29, "what was decided stays decided");
    let review = store.review(&RowFilter::default()).unwrap();
    assert_eq!((review.waiting, review.approved, review.rejected, review.read, review.wanted), (9, 30, 2, 3, 3));
}

#[test]
fn rejecting_at_once_asks_for_no_sample_and_approving_unread_can_be_insisted_on() {
    let (_folder, mut store, _) = reviewed(8);
    let missing = RowFilter { grounding: Some(Grounding::Missing), ..RowFilter::default() };
    assert_eq!(store.set_status_where(&missing, RowStatus::Rejected, false).unwrap().ids.len(), 2);
    assert_eq!(store.set_status_where(&RowFilter::default(), RowStatus::Approved, true).unwrap().ids.len(), 6);
    assert_eq!(store.set_status_where(&RowFilter::default(), RowStatus::Rejected, false).unwrap().ids, [] as [i64; 0]);
}

#[test]
fn decisions_are_taken_back_one_after_the_other_each_as_a_whole() {
    let (_folder, mut store, ids) = reviewed(6);
    let before = drafts(&store);
    store.set_status(&ids[..1], RowStatus::Rejected).unwrap();
    let after_first = drafts(&store);
    store.set_status_where(&RowFilter::default(), RowStatus::Approved, true).unwrap();
    let undone = store.undo_decision().unwrap().unwrap();
    assert_eq!((undone.ids, undone.status), (ids[1..].to_vec(), Some(RowStatus::Draft)));
    assert_eq!(drafts(&store), after_first);
    assert_eq!(store.undo_decision().unwrap().unwrap().ids, ids[..1]);
    assert_eq!(drafts(&store), before);
    assert_eq!(store.review(&RowFilter::default()).unwrap().read, 0, "what was taken back was not decided");
    assert_eq!(store.undo_decision().unwrap(), None);
}

#[test]
fn a_row_made_from_another_knows_its_parent_and_comes_once() {
    let (_folder, mut store, ids) = reviewed(1);
    let parent = store.row(ids[0]).unwrap();
    let mut row = Row { status: RowStatus::Draft, split: Some(Split::Train), ..parent.clone() };
    assert_eq!(store.add_derived(&row, DraftKind::Synonyms, "words", ids[0]).unwrap(), None, "the same as its parent");
    row.messages[0] = Message { role: Role::User, content: "How many masts does boat 0 have?".into() };
    let id = store.add_derived(&row, DraftKind::Synonyms, "words", ids[0]).unwrap().unwrap();
    assert_eq!(store.add_derived(&row, DraftKind::Synonyms, "words", ids[0]).unwrap(), None, "there already");
    let note = &store.draft_notes(&[id]).unwrap()[0];
    assert_eq!((note.kind, note.parent, note.grounding), (DraftKind::Synonyms, Some(ids[0]), Grounding::NoQuote));
    store.part_anew().unwrap();
    assert_eq!(store.row(id).unwrap().split, Some(Split::Train), "it stays where its parent was");
    store.remove_document("d").unwrap();
    assert_eq!(store.drafting().unwrap(), DraftingState { passages: 0, drafts: 0, writers: vec![] });
}

#[test]
fn drafts_of_an_import_without_questions_can_go_to_the_exam_together_with_their_passage() {
    let (_folder, mut store) = store(40);
    assert!(store.approved_rows().unwrap().iter().all(|row| row.split != Some(Split::Exam)));
    for at in 0..40 {
        store.add_drafts(&drafted(at, vec![draft(&format!("Boat {at}?"), Grounding::Found)])).unwrap();
    }
    store.part_anew().unwrap();
    store.assign_splits(42, SplitShares::default()).unwrap();
    let rows = store.rows(&RowFilter::default(), 0, 100).unwrap().rows;
    let exam: Vec<_> = rows.iter().filter(|row| row.split == Some(Split::Exam)).collect();
    assert_eq!(exam.len(), 8, "a tenth of the questions, and the passages they were drafted from");
    for row in &exam {
        assert!(rows.iter().filter(|other| other.passage == row.passage).all(|other| other.split == row.split));
    }
}
