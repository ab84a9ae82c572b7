//! In which order the rows come, epoch by epoch.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A permutation of `0..rows`, drawn by seed and epoch alone (Fisher and Yates): a run that is continued in the middle
/// of an epoch finds the same order again without having stored it.
pub fn epoch_order(rows: usize, seed: u64, epoch: u32) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(u64::from(epoch) + 1);
    let mut order: Vec<usize> = (0..rows).collect();
    for last in (1..rows).rev() {
        order.swap(last, random.random_range(0..=last));
    }
    order
}

/// The seed of the dropout masks of one micro-batch: differs from step to step, and is the same when a run is continued.
pub fn dropout_seed(seed: u64, step: u32, micro_batch: usize) -> u64 {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(1 << 63 | u64::from(step) << 24 | micro_batch as u64);
    random.random()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_row_comes_once_an_epoch(rows in 0usize..200, seed in any::<u64>(), epoch in 0u32..10) {
            let order = epoch_order(rows, seed, epoch);
            prop_assert_eq!(order.len(), rows);
            prop_assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), (0..rows).collect());
            prop_assert_eq!(order, epoch_order(rows, seed, epoch));
        }
    }

    #[test]
    fn epochs_and_seeds_differ() {
        let order = |seed, epoch| epoch_order(50, seed, epoch);
        assert_ne!(order(1, 0), order(1, 1));
        assert_ne!(order(1, 0), order(2, 0));
    }

    #[test]
    fn every_place_is_equally_likely() {
        // 6,000 shuffles of 3 rows: each of the 6 orders about 1,000 times; 5 standard deviations are 144.
        let mut counts = std::collections::BTreeMap::new();
        for seed in 0..6000 {
            *counts.entry(epoch_order(3, seed, 0)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|count| (856..=1144).contains(count)), "{counts:?}");
    }

    #[test]
    fn dropout_differs_from_step_to_step_and_from_micro_batch_to_micro_batch() {
        let seeds = [(1, 0, 0), (1, 1, 0), (1, 0, 1), (2, 0, 0)].map(|(seed, step, at)| dropout_seed(seed, step, at));
        assert_eq!(BTreeSet::from(seeds).len(), 4);
        assert_eq!(dropout_seed(1, 7, 3), dropout_seed(1, 7, 3));
    }
}
