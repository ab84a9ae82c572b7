//! Rotary position embedding (Su et al. 2021, <https://arxiv.org/abs/2104.09864>), the `rotate_half` form.

use crate::config::RopeConfig;

use super::simd::wide;

/// Cosines and sines of every position up to a length, `[positions, dimensions / 2]` each.
#[derive(Debug)]
pub(crate) struct RopeTable {
    half: usize,
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl RopeTable {
    /// The table for positions `0..positions`.
    ///
    /// Frequencies and angles are rounded to f32 as in Transformers, so that late positions agree with it.
    pub(crate) fn new(config: &RopeConfig, positions: usize) -> Self {
        let half = config.dimensions / 2;
        // As Transformers: by the longest text of a pass, for all of it.
        let factors = match &config.long {
            Some(long) if positions > long.beyond => &long.frequency_factors,
            _ => &config.frequency_factors,
        };
        let frequencies: Vec<f32> = (0..half)
            .map(|i| {
                let exponent = (2 * i) as f32 / config.dimensions as f32;
                let power = f64::from(config.base).powf(f64::from(exponent)) as f32;
                1.0 / power / config.scaling_factor / factors.get(i).copied().unwrap_or(1.0)
            })
            .collect();
        let angles = || {
            let of = |position: usize| frequencies.iter().map(move |frequency| f64::from(position as f32 * frequency));
            (0..positions).flat_map(of)
        };
        let cosines = angles().map(|angle| angle.cos() as f32 * config.magnitude).collect();
        let sines = angles().map(|angle| angle.sin() as f32 * config.magnitude).collect();
        Self { half, cosines, sines }
    }

    /// Cosines and sines of one position.
    pub(crate) fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let range = position * self.half..(position + 1) * self.half;
        (&self.cosines[range.clone()], &self.sines[range])
    }
}

wide! {
    fn turn(low: &mut [f32], high: &mut [f32], cosines: &[f32], sines: &[f32], sign: f32) {
        for (((a, b), cosine), sine) in low.iter_mut().zip(high.iter_mut()).zip(cosines).zip(sines) {
            let sine = sine * sign;
            let (x, y) = (*a, *b);
            *a = x * cosine - y * sine;
            *b = y * cosine + x * sine;
        }
    }
}

/// Turns the rotated part of one head, in place; `inverse` turns back, which is also the backward pass.
pub(crate) fn rotate(head: &mut [f32], (cosines, sines): (&[f32], &[f32]), inverse: bool) {
    let (low, high) = head[..2 * cosines.len()].split_at_mut(cosines.len());
    turn(low, high, cosines, sines, if inverse { -1.0 } else { 1.0 });
}
