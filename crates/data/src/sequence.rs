//! Token sequences with their loss mask, and how they are laid into batches.

/// The tokens of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSequence {
    /// The row's number.
    pub row: i64,
    /// Token ids.
    pub ids: Vec<u32>,
    /// As long as `ids`: whether the token is a training target.
    pub trained: Vec<bool>,
}

impl TokenSequence {
    /// How many tokens are training targets. The first token never counts: nothing stands before it to predict it.
    pub fn trained_tokens(&self) -> usize {
        self.trained.iter().skip(1).filter(|trained| **trained).count()
    }

    /// Cuts the sequence to `max` tokens from its end; answers how many were cut.
    pub fn truncate(&mut self, max: usize) -> usize {
        let cut = self.ids.len().saturating_sub(max);
        self.ids.truncate(max);
        self.trained.truncate(max);
        cut
    }
}

/// Sequences laid one after the other that pass through the model at once; they never see each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pack {
    /// The rows' numbers, in order.
    pub rows: Vec<i64>,
    /// Where each sequence begins in `ids`; the first is 0.
    pub starts: Vec<usize>,
    /// Token ids of all sequences.
    pub ids: Vec<u32>,
    /// As long as `ids`: whether the token is a training target. The first token of each sequence is not.
    pub trained: Vec<bool>,
}

impl Pack {
    /// A pack of these sequences in this order.
    pub fn of<'a>(sequences: impl IntoIterator<Item = &'a TokenSequence>) -> Self {
        let mut pack = Self::default();
        for sequence in sequences {
            pack.rows.push(sequence.row);
            pack.starts.push(pack.ids.len());
            pack.trained.extend(sequence.trained.iter().enumerate().map(|(at, trained)| at > 0 && *trained));
            pack.ids.extend(&sequence.ids);
        }
        pack
    }

    /// How many tokens are training targets.
    pub fn trained_tokens(&self) -> usize {
        self.trained.iter().filter(|trained| **trained).count()
    }
}

/// Lays sequences into packs of at most `budget` tokens, in the given order of steps: every `rows_per_step` sequences
/// form one optimiser step, and only the sequences of one step share packs, so that the steps do not depend on the
/// budget. A sequence longer than the budget stands alone. Within a step the longest go first (first-fit decreasing),
/// ties in the given order; the result is the same for the same input.
///
/// Answers one list of packs (micro-batches) per step.
pub fn batches(sequences: &[TokenSequence], order: &[usize], rows_per_step: usize, budget: usize) -> Vec<Vec<Pack>> {
    order.chunks(rows_per_step.max(1)).map(|step| pack_step(sequences, step, budget)).collect()
}

fn pack_step(sequences: &[TokenSequence], step: &[usize], budget: usize) -> Vec<Pack> {
    let mut longest_first: Vec<&TokenSequence> = step.iter().filter_map(|index| sequences.get(*index)).collect();
    longest_first.retain(|sequence| !sequence.ids.is_empty());
    longest_first.sort_by_key(|sequence| std::cmp::Reverse(sequence.ids.len()));
    let mut packs: Vec<(usize, Vec<&TokenSequence>)> = Vec::new();
    for sequence in longest_first {
        let length = sequence.ids.len();
        match packs.iter_mut().find(|(used, _)| used + length <= budget) {
            Some((used, pack)) => {
                *used += length;
                pack.push(sequence);
            }
            None => packs.push((length, vec![sequence])),
        }
    }
    packs.into_iter().map(|(_, pack)| Pack::of(pack)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sequence(row: i64, length: usize, trained_from: usize) -> TokenSequence {
        TokenSequence {
            row,
            ids: (0..length).map(|at| (row as u32) * 1000 + at as u32).collect(),
            trained: (0..length).map(|at| at >= trained_from).collect(),
        }
    }

    #[test]
    fn short_sequences_share_a_pack_and_a_long_one_stands_alone() {
        let sequences = [sequence(1, 3, 1), sequence(2, 12, 1), sequence(3, 5, 2)];
        let steps = batches(&sequences, &[0, 1, 2], 8, 8);
        let rows: Vec<_> = steps[0].iter().map(|pack| pack.rows.clone()).collect();
        assert_eq!(rows, [vec![2], vec![3, 1]]);
        assert_eq!(steps[0][1].starts, [0, 5]);
        assert_eq!(steps[0][1].ids, [3000, 3001, 3002, 3003, 3004, 1000, 1001, 1002]);
        assert_eq!(steps[0][1].trained, [false, false, true, true, true, false, true, true]);
    }

    #[test]
    fn the_first_token_of_a_sequence_is_never_a_target() {
        let all = TokenSequence { row: 1, ids: vec![7, 8], trained: vec![true, true] };
        assert_eq!(all.trained_tokens(), 1);
        assert_eq!(Pack::of([&all, &all]).trained, [false, true, false, true]);
    }

    #[test]
    fn truncating_tells_how_much_was_cut() {
        let mut long = sequence(1, 10, 4);
        assert_eq!(long.truncate(6), 4);
        assert_eq!((long.ids.len(), long.trained_tokens()), (6, 2));
        assert_eq!(long.truncate(6), 0);
    }

    proptest! {
        #[test]
        fn packing_loses_no_token_and_keeps_masks_aligned(
            lengths in prop::collection::vec((1usize..40, 0usize..40), 1..40),
            rows_per_step in 1usize..9, budget in 1usize..64, seed in any::<u64>(),
        ) {
            let sequences: Vec<_> =
                lengths.iter().enumerate().map(|(row, (length, from))| sequence(row as i64, *length, *from)).collect();
            let mut order: Vec<usize> = (0..sequences.len()).collect();
            order.sort_by_key(|index| (*index as u64).wrapping_mul(seed | 1));
            let steps = batches(&sequences, &order, rows_per_step, budget);

            prop_assert_eq!(steps.len(), order.len().div_ceil(rows_per_step));
            for (step, chunk) in steps.iter().zip(order.chunks(rows_per_step)) {
                let mut seen: Vec<i64> = step.iter().flat_map(|pack| pack.rows.clone()).collect();
                seen.sort_unstable();
                let mut expected: Vec<i64> = chunk.iter().map(|index| *index as i64).collect();
                expected.sort_unstable();
                prop_assert_eq!(seen, expected);
                for pack in step {
                    prop_assert!(pack.ids.len() <= budget || pack.rows.len() == 1);
                    let mut ends = pack.starts.clone();
                    ends.push(pack.ids.len());
                    prop_assert_eq!(ends[0], 0);
                    for (at, row) in pack.rows.iter().enumerate() {
                        let original = &sequences[*row as usize];
                        prop_assert_eq!(&pack.ids[ends[at]..ends[at + 1]], &original.ids[..]);
                        prop_assert!(!pack.trained[ends[at]]);
                        prop_assert_eq!(&pack.trained[ends[at] + 1..ends[at + 1]], &original.trained[1..]);
                    }
                }
            }
        }
    }
}
