//! `AdamW` on flat f32 buffers: `PyTorch`'s `torch.optim.AdamW` operation for operation (Loshchilov and Hutter 2019,
//! <https://arxiv.org/abs/1711.05101>), with a state that can be saved.
//!
//! The state may be kept in 8 bits a number ([`Moments`]); it is then expanded, updated and coded again block by block.
//!
//! Not here: clipping ([`crate::gradients`]), the learning rate of a step ([`crate::schedule`]), parameter groups.

mod dynamic;
mod moments;

pub use dynamic::Coded;
pub use moments::Moments;

use crate::error::{Result, TrainError};

/// The settings of [`AdamW`] that stay the same through a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptimiserConfig {
    /// Decay of the two moving averages: of the gradient, and of its square.
    pub betas: [f64; 2],
    /// Added to the denominator.
    pub eps: f64,
    /// Decoupled: each step first multiplies the parameters by `1 - learning_rate * weight_decay`.
    pub weight_decay: f64,
    /// Keeps the state in 8 bits a number instead of 32.
    pub eight_bit: bool,
}

impl Default for OptimiserConfig {
    /// `PyTorch`'s defaults.
    fn default() -> Self {
        Self { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01, eight_bit: false }
    }
}

/// The optimiser and its state.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW {
    config: OptimiserConfig,
    steps: u32,
    moments: Moments,
}

impl AdamW {
    /// A fresh optimiser for `len` parameters.
    pub fn new(config: &OptimiserConfig, len: usize) -> Self {
        Self { config: *config, steps: 0, moments: Moments::zeros(len, config.eight_bit) }
    }

    /// An optimiser that goes on from a saved state.
    ///
    /// # Errors
    /// [`TrainError::OptimiserState`] when the state contradicts itself or is kept in other bits than `config` says.
    pub fn restore(config: &OptimiserConfig, steps: u32, moments: Moments) -> Result<Self> {
        let wrong = |problem| Err(TrainError::OptimiserState { problem });
        if !moments.is_whole() {
            return wrong("its two averages differ in length");
        }
        if moments.is_eight_bit() != config.eight_bit {
            return wrong("it is not kept in the bits that `optimiser` asks for");
        }
        Ok(Self { config: *config, steps, moments })
    }

    /// Steps done.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// The moving averages.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// One update of `params` from `grads`.
    ///
    /// # Errors
    /// [`TrainError::Length`] when either has another length than the optimiser was made for.
    pub fn step(&mut self, params: &mut [f32], grads: &[f32], learning_rate: f64) -> Result<()> {
        same_length("parameters", self.moments.len(), params.len())?;
        same_length("gradients", self.moments.len(), grads.len())?;
        self.steps += 1;
        let [beta1, beta2] = self.config.betas;
        let correction1 = 1.0 - beta1.powi(self.steps as i32);
        let correction2_sqrt = (1.0 - beta2.powi(self.steps as i32)).sqrt() as f32;
        let keep = (1.0 - learning_rate * self.config.weight_decay) as f32;
        let step_size = (-learning_rate / correction1) as f32;
        let (weight1, beta2, weight2) = ((1.0 - beta1) as f32, beta2 as f32, (1.0 - beta2) as f32);
        let eps = self.config.eps as f32;
        self.moments.update(params, grads, |params, grads, averages, squares| {
            let moments = averages.iter_mut().zip(squares);
            for ((param, grad), (average, square)) in params.iter_mut().zip(grads).zip(moments) {
                *average += weight1 * (grad - *average);
                *square = *square * beta2 + weight2 * grad * grad;
                let denominator = square.sqrt() / correction2_sqrt + eps;
                *param = *param * keep + step_size * *average / denominator;
            }
        });
        Ok(())
    }
}

fn same_length(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(TrainError::Length { what, expected, found }) }
}

#[cfg(test)]
mod tests;
