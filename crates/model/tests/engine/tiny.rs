//! A Gemma 3 of a few thousand random numbers: local and global layers, grouped heads, a head width of its own.

use std::path::PathBuf;

use candle_core::quantized::gguf_file::{Value, write};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use hone_job::Job;
use hone_model::gguf::GgufFile;
use hone_model::{Adapter, Batch, Decoder, LoraConfig, LossSum, StepOptions, TargetModule, WeightStorage};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub const VOCABULARY: usize = 320;
pub const HIDDEN: usize = 64;
pub const HEADS: usize = 4;
pub const KV_HEADS: usize = 2;
pub const HEAD_SIZE: usize = 32;
pub const WIDE: usize = 96;
pub const LAYERS: usize = 7;
pub const WINDOW: usize = 9;

/// The file of the model, and the folder that holds it.
pub struct Tiny {
    pub file: GgufFile,
    _folder: tempfile::TempDir,
}

/// Writes the model with its matrices as `dtype`.
pub fn model(dtype: GgmlDType) -> Tiny {
    let mut random = ChaCha8Rng::seed_from_u64(42);
    let mut tensors: Vec<(String, QTensor)> = Vec::new();
    let mut add = |name: String, shape: &[usize], centre: f32, spread: f32, dtype| {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| centre + random.random_range(-spread..spread)).collect();
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
        tensors.push((name, QTensor::quantize(&tensor, dtype).unwrap()));
    };
    add("token_embd.weight".into(), &[VOCABULARY, HIDDEN], 0.0, 0.3, dtype);
    add("output_norm.weight".into(), &[HIDDEN], 1.5, 0.5, GgmlDType::F32);
    for layer in 0..LAYERS {
        let name = |leaf: &str| format!("blk.{layer}.{leaf}.weight");
        for leaf in ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"] {
            add(name(leaf), &[HIDDEN], 1.0, 0.5, GgmlDType::F32);
        }
        for leaf in ["attn_q_norm", "attn_k_norm"] {
            add(name(leaf), &[HEAD_SIZE], 1.0, 0.5, GgmlDType::F32);
        }
        for (leaf, shape) in [
            ("attn_q", [HEADS * HEAD_SIZE, HIDDEN]),
            ("attn_k", [KV_HEADS * HEAD_SIZE, HIDDEN]),
            ("attn_v", [KV_HEADS * HEAD_SIZE, HIDDEN]),
            ("attn_output", [HIDDEN, HEADS * HEAD_SIZE]),
            ("ffn_gate", [WIDE, HIDDEN]),
            ("ffn_up", [WIDE, HIDDEN]),
            ("ffn_down", [HIDDEN, WIDE]),
        ] {
            add(name(leaf), &shape, 0.0, 0.3, dtype);
        }
    }
    let number = |value: usize| Value::U32(value as u32);
    let metadata = [
        ("general.architecture", Value::String("gemma3".into())),
        ("gemma3.context_length", number(256)),
        ("gemma3.embedding_length", number(HIDDEN)),
        ("gemma3.block_count", number(LAYERS)),
        ("gemma3.feed_forward_length", number(WIDE)),
        ("gemma3.attention.head_count", number(HEADS)),
        ("gemma3.attention.head_count_kv", number(KV_HEADS)),
        ("gemma3.attention.key_length", number(HEAD_SIZE)),
        ("gemma3.attention.value_length", number(HEAD_SIZE)),
        ("gemma3.attention.sliding_window", number(WINDOW)),
        ("gemma3.attention.layer_norm_rms_epsilon", Value::F32(1e-6)),
        ("gemma3.rope.freq_base", Value::F32(1_000_000.0)),
    ];
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("tiny.gguf");
    hone_job::fs::write_atomic_with(&path, |writer| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        write(&mut bytes, &metadata, &tensors).map_err(std::io::Error::other)?;
        std::io::Write::write_all(writer, bytes.get_ref())
    })
    .unwrap();
    Tiny { file: GgufFile::open(&path).unwrap(), _folder: folder }
}

/// The model in f32, ready to compute.
pub fn decoder() -> Decoder {
    Decoder::load(&model(GgmlDType::F32).file, &Job::silent()).unwrap()
}

/// The model with matrices of `dtype`, kept as `storage` says.
pub fn decoder_of(dtype: GgmlDType, storage: WeightStorage) -> Decoder {
    Decoder::load_with(&model(dtype).file, storage, &Job::silent()).unwrap()
}

pub fn lora(target_modules: &[TargetModule]) -> LoraConfig {
    LoraConfig {
        rank: 3,
        alpha: 6.0,
        dropout: 0.0,
        target_modules: target_modules.to_vec(),
        use_rslora: false,
        use_dora: false,
    }
}

/// An adapter in the middle of training: no matrix is zero.
pub fn adapter(decoder: &Decoder, config: &LoraConfig) -> Adapter {
    let mut adapter = decoder.fresh_adapter(config, 7).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(8);
    for value in adapter.params_mut() {
        *value += random.random_range(-0.1..0.1);
    }
    adapter
}

/// `length` random tokens, of which those for which `trained` holds are learned.
pub fn sequence(seed: u64, length: usize, trained: impl Fn(usize) -> bool) -> (Vec<u32>, Vec<i64>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let ids: Vec<u32> = (0..length).map(|_| random.random_range(0..VOCABULARY as u32)).collect();
    let labels = ids.iter().enumerate().map(|(at, id)| if trained(at) { i64::from(*id) } else { -100 }).collect();
    (ids, labels)
}

/// Sequences longer and shorter than the window and than a block of queries, one of a single token.
pub fn sequences() -> Vec<(Vec<u32>, Vec<i64>)> {
    vec![
        sequence(1, 21, |at| at >= 10),
        sequence(2, 1, |_| true),
        sequence(3, 90, |at| at % 3 == 0),
        sequence(4, 6, |_| true),
    ]
}

pub fn pack(sequences: &[(Vec<u32>, Vec<i64>)]) -> Batch {
    let mut batch = Batch::default();
    for (ids, labels) in sequences {
        batch.push(ids, labels);
    }
    batch
}

/// Root of the summed squares of the differences, relative to the size of `b`.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let difference = square(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / square(&mut b.iter().map(|b| f64::from(*b))).max(1e-30)
}

/// Loss and gradients of one step, over the batch's trained weight.
pub fn step(decoder: &Decoder, adapter: &Adapter, batch: &Batch, options: &StepOptions) -> (LossSum, Vec<f32>) {
    let mut grads = vec![0.0; adapter.params().len()];
    let scale = 1.0 / batch.trained_weight() as f32;
    let sum = decoder.loss_and_gradients(adapter, batch, scale, options, &mut grads).unwrap();
    (sum, grads)
}
