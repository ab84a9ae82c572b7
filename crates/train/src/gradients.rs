//! The flat gradient buffer between the backward pass and the optimiser: filling it, its norm, clipping.

use hone_model::{Batch, LossSum};

use crate::error::Result;
use crate::learned::Learned;
use crate::recipe::Recipe;
use crate::{loss_scale, order};

/// Loss and gradients of the next step: each micro-batch adds its share of the gradient of the mean loss of all. `check` may end it
/// between them.
pub(crate) fn fill(
    recipe: &Recipe<'_>,
    learned: &mut Learned,
    batches: &[Batch],
    gradients: &mut [f32],
    check: &dyn Fn() -> Result<()>,
) -> Result<LossSum> {
    let (config, step) = (recipe.config, learned.progress.step);
    let share = 1.0 / batches.iter().map(Batch::trained_weight).sum::<f64>();
    loss_scale::backward(&mut learned.progress.loss_scale, gradients, |factor, gradients| {
        let mut sum = LossSum::default();
        for (index, batch) in batches.iter().enumerate() {
            check()?;
            let seed = order::dropout_seed(config.seed, step, index);
            let options = config.step_options(recipe.plan.gradient_checkpointing, seed);
            let scale = (share * factor) as f32;
            sum += recipe.decoder.loss_and_gradients(&learned.adapter, batch, scale, &options, gradients)?;
        }
        Ok(sum)
    })
}

/// L2 norm over all gradients, summed in f64. Not a number or infinite when any gradient is.
pub fn global_norm(gradients: &[f32]) -> f64 {
    gradients.iter().map(|gradient| f64::from(*gradient) * f64::from(*gradient)).sum::<f64>().sqrt()
}

/// Scales the gradients down to the norm `max` if `norm` is above it, as `torch.nn.utils.clip_grad_norm_` does; 0 leaves
/// them as they are.
pub fn clip(gradients: &mut [f32], norm: f64, max: f64) {
    let factor = max / (norm + 1e-6);
    if max > 0.0 && factor < 1.0 {
        for gradient in gradients {
            *gradient *= factor as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_gradient_is_scaled_to_the_limit() {
        let mut gradients = [3.0, -4.0, 12.0];
        let norm = global_norm(&gradients);
        assert!((norm - 13.0).abs() < 1e-12);
        clip(&mut gradients, norm, 1.0);
        // torch.nn.utils.clip_grad_norm_ divides by 13 + 1e-6.
        for (found, expected) in gradients.iter().zip([3.0, -4.0, 12.0]) {
            assert!((found - expected / 13.000_001).abs() < 1e-7);
        }
    }

    #[test]
    fn a_short_gradient_and_no_limit_change_nothing() {
        let mut gradients = [0.3f32, 0.4];
        clip(&mut gradients, 0.5, 1.0);
        clip(&mut gradients, 0.5, 0.0);
        assert_eq!(gradients.map(f32::to_bits), [0.3f32, 0.4].map(f32::to_bits));
    }

    #[test]
    fn one_bad_number_shows_in_the_norm() {
        assert!(!global_norm(&[1.0, f32::NAN]).is_finite());
        assert!(!global_norm(&[1.0, f32::INFINITY]).is_finite());
        assert!(global_norm(&[f32::MAX, f32::MAX]).is_finite());
    }
}
