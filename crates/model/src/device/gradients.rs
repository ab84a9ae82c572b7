//! The gradients of an adapter's parts, until they are fetched from the device in one piece.

use std::ops::Range;

use candle_core::Tensor;

use crate::error::Result;
use crate::ops;

/// Gradients, each with the place in the flat buffer where it begins.
#[derive(Default)]
pub(crate) struct Gradients(Vec<(usize, Tensor)>);

impl Gradients {
    /// Takes in the gradient of the numbers in `range`.
    pub(crate) fn push(&mut self, range: &Range<usize>, gradient: Tensor) {
        self.0.push((range.start, gradient));
    }

    /// Adds all of them to `grads`, the flat buffer on the host.
    pub(crate) fn add_to(self, grads: &mut [f32]) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let flat: Vec<Tensor> =
            self.0.iter().map(|(_, part)| part.flatten_all()).collect::<candle_core::Result<_>>()?;
        let values = Tensor::cat(&flat, 0)?.to_vec1::<f32>()?;
        let mut rest = values.as_slice();
        for ((start, _), part) in self.0.iter().zip(&flat) {
            let (values, after) = rest.split_at(part.elem_count());
            ops::add(&mut grads[*start..*start + values.len()], values);
            rest = after;
        }
        Ok(())
    }
}
