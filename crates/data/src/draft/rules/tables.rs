//! Questions from tables: what stands where a line and a column meet.

use crate::draft::rules::parts::Table;
use crate::draft::rules::{Title, lowered, plain};
use crate::draft::{Draft, DraftKind};

/// One fact for every filled cell that a line and a column name, and comparisons where the columns are things.
pub(super) fn drafts(table: &Table<'_>, title: &Title, chinese: bool) -> Vec<Draft> {
    let things_in_columns = table.head.first().is_some_and(|first| first.is_empty());
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
    if is_noun(attribute) {
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

/// Whether `the … of X is` can be said of a column's name: not of questions, verbs, phrases and plurals.
fn is_noun(attribute: &str) -> bool {
    const NOT: &[&str] = &[
        "how", "who", "when", "where", "what", "which", "why", "leaves", "arrives", "is", "are", "has", "can", "may",
        "must", "at", "by", "from", "for", "in", "on", "per", "to", "with", "after", "before", "each", "every", "all",
        "repeated", "opened", "sent", "made", "built",
    ];
    let mut words = attribute.split_whitespace();
    let first = words.next().unwrap_or_default().to_lowercase();
    let letters = attribute.chars().all(|c| c.is_alphabetic() || c == ' ' || c == '-');
    let plural = attribute.ends_with('s') && !attribute.ends_with("ss");
    letters && !plural && attribute.split_whitespace().count() <= 3 && !NOT.contains(&first.as_str())
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
