//! Which rows are trained on, which measured during training, which kept for the exam.

mod groups;

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use crate::text::normalised;
use crate::{Role, Row, Split};

use groups::{Group, groups};

/// How much goes where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitShares {
    /// Share of all rows measured during training.
    pub valid: f64,
    /// Share of the conversations kept for the exam.
    pub exam: f64,
}

impl Default for SplitShares {
    fn default() -> Self {
        Self { valid: 0.1, exam: 0.1 }
    }
}

/// Assigns a part to each row; answers one per row, in order.
///
/// A row that has a part keeps it, and the rest of its group follows. Groups: rows of the same passage, rows with the same
/// question (or reading text) after normalising, and rows that are nearly the same, never fall on both sides, unless the
/// source put them there (then the rule `leaks` points at them). Only groups with a conversation go to the exam; with
/// fewer than 10 conversations none does, from 10 on at least 2 rows do. With fewer than 10 rows none is put aside for
/// validation, from 10 on at least one is. Rows with labels give each label its share. The order is drawn by `seed`: a
/// group keeps its place in it when other rows come or go.
pub fn assign(rows: &[Row], seed: u64, shares: SplitShares) -> Vec<Split> {
    let groups = groups(rows);
    let mut parts: Vec<Option<Split>> = vec![None; groups.len()];
    for (group, part) in groups.iter().zip(&mut parts) {
        // Where the given parts disagree, rows without one go to the strictest: what is in the exam is not trained on.
        let given = |split| group.rows.iter().any(|row| rows[*row].split == Some(split));
        *part = [Split::Exam, Split::Valid, Split::Train].into_iter().find(|split| given(*split));
    }

    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_cached_key(|group| draw(seed, &groups[*group].key));
    let labels = by_label(rows, &groups, &order);
    let conversations = |group: usize| groups[group].rows.iter().filter(|row| is_conversation(&rows[**row])).count();
    let all = |group: usize| groups[group].rows.len();

    let questions: usize = order.iter().map(|group| conversations(*group)).sum();
    fill_each(&mut parts, Split::Exam, target(questions, shares.exam, 2), &conversations, &labels);
    let backwards: Vec<Vec<usize>> = labels.into_iter().map(|label| label.into_iter().rev().collect()).collect();
    fill_each(&mut parts, Split::Valid, target(rows.len(), shares.valid, 1), &all, &backwards);

    let mut splits = vec![Split::Train; rows.len()];
    for (group, part) in groups.iter().zip(parts) {
        for row in &group.rows {
            splits[*row] = rows[*row].split.or(part).unwrap_or(Split::Train);
        }
    }
    splits
}

/// Draws the part of each row on its own, where there are too many to hold them all: rows with the same question go
/// the same way, shares are met up to chance. [`assign`] is for numbers of rows in which chance shows.
#[derive(Debug, Clone, Default)]
pub struct Drawn {
    held: HashMap<u64, Split>,
}

impl Drawn {
    /// Rows with the question of `row` follow it.
    pub fn hold(&mut self, row: &Row) {
        if let Some(split) = row.split {
            self.held.entry(short(&question_key(row))).or_insert(split);
        }
    }

    /// The part of a row: its own, else that of an earlier row with its question, else drawn by `seed`.
    pub fn part(&mut self, row: &Row, seed: u64, shares: SplitShares) -> Split {
        if row.split.is_some() {
            self.hold(row);
        }
        let key = question_key(row);
        if let Some(split) = row.split.or_else(|| self.held.get(&short(&key)).copied()) {
            return split;
        }
        let mut first = [0; 8];
        first.copy_from_slice(&draw(seed, &key)[..8]);
        let place = u64::from_be_bytes(first) as f64 / u64::MAX as f64;
        if place < shares.exam && is_conversation(row) {
            Split::Exam
        } else if place > 1.0 - shares.valid {
            Split::Valid
        } else {
            Split::Train
        }
    }
}

/// 64 bits of a key: two of a million agree by chance once in forty million times.
fn short(key: &str) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(key, &mut hasher);
    std::hash::Hasher::finish(&hasher)
}

/// The groups of each label, and those without, in the drawn order. A group counts for its first label.
fn by_label(rows: &[Row], groups: &[Group], order: &[usize]) -> Vec<Vec<usize>> {
    let mut labels: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for group in order {
        let label = groups[*group].rows.iter().find_map(|row| rows[*row].label.as_deref());
        labels.entry(label).or_default().push(*group);
    }
    labels.into_values().collect()
}

