use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::clean::{Action, Rule, Verdict, row_text};
use crate::split::question_key;
use crate::text::folded;
use crate::{Row, Split};

/// Hits of the rule `duplicates`.
///
/// A row whose turns (or text) are the same as an earlier row's is left out; layout and full or half width do not
/// count, case and signs do (`5 mW` is not `5 MW`). Rows on different sides of the exam are not left out but flagged:
/// an exam row whose question also stands in a row that is trained on measures memory, not understanding.
pub fn duplicates(rows: &[Row]) -> Vec<Verdict> {
    let in_exam = |row: &Row| row.split == Some(Split::Exam);
    let mut trained: HashMap<String, i64> = HashMap::new();
    for row in rows.iter().filter(|row| row.split.is_some() && !in_exam(row)) {
        trained.entry(question_key(row)).or_insert(row.id);
    }
    let mut first: HashMap<(bool, String), i64> = HashMap::new();
    let mut verdicts = Vec::new();
    for row in rows {
        match first.entry((in_exam(row), said(row))) {
            Entry::Occupied(same) => verdicts.push(verdict(row, Action::Drop, *same.get())),
            Entry::Vacant(free) => {
                free.insert(row.id);
                if let (true, Some(other)) = (in_exam(row), trained.get(&question_key(row))) {
                    verdicts.push(verdict(row, Action::Flag, *other));
                }
            }
        }
    }
    verdicts
}

fn said(row: &Row) -> String {
    let mut said = String::new();
    for message in &row.messages {
        said.push_str(&format!("{:?} {}\n", message.role, folded(&message.content)));
    }
    said + &folded(&row.text)
}

fn verdict(row: &Row, action: Action, other: i64) -> Verdict {
    let before = row_text(row);
    let after = if action == Action::Flag { before.clone() } else { String::new() };
    Verdict { row: row.id, rule: Rule::Duplicates, action, before, after, related: Some(other) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::tests::row;

    fn hits(rows: &[Row]) -> Vec<(i64, Action, Option<i64>)> {
        duplicates(rows).iter().map(|hit| (hit.row, hit.action, hit.related)).collect()
    }

    #[test]
    fn a_repeated_row_is_dropped_and_names_the_one_it_repeats() {
        let rows =
            [row(1, "What？", "That"), row(2, "Who?", "Me"), row(3, "What? ", " That\n"), row(4, "What?", "That")];
        assert_eq!(hits(&rows), [(3, Action::Drop, Some(1)), (4, Action::Drop, Some(1))]);
    }

    #[test]
    fn case_signs_and_answers_make_rows_different() {
        assert_eq!(
            hits(&[row(1, "5 mW?", "a"), row(2, "5 MW?", "a"), row(3, "-5 mW?", "a"), row(4, "5 mW?", "b")]),
            []
        );
    }

    #[test]
    fn an_exam_question_that_is_trained_on_is_flagged_not_dropped() {
        let with = |split, row: Row| Row { split: Some(split), ..row };
        let rows = [
            with(Split::Train, row(1, "What is it?", "This")),
            with(Split::Exam, row(2, "what is it", "That")),
            with(Split::Exam, row(3, "Another?", "Yes")),
        ];
        assert_eq!(hits(&rows), [(2, Action::Flag, Some(1))]);
    }
}
