//! In which order the rows come, epoch by epoch.

use hone_data::sequence::{Pack, TokenSequence, batches};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::RunConfig;

/// Steps whose rows are sorted by length together: enough to find rows of similar length, few enough to stay random.
const STEPS_PER_GROUP: usize = 50;

/// The rows of one epoch in steps, and each step in micro-batches of at most `budget` tokens, as the configuration asks for.
pub fn epoch(train: &[TokenSequence], config: &RunConfig, budget: usize, epoch: u32) -> Vec<Vec<Pack>> {
    let rows_per_step = config.batch_size as usize;
    let mut order = epoch_order(train.len(), config.seed, epoch);
    if config.group_by_length {
        let lengths: Vec<usize> = train.iter().map(|row| row.ids.len()).collect();
        order = grouped(order, &lengths, rows_per_step, &mut random(config.seed, u64::from(epoch) | 1 << 62));
    }
    // Nothing fits a budget of 0 but a row alone.
    batches(train, &order, rows_per_step, if config.packing { budget } else { 0 })
}

/// The same rows, those of similar length in one step: sorted within stretches of many steps, then the steps in random order.
/// A last step that is not full stays the last.
fn grouped(mut order: Vec<usize>, lengths: &[usize], rows_per_step: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
    for stretch in order.chunks_mut(rows_per_step * STEPS_PER_GROUP) {
        stretch.sort_by_key(|row| std::cmp::Reverse(lengths[*row]));
    }
    let mut steps: Vec<&[usize]> = order.chunks(rows_per_step).collect();
    let full = order.len() / rows_per_step;
    shuffle(&mut steps[..full], random);
    steps.concat()
}

/// Fisher and Yates.
fn shuffle<T>(items: &mut [T], random: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.random_range(0..=last));
    }
}

fn random(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    random
}

/// A permutation of `0..rows`, drawn by seed and epoch alone: a run that is continued in the middle
/// of an epoch finds the same order again without having stored it.
pub fn epoch_order(rows: usize, seed: u64, epoch: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows).collect();
    shuffle(&mut order, &mut random(seed, u64::from(epoch) + 1));
    order
}

/// The seed of the dropout masks and the noise of one micro-batch: differs from step to step, and is the same when a run is continued.
pub fn dropout_seed(seed: u64, step: u32, micro_batch: usize) -> u64 {
    random(seed, 1 << 63 | u64::from(step) << 24 | micro_batch as u64).random()
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

    fn rows(lengths: &[usize]) -> Vec<TokenSequence> {
        let row = |(at, length): (usize, &usize)| TokenSequence {
            row: at as i64,
            ids: vec![5; *length],
            trained: vec![true; *length],
        };
        lengths.iter().enumerate().map(row).collect()
    }

    fn config(changes: &[&str]) -> RunConfig {
        let mut config = crate::presets::preset("balanced").unwrap();
        for change in changes {
            config.set(change).unwrap();
        }
        config
    }

    #[test]
    fn rows_of_similar_length_share_a_step_and_none_is_lost() {
        let lengths: Vec<usize> = (0..403).map(|at| 5 + at * 7919 % 300).collect();
        let train = rows(&lengths);
        let spread = |changes: &[&str]| {
            let steps = epoch(&train, &config(changes), 100_000, 3);
            assert_eq!(steps.len(), 101);
            let mut seen: Vec<i64> = steps.iter().flatten().flat_map(|pack| pack.rows.clone()).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..403).collect::<Vec<i64>>());
            let of_step = |step: &Vec<Pack>| {
                let lengths: Vec<usize> =
                    step.iter().flat_map(|pack| &pack.rows).map(|row| lengths[*row as usize]).collect();
                lengths.iter().max().unwrap() - lengths.iter().min().unwrap()
            };
            (steps.iter().map(of_step).sum::<usize>() / steps.len(), steps)
        };
        let (mixed, _) = spread(&["batch_size=4"]);
        let (alike, steps) = spread(&["batch_size=4", "group_by_length=true"]);
        assert!(
            alike * 20 < mixed,
            "{alike} against {mixed} tokens between the shortest and the longest row of a step"
        );
        assert_eq!(steps, spread(&["batch_size=4", "group_by_length=true"]).1);
        let first: Vec<usize> = steps.iter().map(|step| step[0].ids.len()).collect();
        assert!(!first.is_sorted_by(|a, b| a >= b), "the steps come in random order");
    }

    #[test]
    fn without_packing_every_row_passes_alone() {
        let train = rows(&[3, 9, 4, 4, 5]);
        let steps = epoch(&train, &config(&["batch_size=2", "packing=false"]), 4096, 0);
        assert!(steps.iter().flatten().all(|pack| pack.rows.len() == 1));
        assert_eq!(steps.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
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