/// Gives groups of each label to `split`, in proportion to how much there is of it, until all together hold `target`, as
/// `size` counts.
fn fill_each(
    parts: &mut [Option<Split>],
    split: Split,
    target: usize,
    size: &dyn Fn(usize) -> usize,
    labels: &[Vec<usize>],
) {
    let sizes: Vec<usize> = labels.iter().map(|groups| groups.iter().map(|group| size(*group)).sum()).collect();
    let all = sizes.iter().sum::<usize>().max(1);
    // Largest remainder: every label gets its whole share, what is left over goes to the largest rests.
    let mut shares: Vec<usize> = sizes.iter().map(|size| target * size / all).collect();
    let mut rests: Vec<usize> = (0..labels.len()).collect();
    rests.sort_by_key(|label| std::cmp::Reverse(target * sizes[*label] % all));
    let left = target - shares.iter().sum::<usize>();
    rests.iter().take(left).for_each(|label| shares[*label] += 1);
    for (groups, share) in labels.iter().zip(shares) {
        fill(parts, split, share, size, groups);
    }
    // Labels of large groups may have stayed below their share.
    fill(parts, split, target, size, &labels.concat());
}

/// Gives free groups to `split` until those in `order` hold `target`. A group that would overshoot by more than half the
/// target is passed over, so that one huge group does not eat everything.
fn fill(parts: &mut [Option<Split>], split: Split, target: usize, size: &dyn Fn(usize) -> usize, order: &[usize]) {
    let mut held: usize = order.iter().filter(|group| parts[**group] == Some(split)).map(|group| size(*group)).sum();
    for group in order {
        let more = size(*group);
        if held < target && more > 0 && parts[*group].is_none() && held + more <= target + target.div_ceil(2) {
            parts[*group] = Some(split);
            held += more;
        }
    }
}

fn target(count: usize, share: f64, least: usize) -> usize {
    if count < 10 || share <= 0.0 { 0 } else { ((count as f64 * share).round() as usize).max(least) }
}

fn is_conversation(row: &Row) -> bool {
    !row.messages.is_empty()
}

/// The text by which rows count as asking the same: the first thing the person says, else the reading text.
pub(crate) fn question_key(row: &Row) -> String {
    let kind = if row.messages.is_empty() { "t" } else { "q" };
    format!("{kind} {}", normalised(asked(row)))
}

/// The first thing the person says, else the reading text.
pub(crate) fn asked(row: &Row) -> &str {
    let first = row.messages.iter().find(|message| message.role == Role::User).or(row.messages.first());
    first.map_or(&row.text, |message| &message.content)
}

