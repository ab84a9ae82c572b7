//! The frozen numbers of a base model on a device.

use candle_core::{DType, Device, Tensor};
use hone_job::Job;

use super::linear::Matrix;
use crate::error::Result;
use crate::pool::Pool;
use crate::weights::{Frozen, LayerWeights, Weights};

/// One layer; see [`LayerWeights`].
#[derive(Debug)]
pub(crate) struct DeviceLayer {
    pub(crate) attention_norm: Tensor,
    pub(crate) query_norm: Option<Tensor>,
    pub(crate) key_norm: Option<Tensor>,
    pub(crate) post_attention_norm: Option<Tensor>,
    pub(crate) feed_forward_norm: Tensor,
    pub(crate) post_feed_forward_norm: Option<Tensor>,
    pub(crate) qkv: Matrix,
    pub(crate) qkv_bias: Option<Tensor>,
    pub(crate) output: Matrix,
    pub(crate) gate_up: Matrix,
    pub(crate) down: Matrix,
}

/// What the layers and the head need. The embedding stays on the host unless it is the head.
#[derive(Debug)]
pub(crate) struct DeviceWeights {
    pub(crate) layers: Vec<DeviceLayer>,
    pub(crate) final_norm: Tensor,
    /// `[vocabulary, hidden]`.
    pub(crate) head: Matrix,
}

impl DeviceWeights {
    /// Copies `weights` to `device`, matrices as `dtype`. Reports `uploaded` layers as progress.
    pub(crate) fn upload(weights: &Weights, dtype: DType, device: &Device, job: &Job) -> Result<Self> {
        // A pool of its own, given up at the end: nothing later on the host is as large as the head.
        let pool = Pool::default();
        let matrix =
            |frozen: &Frozen| -> Result<Matrix> { Matrix::new(&frozen.all(&pool)?, frozen.columns(), dtype, device) };
        let vector = |values: &Vec<f32>| Tensor::from_slice(values, values.len(), device);
        let optional = |values: &Option<Vec<f32>>| values.as_ref().map(vector).transpose();
        let layer = |layer: &LayerWeights| -> Result<DeviceLayer> {
            Ok(DeviceLayer {
                attention_norm: vector(&layer.attention_norm)?,
                query_norm: optional(&layer.query_norm)?,
                key_norm: optional(&layer.key_norm)?,
                post_attention_norm: optional(&layer.post_attention_norm)?,
                feed_forward_norm: vector(&layer.feed_forward_norm)?,
                post_feed_forward_norm: optional(&layer.post_feed_forward_norm)?,
                qkv: matrix(&layer.qkv)?,
                qkv_bias: optional(&layer.qkv_bias)?,
                output: matrix(&layer.output)?,
                gate_up: matrix(&layer.gate_up)?,
                down: matrix(&layer.down)?,
            })
        };
        let head = matrix(weights.head())?;
        let mut layers = Vec::new();
        for (index, of_host) in weights.layers.iter().enumerate() {
            job.check()?;
            layers.push(layer(of_host)?);
            job.progress(index as u64 + 1, weights.layers.len() as u64, "uploaded");
        }
        Ok(Self { layers, final_norm: vector(&weights.final_norm)?, head })
    }

    /// Bytes of all matrices.
    pub(crate) fn bytes(&self) -> usize {
        let layer =
            |layer: &DeviceLayer| layer.qkv.bytes() + layer.output.bytes() + layer.gate_up.bytes() + layer.down.bytes();
        self.head.bytes() + self.layers.iter().map(layer).sum::<usize>()
    }
}
