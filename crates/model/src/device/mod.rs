//! A decoder on a graphics card: the layers of `block.rs` once more, forward and backward, as candle's tensor operations.
//!
//! Every backward pass is written out in closed form: candle's own would cut the gradient inside its fused operations without
//! a word and compute gradients of frozen weights (ADR 8). Nothing here asks for a card: the same code runs on candle's CPU
//! device, slowly, which is how it is held to the fused kernels where there is no card.
//!
//! Frozen matrices lie on the device as f32, bf16 or f16 and everything else is f32: norms, softmax, losses, the residual stream,
//! the adapter and its gradients. What is small is made on the host with the code of the CPU engine: embedded tokens and the noise
//! on them, dropout masks, rotation tables, the objective of each row. Not here: `DoRA`, full fine-tuning, generation, weights
//! that stay quantised, several cards.

mod attention;
#[cfg(feature = "cuda")]
mod card;
mod engine;
mod gradients;
mod head;
mod layer;
mod linear;
mod math;
mod place;
mod trial;
mod weights;

pub(crate) use engine::{DeviceEngine, Rows};
pub(crate) use head::head_rows;
pub(crate) use layer::device_transients;
pub use place::{CardMemory, Device, Placement, Precision};
pub use trial::{Difference, try_device};
