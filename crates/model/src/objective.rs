//! What a trained token costs: cross-entropy, or one of its two relatives.

use crate::error::{ModelError, Result};

/// The loss of a trained token.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Objective {
    /// Share of the target that is spread evenly over the vocabulary, `0 <= label_smoothing < 1`; what
    /// `torch.nn.functional.cross_entropy` calls by the same name. 0 is plain cross-entropy.
    pub label_smoothing: f32,
    /// Exponent of the focal loss `(1 - p)^gamma · -ln p` (Lin et al. 2017, <https://arxiv.org/abs/1708.02002>), where `p`
    /// is the target's probability: what the model already knows counts less. 0 is plain cross-entropy.
    pub focal_gamma: f32,
}

/// What one row of logits costs, and the three numbers that its gradient is made of: with the probabilities `p` it is
/// `probabilities · p`, less `everywhere` at every token, less `target` at the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RowLoss {
    pub(crate) nats: f64,
    pub(crate) probabilities: f32,
    pub(crate) everywhere: f32,
    pub(crate) target: f32,
}

impl Objective {
    /// Whether the numbers make sense together.
    ///
    /// # Errors
    /// [`ModelError::Objective`] naming the setting.
    pub fn check(&self) -> Result<()> {
        let wrong = |problem: String| Err(ModelError::Objective { problem });
        let Self { label_smoothing, focal_gamma } = self;
        if !(0.0..1.0).contains(label_smoothing) {
            return wrong(format!("`label_smoothing` is {label_smoothing}; it must be at least 0 and below 1"));
        }
        if !(0.0..=10.0).contains(focal_gamma) {
            return wrong(format!("`focal_gamma` is {focal_gamma}; it must be from 0 to 10"));
        }
        if *label_smoothing > 0.0 && *focal_gamma > 0.0 {
            return wrong("`label_smoothing` and `focal_gamma` are both set; set one of them to 0".to_owned());
        }
        Ok(())
    }

    /// Of a row whose target has the negative log-likelihood `nll`; `above_mean` is by how much the logarithm of the
    /// softmax's sum exceeds the mean logit.
    pub(crate) fn row(self, nll: f64, above_mean: f64, vocabulary: usize) -> RowLoss {
        let smoothing = f64::from(self.label_smoothing);
        if self.focal_gamma > 0.0 {
            let gamma = f64::from(self.focal_gamma);
            let missing = -(-nll).exp_m1();
            let (mut nats, mut slope) = (0.0, 0.0);
            // A target that is certain costs nothing; the power below would be infinite for a small exponent.
            if missing > 0.0 {
                let factor = missing.powf(gamma);
                nats = factor * nll;
                slope = factor + gamma * factor / missing * (1.0 - missing) * nll;
            }
            return RowLoss { nats, probabilities: slope as f32, everywhere: 0.0, target: slope as f32 };
        }
        RowLoss {
            nats: (1.0 - smoothing) * nll + smoothing * above_mean,
            probabilities: 1.0,
            everywhere: (smoothing / vocabulary as f64) as f32,
            target: (1.0 - smoothing) as f32,
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // zero is exact
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_refused_by_name() {
        let check = |label_smoothing, focal_gamma| Objective { label_smoothing, focal_gamma }.check();
        assert!(check(0.0, 0.0).is_ok() && check(0.1, 0.0).is_ok() && check(0.0, 2.0).is_ok());
        for (smoothing, gamma, name) in [
            (1.0, 0.0, "label_smoothing"),
            (f32::NAN, 0.0, "label_smoothing"),
            (0.0, -1.0, "focal_gamma"),
            (0.1, 2.0, "both"),
        ] {
            let error = check(smoothing, gamma).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_certain_target_costs_nothing_whatever_the_exponent() {
        for focal_gamma in [0.5, 1.0, 5.0] {
            let row = Objective { label_smoothing: 0.0, focal_gamma }.row(0.0, 0.0, 10);
            assert_eq!((row.nats, row.probabilities), (0.0, 0.0));
        }
    }
}
