//! `AdamW`'s two moving averages, in 32 or in 8 bits a number.

use super::dynamic::{self, BLOCK, Coded};

/// Moving averages of the gradient and of its square, one number per parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Moments {
    /// f32: 8 bytes a parameter.
    Full {
        /// Of the gradient.
        exp_avg: Vec<f32>,
        /// Of the squared gradient.
        exp_avg_sq: Vec<f32>,
    },
    /// Block-wise codes: a little over 2 bytes a parameter.
    Eight {
        /// Of the gradient.
        exp_avg: Coded,
        /// Of the squared gradient.
        exp_avg_sq: Coded,
    },
}

impl Moments {
    /// Averages of nothing, for `len` parameters.
    pub fn zeros(len: usize, eight_bit: bool) -> Self {
        if eight_bit {
            let (exp_avg, exp_avg_sq) = (Coded::zeros(len, &dynamic::SIGNED), Coded::zeros(len, &dynamic::UNSIGNED));
            return Self::Eight { exp_avg, exp_avg_sq };
        }
        Self::Full { exp_avg: vec![0.0; len], exp_avg_sq: vec![0.0; len] }
    }

    /// Parameters.
    pub fn len(&self) -> usize {
        match self {
            Self::Full { exp_avg, .. } => exp_avg.len(),
            Self::Eight { exp_avg, .. } => exp_avg.codes.len(),
        }
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether they are kept in 8 bits.
    pub fn is_eight_bit(&self) -> bool {
        matches!(self, Self::Eight { .. })
    }

    /// Whether the two averages have one length.
    pub(crate) fn is_whole(&self) -> bool {
        match self {
            Self::Full { exp_avg, exp_avg_sq } => exp_avg.len() == exp_avg_sq.len(),
            Self::Eight { exp_avg, exp_avg_sq } => {
                exp_avg.codes.len() == exp_avg_sq.codes.len() && exp_avg.is_whole() && exp_avg_sq.is_whole()
            }
        }
    }

    /// Hands out both averages with the parameters and gradients that belong to them, block by block, to change.
    pub(super) fn update(
        &mut self,
        params: &mut [f32],
        grads: &[f32],
        step: impl Fn(&mut [f32], &[f32], &mut [f32], &mut [f32]),
    ) {
        let blocks = params.chunks_mut(BLOCK).zip(grads.chunks(BLOCK));
        match self {
            Self::Full { exp_avg, exp_avg_sq } => {
                let moments = exp_avg.chunks_mut(BLOCK).zip(exp_avg_sq.chunks_mut(BLOCK));
                for ((params, grads), (average, square)) in blocks.zip(moments) {
                    step(params, grads, average, square);
                }
            }
            Self::Eight { exp_avg, exp_avg_sq } => {
                let (mut averages, mut squares) = ([0.0; BLOCK], [0.0; BLOCK]);
                let average = exp_avg.codes.chunks_mut(BLOCK).zip(&mut exp_avg.scales);
                let square = exp_avg_sq.codes.chunks_mut(BLOCK).zip(&mut exp_avg_sq.scales);
                for ((params, grads), ((average, average_scale), (square, square_scale))) in
                    blocks.zip(average.zip(square))
                {
                    let (averages, squares) = (&mut averages[..params.len()], &mut squares[..params.len()]);
                    dynamic::decode(&dynamic::SIGNED, average, *average_scale, averages);
                    dynamic::decode(&dynamic::UNSIGNED, square, *square_scale, squares);
                    step(params, grads, averages, squares);
                    *average_scale = dynamic::encode(&dynamic::SIGNED, averages, average);
                    *square_scale = dynamic::encode(&dynamic::UNSIGNED, squares, square);
                }
            }
        }
    }
}
