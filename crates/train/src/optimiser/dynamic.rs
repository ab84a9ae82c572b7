//! Numbers in eight bits: one scale per block and, within it, the dynamic tree code of Dettmers (2015, section 2.2), in the
//! form of the block-wise 8-bit optimisers (Dettmers et al. 2021, <https://arxiv.org/abs/2110.02861>).
//!
//! A code stands for a decimal exponent of 0 to -6 and a fraction between 0.1 and 1 that gets the bits which a unary
//! exponent leaves over: fine for large numbers, and seven decades deep for small ones. Signed numbers spend a bit on the
//! sign, unsigned ones on the fraction. `fixtures/dynamic8.py` writes the values that bitsandbytes gives the same codes.

use std::sync::LazyLock;

/// Numbers that share a scale.
pub(super) const BLOCK: usize = 256;

/// Exponents of ten that the code can express.
const EXPONENTS: u32 = 7;

/// The 256 values of a code, rising.
pub(super) struct Code {
    values: [f32; 256],
    /// Half-way between each value and the next: what lies above it is nearer to the next.
    borders: [f32; 255],
}

/// The code for numbers of either sign.
pub(super) static SIGNED: LazyLock<Code> = LazyLock::new(|| Code::new(true));
/// The code for numbers that are never negative.
pub(super) static UNSIGNED: LazyLock<Code> = LazyLock::new(|| Code::new(false));

impl Code {
    fn new(signed: bool) -> Self {
        let mut all = vec![0.0, 1.0];
        for power in 0..EXPONENTS {
            // One more exponent of ten leaves half as many fractions.
            let fractions = 1usize << (power + u32::from(!signed));
            let unit = 10f64.powi(power as i32 + 1 - EXPONENTS as i32);
            for fraction in 0..fractions {
                // The middles of equal parts of the way from 0.1 to 1.
                let value = (unit * (0.1 + 0.9 * (fraction as f64 + 0.5) / fractions as f64)) as f32;
                all.push(value);
                if signed {
                    all.push(-value);
                }
            }
        }
        all.sort_by(f32::total_cmp);
        // Twice 127 values, or 254, besides 0 and 1.
        let mut values = [0.0; 256];
        values.copy_from_slice(&all);
        let borders = std::array::from_fn(|at| f32::midpoint(values[at], values[at + 1]));
        Self { values, borders }
    }

    fn nearest(&self, value: f32) -> u8 {
        self.borders.partition_point(|border| *border < value) as u8
    }
}

/// Numbers in eight bits each.
#[derive(Debug, Clone, PartialEq)]
pub struct Coded {
    /// One per number: an index into the 256 values of the code.
    pub codes: Vec<u8>,
    /// One per block of 256 numbers: what the values are multiplied by.
    pub scales: Vec<f32>,
}

impl Coded {
    /// `length` zeros.
    pub(super) fn zeros(length: usize, code: &Code) -> Self {
        Self { codes: vec![code.nearest(0.0); length], scales: vec![0.0; length.div_ceil(BLOCK)] }
    }

    /// Whether there is a scale for every block.
    pub(crate) fn is_whole(&self) -> bool {
        self.scales.len() == self.codes.len().div_ceil(BLOCK)
    }
}

/// The numbers of one block.
pub(super) fn decode(code: &Code, codes: &[u8], scale: f32, numbers: &mut [f32]) {
    for (number, at) in numbers.iter_mut().zip(codes) {
        *number = code.values[usize::from(*at)] * scale;
    }
}

/// Puts the numbers of one block into `codes`; answers their scale.
pub(super) fn encode(code: &Code, numbers: &[f32], codes: &mut [u8]) -> f32 {
    let scale = numbers.iter().fold(0.0f32, |most, number| most.max(number.abs()));
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    for (at, number) in codes.iter_mut().zip(numbers) {
        *at = code.nearest(number * inverse);
    }
    scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_are_those_of_bitsandbytes() {
        // Made by `fixtures/dynamic8.py`.
        #[derive(serde::Deserialize)]
        struct Maps {
            signed: Vec<f32>,
            unsigned: Vec<f32>,
        }
        let maps: Maps = serde_json::from_str(include_str!("../../fixtures/dynamic8.json")).unwrap();
        for (code, expected) in [(&*SIGNED, maps.signed), (&*UNSIGNED, maps.unsigned)] {
            for (value, expected) in code.values.iter().zip(&expected) {
                assert!(
                    (value - expected).abs() <= 4.0 * f32::EPSILON * expected.abs(),
                    "{value}, expected {expected}"
                );
            }
        }
    }

    #[test]
    fn a_block_comes_back_within_half_a_step_of_the_code() {
        let numbers: Vec<f32> = (0..BLOCK).map(|at| ((at * 37 % 101) as f32 - 50.0) * 1e-4).collect();
        let (mut codes, mut back) = ([0; BLOCK], [0.0; BLOCK]);
        let scale = encode(&SIGNED, &numbers, &mut codes);
        decode(&SIGNED, &codes, scale, &mut back);
        for (back, number) in back.iter().zip(&numbers) {
            // The widest step is 0.9 / 64 of the block's largest number.
            assert!((back - number).abs() <= scale * 0.46 / 64.0, "{back} for {number}");
        }
        // What comes back is a value of the code, and is encoded to itself.
        let mut again = [0; BLOCK];
        assert!((encode(&SIGNED, &back, &mut again) - scale).abs() <= scale * 0.46 / 64.0);
    }

    #[test]
    fn a_block_of_zeros_stays_zero() {
        for code in [&*SIGNED, &*UNSIGNED] {
            let (mut codes, mut back) = ([7; 3], [1.0; 3]);
            let scale = encode(code, &[0.0; 3], &mut codes);
            decode(code, &codes, scale, &mut back);
            assert_eq!((scale.to_bits(), back.map(f32::to_bits)), (0, [0; 3]));
        }
    }
}
