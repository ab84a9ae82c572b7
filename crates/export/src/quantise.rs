//! Which type each tensor is stored in, and turning f32 values into it.

use std::str::FromStr;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use half::{bf16, f16};
use hone_model::gguf::{TensorEntry, dtype_name};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::{ExportError, Result};

/// How the weights of an export are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Quantisation {
    /// 32 bits a weight: exact, large.
    F32,
    /// 16 bits a weight: as good as exact.
    F16,
    /// 8 bits a weight: hardly any loss.
    Q8_0,
    /// About 5 bits a weight, llama.cpp's mixture of types.
    Q4KM,
    /// Every tensor as the base model stores it.
    Source,
}

impl Quantisation {
    /// All, in order of size.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::Q8_0, Self::Q4KM, Self::Source];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
            Self::Q4KM => "q4_k_m",
            Self::Source => "source",
        }
    }

    /// `general.file_type` (`enum llama_ftype`) of the result; `None` keeps the base model's.
    pub(crate) fn file_type(self) -> Option<u32> {
        match self {
            Self::F32 => Some(0),
            Self::F16 => Some(1),
            Self::Q8_0 => Some(7),
            Self::Q4KM => Some(15),
            Self::Source => None,
        }
    }

    /// The type that `tensor` is stored in. `changed` says whether the adapter touches it: what is quantised already
    /// and stays as it is gains nothing by being quantised again. `layers` is the number of layers of the model.
    pub(crate) fn dtype(self, tensor: &TensorEntry, changed: bool, layers: usize) -> GgmlDType {
        let matrix = tensor.shape.len() >= 2;
        let row = tensor.shape.last().copied().unwrap_or(0);
        let stays = !changed && tensor.dtype.block_size() > 1;
        let wanted = match self {
            _ if !matrix => tensor.dtype,
            Self::F32 => GgmlDType::F32,
            Self::F16 => GgmlDType::F16,
            Self::Source => tensor.dtype,
            _ if stays => tensor.dtype,
            Self::Q8_0 => GgmlDType::Q8_0,
            Self::Q4KM => mixture(&tensor.name, layers),
        };
        fitting(wanted, row)
    }
}

impl FromStr for Quantisation {
    type Err = ();
    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(text)).ok_or(())
    }
}

/// llama.cpp's `llama_tensor_get_type` for `Q4_K_M`: the values that matter more get more bits.
fn mixture(name: &str, layers: usize) -> GgmlDType {
    let layer = name.strip_prefix("blk.").and_then(|rest| rest.split('.').next()).and_then(|n| n.parse::<usize>().ok());
    let more_bits = |layer: usize| {
        let eighth = layers / 8;
        layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2
    };
    let important = name.ends_with("attn_v.weight") || name.ends_with("ffn_down.weight");
    match layer {
        None => GgmlDType::Q6K,
        Some(layer) if important && more_bits(layer) => GgmlDType::Q6K,
        Some(_) => GgmlDType::Q4K,
    }
}

/// The nearest type whose blocks fill a row of that length, as llama.cpp falls back.
fn fitting(dtype: GgmlDType, row: usize) -> GgmlDType {
    if row.is_multiple_of(dtype.block_size()) {
        return dtype;
    }
    let fallback = match dtype {
        GgmlDType::Q2K | GgmlDType::Q3K => GgmlDType::Q4_0,
        GgmlDType::Q4K => GgmlDType::Q5_0,
        GgmlDType::Q5K => GgmlDType::Q5_1,
        GgmlDType::Q6K => GgmlDType::Q8_0,
        _ => GgmlDType::F16,
    };
    if row.is_multiple_of(fallback.block_size()) { fallback } else { GgmlDType::F16 }
}

/// `values`, whole rows of `row` values, as they stand in a file of that type.
///
/// # Errors
/// [`ExportError::NotFinite`] for NaN and infinity, also when they only appear in 16 bits.
pub(crate) fn encode(tensor: &str, values: &[f32], row: usize, dtype: GgmlDType) -> Result<Vec<u8>> {
    let not_finite = || ExportError::NotFinite { tensor: tensor.to_owned() };
    let largest = values.par_iter().map(|value| value.abs()).reduce(|| 0.0, |a, b| if a >= b { a } else { b });
    let limit = if dtype == GgmlDType::F16 { f16::MAX.to_f32() } else { f32::MAX };
    // A NaN makes every comparison false, so it ends up in `largest` or fails here.
    if !largest.le(&limit) || values.par_iter().any(|value| value.is_nan()) {
        return Err(not_finite());
    }
    match dtype {
        GgmlDType::F32 => Ok(values.par_iter().flat_map_iter(|value| value.to_le_bytes()).collect()),
        GgmlDType::F16 => Ok(values.par_iter().flat_map_iter(|value| f16::from_f32(*value).to_le_bytes()).collect()),
        GgmlDType::BF16 => Ok(values.par_iter().flat_map_iter(|value| bf16::from_f32(*value).to_le_bytes()).collect()),
        _ => {
            // Rows are independent: some at a time for every core.
            let rows = (1_usize << 18).div_ceil(row.max(1)).max(1);
            let parts: Vec<Vec<u8>> = values
                .par_chunks(rows * row)
                .map(|part| {
                    let tensor = Tensor::from_slice(part, part.len(), &Device::Cpu)?;
                    Ok(QTensor::quantize(&tensor, dtype)?.data()?.into_owned())
                })
                .collect::<candle_core::Result<_>>()
                .map_err(|source| ExportError::Quantise {
                    tensor: tensor.to_owned(),
                    dtype: dtype_name(dtype),
                    source,
                })?;
            Ok(parts.concat())
        }
    }
}
