use crate::Row;
use crate::clean::{Action, Rule, Verdict, row_text};

/// Hits of the rule `too_short`: rows of fewer than `min` tokens, and conversations with an empty turn.
pub fn too_short(rows: &[Row], min: usize, count: &dyn Fn(&str) -> usize) -> Vec<Verdict> {
    let empty = |row: &Row| row.messages.iter().any(|message| message.content.trim().is_empty());
    drop_where(rows, Rule::TooShort, |row, text| empty(row) || count(text) < min)
}

/// Hits of the rule `too_long`: rows of more than `max` tokens.
pub fn too_long(rows: &[Row], max: usize, count: &dyn Fn(&str) -> usize) -> Vec<Verdict> {
    drop_where(rows, Rule::TooLong, |_, text| count(text) > max)
}

fn drop_where(rows: &[Row], rule: Rule, hit: impl Fn(&Row, &str) -> bool) -> Vec<Verdict> {
    rows.iter()
        .filter_map(|row| {
            let before = row_text(row);
            hit(row, &before).then(|| Verdict {
                row: row.id,
                rule,
                action: Action::Drop,
                before,
                after: String::new(),
                related: None,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::tests::row;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    #[test]
    fn bounds_themselves_are_neither_too_short_nor_too_long() {
        let rows = [row(1, "a b", "c"), row(2, "a b", "c d"), row(3, "a b", "c d e")];
        let numbers = |hits: Vec<Verdict>| hits.iter().map(|hit| hit.row).collect::<Vec<_>>();
        assert_eq!(numbers(too_short(&rows, 4, &words)), [1]);
        assert_eq!(numbers(too_long(&rows, 4, &words)), [3]);
    }

    #[test]
    fn a_conversation_with_an_empty_turn_is_too_short_however_long_the_other() {
        assert_eq!(too_short(&[row(1, "a b c d e f", " ")], 4, &words).len(), 1);
    }
}
