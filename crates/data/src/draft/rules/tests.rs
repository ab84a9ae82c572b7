use super::*;
use crate::draft::{DraftKind, Grounding, grounding};

fn all() -> DraftSettings {
    DraftSettings { kinds: DraftKind::ASKED.to_vec(), per_passage: 100, ..DraftSettings::default() }
}

fn pairs(heading: &str, text: &str) -> Vec<(DraftKind, String, String)> {
    draft(heading, text, &all()).into_iter().map(|draft| (draft.kind, draft.question, draft.answer)).collect()
}

fn pair(kind: DraftKind, question: &str, answer: &str) -> (DraftKind, String, String) {
    (kind, question.into(), answer.into())
}

#[test]
fn a_table_of_things_gives_a_question_for_each_cell() {
    let text =
        "| Name | Post | Extension |\n| --- | --- | --- |\n| Ingrid Marr | General manager | 201 |\n| 7 | x | y |\n";
    assert_eq!(
        pairs("1.3 People", text),
        [
            pair(DraftKind::Fact, "What is the post of Ingrid Marr?", "The post of Ingrid Marr is General manager."),
            pair(DraftKind::Fact, "What is the extension of Ingrid Marr?", "The extension of Ingrid Marr is 201."),
        ],
        "a line that is named by a number alone asks nothing"
    );
}

#[test]
fn a_table_with_things_in_its_columns_asks_for_their_attributes_and_compares_them() {
    let text = "| | Marigold Tait | Petrel |\n| --- | --- | --- |\n| Length | 34.2 m | 19.6 m |\n| Cars | 12 | – |\n";
    let found = pairs("", text);
    assert_eq!(
        found[0],
        pair(DraftKind::Fact, "What is the length of Marigold Tait?", "The length of Marigold Tait is 34.2 m.")
    );
    let compared = pair(
        DraftKind::Comparison,
        "How do Marigold Tait and Petrel compare in “Length”?",
        "Marigold Tait: 34.2 m. Petrel: 19.6 m.",
    );
    assert!(found.contains(&compared), "{found:?}");
    assert!(!found.iter().any(|(_, question, _)| question.contains("cars of Petrel")), "an empty cell says nothing");
}

#[test]
fn names_are_never_taken_for_attributes() {
    let engines = "| Reading | Marigold Tait | Petrel |\n| --- | --- | --- |\n| Coolant | 92 degrees | 95 degrees |\n";
    let asked: Vec<_> = pairs("", engines).into_iter().map(|(_, question, _)| question).collect();
    let given = |ship: &str| format!("What is given under “{ship}” for “Coolant”?");
    assert_eq!(asked, [given("Marigold Tait"), given("Petrel")]);
    // Attributes above, things before the lines, and no name above these.
    let tanks = "| | Fuel | Service speed |\n| --- | --- | --- |\n| Nudge | diesel | 8 knots |\n";
    let asked: Vec<_> = pairs("", tanks).into_iter().map(|(_, question, _)| question).collect();
    assert_eq!(asked, ["What is given under “Fuel” for “Nudge”?", "What is the service speed of Nudge?"]);
}

#[test]
fn a_column_whose_name_is_a_question_is_asked_for_by_its_name() {
    let text = "| Drill | How often |\n| --- | --- |\n| Fire | every 2 weeks |\n";
    assert_eq!(
        pairs("", text),
        [pair(
            DraftKind::Fact,
            "What is given under “How often” for “Fire”?",
            "For “Fire”, “How often” is every 2 weeks."
        )]
    );
}

#[test]
fn numbered_steps_become_one_procedure_in_their_order() {
    let text = "### 8.4 Fire\n\n1. Sound the alarm.\n2. Count the people out.\n\n*Petrel* has an aerosol system.\n";
    let found = pairs("8 Safety", text);
    assert_eq!(
        found[0],
        pair(
            DraftKind::Procedure,
            "What are the 2 steps or points under “Fire”, in order?",
            "1. Sound the alarm.\n2. Count the people out."
        )
    );
}

