use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::clean::texts::drop_verdict;
use crate::clean::{NearDuplicateOptions, Rule, Verdict, row_text};
use crate::similar::{Index, shingles};
use crate::text::folded;
use crate::{Row, Split};

/// Hits of the rule `duplicates`: rows whose turns (or text) are the same as an earlier row's. Layout and full or half
/// width do not count, case and signs do (`5 mW` is not `5 MW`). Rows on different sides of the exam are no duplicates
/// of each other; the rule `leaks` looks at these.
pub fn duplicates(rows: &[Row]) -> Vec<Verdict> {
    let mut first: HashMap<(bool, String), i64> = HashMap::new();
    let mut verdicts = Vec::new();
    for row in rows {
        match first.entry((in_exam(row), said(row))) {
            Entry::Occupied(same) => verdicts.push(drop_verdict(row, Rule::Duplicates, Some(*same.get()))),
            Entry::Vacant(free) => {
                free.insert(row.id);
            }
        }
    }
    verdicts
}

/// Hits of the rule `near_duplicates`: rows nearly the same as an earlier one that stays, which the verdict names. A
/// row is never left out for being like one that is itself left out. Rows on different sides of the exam do not meet.
pub fn near_duplicates(rows: &[Row], options: &NearDuplicateOptions) -> Vec<Verdict> {
    let mut sides: [(Index, Vec<usize>); 2] = std::array::from_fn(|_| (Index::new(options.threshold), Vec::new()));
    let mut verdicts = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let (index, kept) = &mut sides[usize::from(in_exam(row))];
        let text = row_text(row);
        let shingles = shingles(&text);
        let (similar, keys) = index.similar(&shingles);
        let alike = |kept: &Row| {
            kept.label == row.label && !(options.numbers_differ && numbers(&row_text(kept)) != numbers(&text))
        };
        if let Some(same) = similar.iter().map(|(text, _)| &rows[kept[*text]]).find(|kept| alike(kept)) {
            verdicts.push(drop_verdict(row, Rule::NearDuplicates, Some(same.id)));
        } else {
            index.add(shingles, &keys);
            kept.push(at);
        }
    }
    verdicts
}

/// Pairs of rows (places in the list) that are nearly the same under the default options, whatever their parts: enough
/// of them to join each such row with one before it.
pub(crate) fn nearly_the_same(rows: &[Row]) -> Vec<(usize, usize)> {
    let mut index = Index::new(NearDuplicateOptions::default().threshold);
    let mut kept: Vec<(usize, Vec<String>)> = Vec::new();
    let mut pairs = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let text = row_text(row);
        let (shingles, numbers) = (shingles(&text), numbers(&text));
        let (similar, keys) = index.similar(&shingles);
        let before = pairs.len();
        pairs.extend(
            similar.iter().map(|(text, _)| &kept[*text]).filter(|kept| kept.1 == numbers).map(|kept| (kept.0, at)),
        );
        if pairs.len() == before {
            index.add(shingles, &keys);
            kept.push((at, numbers));
        }
    }
    pairs
}

fn in_exam(row: &Row) -> bool {
    row.split == Some(Split::Exam)
}

fn said(row: &Row) -> String {
    let mut said = String::new();
    for message in &row.messages {
        said.push_str(&format!("{:?} {}\n", message.role, folded(&message.content)));
    }
    said + &folded(&row.text)
}

/// The numbers of a text in order, signs and decimals included.
fn numbers(text: &str) -> Vec<String> {
    let mut numbers: Vec<String> = Vec::new();
    let mut open = false;
    for c in folded(text).chars() {
        if c.is_numeric() {
            if !open {
                numbers.push(String::new());
            }
            open = true;
        }
        match numbers.last_mut() {
            Some(number) if open && (c.is_numeric() || matches!(c, '.' | ',' | '/')) => number.push(c),
            _ => open = false,
        }
    }
    numbers.into_iter().map(|number| number.trim_end_matches(['.', ',', '/']).to_owned()).collect()
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
    fn a_repeated_row_is_dropped_and_names_the_one_it_repeats() {
        let rows =
            [row(1, "What？", "That"), row(2, "Who?", "Me"), row(3, "What? ", " That\n"), row(4, "What?", "That")];
        assert_eq!(hits(&duplicates(&rows)), [(3, Action::Drop, Some(1)), (4, Action::Drop, Some(1))]);
    }

    #[test]
    fn case_signs_and_answers_make_rows_different() {
        let rows = [row(1, "5 mW?", "a"), row(2, "5 MW?", "a"), row(3, "-5 mW?", "a"), row(4, "5 mW?", "b")];
        assert_eq!(hits(&duplicates(&rows)), []);
    }

    #[test]
    fn the_two_sides_of_the_exam_do_not_meet() {
        let exam = Row { split: Some(Split::Exam), ..row(2, "What?", "That") };
        let rows = [row(1, "What?", "That"), exam];
        assert_eq!(hits(&duplicates(&rows)), []);
        assert_eq!(hits(&near_duplicates(&rows, &NearDuplicateOptions::default())), []);
    }

    const LONG: &str = "Leave the doses in the fridge, mark them with the red label, note the highest and the lowest reading with \
        the time, and call the lead nurse before you do anything else with them on this day";

    #[test]
    fn a_row_with_one_word_more_is_nearly_the_same_and_names_the_one_that_stays() {
        let more = format!("{LONG} please");
        let rows =
            [row(1, "What now?", LONG), row(2, "Who?", "Me"), row(3, "What now?", &more), row(4, "what now", LONG)];
        let options = NearDuplicateOptions::default();
        assert_eq!(hits(&near_duplicates(&rows, &options)), [(3, Action::Drop, Some(1)), (4, Action::Drop, Some(1))]);
        let strict = NearDuplicateOptions { threshold: 1.0, ..options };
        assert_eq!(hits(&near_duplicates(&rows, &strict)), [(4, Action::Drop, Some(1))]);
    }

    #[test]
    fn rows_with_other_numbers_or_another_label_stay() {
        let with = |id, dose: &str| row(id, "What is the dose?", &format!("{LONG}: {dose}"));
        let rows =
            [with(1, "5 mg"), with(2, "50 mg"), with(3, "0.5 mg"), Row { label: Some("x".into()), ..with(4, "5 mg") }];
        assert_eq!(hits(&near_duplicates(&rows, &NearDuplicateOptions::default())), []);
        let loose = NearDuplicateOptions { numbers_differ: false, ..NearDuplicateOptions::default() };
        assert_eq!(hits(&near_duplicates(&rows, &loose)).len(), 2);
    }

    #[test]
    fn chinese_rows_are_compared_by_characters() {
        let text = "疫苗冰箱的温度应在每个门诊日开始和结束时读取，两个读数、读取人姓名和时间都要写入记录本";
        let rows =
            [row(1, "怎么办？", text), row(2, "怎么办？", &format!("{text}中")), row(3, "怎么办？", "给护士长打电话")];
        assert_eq!(hits(&near_duplicates(&rows, &NearDuplicateOptions::default())), [(2, Action::Drop, Some(1))]);
    }
}
