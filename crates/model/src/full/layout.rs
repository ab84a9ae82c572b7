//! What lies where in the flat buffer of a fully trained model.

use std::ops::Range;

use crate::config::DecoderConfig;
use crate::error::Result;
use crate::lora::TargetModule;
use crate::pool::Pool;
use crate::weights::Weights;

/// The numbers of one layer; stacked projections lie one below the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct LayerPlaces {
    pub(crate) attention_norm: Range<usize>,
    pub(crate) qkv: Range<usize>,
    pub(crate) qkv_bias: Option<Range<usize>>,
    pub(crate) query_norm: Option<Range<usize>>,
    pub(crate) key_norm: Option<Range<usize>>,
    pub(crate) output: Range<usize>,
    pub(crate) post_attention_norm: Option<Range<usize>>,
    pub(crate) feed_forward_norm: Range<usize>,
    pub(crate) gate_up: Range<usize>,
    pub(crate) down: Range<usize>,
    pub(crate) post_feed_forward_norm: Option<Range<usize>>,
}

/// One tensor of the model's file and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FullTensor {
    /// Its name in a GGUF file.
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) range: Range<usize>,
    /// Width of a head whose rows the file keeps in pairs, see [`DecoderConfig::paired_rows`].
    pub(crate) paired_head: Option<usize>,
}

/// The places of everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct FullLayout {
    pub(crate) layers: Vec<LayerPlaces>,
    pub(crate) final_norm: Range<usize>,
    pub(crate) embedding: Range<usize>,
    /// `None` where the embedding is the LM head.
    pub(crate) head: Option<Range<usize>>,
    /// In the order of the buffer, without gaps.
    pub(crate) tensors: Vec<FullTensor>,
}

impl FullLayout {
    /// Of a decoder; `bias` says whether its file has a bias on queries, keys and values.
    pub(crate) fn new(config: &DecoderConfig, bias: bool) -> Self {
        let mut layout = Self::default();
        let hidden = config.hidden_size;
        for layer in 0..config.layers.len() {
            let name = |leaf: &str| format!("blk.{layer}.{leaf}.weight");
            let there = |is_there: bool, layout: &mut Self, leaf: &str, size| {
                is_there.then(|| layout.place(name(leaf), vec![size], None))
            };
            let qkv = TargetModule::qkv(config);
            let places = LayerPlaces {
                attention_norm: layout.place(name("attn_norm"), vec![hidden], None),
                qkv: layout.stack(config, layer, qkv),
                qkv_bias: bias.then(|| {
                    let parts = qkv.iter().map(|module| {
                        let name = format!("blk.{layer}.{}.bias", module.gguf_name());
                        layout.place(name, vec![module.shape(config)[0]], paired_head(config, *module))
                    });
                    joined(parts)
                }),
                query_norm: there(config.qk_norm, &mut layout, "attn_q_norm", config.head_size),
                key_norm: there(config.qk_norm, &mut layout, "attn_k_norm", config.head_size),
                output: layout.stack(config, layer, &[TargetModule::OProj]),
                post_attention_norm: there(config.post_norms, &mut layout, "post_attention_norm", hidden),
                feed_forward_norm: layout.place(name("ffn_norm"), vec![hidden], None),
                gate_up: layout.stack(config, layer, TargetModule::gate_up(config)),
                down: layout.stack(config, layer, &[TargetModule::DownProj]),
                post_feed_forward_norm: there(config.post_norms, &mut layout, "post_ffw_norm", hidden),
            };
            layout.layers.push(places);
        }
        layout.final_norm = layout.place("output_norm.weight".to_owned(), vec![hidden], None);
        let vocabulary = vec![config.vocabulary_size, hidden];
        layout.embedding = layout.place("token_embd.weight".to_owned(), vocabulary.clone(), None);
        layout.head = (!config.tied_head).then(|| layout.place("output.weight".to_owned(), vocabulary, None));
        layout
    }

    /// Numbers in all.
    pub(crate) fn len(&self) -> usize {
        self.tensors.last().map_or(0, |tensor| tensor.range.end)
    }

    /// The matrix that turns the last hidden rows into logits.
    pub(crate) fn head(&self) -> &Range<usize> {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// The frozen numbers as the start of a training.
    pub(crate) fn filled(&self, weights: &Weights, pool: &Pool) -> Result<Vec<f32>> {
        let mut params = vec![0.0; self.len()];
        let mut put = |range: &Range<usize>, values: &[f32]| params[range.clone()].copy_from_slice(values);
        for (places, layer) in self.layers.iter().zip(&weights.layers) {
            for (range, matrix) in [
                (&places.qkv, &layer.qkv),
                (&places.output, &layer.output),
                (&places.gate_up, &layer.gate_up),
                (&places.down, &layer.down),
            ] {
                put(range, &matrix.all(pool)?);
            }
            put(&places.attention_norm, &layer.attention_norm);
            put(&places.feed_forward_norm, &layer.feed_forward_norm);
            for (range, values) in [
                (&places.qkv_bias, &layer.qkv_bias),
                (&places.query_norm, &layer.query_norm),
                (&places.key_norm, &layer.key_norm),
                (&places.post_attention_norm, &layer.post_attention_norm),
                (&places.post_feed_forward_norm, &layer.post_feed_forward_norm),
            ] {
                if let (Some(range), Some(values)) = (range, values) {
                    put(range, values);
                }
            }
        }
        put(&self.final_norm, &weights.final_norm);
        put(&self.embedding, &weights.embedding.all(pool)?);
        if let Some(range) = &self.head {
            put(range, &weights.head().all(pool)?);
        }
        Ok(params)
    }

    fn stack(&mut self, config: &DecoderConfig, layer: usize, modules: &[TargetModule]) -> Range<usize> {
        joined(modules.iter().map(|module| {
            let name = format!("blk.{layer}.{}.weight", module.gguf_name());
            self.place(name, module.shape(config).to_vec(), paired_head(config, *module))
        }))
    }

    fn place(&mut self, name: String, shape: Vec<usize>, paired_head: Option<usize>) -> Range<usize> {
        let start = self.len();
        let range = start..start + shape.iter().product::<usize>();
        self.tensors.push(FullTensor { name, shape, range: range.clone(), paired_head });
        range
    }
}

/// Ranges that follow each other as one.
fn joined(parts: impl Iterator<Item = Range<usize>>) -> Range<usize> {
    parts.reduce(|all, next| all.start..next.end).unwrap_or_default()
}

fn paired_head(config: &DecoderConfig, module: TargetModule) -> Option<usize> {
    let turned = matches!(module, TargetModule::QProj | TargetModule::KProj);
    (config.paired_rows && turned).then_some(config.head_size)
}