#[test]
fn definitions_are_found_in_sentences_and_list_items_but_not_behind_pointing_words() {
    let text = "## Signals\n\nThe muster signal is seven short blasts and one long blast. It is a loud one. There is a horn on \
        deck. The horn is tested daily.\n\n- **Green:** all sailings as planned.\n- no term here\n";
    let found = pairs("", text);
    assert_eq!(
        found,
        [
            pair(
                DraftKind::Fact,
                "What does the document say about “Signals”?",
                "The muster signal is seven short blasts and one long blast. It is a loud one."
            ),
            pair(
                DraftKind::Definition,
                "What is the muster signal?",
                "The muster signal is seven short blasts and one long blast."
            ),
            pair(
                DraftKind::Definition,
                "Under “Signals”, what is said about “Green”?",
                "Green: all sailings as planned."
            ),
        ]
    );
}

#[test]
fn chinese_text_gives_chinese_questions() {
    let text = "## 16.2 航线\n\n夏季时刻表是指四月一日到九月三十日的时刻表。\n\n| 航线 | 时间 |\n| --- | --- |\n| 甲线 | 50 分钟 |\n\n\
        1. 提前三天通知。\n2. 在二号闸口集合。\n\n- **绿色**：照常开航\n";
    assert_eq!(
        pairs("", text),
        [
            pair(DraftKind::Fact, "关于“航线”，文档是怎么说的？", "夏季时刻表是指四月一日到九月三十日的时刻表。"),
            pair(DraftKind::Definition, "什么是“夏季时刻表”？", "夏季时刻表是指四月一日到九月三十日的时刻表。"),
            pair(DraftKind::Fact, "甲线的时间是什么？", "甲线的时间是50 分钟。"),
            pair(DraftKind::Procedure, "“航线”有哪2个步骤或要点？", "1. 提前三天通知。\n2. 在二号闸口集合。"),
            pair(DraftKind::Definition, "在“航线”中，“绿色”是怎么规定的？", "绿色：照常开航。"),
        ]
    );
}

#[test]
fn headings_without_marks_are_known_and_tables_of_contents_say_nothing() {
    let text = "1.1 Who we are\n\nThe cooperative carries people and freight to three islands.\n\n";
    assert_eq!(pairs("", text)[0].1, "What does the document say about “Who we are”?");
    assert_eq!(pairs("Contents", "1. The cooperative . . . . . 3\n"), []);
    assert_eq!(pairs("", ""), []);
}

#[test]
fn a_heading_between_two_numbered_lists_is_a_heading() {
    let text =
        "1. Lift the person.\n\n2. Remove wet clothes.\n\n8.4 Fire\n\n3. Sound the alarm.\n\n4. Count the people.\n";
    let asked: Vec<_> = pairs("Man overboard", text).into_iter().map(|(_, question, _)| question).collect();
    let steps = |title: &str| format!("What are the 2 steps or points under “{title}”, in order?");
    assert_eq!(asked, [steps("Man overboard"), steps("Fire")]);
}

#[test]
fn only_the_kinds_asked_for_come_and_too_many_are_spread_over_the_passage() {
    let rows: String = (0..40).map(|n| format!("| Part {n:02}a | {n} |\n")).collect();
    let text = format!("| Name | Shelf |\n| --- | --- |\n{rows}");
    let few = DraftSettings { kinds: vec![DraftKind::Fact], per_passage: 4, ..DraftSettings::default() };
    let asked: Vec<_> = draft("", &text, &few).into_iter().map(|draft| draft.question).collect();
    assert_eq!(asked, [0, 10, 20, 30].map(|n| format!("What is the shelf of Part {n:02}a?")));
    let none = DraftSettings { kinds: vec![DraftKind::Definition], ..few };
    assert_eq!(draft("", &text, &none), []);
}

proptest::proptest! {
    #[test]
    fn whatever_the_text_every_quote_stands_in_it(text in "[a-zA-Z0-9 .|#*:\n\\-中是：。指]{0,300}") {
        for draft in draft("3.1 Title", &text, &all()) {
            proptest::prop_assert_eq!(grounding(&text, draft.kind, &draft.quote), Grounding::Found, "{:?}", draft);
            proptest::prop_assert!(!draft.question.trim().is_empty() && !draft.answer.trim().is_empty());
        }
    }
}
