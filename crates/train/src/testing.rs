//! What the tests of this crate share: a tiny random Gemma 3 in a GGUF file, laid out by hand after ggml's `docs/gguf.md`.

use hone_data::sequence::TokenSequence;
use hone_job::{Job, fs};
use hone_model::{Decoder, LoraConfig, ModelFile, Placement, TargetModule};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::RunConfig;
use crate::presets;

const VOCABULARY: u64 = 40;
const HIDDEN: u64 = 32;
const HEADS: u64 = 2;
const HEAD: u64 = 16;
const WIDE: u64 = 48;
const LAYERS: u64 = 2;

/// A decoder of about 20,000 numbers, drawn by `seed`.
pub(crate) fn tiny_decoder(seed: u64) -> Decoder {
    tiny_decoder_on(seed, Placement::default())
}

/// The same on a device.
pub(crate) fn tiny_decoder_on(seed: u64, placement: Placement) -> Decoder {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    fs::write_atomic(&path, &tiny_gguf(seed)).unwrap();
    Decoder::load_on(&ModelFile::open(&path).unwrap(), placement, &Job::silent()).unwrap()
}

/// Rows that can be learned: each token follows from the one before, in one of three ways.
pub(crate) fn tiny_rows(count: usize, seed: u64) -> Vec<TokenSequence> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let row = |row: usize| {
        let (mut token, step): (u32, u32) = (random.random_range(2..30), random.random_range(1..4));
        let ids: Vec<u32> = (0..random.random_range(4..14))
            .map(|_| {
                token = 2 + (token + step) % 38;
                token
            })
            .collect();
        TokenSequence { row: row as i64 + 1, trained: (0..ids.len()).map(|at| at > 1).collect(), ids }
    };
    (0..count).map(row).collect()
}

/// The balanced preset, small enough for the tiny decoder.
pub(crate) fn tiny_config() -> RunConfig {
    let mut config = presets::preset("balanced").unwrap();
    config.lora = LoraConfig {
        rank: 4,
        alpha: 8.0,
        dropout: 0.1,
        target_modules: TargetModule::SEVEN.to_vec(),
        use_rslora: false,
        use_dora: false,
    };
    for change in ["batch_size=4", "epochs=4", "learning_rate=1e-2", "checkpoint_minutes=0", "max_seq_len=64"] {
        config.set(change).unwrap();
    }
    config
}

struct Bytes(Vec<u8>);

impl Bytes {
    fn u32(&mut self, number: u32) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.u64(text.len() as u64);
        self.0.extend(text.as_bytes());
        self
    }
}

fn tensors() -> Vec<(String, Vec<u64>)> {
    let mut tensors =
        vec![("token_embd".to_owned(), vec![VOCABULARY, HIDDEN]), ("output_norm".to_owned(), vec![HIDDEN])];
    for layer in 0..LAYERS {
        for (leaf, shape) in [
            ("attn_norm", vec![HIDDEN]),
            ("attn_q_norm", vec![HEAD]),
            ("attn_k_norm", vec![HEAD]),
            ("post_attention_norm", vec![HIDDEN]),
            ("ffn_norm", vec![HIDDEN]),
            ("post_ffw_norm", vec![HIDDEN]),
            ("attn_q", vec![HEADS * HEAD, HIDDEN]),
            ("attn_k", vec![HEAD, HIDDEN]),
            ("attn_v", vec![HEAD, HIDDEN]),
            ("attn_output", vec![HIDDEN, HEADS * HEAD]),
            ("ffn_gate", vec![WIDE, HIDDEN]),
            ("ffn_up", vec![WIDE, HIDDEN]),
            ("ffn_down", vec![HIDDEN, WIDE]),
        ] {
            tensors.push((format!("blk.{layer}.{leaf}"), shape));
        }
    }
    tensors
}

fn tiny_gguf(seed: u64) -> Vec<u8> {
    let keys = [
        ("gemma3.block_count", LAYERS),
        ("gemma3.embedding_length", HIDDEN),
        ("gemma3.feed_forward_length", WIDE),
        ("gemma3.attention.head_count", HEADS),
        ("gemma3.attention.head_count_kv", 1),
        ("gemma3.attention.key_length", HEAD),
        ("gemma3.attention.sliding_window", 6),
        ("gemma3.attention.sliding_window_pattern", 2),
        ("gemma3.context_length", 128),
    ];
    let tensors = tensors();
    let mut bytes = Bytes(b"GGUF".to_vec());
    bytes.u32(3).u64(tensors.len() as u64).u64(keys.len() as u64 + 2);
    bytes.text("general.architecture").u32(8).text("gemma3");
    bytes.text("gemma3.attention.layer_norm_rms_epsilon").u32(6).u32(1e-6f32.to_bits());
    for (key, value) in keys {
        bytes.text(key).u32(4).u32(value as u32);
    }
    let mut offset = 0;
    for (name, shape) in &tensors {
        bytes.text(&format!("{name}.weight")).u32(shape.len() as u32);
        for size in shape.iter().rev() {
            bytes.u64(*size);
        }
        bytes.u32(0).u64(offset);
        offset += (shape.iter().product::<u64>() * 4).next_multiple_of(32);
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for (_, shape) in &tensors {
        bytes.0.resize(bytes.0.len().next_multiple_of(32), 0);
        for _ in 0..shape.iter().product::<u64>() {
            let number = if shape.len() == 1 { 1.0 } else { random.random_range(-0.3f32..0.3) };
            bytes.0.extend(number.to_le_bytes());
        }
    }
    bytes.0.resize(bytes.0.len().next_multiple_of(32), 0);
    bytes.0
}
