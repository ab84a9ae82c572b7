//! Noise on what the model reads, during training only.

use rayon::prelude::*;

use super::linear::mix;

/// `NEFTune` (Jain et al. 2023, <https://arxiv.org/abs/2310.05914>): adds to every number of the embedded tokens
/// `[tokens, width]` an amount drawn evenly from `±alpha / sqrt(length · width)`, where `length` is that of the token's own
/// sequence. What is drawn depends on the seed and the place alone.
pub(crate) fn add_noise(x: &mut [f32], width: usize, starts: &[usize], alpha: f32, seed: u64) {
    let tokens = x.len() / width;
    let ends = starts.iter().skip(1).copied().chain([tokens]);
    let bounds: Vec<f32> = starts
        .iter()
        .zip(ends)
        .flat_map(|(start, end)| std::iter::repeat_n(alpha / (((end - start) * width) as f32).sqrt(), end - start))
        .collect();
    // A sequence of its own beside the masks of dropout, which begin at seeds mixed with small numbers.
    let seed = mix(seed ^ 0x4E45_4654_756E_6521);
    x.par_chunks_mut(width).zip(bounds).enumerate().for_each(|(token, (row, bound))| {
        for (at, value) in row.iter_mut().enumerate() {
            // The upper 24 bits as a number in [-1, 1).
            let random = (mix(seed.wrapping_add((token * width + at) as u64)) >> 40) as f32 / (1 << 23) as f32 - 1.0;
            *value += bound * random;
        }
    });
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // the same bits are asked for
mod tests {
    use super::*;

    #[test]
    fn noise_fills_its_range_evenly_by_the_length_of_each_sequence_and_repeats_itself() {
        let (width, starts) = (100, [0, 400]);
        let noise = |seed| {
            let mut x = vec![0.0; 500 * width];
            add_noise(&mut x, width, &starts, 5.0, seed);
            x
        };
        let first = noise(1);
        assert_eq!(first, noise(1));
        assert_ne!(first, noise(2));
        for (range, length) in [(0..400, 400.0f64), (400..500, 100.0)] {
            let bound = 5.0 / (length * width as f64).sqrt();
            let part = &first[range.start * width..range.end * width];
            let largest = part.iter().fold(0.0f64, |most, value| most.max(f64::from(value.abs())));
            assert!(largest <= bound && largest > 0.99 * bound, "largest {largest}, bound {bound}");
            let mean_square = part.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / part.len() as f64;
            // Evenly drawn numbers have a third of the bound's square.
            assert!((mean_square * 3.0 / bound / bound - 1.0).abs() < 0.03);
        }
    }
}