fn draw(seed: u64, key: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(key.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{Message, Origin, RowStatus};

    fn row(question: &str, passage: Option<u32>) -> Row {
        let message = |role, content: &str| Message { role, content: content.into() };
        let reading = question.is_empty();
        Row {
            id: 0,
            messages: if reading { vec![] } else { vec![message(Role::User, question), message(Role::Assistant, "x")] },
            text: if reading { format!("text {passage:?}") } else { String::new() },
            label: None,
            origin: Origin::Mapped,
            document: Some("d".into()),
            passage,
            line: None,
            status: RowStatus::Approved,
            split: None,
            metadata: std::collections::BTreeMap::new(),
        }
    }

    fn counts(splits: &[Split]) -> (usize, usize, usize) {
        let count = |split| splits.iter().filter(|s| **s == split).count();
        (count(Split::Train), count(Split::Valid), count(Split::Exam))
    }

    #[test]
    fn a_tenth_is_for_validation_and_a_tenth_of_the_questions_for_the_exam() {
        let rows: Vec<Row> = (0..200).map(|n| row(&format!("Question {n}?"), None)).collect();
        assert_eq!(counts(&assign(&rows, 7, SplitShares::default())), (160, 20, 20));
    }

    #[test]
    fn reading_rows_never_go_to_the_exam() {
        let rows: Vec<Row> = (0..100).map(|n| row("", Some(n))).collect();
        assert_eq!(counts(&assign(&rows, 7, SplitShares::default())), (90, 10, 0));
    }

    #[test]
    fn a_handful_of_rows_is_all_trained_on_and_twenty_give_a_small_exam() {
        let rows: Vec<Row> = (0..20).map(|n| row(&format!("Q{n}"), None)).collect();
        assert_eq!(counts(&assign(&rows[..9], 1, SplitShares::default())), (9, 0, 0));
        assert_eq!(counts(&assign(&rows, 1, SplitShares::default())), (16, 2, 2));
    }

    #[test]
    fn the_same_seed_gives_the_same_parts_and_another_seed_others() {
        let rows: Vec<Row> = (0..100).map(|n| row(&format!("Q{n}"), None)).collect();
        let shares = SplitShares::default();
        assert_eq!(assign(&rows, 3, shares), assign(&rows, 3, shares));
        assert_ne!(assign(&rows, 3, shares), assign(&rows, 4, shares));
    }

    #[test]
    fn a_given_part_is_kept_and_pulls_its_group_along() {
        let mut rows: Vec<Row> = (0..30).map(|n| row(&format!("Q{n}"), None)).collect();
        rows.push(row("q5!", None));
        rows[5].split = Some(Split::Exam);
        let splits = assign(&rows, 1, SplitShares::default());
        assert_eq!((splits[5], splits[30]), (Split::Exam, Split::Exam));
    }

    #[test]
    fn a_row_keeps_the_part_its_source_gave_it() {
        let mut rows: Vec<Row> = (0..4).map(|_| row("the same?", None)).collect();
        rows[0].split = Some(Split::Train);
        rows[1].split = Some(Split::Exam);
        rows[2].split = Some(Split::Valid);
        let splits = assign(&rows, 1, SplitShares::default());
        assert_eq!(splits, [Split::Train, Split::Exam, Split::Valid, Split::Exam]);
    }

    #[test]
    fn questions_and_reading_row_of_one_passage_go_to_the_exam_together() {
        let rows: Vec<Row> =
            (0..30).flat_map(|n| [row("", Some(n)), row(&format!("Question {n}?"), Some(n))]).collect();
        let splits = assign(&rows, 5, SplitShares::default());
        assert!(splits.chunks(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(counts(&splits).2, 6, "three questions and their passages");
    }

    #[test]
    fn drawn_parts_have_their_shares_and_the_same_question_goes_the_same_way() {
        let asked = |n: usize| row(&format!("Question {n}?"), None);
        let mut drawn = Drawn::default();
        let shares = SplitShares::default();
        let parts: Vec<Split> = (0..10_000).map(|n| drawn.part(&asked(n), 42, shares)).collect();
        for split in [Split::Exam, Split::Valid] {
            let count = parts.iter().filter(|part| **part == split).count();
            // Ten percent of ten thousand: four standard deviations are 120.
            assert!((880..=1120).contains(&count), "{split:?}: {count}");
        }
        for (n, part) in parts.iter().enumerate().take(100) {
            assert_eq!(drawn.part(&asked(n), 42, shares), *part);
        }
        let given = Row { split: Some(Split::Exam), ..asked(77_777) };
        drawn.hold(&given);
        assert_eq!(drawn.part(&asked(77_777), 42, shares), Split::Exam);
    }

    #[test]
    fn every_label_has_its_share_in_the_exam_and_in_what_is_measured() {
        let rows: Vec<Row> = (0..300)
            .map(|n| Row {
                label: Some(if n < 240 { "often" } else { "seldom" }.into()),
                ..row(&format!("Question {n}?"), None)
            })
            .collect();
        let splits = assign(&rows, 7, SplitShares::default());
        assert_eq!((counts(&splits[..240]), counts(&splits[240..])), ((192, 24, 24), (48, 6, 6)));
    }

    #[test]
    fn rows_that_are_nearly_the_same_stay_on_one_side() {
        let long = "leave the doses in the fridge, mark them with the red label, note the highest and the lowest reading with the time";
        let rows: Vec<Row> = (0..60)
            .map(|n| {
                let letter = char::from(b'a' + n / 3);
                row(
                    &format!(
                        "{} {long} and call {}",
                        ["Please", "So", "Now"][usize::from(n % 3)],
                        letter.to_string().repeat(5 + usize::from(n / 3))
                    ),
                    None,
                )
            })
            .enumerate()
            .map(|(n, mut row)| {
                row.messages[1].content =
                    format!("{} ", ["north", "south", "east", "west"][n / 3 % 4]).repeat(n / 3 + 1);
                row
            })
            .collect();
        let splits = assign(&rows, 5, SplitShares::default());
        assert!(splits.chunks(3).all(|group| group[0] == group[1] && group[1] == group[2]), "{splits:?}");
        assert!(counts(&splits).2 > 0);
    }

    proptest! {
        #[test]
        fn no_group_falls_on_both_sides_and_every_row_has_a_part(
            spec in prop::collection::vec((0u8..40, prop::option::of(0u32..20), 0u8..12), 0..120), seed in any::<u64>(),
        ) {
            let rows: Vec<Row> = spec.iter().map(|(question, passage, given)| {
                let mut row = row(&if *question < 8 { String::new() } else { format!("Q {question}?") }, *passage);
                row.split = (*given == 0).then_some(Split::Exam);
                row
            }).collect();
            let splits = assign(&rows, seed, SplitShares::default());
            prop_assert_eq!(splits.len(), rows.len());
            let mut by_passage: HashMap<u32, HashSet<Split>> = HashMap::new();
            let mut by_question: HashMap<String, HashSet<Split>> = HashMap::new();
            for (row, split) in rows.iter().zip(&splits) {
                if let Some(passage) = row.passage { by_passage.entry(passage).or_default().insert(*split); }
                by_question.entry(question_key(row)).or_default().insert(*split);
                if row.split == Some(Split::Exam) { prop_assert_eq!(*split, Split::Exam); }
            }
            prop_assert!(by_passage.values().all(|splits| splits.len() == 1));
            prop_assert!(by_question.values().all(|splits| splits.len() == 1));
        }
    }
}
