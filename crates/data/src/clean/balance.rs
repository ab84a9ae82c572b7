use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::clean::texts::drop_verdict;
use crate::clean::{BalanceOptions, Bar, Rule, Verdict, row_text};
use crate::{Row, Split};

/// Hits of the rule `balance`: rows of labels that stand more than `ratio` times as often as the rarest. Which go is drawn
/// by the seed and the row's text, so that the same rows go when others come in. Only rows that are trained on; rows
/// without a label stay. And the rows of each label, the most frequent first.
pub fn balance(rows: &[Row], options: &BalanceOptions) -> (Vec<Verdict>, Vec<Bar>) {
    let mut labels: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| matches!(row.split, None | Some(Split::Train))) {
        if let Some(label) = row.label.as_deref().map(str::trim).filter(|label| !label.is_empty()) {
            labels.entry(label).or_default().push(row);
        }
    }
    let rarest = labels.values().map(Vec::len).min().unwrap_or(0);
    let most = (rarest as f64 * options.ratio.max(1.0)).floor() as usize;
    let mut bars = Vec::new();
    let mut dropped = Vec::new();
    for (label, mut rows) in labels {
        let out = rows.len().saturating_sub(most);
        bars.push(Bar { name: label.to_owned(), rows: rows.len() as u64, out: out as u64 });
        if out > 0 {
            rows.sort_by_cached_key(|row| draw(options.seed, row));
            dropped.extend_from_slice(&rows[most..]);
        }
    }
    bars.sort_by_key(|bar| std::cmp::Reverse(bar.rows));
    dropped.sort_by_key(|row| row.id);
    (dropped.into_iter().map(|row| drop_verdict(row, Rule::Balance, None)).collect(), bars)
}

fn draw(seed: u32, row: &Row) -> ([u8; 32], i64) {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(row_text(row).as_bytes());
    (hash.finalize().into(), row.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::tests::row;

    fn labelled(label: &str, count: i64, from: i64) -> Vec<Row> {
        (from..from + count)
            .map(|id| Row { label: Some(label.into()), ..row(id, &format!("Question {id}?"), "Yes") })
            .collect()
    }

    #[test]
    fn no_label_stands_more_than_three_times_as_often_as_the_rarest() {
        let rows = [labelled("common", 20, 1), labelled("rare", 2, 100), labelled("some", 6, 200)].concat();
        let (hits, bars) = balance(&rows, &BalanceOptions::default());
        assert_eq!(hits.len(), 14);
        assert!(hits.iter().all(|hit| hit.row <= 20));
        let told: Vec<_> = bars.iter().map(|bar| (bar.name.as_str(), bar.rows, bar.out)).collect();
        assert_eq!(told, [("common", 20, 14), ("some", 6, 0), ("rare", 2, 0)]);
    }

    #[test]
    fn the_same_rows_go_when_others_come_in_and_others_with_another_seed() {
        let rows = [labelled("common", 20, 1), labelled("rare", 2, 100)].concat();
        let options = BalanceOptions::default();
        let gone = |rows: &[Row], options: &BalanceOptions| {
            balance(rows, options).0.iter().map(|hit| hit.row).collect::<Vec<_>>()
        };
        let more = [rows.clone(), labelled("some", 3, 300)].concat();
        assert_eq!(gone(&rows, &options), gone(&more, &options));
        assert_ne!(gone(&rows, &options), gone(&rows, &BalanceOptions { seed: 1, ..options }));
    }

    #[test]
    fn rows_without_a_label_and_of_the_exam_are_left_alone() {
        let mut rows = [labelled("a", 9, 1), labelled("b", 1, 100)].concat();
        rows.iter_mut().take(6).for_each(|row| row.split = Some(Split::Exam));
        rows.push(row(200, "No label?", "None."));
        assert!(balance(&rows, &BalanceOptions::default()).0.is_empty());
        assert!(balance(&[row(1, "a", "b")], &BalanceOptions::default()).1.is_empty());
    }
}
