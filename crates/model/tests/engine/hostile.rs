//! Files that lie about themselves: an error that names the place, never a panic or an allocation beyond what the file holds.

use std::path::{Path, PathBuf};

use hone_job::{Job, fs};
use hone_model::{Decoder, ModelFile, Tokenizer, WeightStorage};

const FAMILIES: [&str; 8] = ["llama3", "smollm2", "mistral", "qwen2", "qwen3", "gemma2", "phi4-mini", "phi3"];

fn bytes_of(family: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/parity/golden/families/{family}.gguf"));
    fs::read(&path).unwrap()
}

/// Everything that reads a model file before a training does.
fn load(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("model.gguf");
    fs::write_atomic(&path, bytes).unwrap();
    let file = ModelFile::open(&path).map_err(|error| error.to_string())?;
    let decoder = Decoder::load(&file, &Job::silent()).map_err(|error| error.to_string())?;
    let tokenizer = Tokenizer::from_gguf(&file).map_err(|error| error.to_string())?;
    let ids = tokenizer.encode("The ferry leaves at 7.").map_err(|error| error.to_string())?;
    decoder.logits(None, &ids).map(|_| ()).map_err(|error| error.to_string())
}

/// Puts another number where a key of 32 bits has its value.
fn with_number(family: &str, key: &str, value: u32) -> Vec<u8> {
    with_bits(family, key, 4, value.to_le_bytes())
}

/// The same for a value of the type `kind`.
fn with_bits(family: &str, key: &str, kind: u32, value: [u8; 4]) -> Vec<u8> {
    let mut bytes = bytes_of(family);
    let at = bytes.windows(key.len()).position(|window| window == key.as_bytes()).unwrap() + key.len();
    assert_eq!(bytes[at..at + 4], kind.to_le_bytes(), "the type of `{key}`");
    bytes[at + 4..at + 8].copy_from_slice(&value);
    bytes
}

