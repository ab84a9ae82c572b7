use hone_data::clean::{self, CleanOptions, Findings, LongAction, Measures, Plan, Rule};
use hone_data::split::SplitShares;
use hone_data::{Document, Issue, IssueKind, Message, Origin, Passage, Role, Row, RowStatus, Split};
use hone_job::{ErrorCode, Explain};

use crate::store::perplexities::text_hash;

use super::*;

fn conversation(document: &str, question: &str, answer: &str) -> Row {
    let message = |role, content: &str| Message { role, content: content.into() };
    Row {
        id: 0,
        messages: vec![message(Role::User, question), message(Role::Assistant, answer)],
        text: String::new(),
        label: None,
        origin: Origin::Mapped,
        document: Some(document.into()),
        passage: None,
        line: Some(2),
        status: RowStatus::Approved,
        split: None,
        metadata: std::collections::BTreeMap::new(),
    }
}

fn imported(hash: &str, rows: Vec<Row>) -> Imported {
    let document = Document {
        hash: hash.into(),
        name: format!("{hash}.csv"),
        path: format!("/home/x/{hash}.csv"),
        format: "csv".into(),
        bytes: 10,
        pages: Some(3),
        characters: 9,
        issues: vec![Issue {
            kind: IssueKind::Partial,
            code: "empty_value".into(),
            file: format!("{hash}.csv"),
            place: "line 4".into(),
            message: "`answer` is empty".into(),
            hint: "Fill it in".into(),
        }],
    };
    let passage = |index, text: &str| Passage {
        index,
        pages: Some((1, 2)),
        heading: "Ferries".into(),
        text: text.into(),
        tokens: 4,
    };
    Imported {
        document, passages: vec![passage(0, "The ferry leaves at nine."), passage(1, "渡轮九点开。")], rows
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("hone.db")).unwrap();
    (folder, store)
}

fn filled() -> (tempfile::TempDir, Store) {
    let (folder, mut store) = store();
    let rows = vec![
        conversation("a", "When does  the ferry leave?", "At nine."),
        conversation("a", "When does the ferry leave?", "At nine."),
        conversation("a", "渡轮几点开？", "九点。"),
    ];
    store.add(&imported("a", rows)).unwrap();
    (folder, store)
}

fn found(store: &Store, rules: &[Rule], options: &CleanOptions) -> Findings {
    let words = |text: &str| text.split_whitespace().count();
    let of_row = |row: &Row| words(&clean::row_text(row));
    let perplexities = std::collections::HashMap::new();
    let measures = Measures { text: &words, row: &of_row, perplexities: &perplexities };
    let rows = store.rows_to_clean(rules).unwrap();
    let plan = Plan { rules, applied: rules };
    clean::check(&rows, plan, options, &measures, &store.kept_hits().unwrap(), &mut |_| true).unwrap()
}

/// The rules of before: blanks, the same twice, too short, too long.
const USUAL: [Rule; 4] = [Rule::Whitespace, Rule::Duplicates, Rule::TooShort, Rule::TooLong];

fn clean_all(store: &mut Store) {
    let mut options = CleanOptions::default();
    options.too_short.min_tokens = 0;
    let findings = found(store, &USUAL, &options);
    store.apply_rules(&USUAL, &findings).unwrap();
}

fn search(store: &Store, text: &str) -> Vec<i64> {
    let filter = RowFilter { search: Some(text.into()), ..RowFilter::default() };
    store.rows(&filter, 0, 10).unwrap().rows.iter().map(|row| row.id).collect()
}

#[test]
fn what_goes_in_comes_out_and_the_same_file_again_changes_nothing() {
    let (_folder, mut store) = filled();
    let again = store.add(&imported("a", vec![conversation("a", "New?", "No.")])).unwrap();
    assert_eq!(again, Added::Unchanged);
    let page = store.rows(&RowFilter::default(), 0, 10).unwrap();
    assert_eq!((page.total, page.rows.len()), (3, 3));
    assert_eq!(page.rows[2], Row { id: 3, ..conversation("a", "渡轮几点开？", "九点。") });
    let wanted = imported("a", vec![]);
    assert_eq!(store.documents().unwrap(), [wanted.document]);
    assert_eq!(store.passages("a").unwrap(), wanted.passages);
    assert_eq!(
        store.document_counts().unwrap(),
        DocumentCounts { documents: 1, pages: 3, passages: 2, with_issues: 1 }
    );
}

