//! How a rule reaches the texts of a row.

use crate::Row;
use crate::clean::{Action, Rule, Verdict};

/// All text of a row: its turns, or its reading text, parted by a blank line.
pub fn row_text(row: &Row) -> String {
    if row.messages.is_empty() {
        return row.text.clone();
    }
    row.messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n\n")
}

/// The row with every text as `change` makes it; `None` where that changes nothing.
pub(super) fn map_texts(row: &Row, change: impl Fn(&str) -> String) -> Option<Row> {
    let mut made = row.clone();
    made.text = change(&row.text);
    for message in &mut made.messages {
        message.content = change(&message.content);
    }
    (made != *row).then_some(made)
}

/// The text with `change` applied to what stands outside of fences of three backticks.
pub(super) fn outside_code(text: &str, change: impl Fn(&str) -> String) -> String {
    if !text.contains("```") {
        return change(text);
    }
    let mut out = String::with_capacity(text.len());
    let (mut fenced, mut start, mut at) = (false, 0, 0);
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if line.trim_start().starts_with("```") {
            if fenced {
                out.push_str(&text[start..end]);
                start = end;
            } else {
                out.push_str(&change(&text[start..at]));
                start = at;
            }
            fenced = !fenced;
        }
        at = end;
    }
    if fenced { out + &text[start..] } else { out + &change(&text[start..]) }
}

/// A verdict that changes, with both texts.
pub(super) fn change_verdict(row: &Row, rule: Rule, made: &Row) -> Verdict {
    Verdict { row: row.id, rule, action: Action::Change, before: row_text(row), after: row_text(made), related: None }
}

/// A verdict that leaves the row out.
pub(super) fn drop_verdict(row: &Row, rule: Rule, related: Option<i64>) -> Verdict {
    Verdict { row: row.id, rule, action: Action::Drop, before: row_text(row), after: String::new(), related }
}

/// A verdict that points at the row.
pub(super) fn flag_verdict(row: &Row, rule: Rule, related: Option<i64>) -> Verdict {
    let before = row_text(row);
    Verdict { row: row.id, rule, action: Action::Flag, after: before.clone(), before, related }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fenced_code_is_passed_over_and_an_open_fence_runs_to_the_end() {
        let loud = |text: &str| text.to_uppercase();
        assert_eq!(outside_code("a\n```\nb\n```\nc", loud), "A\n```\nb\n```\nC");
        assert_eq!(outside_code("a\n  ```rust\nb", loud), "A\n  ```rust\nb");
        assert_eq!(outside_code("a", loud), "A");
    }
}
