//! Soft-capping (Gemma 2, <https://arxiv.org/abs/2408.00118>): `cap · tanh(x / cap)` keeps numbers within `±cap`.

use super::math::tanh;
use super::simd::wide;

wide! {
    /// Caps in place.
    pub(crate) fn softcap(x: &mut [f32], cap: f32) {
        let inverse = 1.0 / cap;
        for x in x.iter_mut() {
            *x = cap * tanh(*x * inverse);
        }
    }
}

wide! {
    /// The slope where the capped value is `capped`.
    pub(crate) fn softcap_slopes(capped: &[f32], cap: f32, slopes: &mut [f32]) {
        let inverse = 1.0 / cap;
        for (slope, capped) in slopes.iter_mut().zip(capped) {
            let t = capped * inverse;
            *slope = 1.0 - t * t;
        }
    }
}

wide! {
    /// `a *= b`.
    pub(crate) fn multiply(a: &mut [f32], b: &[f32]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a *= b;
        }
    }
}
