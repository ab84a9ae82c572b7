//! Dynamic loss scaling for f16 (Micikevicius et al. 2018, <https://arxiv.org/abs/1710.03740>; the numbers of `torch.amp.GradScaler`).
//!
//! Small gradients are 0 in f16 and large ones infinite. So the loss is multiplied by a power of two before the backward pass and the
//! gradients are divided by it after. Where one does not fit, the factor is halved and the same step is computed again: no row is
//! skipped, unlike in PyTorch, and the run stays the same from the same seed.

use hone_model::{Device, LossSum, Precision};
use serde::{Deserialize, Serialize};

use crate::error::Result;

const FIRST: f64 = 65_536.0;
const LARGEST: f64 = 16_777_216.0;
/// Steps in a row that fit before a larger factor is tried.
const PATIENCE: u32 = 2000;

/// The factor on the loss of a run in f16.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossScale {
    /// A power of two.
    pub factor: f64,
    /// Steps since it last changed.
    pub kept: u32,
}

impl LossScale {
    /// What a run begins with; `None` where every gradient fits.
    pub(crate) fn of(device: Device, precision: Precision) -> Option<Self> {
        (device != Device::Cpu && precision == Precision::F16).then_some(Self { factor: FIRST, kept: 0 })
    }

    fn after_step(&mut self) {
        self.kept += 1;
        if self.kept >= PATIENCE && self.factor < LARGEST {
            *self = Self { factor: self.factor * 2.0, kept: 0 };
        }
    }
}

/// Loss and gradients of a step. `pass` adds the gradients of so many times the step's loss to the buffer, which it is given empty, and
/// answers the loss itself. A loss or gradients that are not finite at any factor come back as they are.
///
/// # Errors
/// What `pass` fails with.
pub(crate) fn backward(
    scale: &mut Option<LossScale>,
    gradients: &mut [f32],
    mut pass: impl FnMut(f64, &mut [f32]) -> Result<LossSum>,
) -> Result<LossSum> {
    loop {
        gradients.fill(0.0);
        let Some(scale) = scale else { return pass(1.0, gradients) };
        let sum = pass(scale.factor, gradients)?;
        let fits = gradients.iter().all(|gradient| gradient.is_finite());
        if !fits && sum.nats.is_finite() && scale.factor > 1.0 {
            *scale = LossScale { factor: scale.factor / 2.0, kept: 0 };
            continue;
        }
        if fits {
            // Exact: the factor is a power of two.
            let back = (1.0 / scale.factor) as f32;
            for gradient in gradients.iter_mut() {
                *gradient *= back;
            }
            scale.after_step();
        }
        return Ok(sum);
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // powers of two are exact
mod tests {
    use super::*;

    /// What f16 keeps of a number, but for its rounding.
    fn as_f16(number: f32) -> f32 {
        match number.abs() {
            ..3e-8 => 0.0,
            65_520.0.. => f32::INFINITY,
            _ => number,
        }
    }

    /// A step with this gradient, in f16 on its way.
    fn in_f16(gradient: f32, times: &mut u32) -> impl FnMut(f64, &mut [f32]) -> Result<LossSum> {
        move |factor, gradients| {
            *times += 1;
            assert!(gradients.iter().all(|gradient| *gradient == 0.0));
            gradients[0] += as_f16(gradient * factor as f32);
            Ok(LossSum { nats: 2.0, tokens: 1, weight: 1.0 })
        }
    }

    fn scale(factor: f64) -> LossScale {
        LossScale { factor, kept: 5 }
    }

    #[test]
    fn a_gradient_too_small_for_f16_survives() {
        let (mut scale, mut gradients, mut times) = (Some(scale(65_536.0)), [0.0f32; 2], 0);
        backward(&mut scale, &mut gradients, in_f16(1e-8, &mut times)).unwrap();
        assert_eq!((as_f16(1e-8), gradients), (0.0, [1e-8, 0.0]));
        assert_eq!((times, scale), (1, Some(LossScale { factor: 65_536.0, kept: 6 })));
    }

    #[test]
    fn where_one_does_not_fit_the_factor_is_halved_and_the_same_step_computed_again() {
        let (mut scale, mut gradients, mut times) = (Some(scale(65_536.0)), [0.0f32; 2], 0);
        let sum = backward(&mut scale, &mut gradients, in_f16(3.0, &mut times)).unwrap();
        // 3 · 16,384 is below 65,504, the largest number of f16.
        assert_eq!((times, scale), (3, Some(LossScale { factor: 16_384.0, kept: 1 })));
        assert_eq!((gradients, sum.nats), ([3.0, 0.0], 2.0));
    }

    #[test]
    fn after_many_good_steps_a_larger_factor_is_tried() {
        let (mut scale, mut gradients) = (Some(LossScale { factor: 4.0, kept: PATIENCE - 1 }), [0.0f32]);
        backward(&mut scale, &mut gradients, in_f16(3.0, &mut 0)).unwrap();
        assert_eq!(scale, Some(LossScale { factor: 8.0, kept: 0 }));
    }

    #[test]
    fn numbers_that_broke_down_are_not_tried_for_ever() {
        for (gradient, nats) in [(f32::NAN, 2.0), (1.0, f64::NAN)] {
            let (mut scale, mut gradients, mut times) = (Some(scale(8.0)), [0.0f32], 0);
            let sum = backward(&mut scale, &mut gradients, |_, gradients| {
                times += 1;
                gradients[0] = if nats.is_nan() { f32::INFINITY } else { gradient };
                Ok(LossSum { nats, tokens: 1, weight: 1.0 })
            })
            .unwrap();
            assert!(sum.nats.is_nan() || gradients[0].is_nan());
            assert_eq!(times, if nats.is_nan() { 1 } else { 4 });
        }
    }

    #[test]
    fn only_f16_is_scaled() {
        let cpu_or_bf16 =
            [(Device::Cpu, Precision::F32), (Device::Cuda(0), Precision::F32), (Device::Cuda(0), Precision::Bf16)];
        assert!(cpu_or_bf16.into_iter().all(|(device, precision)| LossScale::of(device, precision).is_none()));
        assert_eq!(LossScale::of(Device::Cuda(0), Precision::F16), Some(LossScale { factor: FIRST, kept: 0 }));
        let (mut gradients, mut times) = ([7.0f32], 0);
        backward(&mut None, &mut gradients, in_f16(0.5, &mut times)).unwrap();
        assert_eq!((gradients, times), ([0.5], 1));
    }
}
