use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::clean::texts::{drop_verdict, flag_verdict};
use crate::clean::{CheckAction, CheckOptions, Rule, Verdict};
use crate::similar::{Index, shingles};
use crate::split::{asked, question_key};
use crate::text::normalised;
use crate::{Role, Row, Split};

/// From this similarity of their questions (Jaccard) on, an exam row and a row that is trained on ask the same.
const SAME_QUESTION: f64 = 0.9;

/// Hits of the rule `contradictions`: rows that ask the same as another and answer something else. All of them are
/// pointed at, each with another one; where they are left out, the first stays.
pub fn contradictions(rows: &[Row], options: &CheckOptions) -> Vec<Verdict> {
    let mut asked_alike: HashMap<String, Vec<(&Row, String)>> = HashMap::new();
    for row in rows {
        // Later turns depend on what was said before: only rows of one exchange are compared.
        if let Some(answer) = single_answer(row) {
            asked_alike.entry(context_key(row)).or_default().push((row, answer));
        }
    }
    let mut verdicts = Vec::new();
    for group in asked_alike.into_values().filter(|group| group.len() > 1) {
        let Some((first, first_answer)) = group.first() else { continue };
        let mut different = group.iter().filter(|(_, answer)| answer != first_answer).peekable();
        let Some((second, _)) = different.peek() else { continue };
        if options.action == CheckAction::Flag {
            verdicts.push(flag_verdict(first, Rule::Contradictions, Some(second.id)));
        }
        verdicts.extend(different.map(|(row, _)| match options.action {
            CheckAction::Flag => flag_verdict(row, Rule::Contradictions, Some(first.id)),
            CheckAction::Drop => drop_verdict(row, Rule::Contradictions, Some(first.id)),
        }));
    }
    verdicts.sort_by_key(|verdict| verdict.row);
    verdicts
}

/// Hits of the rule `leaks`: exam rows whose question (nearly) stands in a row that is trained on, which the verdict
/// names. They measure memory, not understanding.
pub fn leaks(rows: &[Row], options: &CheckOptions) -> Vec<Verdict> {
    let in_exam = |row: &&Row| row.split == Some(Split::Exam);
    if !rows.iter().any(|row| in_exam(&row)) {
        return Vec::new();
    }
    let mut same: HashMap<String, i64> = HashMap::new();
    let mut index = Index::new(SAME_QUESTION);
    let mut numbers = Vec::new();
    for row in rows.iter().filter(|row| row.split.is_some() && !in_exam(row)) {
        if let Entry::Vacant(free) = same.entry(question_key(row)) {
            free.insert(row.id);
            let shingles = shingles(asked(row));
            let (_, keys) = index.similar(&shingles);
            index.add(shingles, &keys);
            numbers.push(row);
        }
    }
    let trained = |row: &Row| {
        same.get(&question_key(row)).copied().or_else(|| {
            let digits = |row: &Row| asked(row).chars().filter(char::is_ascii_digit).collect::<String>();
            let (similar, _) = index.similar(&shingles(asked(row)));
            similar.iter().map(|(at, _)| numbers[*at]).find(|other| digits(other) == digits(row)).map(|other| other.id)
        })
    };
    let hits = rows.iter().filter(in_exam).filter_map(|row| Some((row, trained(row)?)));
    hits.map(|(row, other)| match options.action {
        CheckAction::Flag => flag_verdict(row, Rule::Leaks, Some(other)),
        CheckAction::Drop => drop_verdict(row, Rule::Leaks, Some(other)),
    })
    .collect()
}

fn single_answer(row: &Row) -> Option<String> {
    let mut answers = row.messages.iter().filter(|message| message.role == Role::Assistant);
    let answer = answers.next()?;
    answers.next().is_none().then(|| normalised(&answer.content))
}

/// What a row says before its answer.
fn context_key(row: &Row) -> String {
    let before = row.messages.iter().take_while(|message| message.role != Role::Assistant);
    before.map(|message| normalised(&message.content)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::Action;
    use crate::clean::tests::row;

    fn hits(verdicts: &[Verdict]) -> Vec<(i64, Action, Option<i64>)> {
        verdicts.iter().map(|hit| (hit.row, hit.action, hit.related)).collect()
    }

    #[test]
    fn one_question_with_two_answers_points_at_both() {
        let rows =
            [row(1, "When?", "At nine."), row(2, "Who?", "Me."), row(3, "when", "At ten."), row(4, "When?", "at nine")];
        let options = CheckOptions::default();
        assert_eq!(hits(&contradictions(&rows, &options)), [(1, Action::Flag, Some(3)), (3, Action::Flag, Some(1))]);
        let options = CheckOptions { action: CheckAction::Drop };
        assert_eq!(hits(&contradictions(&rows, &options)), [(3, Action::Drop, Some(1))]);
    }

    #[test]
    fn the_same_words_after_other_instructions_are_another_question() {
        let mut other = row(2, "When?", "At ten.");
        other.messages.insert(0, crate::Message { role: Role::System, content: "You speak of winter.".into() });
        assert_eq!(hits(&contradictions(&[row(1, "When?", "At nine."), other], &CheckOptions::default())), []);
    }

    #[test]
    fn an_exam_question_that_is_trained_on_is_pointed_at() {
        let with = |split, row: Row| Row { split: Some(split), ..row };
        let long =
            "At what time of the day does the last ferry of the winter timetable leave the harbour of Torsund on line";
        let rows = [
            with(Split::Train, row(1, "What is it?", "This")),
            with(Split::Exam, row(2, "what is it", "That")),
            with(Split::Exam, row(3, "Another?", "Yes")),
            with(Split::Valid, row(4, &format!("{long} 4, tell me now please"), "At nine")),
            with(Split::Exam, row(5, &format!("So {long} 4, tell me now please"), "At nine")),
            with(Split::Exam, row(6, &format!("So {long} 7, tell me now please"), "At eight")),
        ];
        assert_eq!(
            hits(&leaks(&rows, &CheckOptions::default())),
            [(2, Action::Flag, Some(1)), (5, Action::Flag, Some(4))]
        );
        let drop = CheckOptions { action: CheckAction::Drop };
        assert_eq!(hits(&leaks(&rows, &drop)).len(), 2);
        assert_eq!(hits(&leaks(&rows[2..3], &drop)), []);
    }
}
