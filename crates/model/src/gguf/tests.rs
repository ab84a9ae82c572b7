use std::io::Write;
use std::path::Path;

use super::*;
use crate::error::ModelError;

/// A GGUF file laid out by hand after ggml's `docs/gguf.md`.
struct Bytes(Vec<u8>);

impl Bytes {
    fn start(version: u32, tensors: u64, keys: u64) -> Self {
        let mut bytes = Self(b"GGUF".to_vec());
        bytes.u32(version).u64(tensors).u64(keys);
        bytes
    }
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
    fn architecture(&mut self, name: &str) -> &mut Self {
        self.text("general.architecture").u32(8).text(name)
    }
    fn tensor(&mut self, name: &str, ne: &[u64], dtype: u32, offset: u64) -> &mut Self {
        self.text(name).u32(ne.len() as u32);
        for size in ne {
            self.u64(*size);
        }
        self.u32(dtype).u64(offset)
    }
    fn pad(&mut self) -> &mut Self {
        self.0.resize(self.0.len().next_multiple_of(32), 0);
        self
    }
}

fn open(bytes: &[u8]) -> Result<GgufFile, ModelError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file.flush().unwrap();
    GgufFile::open(file.path())
}

/// Two tensors, three keys.
fn sound() -> Vec<u8> {
    let mut bytes = Bytes::start(3, 2, 3);
    bytes.architecture("gemma3");
    bytes.text("gemma3.block_count").u32(4).u32(18);
    bytes.text("tokenizer.ggml.tokens").u32(9).u32(8).u64(2).text("a").text("b");
    bytes.tensor("norm", &[4], 0, 0).tensor("linear", &[32, 2], 8, 32).pad();
    for value in [1.0_f32, 2.0, 3.0, 4.0] {
        bytes.0.extend(value.to_le_bytes());
    }
    bytes.pad();
    bytes.0.extend([7; 68]);
    bytes.0
}

fn message(bytes: &[u8]) -> String {
    open(bytes).unwrap_err().to_string()
}

#[test]
fn a_sound_file_gives_its_keys_and_tensors_outermost_dimension_first() {
    let file = open(&sound()).unwrap();
    assert_eq!(file.architecture(), "gemma3");
    assert_eq!(file.u32("gemma3.block_count").unwrap(), 18);
    assert_eq!(file.strings("tokenizer.ggml.tokens").unwrap(), ["a", "b"]);
    let linear = file.tensor("linear").unwrap();
    assert_eq!((linear.shape.as_slice(), linear.byte_len), ([2, 32].as_slice(), 68));
    assert_eq!(file.bytes(linear), [7; 68]);
    assert_eq!(file.bytes(file.tensor("norm").unwrap())[4..8], 2.0_f32.to_le_bytes());
    assert_eq!(file.raw("gemma3.block_count").unwrap(), [4, 0, 0, 0, 18, 0, 0, 0]);
}

#[test]
fn version_2_is_read_and_other_versions_are_refused() {
    let mut bytes = sound();
    bytes[4] = 2;
    assert!(open(&bytes).is_ok());
    bytes[4] = 1;
    assert!(message(&bytes).contains("has version 1; versions 2 and 3 are read"));
    bytes[4..8].copy_from_slice(&3_u32.to_be_bytes());
    assert!(message(&bytes).contains("big-endian"));
}

#[test]
fn files_that_are_no_gguf_are_named_as_such() {
    assert!(message(b"").ends_with("is not a GGUF file: it is empty"));
    assert!(message(b"PK\x03\x04 a zip archive").ends_with("it does not begin with the letters `GGUF`"));
    assert!(message(b"GGU").ends_with("it does not begin with the letters `GGUF`"));
    assert!(GgufFile::open(Path::new("/nowhere/m.gguf")).unwrap_err().to_string().contains("`/nowhere/m.gguf`"));
}

#[test]
fn every_truncation_is_refused_and_names_a_place() {
    let bytes = sound();
    for length in 4..bytes.len() {
        assert!(message(&bytes[..length]).contains("is damaged at "), "cut to {length}");
    }
}

#[test]
fn dimensions_whose_product_wraps_around_are_refused() {
    let mut bytes = Bytes::start(3, 1, 1);
    bytes.architecture("gemma3").tensor("wrap", &[1 << 33, 1 << 33], 0, 0).pad();
    assert!(message(&bytes.0).contains("tensor `wrap`: its dimensions"));
    let mut bytes = Bytes::start(3, 1, 1);
    bytes.architecture("gemma3").tensor("zero", &[0, 5], 0, 0).pad();
    assert!(message(&bytes.0).contains("is 0"));
}

#[test]
fn a_list_larger_than_the_file_is_refused_before_it_is_allocated() {
    let mut bytes = Bytes::start(3, 0, 2);
    bytes.architecture("gemma3").text("big").u32(9).u32(4).u64(u64::MAX / 8);
    assert!(message(&bytes.0).contains("metadata `big`: a list of"));
    let mut bytes = Bytes::start(3, 0, 2);
    bytes.architecture("gemma3").text("long").u32(8).u64(1 << 40);
    assert!(message(&bytes.0).contains("metadata `long`: a text of 1099511627776 bytes"));
    let bytes = Bytes::start(3, u64::MAX, 1);
    assert!(message(&bytes.0).contains("tensors are announced"));
}

#[test]
fn duplicate_names_overlaps_and_bad_alignments_are_refused() {
    let mut bytes = Bytes::start(3, 0, 2);
    bytes.architecture("gemma3").architecture("gemma3");
    assert!(message(&bytes.0).contains("there twice"));
    let mut bytes = Bytes::start(3, 2, 1);
    bytes.architecture("gemma3").tensor("a", &[16], 0, 0).tensor("b", &[4], 0, 32).pad();
    bytes.0.extend([0; 64]);
    assert!(message(&bytes.0).contains("tensor `b`: its values overlap those of `a`"));
    for alignment in [0, 24, 1 << 21] {
        let mut bytes = Bytes::start(3, 0, 2);
        bytes.architecture("gemma3").text("general.alignment").u32(4).u32(alignment);
        assert!(message(&bytes.0).contains("a power of two"));
    }
}

#[test]
fn types_that_are_not_read_are_refused_by_name() {
    let mut bytes = Bytes::start(3, 1, 1);
    bytes.architecture("gemma3").tensor("blk.0.ffn_up.weight", &[256], 19, 0).pad();
    assert!(message(&bytes.0).ends_with("stores tensor `blk.0.ffn_up.weight` as IQ1_S, which Hone does not read"));
}

#[test]
fn other_families_are_refused_by_name_when_chosen() {
    let mut bytes = Bytes::start(3, 1, 1);
    bytes.architecture("mamba").tensor("a", &[4], 0, 0).pad();
    bytes.0.extend([0; 16]);
    let error = crate::arch::read_config(&open(&bytes.0).unwrap()).unwrap_err().to_string();
    let families = "`gemma2`, `gemma3`, `llama`, `phi3`, `qwen2`, `qwen3`";
    assert!(error.ends_with(&format!("is a `mamba` model; Hone trains {families}")), "{error}");
}

proptest::proptest! {
    #[test]
    fn no_changed_byte_makes_the_reader_panic(at in 0_usize..400, byte: u8) {
        let mut bytes = sound();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(file) = open(&bytes) {
            for tensor in file.tensors() {
                proptest::prop_assert_eq!(file.bytes(tensor).len(), tensor.byte_len);
            }
        }
    }
}
