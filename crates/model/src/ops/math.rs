//! Exponential and hyperbolic tangent as polynomials that vectorise.

/// `e^x` in f32, within 2 units in the last place; 0 below -87, capped above 88.
///
/// Cephes' `expf`: `x = n ln 2 + r`, a polynomial in `r`, `2^n` through the exponent bits.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.3, 88.3);
    let shifted = clamped * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (clamped - n * LN2_HIGH) - n * LN2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 5e-1;
    let fraction = p * (r * r) + r + 1.0;
    // The low bits of `shifted` hold n; moved to the exponent they multiply by 2^n.
    let power = f32::from_bits(shifted.to_bits().wrapping_shl(23).wrapping_add(127 << 23));
    let value = fraction * power;
    if x < -87.3 { 0.0 } else { value }
}

/// Hyperbolic tangent in f32, absolute error below 2e-7.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let e = exp(2.0 * x.clamp(-12.0, 12.0));
    1.0 - 2.0 / (e + 1.0)
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // exact by definition
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_f64_function_within_two_units_in_the_last_place() {
        let mut worst = 0.0f64;
        for step in -870_000..=880_000 {
            let x = step as f32 * 1e-4;
            let exact = f64::from(x).exp();
            worst = worst.max(((f64::from(exp(x)) - exact) / exact).abs());
        }
        assert!(worst < 2.4e-7, "worst relative error {worst:e}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-100.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
    }

    #[test]
    fn tanh_agrees_with_the_f64_function() {
        for step in -200_000..=200_000 {
            let x = step as f32 * 1e-4;
            let error = (f64::from(tanh(x)) - f64::from(x).tanh()).abs();
            assert!(error < 2e-7, "tanh({x}) is off by {error:e}");
        }
    }
}
