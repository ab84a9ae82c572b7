//! Full fine-tuning: every matrix, bias and norm of the model is trained. The trained numbers lie in the flat buffer of an
//! [`crate::Adapter`], so that the optimiser, checkpoints, the exam and the export see one kind of thing.

mod file;
mod layout;
mod view;

pub(crate) use file::FILE;
pub(crate) use layout::{FullLayout, LayerPlaces};
pub(crate) use view::{LayerView, Matrix};