#[test]
fn a_document_that_gave_nothing_is_read_anew() {
    let (_folder, mut store) = store();
    let mut nothing = imported("a", vec![]);
    nothing.passages.clear();
    assert_eq!(store.add(&nothing).unwrap(), Added::New { passages: 0, rows: 0 });
    let more = store.add(&imported("a", vec![conversation("a", "Now?", "Yes.")])).unwrap();
    assert_eq!(more, Added::New { passages: 2, rows: 1 });
    assert_eq!(store.documents().unwrap().len(), 1);
}

#[test]
fn paging_gives_each_row_once_and_the_total_of_the_filter() {
    let (_folder, mut store) = store();
    let rows = (0..25).map(|n| conversation("a", &format!("Question {n}?"), "Answer.")).collect();
    store.add(&imported("a", rows)).unwrap();
    store.set_status(&[3, 4], RowStatus::Rejected).unwrap();
    let filter = RowFilter { status: Some(RowStatus::Approved), ..RowFilter::default() };
    let ids: Vec<i64> = [0, 10, 20]
        .into_iter()
        .flat_map(|offset| {
            let page = store.rows(&filter, offset, 10).unwrap();
            assert_eq!(page.total, 23);
            page.rows
        })
        .map(|row| row.id)
        .collect();
    assert_eq!(ids, (1..=25).filter(|id| ![3, 4].contains(id)).collect::<Vec<_>>());
}

#[test]
fn search_finds_parts_of_words_in_both_languages_and_takes_signs_as_they_are() {
    let (_folder, mut store) = filled();
    assert_eq!(search(&store, "FERR"), [1, 2], "case does not count");
    assert_eq!(search(&store, "leave nine"), [1, 2], "every word counts");
    assert_eq!(search(&store, "leave ten"), [] as [i64; 0]);
    assert_eq!(search(&store, "渡轮"), [3], "two characters are enough");
    assert_eq!(search(&store, "几点开"), [3]);
    assert_eq!(search(&store, "渡轮 leave"), [] as [i64; 0]);
    assert_eq!(search(&store, "%"), [] as [i64; 0]);
    assert_eq!(search(&store, "\"nine OR"), [] as [i64; 0]);
    assert_eq!(search(&store, "  "), [1, 2, 3], "blanks do not narrow");
    let passages = store.search_passages("ferry nine", 5).unwrap();
    assert_eq!((passages.len(), passages[0].passage.index), (1, 0));

    let edited = conversation("a", "When does the tram leave?", "At ten.");
    store.edit(1, &edited).unwrap();
    assert_eq!(search(&store, "tram"), [1]);
    store.remove_document("a").unwrap();
    assert_eq!(search(&store, "tram"), [] as [i64; 0]);
    assert!(store.search_passages("ferry", 5).unwrap().is_empty());
}

#[test]
fn an_applied_rule_shows_in_the_rows_and_its_undo_brings_back_every_byte() {
    let (_folder, mut store) = filled();
    let before = store.rows(&RowFilter::default(), 0, 10).unwrap();
    assert!(!store.is_clean().unwrap());
    clean_all(&mut store);
    assert!(store.is_clean().unwrap());
    let page = store.rows(&RowFilter::default(), 0, 10).unwrap();
    assert_eq!(page.rows[0].messages[0].content, "When does the ferry leave?");
    assert_eq!(page.rows[1].status, RowStatus::Rejected, "the same as row 1");
    assert_eq!(page.hits.len(), 2);
    assert_eq!(store.approved_rows().unwrap().len(), 2);
    assert_eq!(store.row_counts().unwrap().rejected, 1);

    assert_eq!(store.undo_rule(Rule::Duplicates).unwrap(), 1);
    assert_eq!(store.row(2).unwrap().status, RowStatus::Approved);
    assert_eq!(store.undo_rule(Rule::Whitespace).unwrap(), 1);
    assert_eq!(store.rows(&RowFilter::default(), 0, 10).unwrap(), before);
}