#[test]
fn decimal_numbers_that_no_model_can_have_are_refused_by_key() {
    for (family, key, values) in [
        ("llama3", "llama.rope.freq_base", [f32::NAN, 0.0, -10_000.0]),
        ("llama3", "llama.attention.layer_norm_rms_epsilon", [f32::NAN, f32::INFINITY, -1e-5]),
        ("gemma2", "gemma2.attn_logit_softcapping", [f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
        ("phi4-mini", "phi3.rope.scaling.attn_factor", [f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
    ] {
        for value in values {
            let error = load(&with_bits(family, key, 6, value.to_le_bytes())).unwrap_err();
            assert!(error.contains(&format!("`{key}` is ")), "{key} = {value}: {error}");
        }
    }
    let mut bytes = bytes_of("llama3");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    fs::write_atomic(&path, &bytes).unwrap();
    let at = ModelFile::open(&path).unwrap().tensor("rope_freqs.weight").unwrap().offset as usize;
    for value in [f32::NAN, 0.0, -1.0] {
        bytes[at + 4..at + 8].copy_from_slice(&value.to_le_bytes());
        let error = load(&bytes).unwrap_err();
        assert!(error.contains("the factors of the rotation"), "{value}: {error}");
    }
}

#[test]
fn sizes_that_the_tensors_do_not_bear_out_are_refused_by_key_or_tensor() {
    for (family, key, values) in [
        ("llama3", "llama.block_count", [0, 4, u32::MAX]),
        ("llama3", "llama.embedding_length", [0, 65, u32::MAX]),
        ("llama3", "llama.feed_forward_length", [0, 95, u32::MAX]),
        ("llama3", "llama.attention.head_count", [0, 7, u32::MAX]),
        ("llama3", "llama.attention.head_count_kv", [0, 3, u32::MAX]),
        ("llama3", "llama.rope.dimension_count", [0, 15, u32::MAX]),
        ("phi4-mini", "phi3.rope.dimension_count", [0, 22, u32::MAX]),
        ("mistral", "llama.attention.key_length", [0, 33, u32::MAX]),
        ("qwen3", "qwen3.attention.value_length", [0, 16, u32::MAX]),
    ] {
        for value in values {
            let error = load(&with_number(family, key, value)).unwrap_err();
            let tensor = error.contains("`blk.") || error.contains("`token_embd.weight`");
            // The sizes of the heads are compared with each other: either of them may be named.
            let heads = key.contains(".attention.") && error.contains(".attention.") || error.contains(".head_count");
            assert!(error.contains(key) || tensor || heads, "{key} = {value}: {error}");
            assert!(!error.contains("0.0"), "{error}");
        }
    }
}

#[test]
fn a_weight_that_is_no_number_is_named_with_its_place_however_weights_are_kept() {
    let bytes = bytes_of("llama3");
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("model.gguf");
    fs::write_atomic(&path, &bytes).unwrap();
    let of = |name: &str| ModelFile::open(&path).unwrap().tensor(name).unwrap().offset as usize;
    // Row 3, column 5 of [64, 96] in f16; a norm in f32.
    for (name, at, size, place) in [
        ("blk.2.ffn_down.weight", of("blk.2.ffn_down.weight") + (3 * 96 + 5) * 2, 2, "row 3, column 5"),
        ("blk.1.ffn_norm.weight", of("blk.1.ffn_norm.weight") + 7 * 4, 4, "column 7"),
    ] {
        let mut broken = bytes.clone();
        broken[at..at + size].fill(0xFF);
        fs::write_atomic(&path, &broken).unwrap();
        let file = ModelFile::open(&path).unwrap();
        for storage in [WeightStorage::Expanded, WeightStorage::Stored] {
            let error = Decoder::load_with(&file, storage, &Job::silent()).unwrap_err().to_string();
            assert!(error.contains(&format!("tensor `{name}`")) && error.contains(place), "{error}");
        }
        drop(file);
        fs::write_atomic(&path, &bytes).unwrap();
    }
}

#[test]
fn a_scale_that_is_no_number_is_found_in_quantised_weights() {
    use candle_core::quantized::GgmlDType;
    let tiny = crate::tiny::model(GgmlDType::Q8_0);
    let path = tiny.file.path().to_owned();
    let at = tiny.file.tensor("blk.3.ffn_up.weight").unwrap().offset as usize;
    let mut bytes = fs::read(&path).unwrap();
    bytes[at + 34..at + 36].copy_from_slice(&0x7E00_u16.to_le_bytes());
    let broken = tiny.file.path().with_file_name("broken.gguf");
    fs::write_atomic(&broken, &bytes).unwrap();
    let file = ModelFile::open(&broken).unwrap();
    let error = Decoder::load_with(&file, WeightStorage::Stored, &Job::silent()).unwrap_err().to_string();
    assert!(error.contains("tensor `blk.3.ffn_up.weight`, row 0, column 32"), "{error}");
}

#[test]
fn a_tensor_that_is_not_computed_is_refused_by_name() {
    let mut bytes = bytes_of("qwen2");
    let name = b"blk.1.attn_k.bias";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    bytes[at..at + name.len()].copy_from_slice(b"blk.1.attn_x.bias");
    let error = load(&bytes).unwrap_err();
    assert!(error.contains("`blk.1.attn_x.bias`, a part that Hone does not compute"), "{error}");
}

#[test]
fn words_cut_by_an_unknown_rule_are_refused_by_its_name() {
    let mut bytes = bytes_of("qwen2");
    let key = b"tokenizer.ggml.pre";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 12;
    bytes[at..at + 5].copy_from_slice(b"qwen9");
    let error = load(&bytes).unwrap_err();
    assert!(error.contains("pre-tokenizer `qwen9`"), "{error}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]
    #[test]
    fn no_changed_byte_makes_any_reader_panic(family in 0_usize..8, place in 0_usize..1 << 20, byte: u8, twice: bool) {
        let mut bytes = bytes_of(FAMILIES[family]);
        // The header: everything before the first matrix.
        let header = bytes.windows(17).position(|window| window == b"token_embd.weight").unwrap() + 2000;
        let place = place % header;
        bytes[place] = byte;
        if twice {
            bytes[(place * 7 + 13) % header] ^= 0x80;
        }
        let _ = load(&bytes);
    }
}
