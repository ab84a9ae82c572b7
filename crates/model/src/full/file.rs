//! A fully trained model on disk: `tuned.safetensors`, f32, its tensors named and laid out as in the base model's GGUF file.

use std::path::Path;

use hone_job::fs;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::FullLayout;
use super::layout::FullTensor;
use crate::config::DecoderConfig;
use crate::error::{ModelError, Result};
use crate::lora::half_row;

/// The file's name.
pub(crate) const FILE: &str = "tuned.safetensors";

impl FullTensor {
    /// The tensor as the file has it: rows of paired heads in pairs.
    pub(crate) fn to_file(&self, params: &[f32]) -> Vec<f32> {
        let values = &params[self.range.clone()];
        let row = values.len() / self.shape[0];
        match self.paired_head {
            Some(size) => {
                (0..self.shape[0]).flat_map(|at| &values[half_row(at, size) * row..][..row]).copied().collect()
            }
            None => values.to_vec(),
        }
    }

    fn fill(&self, bytes: &[u8], params: &mut [f32]) {
        let row = self.range.len() / self.shape[0];
        let values = &mut params[self.range.clone()];
        for (at, bytes) in bytes.chunks_exact(row * size_of::<f32>()).enumerate() {
            let at = self.paired_head.map_or(at, |size| half_row(at, size));
            for (value, bytes) in values[at * row..][..row].iter_mut().zip(bytes.as_chunks().0) {
                *value = f32::from_le_bytes(*bytes);
            }
        }
    }
}

impl FullLayout {
    /// Writes `params` into `folder`.
    ///
    /// # Errors
    /// [`ModelError::Fs`] when the file cannot be written.
    pub(crate) fn save(&self, folder: &Path, params: &[f32]) -> Result<()> {
        let path = folder.join(FILE);
        let failed = |problem: String| ModelError::Adapter { path: path.clone(), problem };
        fs::create_dir_all(folder)?;
        let parts: Vec<(&FullTensor, Vec<f32>)> =
            self.tensors.iter().map(|tensor| (tensor, tensor.to_file(params))).collect();
        let views = parts
            .iter()
            .map(|(tensor, values)| {
                let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytemuck::cast_slice(values))?;
                Ok((tensor.name.as_str(), view))
            })
            .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|error| failed(error.to_string()))?;
        let bytes = safetensors::serialize(views, None).map_err(|error| failed(error.to_string()))?;
        Ok(fs::write_atomic(&path, &bytes)?)
    }

    /// Reads what [`FullLayout::save`] wrote for a decoder of this shape.
    ///
    /// # Errors
    /// [`ModelError::Fs`] when the file cannot be read; [`ModelError::Adapter`] when its tensors are not those of this decoder.
    pub(crate) fn load(folder: &Path, config: &DecoderConfig) -> Result<(Self, Vec<f32>)> {
        let path = folder.join(FILE);
        let failed = |problem: String| ModelError::Adapter { path: path.clone(), problem };
        let bytes = fs::read(&path)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| failed(error.to_string()))?;
        let layout = Self::new(config, file.names().iter().any(|name| name.rsplit('.').next() == Some("bias")));
        let mut params = vec![0.0; layout.len()];
        for tensor in &layout.tensors {
            let view = file.tensor(&tensor.name).map_err(|_| failed(format!("tensor `{}` is missing", tensor.name)))?;
            if view.shape() != tensor.shape || view.dtype() != Dtype::F32 {
                let (found, dtype) = (view.shape(), view.dtype());
                return Err(failed(format!(
                    "`{}` is {dtype:?} {found:?}, this base model takes F32 {:?}",
                    tensor.name, tensor.shape
                )));
            }
            tensor.fill(view.data(), &mut params);
        }
        if file.names().len() != layout.tensors.len() {
            return Err(failed("it holds a tensor that this base model does not have".to_owned()));
        }
        Ok((layout, params))
    }
}