#[test]
fn the_applied_rules_are_listed_with_their_counts_also_those_without_hits() {
    let (_folder, mut store) = filled();
    clean_all(&mut store);
    let rules = store.applied_rules(5).unwrap();
    let counts: Vec<_> =
        rules.iter().map(|hits| (hits.rule, hits.changed, hits.dropped, hits.verdicts.len())).collect();
    let expected =
        [(Rule::Whitespace, 1, 0, 1), (Rule::Duplicates, 0, 1, 1), (Rule::TooShort, 0, 0, 0), (Rule::TooLong, 0, 0, 0)];
    assert_eq!(counts, expected);
    assert_eq!(rules[1].verdicts[0].related, Some(1));
    store.add_rows(&[conversation("a", "More?", "Yes.")]).unwrap();
    assert!(!store.is_clean().unwrap(), "a row that came in later was not checked");
}

#[test]
fn what_the_user_puts_in_is_in_whatever_a_rule_said() {
    let (_folder, mut store) = filled();
    clean_all(&mut store);
    store.set_status(&[2], RowStatus::Approved).unwrap();
    assert_eq!(store.row(2).unwrap().status, RowStatus::Approved);
}

#[test]
fn an_edit_keeps_what_came_in_and_editing_back_restores_it() {
    let (_folder, mut store) = filled();
    let original = store.row(1).unwrap();
    store.edit(1, &conversation("a", "Edited?", "Yes.")).unwrap();
    assert_eq!(store.row(1).unwrap().messages[0].content, "Edited?");
    let kept = |store: &Store| -> (String, Option<String>) {
        store
            .connection
            .query_row("SELECT content, edited FROM rows WHERE id = 1", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
    };
    assert!(kept(&store).0.contains("When does  the ferry leave?"));
    store.edit(1, &original).unwrap();
    assert_eq!(kept(&store).1, None);
}

#[test]
fn an_edit_that_leaves_nothing_to_learn_is_refused() {
    let (_folder, mut store) = filled();
    let error = store.edit(1, &conversation("a", "Edited?", " ")).unwrap_err();
    assert_eq!(error.to_string(), "Row 1 would have an empty turn");
    let error = store.edit(99, &conversation("a", "Edited?", "Yes.")).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (ErrorCode::NotFound, "There is no row 99 in this project"));
}

#[test]
fn one_unknown_row_stops_the_whole_change_of_status() {
    let (_folder, mut store) = filled();
    store.set_status(&[1, 99], RowStatus::Rejected).unwrap_err();
    assert_eq!(store.row(1).unwrap().status, RowStatus::Approved);
}

#[test]
fn removing_a_document_takes_its_rows_along_and_frees_the_rows_that_repeated_them() {
    let (_folder, mut store) = filled();
    store.add(&imported("b", vec![conversation("b", "When does the ferry leave?", "At nine.")])).unwrap();
    clean_all(&mut store);
    assert_eq!(store.row(4).unwrap().status, RowStatus::Rejected);
    store.remove_document("a").unwrap();
    assert_eq!(store.row(4).unwrap().status, RowStatus::Approved);
    assert_eq!(store.rows(&RowFilter::default(), 0, 10).unwrap().total, 1);
    assert!(store.passages("a").unwrap().is_empty());
    assert_eq!(store.remove_document("a").unwrap_err().code(), ErrorCode::NotFound);
}

#[test]
fn rows_keep_their_part_when_more_come_in() {
    let (_folder, mut store) = store();
    let rows = |from: usize| {
        (from..from + 40)
            .map(|n| conversation("a", &format!("What is {n}?"), &format!("It is {n}.")))
            .collect::<Vec<_>>()
    };
    store.add(&imported("a", rows(0))).unwrap();
    store.assign_splits(42, SplitShares::default()).unwrap();
    let first: Vec<Option<Split>> = store.approved_rows().unwrap().iter().map(|row| row.split).collect();
    assert!(first.contains(&Some(Split::Exam)) && first.contains(&Some(Split::Valid)));
    store.add_rows(&rows(100)).unwrap();
    store.assign_splits(42, SplitShares::default()).unwrap();
    let second: Vec<Option<Split>> = store.approved_rows().unwrap().iter().map(|row| row.split).collect();
    assert_eq!(second[..40], first);
    assert!(second.iter().all(Option::is_some));
}

