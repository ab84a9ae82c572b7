use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;
use crate::{Message, Origin, Role, Row, RowStatus, Split};

pub(crate) fn row(id: i64, question: &str, answer: &str) -> Row {
    let message = |role, content: &str| Message { role, content: content.into() };
    let messages = vec![message(Role::User, question), message(Role::Assistant, answer)];
    Row {
        id,
        messages,
        text: String::new(),
        label: None,
        origin: Origin::Mapped,
        document: None,
        passage: None,
        line: None,
        status: RowStatus::Approved,
        split: None,
        metadata: std::collections::BTreeMap::new(),
    }
}

pub(crate) fn reading(id: i64, document: &str, text: &str) -> Row {
    let document = Some(document.to_owned());
    Row { messages: Vec::new(), text: text.into(), origin: Origin::Reading, document, ..row(id, "", "") }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn of_row(row: &Row) -> usize {
    words(&row_text(row))
}

fn found(rows: &[Row], rules: &[Rule], applied: &[Rule], options: &CleanOptions) -> Findings {
    let perplexities = HashMap::new();
    let measures = Measures { text: &words, row: &of_row, perplexities: &perplexities };
    check(rows, Plan { rules, applied }, options, &measures, &BTreeSet::new(), &mut |_| true).unwrap()
}

fn hits(findings: &Findings) -> Vec<(Rule, i64, Action)> {
    findings.verdicts.iter().map(|verdict| (verdict.rule, verdict.row, verdict.action)).collect()
}

#[test]
fn only_the_rules_asked_for_are_checked_and_codes_are_those_of_the_json() {
    let rows = [row(1, "a  b c d", "e"), row(2, "a b c d", "e"), row(3, "x", "y")];
    let options = CleanOptions::default();
    let all = hits(&found(&rows, &Rule::ALL, &Rule::ALL, &options));
    assert_eq!(
        all,
        [(Rule::Whitespace, 1, Action::Change), (Rule::Duplicates, 2, Action::Drop), (Rule::TooShort, 3, Action::Drop)]
    );
    assert_eq!(found(&rows, &[Rule::TooShort], &[], &options).verdicts.len(), 1);
    for rule in Rule::ALL {
        assert_eq!(serde_json::json!(rule), rule.code());
        assert_eq!(Rule::from_code(rule.code()), Some(rule));
    }
    for kind in PersonalKind::ALL {
        assert_eq!(serde_json::json!(kind), kind.code());
    }
}

#[test]
fn a_rule_sees_what_the_applied_ones_before_it_leave_and_nothing_of_the_others() {
    let rows = [row(1, "ＲＩＮＧ： ＋４９ １７０ ５５５０１４２", "now <b>please</b> do it")];
    let rules = [Rule::Html, Rule::Width, Rule::Personal];
    let options = CleanOptions::default();
    let after = |applied: &[Rule]| {
        let findings = found(&rows, &rules, applied, &options);
        findings.verdicts.into_iter().find(|verdict| verdict.rule == Rule::Personal).map(|verdict| verdict.after)
    };
    assert_eq!(after(&[Rule::Html, Rule::Width]).unwrap(), "RING: [telephone]\n\nnow please do it");
    assert_eq!(after(&[Rule::Width]).unwrap(), "RING: [telephone]\n\nnow <b>please</b> do it");
    assert_eq!(after(&[]), None, "full-width digits are no telephone number");
}

#[test]
fn personal_details_are_masked_left_out_or_pointed_at_and_counted() {
    let rows = [row(1, "Where?", "At a@b.example or c@d.example"), row(2, "When?", "At nine")];
    let with = |action| CleanOptions {
        personal: PersonalOptions { action, ..PersonalOptions::default() },
        ..CleanOptions::default()
    };
    for (chosen, action) in [
        (PersonalAction::Mask, Action::Change),
        (PersonalAction::Drop, Action::Drop),
        (PersonalAction::Keep, Action::Flag),
    ] {
        let findings = found(&rows, &[Rule::Personal], &[], &with(chosen));
        assert_eq!(hits(&findings), [(Rule::Personal, 1, action)]);
        let bars = &findings.details[&Rule::Personal].bars;
        assert_eq!(*bars, [Bar { name: "email".into(), rows: 1, out: u64::from(action == Action::Drop) }]);
    }
}

#[test]
fn a_hit_that_was_taken_back_is_no_hit_and_a_check_can_be_ended() {
    let rows = [row(1, "a  b", "c"), row(2, "d  e", "f")];
    let perplexities = HashMap::new();
    let measures = Measures { text: &words, row: &of_row, perplexities: &perplexities };
    let plan = Plan { rules: &Rule::ALL, applied: &Rule::ALL };
    let kept = BTreeSet::from([(1, Rule::Whitespace), (1, Rule::TooShort), (2, Rule::TooShort)]);
    let findings = check(&rows, plan, &CleanOptions::default(), &measures, &kept, &mut |_| true).unwrap();
    assert_eq!(hits(&findings), [(Rule::Whitespace, 2, Action::Change)]);
    let mut left = 2;
    let mut twice = |_| {
        left -= 1;
        left > 0
    };
    assert_eq!(check(&rows, plan, &CleanOptions::default(), &measures, &kept, &mut twice), None);
}

#[test]
fn what_takes_the_place_of_a_long_row_keeps_where_it_comes_from() {
    let long = Row { passage: Some(3), split: Some(Split::Valid), ..reading(7, "d", "One two. Three four. Five six.") };
    let options = CleanOptions {
        too_long: TooLongOptions { max_tokens: 4, action: LongAction::Split },
        ..CleanOptions::default()
    };
    let findings = found(&[long], &[Rule::TooLong], &[], &options);
    assert_eq!(hits(&findings), [(Rule::TooLong, 7, Action::Drop)]);
    let made: Vec<_> =
        findings.made.iter().map(|made| (made.parent, made.row.id, made.row.passage, made.row.split)).collect();
    assert_eq!(made, [(7, 0, Some(3), Some(Split::Valid)); 2]);
}

#[test]
fn options_are_read_with_their_defaults_and_unknown_ones_refused() {
    let options: CleanOptions = serde_json::from_str(r#"{"near_duplicates":{"threshold":0.9}}"#).unwrap();
    assert!((options.near_duplicates.threshold - 0.9).abs() < 1e-12 && options.near_duplicates.numbers_differ);
    assert_eq!(options.too_long.max_tokens, 2048);
    assert!(serde_json::from_str::<CleanOptions>(r#"{"near_duplicate":{}}"#).is_err());
}

#[test]
fn an_option_is_changed_by_its_name_and_what_does_not_fit_is_refused() {
    let mut options = CleanOptions::default();
    for change in [
        "near_duplicates.threshold=0.9",
        "personal.kinds=email, phone",
        "personal.action=drop",
        "personal.own=+49 30 1234567,@x.example",
        "too_long.max_tokens=512",
        "width.nfkc=true",
        "language.keep=eng",
    ] {
        options.set(change).unwrap();
    }
    assert!((options.near_duplicates.threshold - 0.9).abs() < 1e-12 && options.width.nfkc);
    assert_eq!(options.personal.kinds, [PersonalKind::Email, PersonalKind::Phone]);
    assert_eq!((options.personal.action, options.personal.own.len()), (PersonalAction::Drop, 2));
    let before = options.clone();
    for change in [
        "x",
        "near_duplicates=1",
        "near.threshold=1",
        "near_duplicates.threshold=2",
        "too_long.max_tokens=-5",
        "perplexity.threshold=NaN",
        "personal.kinds=shoe size",
        "width.nfkc=perhaps",
        "boilerplate.documents=0",
    ] {
        assert!(options.set(change).is_err(), "{change}");
    }
    assert_eq!(options, before);
    let mixed = CleanOptions::default().with_rule(Rule::Width, &options);
    assert!(mixed.width.nfkc && mixed.personal == PersonalOptions::default());
}

/// Texts made of what the rules look for.
fn hard_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("word "),
        Just("treat-\nment "),
        Just("well-\nknown"),
        Just("<b>"),
        Just("</b>"),
        Just("<br>"),
        Just("&amp;"),
        Just("lt;"),
        Just("&lt;"),
        Just("&"),
        Just("#60;"),
        Just("```\n"),
        Just("\n"),
        Just("\n\n\n"),
        Just("  "),
        Just("\u{A0}"),
        Just("ＡＢ１２"),
        Just("，"),
        Just("！"),
        Just("安 全 手 册 "),
        Just("汉字"),
        Just("ﬁ"),
        Just("e\u{301}"),
        Just("½"),
        Just("㈱"),
        Just("13800138000"),
        Just("+49 170 5550142 "),
        Just("a@b.example"),
        Just("4111 1111 1111 1111"),
        Just("\u{0}"),
        Just("......"),
        Just(". . . . . . ."),
        Just("…"),
        Just("-"),
        Just("\u{AD}"),
        Just("`"),
        Just("\u{FEFF}"),
        Just("\u{202E}"),
        Just("|"),
        Just("7"),
        Just("Lindenhof Clinic page 4\n"),
        Just("ﾃﾞ"),
        Just("\u{3000}"),
        Just("<p class=\"x\">"),
        Just("\t"),
        Just("\r\n"),
    ];
    prop_oneof![
        4 => prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
    ]
}

proptest! {
    #[test]
    fn a_rule_applied_twice_changes_nothing_more(text in hard_text(), nfkc in any::<bool>(), blunt in any::<bool>()) {
        let mut options = CleanOptions::default();
        options.width.nfkc = nfkc;
        options.characters.letters_and_digits_only = blunt;
        options.boilerplate.lines = vec!["lindenhof clinic page 0".into()];
        for row in [row(1, &text, "x"), reading(1, "d", &text)] {
            for rule in Rule::ALL {
                if let Some(once) = changed(&row, rule, &options) {
                    prop_assert_eq!(changed(&once, rule, &options), None, "{:?} on {:?}", rule, row_text(&once));
                }
            }
        }
    }

    #[test]
    fn checking_never_fails_and_says_the_same_twice(texts in prop::collection::vec(hard_text(), 1..8)) {
        let rows: Vec<Row> = texts.iter().enumerate().map(|(id, text)| row(id as i64, text, "answer")).collect();
        let too_long = TooLongOptions { max_tokens: 6, action: LongAction::Split };
        let options = CleanOptions { too_long, ..CleanOptions::default() };
        let once = found(&rows, &Rule::ALL, &Rule::ALL, &options);
        prop_assert_eq!(&found(&rows, &Rule::ALL, &Rule::ALL, &options), &once);
        prop_assert!(once.verdicts.iter().all(|verdict| verdict.action != Action::Change || verdict.before != verdict.after));
    }
}
