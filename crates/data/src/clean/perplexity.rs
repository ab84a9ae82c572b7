use std::collections::HashMap;

use crate::Row;
use crate::clean::texts::drop_verdict;
use crate::clean::{Bar, PerplexityOptions, Quantile, Rule, Verdict};

/// Upper ends of the bars in which perplexities are shown.
const ENDS: [f64; 12] = [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 100.0, 150.0, 250.0, 500.0, 1000.0, f64::INFINITY];
/// Which parts of the rows the quantiles tell, percent.
const PARTS: [u8; 7] = [5, 25, 50, 75, 90, 95, 99];

/// Hits of the rule `perplexity`: rows that surprise the base model more than the threshold. `scores` holds the
/// perplexities that were measured; rows without one are left alone. And how the perplexities lie.
pub fn perplexity(
    rows: &[Row],
    options: &PerplexityOptions,
    scores: &HashMap<i64, f64>,
) -> (Vec<Verdict>, Vec<Bar>, Vec<Quantile>) {
    let scored: Vec<(&Row, f64)> = rows.iter().filter_map(|row| Some((row, *scores.get(&row.id)?))).collect();
    let out = |score: f64| score.is_nan() || score > options.threshold;
    let verdicts =
        scored.iter().filter(|(_, score)| out(*score)).map(|(row, _)| drop_verdict(row, Rule::Perplexity, None));
    let verdicts = verdicts.collect();
    if scored.is_empty() {
        return (verdicts, Vec::new(), Vec::new());
    }
    let mut start = 0.0;
    let mut bars = Vec::new();
    for end in ENDS {
        let within: Vec<f64> = scored
            .iter()
            .map(|(_, score)| *score)
            .filter(|score| (start..end).contains(score) || (end.is_infinite() && !score.is_finite()))
            .collect();
        let name = if end.is_finite() { format!("{start:.0}–{end:.0}") } else { format!("{start:.0}+") };
        let gone = within.iter().filter(|score| out(**score)).count() as u64;
        bars.push(Bar { name, rows: within.len() as u64, out: gone });
        start = end;
    }
    let mut sorted: Vec<f64> = scored.iter().map(|(_, score)| *score).collect();
    sorted.sort_by(f64::total_cmp);
    // The nearest rank: the least value that at least so many percent of the rows do not exceed.
    let rank = |part: u8| (f64::from(part) / 100.0 * sorted.len() as f64).ceil().max(1.0) as usize - 1;
    let quantiles = PARTS.map(|part| Quantile { percent: part, value: sorted[rank(part)] }).to_vec();
    (verdicts, bars, quantiles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::tests::row;

    #[test]
    fn rows_above_the_threshold_go_and_the_distribution_is_told() {
        let rows: Vec<Row> = (1..=20).map(|id| row(id, "q", "a")).collect();
        // 10, 20, … 190; row 20 was not scored.
        let scores: HashMap<i64, f64> = (1..=19).map(|id| (id, id as f64 * 10.0)).collect();
        let (hits, bars, quantiles) = perplexity(&rows, &PerplexityOptions::default(), &scores);
        assert_eq!(hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), [16, 17, 18, 19]);
        let told: Vec<_> =
            bars.iter().map(|bar| (bar.name.as_str(), bar.rows, bar.out)).filter(|bar| bar.1 > 0).collect();
        assert_eq!(
            told,
            [("8–16", 1, 0), ("16–32", 2, 0), ("32–64", 3, 0), ("64–100", 3, 0), ("100–150", 5, 0), ("150–250", 5, 4)]
        );
        // Nearest rank of 19 values: 5 % is the 1st, 50 % the 10th, 95 % the 19th.
        let value = |percent| quantiles.iter().find(|each| each.percent == percent).map(|each| each.value);
        assert_eq!((value(5), value(50), value(95)), (Some(10.0), Some(100.0), Some(190.0)));
    }

    #[test]
    fn without_scores_nothing_is_said() {
        let (hits, bars, quantiles) = perplexity(&[row(1, "q", "a")], &PerplexityOptions::default(), &HashMap::new());
        assert!(hits.is_empty() && bars.is_empty() && quantiles.is_empty());
    }
}