#[test]
fn a_full_disk_at_any_page_is_named_and_leaves_what_was_there() {
    let (_folder, mut store) = filled();
    let before = (store.documents().unwrap(), store.rows(&RowFilter::default(), 0, 9).unwrap());
    let text = "ferry ".repeat(500);
    let more = imported("b", (0..50).map(|n| conversation("b", &format!("{n}? {text}"), &text)).collect());
    let pages: i64 = store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let mut refused = 0;
    // One more page each time until it goes through.
    for room in 0.. {
        store.connection.pragma_update_and_check(None, "max_page_count", pages + room, |_| Ok(())).unwrap();
        match store.add(&more) {
            Ok(added) => {
                assert_eq!(added, Added::New { passages: 2, rows: 50 });
                break;
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.code(), ErrorCode::NoSpace, "{error}");
                assert!(error.to_string().contains("hone.db"), "{error}");
                assert!(error.hint().unwrap().contains("Free some space"));
                assert_eq!((store.documents().unwrap(), store.rows(&RowFilter::default(), 0, 9).unwrap()), before);
            }
        }
    }
    assert!(refused > 3, "the disk was never full");
}

#[test]
fn a_database_of_a_newer_hone_is_refused_untouched() {
    let (folder, store) = filled();
    store.connection.pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let error = Store::open(&folder.path().join("hone.db")).unwrap_err();
    assert!(error.to_string().contains("made by a newer Hone"), "{error}");
    assert_eq!(error.code(), ErrorCode::BadConfig);
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hone.db");
    hone_job::fs::write_atomic(&path, &[7; 4096]).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert_eq!(error.code(), ErrorCode::BadInput, "{error}");
    assert!(error.to_string().contains("hone.db"));
}

#[test]
fn two_connections_write_in_turn() {
    let (folder, mut store) = filled();
    let path = folder.path().join("hone.db");
    let other = std::thread::spawn(move || {
        let mut store = Store::open(&path).unwrap();
        for _ in 0..20 {
            store.set_status(&[1], RowStatus::Rejected).unwrap();
        }
    });
    for _ in 0..20 {
        store.set_status(&[2], RowStatus::Rejected).unwrap();
    }
    other.join().unwrap();
    assert_eq!(store.row_counts().unwrap().rejected, 2);
}

#[test]
fn a_rule_keeps_the_options_it_was_applied_with() {
    let (_folder, mut store) = store();
    store
        .add(&imported("a", vec![conversation("a", "Area?", "It is ５ m² for a@b.example and c@d.example.")]))
        .unwrap();
    let mut options = CleanOptions::default();
    options.set("width.nfkc=true").unwrap();
    options.set("personal.own=@b.example").unwrap();
    let rules = [Rule::Width, Rule::Personal];
    let findings = found(&store, &rules, &options);
    store.apply_rules(&rules, &findings).unwrap();
    assert_eq!(store.row(1).unwrap().messages[1].content, "It is 5 m2 for a@b.example and [e-mail].");
    let applied = store.applied_rules(5).unwrap();
    assert!(applied[0].options.width.nfkc && applied[1].options.personal.own.len() == 1);
    assert_eq!(applied[1].details.bars[0].rows, 1);
    store.undo_rule(Rule::Width).unwrap();
    assert_eq!(store.row(1).unwrap().messages[1].content, "It is ５ m² for a@b.example and [e-mail].");
    store.undo_rule(Rule::Personal).unwrap();
    assert_eq!(store.clean_options().unwrap(), CleanOptions::default());
}

