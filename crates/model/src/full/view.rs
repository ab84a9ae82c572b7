//! One layer's numbers, wherever they come from: the frozen base model, or a buffer in which all of them are trained.

use std::ops::Range;

use super::{FullLayout, LayerPlaces};
use crate::error::Result;
use crate::pool::Pool;
use crate::weights::{AtWork, Frozen, LayerWeights, Rows};

/// A matrix `[rows, columns]`.
#[derive(Clone, Copy)]
pub(crate) enum Matrix<'w> {
    /// Of the base model.
    Frozen(&'w Frozen),
    /// Trained numbers.
    Trained { values: &'w [f32], columns: usize },
}

/// See [`LayerWeights`].
#[derive(Clone, Copy)]
pub(crate) struct LayerView<'w> {
    pub(crate) attention_norm: &'w [f32],
    pub(crate) query_norm: Option<&'w [f32]>,
    pub(crate) key_norm: Option<&'w [f32]>,
    pub(crate) post_attention_norm: Option<&'w [f32]>,
    pub(crate) feed_forward_norm: &'w [f32],
    pub(crate) post_feed_forward_norm: Option<&'w [f32]>,
    pub(crate) qkv: Matrix<'w>,
    pub(crate) qkv_bias: Option<&'w [f32]>,
    pub(crate) output: Matrix<'w>,
    pub(crate) gate_up: Matrix<'w>,
    pub(crate) down: Matrix<'w>,
    /// Where the gradients of all these go, when they are trained.
    pub(crate) places: Option<&'w LayerPlaces>,
}

impl<'w> LayerView<'w> {
    pub(crate) fn frozen(layer: &'w LayerWeights) -> Self {
        Self {
            attention_norm: &layer.attention_norm,
            query_norm: layer.query_norm.as_deref(),
            key_norm: layer.key_norm.as_deref(),
            post_attention_norm: layer.post_attention_norm.as_deref(),
            feed_forward_norm: &layer.feed_forward_norm,
            post_feed_forward_norm: layer.post_feed_forward_norm.as_deref(),
            qkv: Matrix::Frozen(&layer.qkv),
            qkv_bias: layer.qkv_bias.as_deref(),
            output: Matrix::Frozen(&layer.output),
            gate_up: Matrix::Frozen(&layer.gate_up),
            down: Matrix::Frozen(&layer.down),
            places: None,
        }
    }

    /// The layer `index` of trained `params`; the sizes are those of the base model's `layer`.
    pub(crate) fn trained(layout: &'w FullLayout, params: &'w [f32], index: usize, layer: &LayerWeights) -> Self {
        let places = &layout.layers[index];
        let matrix = |range: &Range<usize>, like: &Frozen| Matrix::Trained {
            values: &params[range.clone()],
            columns: like.columns(),
        };
        let optional = |range: Option<&Range<usize>>| range.map(|range| &params[range.clone()]);
        Self {
            attention_norm: &params[places.attention_norm.clone()],
            query_norm: optional(places.query_norm.as_ref()),
            key_norm: optional(places.key_norm.as_ref()),
            post_attention_norm: optional(places.post_attention_norm.as_ref()),
            feed_forward_norm: &params[places.feed_forward_norm.clone()],
            post_feed_forward_norm: optional(places.post_feed_forward_norm.as_ref()),
            qkv: matrix(&places.qkv, &layer.qkv),
            qkv_bias: optional(places.qkv_bias.as_ref()),
            output: matrix(&places.output, &layer.output),
            gate_up: matrix(&places.gate_up, &layer.gate_up),
            down: matrix(&places.down, &layer.down),
            places: Some(places),
        }
    }
}

impl<'w> Matrix<'w> {
    pub(crate) fn row_count(self) -> usize {
        match self {
            Self::Frozen(frozen) => frozen.row_count(),
            Self::Trained { values, columns } => values.len() / columns,
        }
    }

    pub(crate) fn columns(self) -> usize {
        match self {
            Self::Frozen(frozen) => frozen.columns(),
            Self::Trained { columns, .. } => columns,
        }
    }

    /// See [`Frozen::at_work`].
    pub(crate) fn at_work<'a>(self, few: bool, pool: &'a Pool) -> Result<AtWork<'a>>
    where
        'w: 'a,
    {
        match self {
            Self::Frozen(frozen) => frozen.at_work(few, pool),
            Self::Trained { values, .. } => Ok(AtWork::Numbers(Rows::Lent(values))),
        }
    }

    /// See [`Frozen::all`].
    pub(crate) fn all<'a>(self, pool: &'a Pool) -> Result<Rows<'a>>
    where
        'w: 'a,
    {
        match self {
            Self::Frozen(frozen) => frozen.all(pool),
            Self::Trained { values, .. } => Ok(Rows::Lent(values)),
        }
    }
}
