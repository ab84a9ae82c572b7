//! Paired bootstrap: what would the change have been on other rows of the same kind?
//!
//! Efron & Tibshirani, *An Introduction to the Bootstrap* (1993), percentile intervals; paired by row, because both
//! models answer the same rows.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::report::{Interval, Verdict};

const RESAMPLES: usize = 2000;
const SEED: u64 = 20_26;

/// One row under both models: sums of a quantity and the weight (tokens, or 1) they are divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Sum over the row before.
    pub before: f64,
    /// Sum over the row after.
    pub after: f64,
    /// What both are divided by.
    pub weight: f64,
}

/// Weighted mean before and after.
pub fn means(pairs: &[Pair]) -> (f64, f64) {
    let weight: f64 = pairs.iter().map(|pair| pair.weight).sum();
    let before: f64 = pairs.iter().map(|pair| pair.before).sum();
    let after: f64 = pairs.iter().map(|pair| pair.after).sum();
    if weight > 0.0 { (before / weight, after / weight) } else { (0.0, 0.0) }
}

/// The change of the weighted mean with its 95 % percentile interval. Same pairs, same interval.
pub fn change(pairs: &[Pair]) -> Interval {
    let difference = |pairs: &mut dyn Iterator<Item = Pair>| {
        let (sum, weight) =
            pairs.fold((0.0, 0.0), |(sum, weight), pair| (sum + pair.after - pair.before, weight + pair.weight));
        if weight > 0.0 { sum / weight } else { 0.0 }
    };
    let estimate = difference(&mut pairs.iter().copied());
    if pairs.len() < 2 {
        // One row tells nothing about others: an interval that always reaches over 'no change'.
        return Interval {
            estimate,
            low: estimate.min(0.0) - estimate.abs(),
            high: estimate.max(0.0) + estimate.abs(),
        };
    }
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut resampled: Vec<f64> = (0..RESAMPLES)
        .map(|_| difference(&mut (0..pairs.len()).map(|_| pairs[random.random_range(0..pairs.len())])))
        .collect();
    resampled.sort_by(f64::total_cmp);
    let at = |share: f64| resampled[((RESAMPLES as f64 * share) as usize).min(RESAMPLES - 1)];
    Interval { estimate, low: at(0.025), high: at(0.975) }
}

/// What an interval says when smaller is better.
pub fn lower_is_better(interval: &Interval) -> Verdict {
    if interval.high < 0.0 {
        Verdict::Better
    } else if interval.low > 0.0 {
        Verdict::Worse
    } else {
        Verdict::Unclear
    }
}

/// What an interval says when larger is better.
pub fn higher_is_better(interval: &Interval) -> Verdict {
    lower_is_better(&Interval { estimate: -interval.estimate, low: -interval.high, high: -interval.low })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(before: f64, after: f64) -> Pair {
        Pair { before, after, weight: 1.0 }
    }

    #[test]
    fn means_are_weighted_by_tokens() {
        let pairs = [Pair { before: 10.0, after: 4.0, weight: 2.0 }, Pair { before: 2.0, after: 2.0, weight: 4.0 }];
        assert_eq!(means(&pairs), (2.0, 1.0));
    }

    /// For a mean of independent normal differences the interval is about ±1.96 standard errors.
    #[test]
    fn the_interval_is_as_wide_as_the_normal_one_on_many_pairs() {
        let pairs: Vec<Pair> = (0..400).map(|at| pair(0.0, if at % 2 == 0 { 1.0 } else { -0.8 })).collect();
        let interval = change(&pairs);
        let half = 1.96 * 0.9 / 20.0; // standard deviation 0.9, 400 pairs
        assert!((interval.estimate - 0.1).abs() < 1e-12);
        assert!((interval.high - interval.estimate - half).abs() < 0.02, "{interval:?}");
        assert!((interval.estimate - interval.low - half).abs() < 0.02, "{interval:?}");
    }

    #[test]
    fn a_verdict_needs_the_whole_interval_on_one_side() {
        let better = change(&[pair(2.0, 1.0), pair(2.0, 1.1), pair(2.0, 0.9)]);
        assert_eq!(lower_is_better(&better), Verdict::Better);
        assert_eq!(higher_is_better(&better), Verdict::Worse);
        let mixed = change(&[pair(2.0, 1.0), pair(1.0, 2.0), pair(2.0, 2.0)]);
        assert_eq!(lower_is_better(&mixed), Verdict::Unclear);
    }

    #[test]
    fn a_single_row_never_gives_a_verdict() {
        let one = change(&[pair(9.0, 0.0)]);
        assert_eq!(lower_is_better(&one), Verdict::Unclear);
        assert!(one.estimate < -8.9);
    }
}