#[test]
fn the_parts_of_a_split_row_come_and_go_with_the_rule() {
    let (_folder, mut store) = store();
    let long = Row { messages: vec![], text: "One two. Three four. Five six.".into(), ..conversation("a", "", "") };
    store.add(&imported("a", vec![long.clone(), conversation("a", "q", "a")])).unwrap();
    let mut options = CleanOptions::default();
    options.too_long.max_tokens = 4;
    options.too_long.action = LongAction::Split;
    let texts = |store: &Store| store.approved_rows().unwrap().iter().map(clean::row_text).collect::<Vec<_>>();
    for _ in 0..2 {
        let findings = found(&store, &[Rule::TooLong], &options);
        store.apply_rules(&[Rule::TooLong], &findings).unwrap();
        assert_eq!(texts(&store), ["q\n\na", "One two. Three four.", "Five six."]);
        assert!(store.is_clean().unwrap());
    }
    assert_eq!(store.applied_rules(0).unwrap()[0].made, 2);
    // The user puts the long row in after all: its parts go.
    store.set_status(&[1], RowStatus::Approved).unwrap();
    assert_eq!(texts(&store), ["One two. Three four. Five six.", "q\n\na"]);
    let findings = found(&store, &[Rule::TooLong], &options);
    store.apply_rules(&[Rule::TooLong], &findings).unwrap();
    assert_eq!(texts(&store).len(), 3);
    store.undo_rule(Rule::TooLong).unwrap();
    assert_eq!(texts(&store), ["One two. Three four. Five six.", "q\n\na"]);
    assert_eq!(store.row_counts().unwrap().total, 2);
}

#[test]
fn a_single_hit_can_be_taken_back_for_good() {
    let (_folder, mut store) = filled();
    clean_all(&mut store);
    store.keep_hit(Rule::Duplicates, 2, true).unwrap();
    assert_eq!(store.row_counts().unwrap().rejected, 0);
    clean_all(&mut store);
    assert_eq!((store.row_counts().unwrap().rejected, store.applied_rules(0).unwrap()[1].kept), (0, 1));
    store.keep_hit(Rule::Duplicates, 2, false).unwrap();
    clean_all(&mut store);
    assert_eq!(store.row_counts().unwrap().rejected, 1);
    assert!(matches!(store.keep_hit(Rule::Duplicates, 99, true), Err(StudioError::NoSuchRow { id: 99 })));
}

#[test]
fn what_was_measured_holds_for_the_words_and_the_model_it_was_measured_on() {
    let (_folder, mut store) = filled();
    let rows = store.rows_to_clean(&[]).unwrap();
    let measured: Vec<_> = rows.iter().map(|row| (row.id, text_hash(row), row.id as f64)).collect();
    store.add_perplexities("base", &measured).unwrap();
    assert_eq!(store.perplexities("base", &rows).unwrap().len(), 3);
    assert!(store.perplexities("other", &rows).unwrap().is_empty());
    store.edit(3, &Row { label: None, ..conversation("a", "Other?", "Yes.") }).unwrap();
    let rows = store.rows_to_clean(&[]).unwrap();
    assert_eq!(store.perplexities("base", &rows).unwrap(), [(1, 1.0), (2, 2.0)].into());
}

#[test]
fn parts_are_drawn_anew_but_those_that_were_given_stay() {
    let (_folder, mut store) = store();
    let mut rows: Vec<Row> = (0..60).map(|n| conversation("a", &format!("Question {n}?"), "Yes.")).collect();
    rows[0].split = Some(Split::Exam);
    store.add(&imported("a", rows)).unwrap();
    let shares = SplitShares::default();
    store.assign_splits(42, shares).unwrap();
    // The user moves one by hand.
    let moved = Row { split: Some(Split::Valid), ..store.row(2).unwrap() };
    store.edit(2, &moved).unwrap();
    let parts = |store: &Store| store.approved_rows().unwrap().iter().map(|row| row.split).collect::<Vec<_>>();
    let before = parts(&store);
    store.redraw_splits(7, shares).unwrap();
    let after = parts(&store);
    assert_ne!(before, after);
    assert_eq!((after[0], after[1]), (Some(Split::Exam), Some(Split::Valid)));
    store.redraw_splits(7, SplitShares { valid: 0.0, exam: 0.5 }).unwrap();
    let counts = store.row_counts().unwrap();
    assert_eq!((counts.train, counts.valid, counts.exam), (29, 1, 30));
}
