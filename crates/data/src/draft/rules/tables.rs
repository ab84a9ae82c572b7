//! Questions from tables: what stands where a line and a column meet.

use crate::draft::rules::parts::Table;
use crate::draft::rules::{Title, lowered, plain};
use crate::draft::{Draft, DraftKind};

/// One fact for every filled cell that a line and a column name, and comparisons where the columns are things.
pub(super) fn drafts(table: &Table<'_>, title: &Title, chinese: bool) -> Vec<Draft> {
    // Without a name above the lines' names, the columns may be things as well as attributes.
    let things_in_columns = table.head.first().is_some_and(|first| first.is_empty())
        && !table.head.iter().any(|head| is_attribute(&plain(head)));
    let nameless = table.head.iter().all(|cell| cell.is_empty());
    let mut drafts = Vec::new();
    for (line, cells) in &table.rows {
        let label = plain(cells.first().copied().unwrap_or_default());
        if !is_name(&label) {
            continue;
        }
        for (column, value) in cells.iter().enumerate().skip(1) {
            let value = plain(value);
            let head = plain(table.head.get(column).copied().unwrap_or_default());
            if value.is_empty() || matches!(value.as_str(), "-" | "–" | "—") {
                continue;
            }
            let said = if nameless {
                title.words().map(|title| attribute(title, &label, &value, chinese))
            } else if head.is_empty() {
                None
            } else if things_in_columns {
                Some(attribute(&head, &label, &value, chinese))
            } else {
                Some(attribute(&label, &head, &value, chinese))
            };
            drafts.extend(said.map(|(question, answer)| Draft {
                kind: DraftKind::Fact,
                question,
                answer,
                quote: (*line).to_owned(),
            }));
        }
        if things_in_columns && !nameless {
            drafts.extend(comparison(table, line, cells, &label, chinese));
        }
    }
    drafts
}

/// Asks for one attribute of one thing.
fn attribute(thing: &str, attribute: &str, value: &str, chinese: bool) -> (String, String) {
    if chinese {
        return (format!("{thing}的{attribute}是什么？"), format!("{thing}的{attribute}是{value}。"));
    }
    if is_attribute(attribute) {
        let attribute = lowered_noun(attribute);
        return (
            format!("What is the {attribute} of {}?", lowered(thing)),
            format!("The {attribute} of {} is {value}.", lowered(thing)),
        );
    }
    (format!("What is given under “{attribute}” for “{thing}”?"), format!("For “{thing}”, “{attribute}” is {value}."))
}

fn comparison(table: &Table<'_>, line: &str, cells: &[&str], label: &str, chinese: bool) -> Option<Draft> {
    let cell = |cells: &[&str], at: usize| cells.get(at).map(|cell| plain(cell)).filter(|cell| !cell.is_empty());
    let (one, other) = (cell(&table.head, 1)?, cell(&table.head, 2)?);
    let (this, that) = (cell(cells, 1)?, cell(cells, 2)?);
    let (question, answer) = if chinese {
        (format!("{one}和{other}的{label}有什么不同？"), format!("{one}：{this}；{other}：{that}。"))
    } else {
        (format!("How do {one} and {other} compare in “{label}”?"), format!("{one}: {this}. {other}: {that}."))
    };
    Some(Draft { kind: DraftKind::Comparison, question, answer, quote: line.to_owned() })
}

/// Whether a label names something: it has letters and is no sentence.
fn is_name(label: &str) -> bool {
    (1..=60).contains(&label.chars().count()) && label.chars().any(char::is_alphabetic)
}

/// Words that name an attribute of something, so that `the … of X is` can be said of them. Any other column's name could
/// be a thing's own name, a question or a verb, and is put in quotation marks.
const ATTRIBUTES: &str = "address age amount area author beam brand capacity category charge code colour color consumption cost \
    country crew date deadline department depth diameter dimension distance dosage dose draught duration \
    e-mail email extension fare fee frequency function height interval job kind label landing language \
    length level limit location manufacturer mass material maximum meaning method minimum model name number \
    owner payment penalty period person phone place position post power pressure price purpose \
    quantity range rate reason result role room rule salary score shelf sign size speed standard status \
    stock supplier surname symptom telephone temperature term time title tolerance topic type unit use value \
    version voltage volume weight width year";

/// Whether a column's name ends in a word for an attribute and is otherwise in small letters.
fn is_attribute(name: &str) -> bool {
    let small = |word: &str| word.chars().next().is_some_and(char::is_lowercase);
    let last = name.split_whitespace().last().unwrap_or_default().to_lowercase();
    let known = ATTRIBUTES.split(' ').any(|attribute| attribute == last);
    known && name.split_whitespace().count() <= 4 && name.split_whitespace().skip(1).all(small)
}

/// `Extension` as `extension`; `MOB button` stays.
fn lowered_noun(noun: &str) -> String {
    let mut chars = noun.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(noun.chars().skip(1)).collect()
        }
        _ => noun.to_owned(),
    }
}
