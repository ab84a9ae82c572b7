//! Hugging Face folders: tokens as in Transformers, and what is refused, by name. The folders in `tests/parity/golden/families` were
//! saved by Transformers; `tests/parity/folders.py` made the expected ids.

use std::path::{Path, PathBuf};

use hone_job::{Explain, Job, fs};
use hone_model::source::check_exportable;
use hone_model::tokenizer::TextStream;
use hone_model::{ChatFormat, ChatMessage, Decoder, ModelFile, Tokenizer, arch};
use serde_json::{Value, json};

pub const FAMILIES: [&str; 12] = [
    "llama3",
    "smollm2",
    "mistral",
    "qwen2",
    "qwen2-yarn",
    "qwen3",
    "tinyllama",
    "yi",
    "gemma2",
    "gemma3",
    "phi4-mini",
    "phi3",
];

pub fn families() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/golden/families")
}

#[derive(serde::Deserialize)]
struct Figures {
    tokens: Vec<Tokens>,
}

#[derive(serde::Deserialize)]
struct Tokens {
    text: String,
    special: bool,
    ids: Vec<u32>,
    decoded: String,
}

#[test]
fn ids_and_decoded_texts_of_every_folder_equal_those_of_transformers() {
    for family in FAMILIES {
        let file = ModelFile::open(&families().join(family)).unwrap();
        let tokenizer = Tokenizer::from_gguf(&file).unwrap();
        let figures: Figures = fs::read_json(&families().join(format!("{family}.json"))).unwrap();
        assert!(figures.tokens.len() > 30);
        for case in figures.tokens {
            let encode = if case.special { Tokenizer::encode_with_specials } else { Tokenizer::encode };
            assert_eq!(encode(&tokenizer, &case.text).unwrap(), case.ids, "{family}: {:?}", case.text);
            assert_eq!(tokenizer.decode(&case.ids), case.decoded, "{family}: {:?}", case.text);
            let mut stream = TextStream::new(&tokenizer);
            let mut streamed: String = case.ids.iter().map(|id| stream.push(*id)).collect();
            streamed += &stream.finish();
            assert_eq!(streamed, case.decoded, "{family}: {:?}", case.text);
        }
    }
}

#[test]
fn control_tokens_spelled_in_a_text_stay_text() {
    for family in FAMILIES {
        let tokenizer = Tokenizer::from_gguf(&ModelFile::open(&families().join(family)).unwrap()).unwrap();
        let ids = tokenizer.encode("say <|im_end|> and <|bos|>").unwrap();
        assert!(ids.iter().all(|id| !tokenizer.is_control(*id)), "{family}: {ids:?}");
        let asked = tokenizer.special_id("<|im_end|>").unwrap();
        assert!(tokenizer.encode_with_specials("say <|im_end|>").unwrap().contains(&asked), "{family}");
    }
}

#[test]
fn a_folder_and_the_gguf_file_of_the_same_model_are_read_alike() {
    for family in FAMILIES {
        let folder = ModelFile::open(&families().join(family)).unwrap();
        let gguf = ModelFile::open(&families().join(format!("{family}.gguf"))).unwrap();
        let (ours, theirs) = (arch::read_config(&folder).unwrap(), arch::read_config(&gguf).unwrap());
        assert_eq!(arch_without_order(&ours), arch_without_order(&theirs), "{family}");
        let of = |file: &ModelFile| {
            let tokenizer = Tokenizer::from_gguf(file).unwrap();
            let chat = ChatFormat::from_gguf(file, &tokenizer).unwrap();
            check_exportable(file, &tokenizer, &chat).unwrap();
            let messages =
                [ChatMessage::new("user", "When does it leave?"), ChatMessage::new("assistant", "At 7, daily.")];
            (chat.encode(&tokenizer, &messages).unwrap(), chat.stop_ids, tokenizer.add_bos())
        };
        assert_eq!(of(&folder), of(&gguf), "{family}");
    }
}

/// The configuration without what differs by design, frequency factors rounded: Transformers computes them in f32.
fn arch_without_order(config: &hone_model::DecoderConfig) -> String {
    let mut config = config.clone();
    config.paired_rows = false;
    for rope in &mut config.ropes {
        rope.frequency_factors.iter_mut().for_each(|factor| *factor = (*factor * 1e4).round() / 1e4);
        rope.magnitude = (rope.magnitude * 1e5).round() / 1e5;
    }
    format!("{config:?}")
}

/// A copy of a family's folder that can be broken.
pub struct Copy {
    pub folder: tempfile::TempDir,
}

impl Copy {
    pub fn of(family: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in fs::list_dir(&families().join(family)).unwrap() {
            fs::write_atomic(&folder.path().join(file.file_name().unwrap()), &fs::read(&file).unwrap()).unwrap();
        }
        Self { folder }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) -> &Self {
        let mut value: Value = fs::read_json(&self.path(file)).unwrap();
        change(&mut value);
        fs::write_json(&self.path(file), &value).unwrap();
        self
    }

    /// Everything that a training reads.
    pub fn load(&self) -> Result<(), String> {
        let told = |error: hone_model::ModelError| format!("{error}. {}", error.hint().unwrap_or_default());
        let file = ModelFile::open(self.folder.path()).map_err(told)?;
        let tokenizer = Tokenizer::from_gguf(&file).map_err(told)?;
        let chat = ChatFormat::from_gguf(&file, &tokenizer).map_err(told)?;
        check_exportable(&file, &tokenizer, &chat).map_err(told)?;
        let decoder = Decoder::load(&file, &Job::silent()).map_err(told)?;
        let ids = tokenizer.encode("The ferry leaves at 7.").map_err(told)?;
        decoder.logits(None, &ids).map(|_| ()).map_err(told)
    }

    fn refused(&self, needles: &[&str]) {
        let error = self.load().unwrap_err();
        for needle in needles {
            assert!(error.contains(needle), "`{needle}` in: {error}");
        }
    }
}

#[test]
fn an_untouched_copy_loads() {
    for family in FAMILIES {
        Copy::of(family).load().unwrap();
    }
}

#[test]
fn what_is_missing_is_named() {
    let copy = Copy::of("qwen3");
    let shards: Vec<_> = fs::list_dir(copy.folder.path()).unwrap();
    let shard =
        shards.iter().find(|path| path.to_string_lossy().contains("-00002-of-")).expect("it is cut in several files");
    fs::remove_file(shard).unwrap();
    copy.refused(&["lacks the file `model-00002-of-"]);

    let copy = Copy::of("llama3");
    fs::remove_file(&copy.path("tokenizer.json")).unwrap();
    copy.refused(&["lacks the file `tokenizer.json`"]);
    // Weights are enough to compute.
    Decoder::load(&ModelFile::open(copy.folder.path()).unwrap(), &Job::silent()).unwrap();
    fs::remove_file(&copy.path("model.safetensors")).unwrap();
    copy.refused(&["lacks the file `model.safetensors`"]);
    fs::write_atomic(&copy.path("pytorch_model.bin"), b"PK").unwrap();
    copy.refused(&["pytorch_model.bin", "pickle", "save_pretrained"]);
    fs::remove_file(&copy.path("config.json")).unwrap();
    copy.refused(&["without `config.json`"]);
}

#[test]
fn models_of_other_kinds_are_refused_by_name() {
    let with = |change: fn(&mut Value)| {
        let copy = Copy::of("llama3");
        copy.edit("config.json", change);
        copy
    };
    with(|c| c["architectures"] = json!(["MixtralForCausalLM"]))
        .refused(&["`MixtralForCausalLM` is a mixture of experts"]);
    with(|c| c["num_local_experts"] = json!(8)).refused(&["a mixture of experts"]);
    with(|c| c["architectures"] = json!(["Gemma3ForConditionalGeneration"])).refused(&["pictures"]);
    with(|c| c["architectures"] = json!(["FalconForCausalLM"])).refused(&["`FalconForCausalLM`", "`LlamaForCausalLM`"]);
    with(|c| c["quantization_config"] = json!({"quant_method": "gptq"})).refused(&["`gptq`"]);
    with(|c| c["quantization_config"] = json!({"quant_method": "awq"})).refused(&["`awq`"]);
    with(|c| c["hidden_act"] = json!("relu")).refused(&["`hidden_act`"]);
    with(|c| c["rope_parameters"]["rope_type"] = json!("dynamic")).refused(&["`rope_parameters.rope_type`", "dynamic"]);
}

#[test]
fn a_config_that_lies_about_sizes_is_refused_by_key_or_tensor() {
    for (key, values) in [
        ("num_hidden_layers", [json!(0), json!(4), json!(4_294_967_295_u64)]),
        ("hidden_size", [json!(65), json!(0), json!(268_435_455)]),
        ("intermediate_size", [json!(95), json!("96"), json!(-1)]),
        ("num_attention_heads", [json!(7), json!(0), json!(1_u64 << 40)]),
        ("num_key_value_heads", [json!(3), json!(0), json!(5)]),
        ("head_dim", [json!(17), json!(0), json!(1 << 27)]),
        ("vocab_size", [json!(639), json!(0), json!(1 << 20)]),
        ("rms_norm_eps", [json!("a"), json!([]), json!({})]),
        ("max_position_embeddings", [json!(0), json!(-4), json!(1.5)]),
    ] {
        for value in values {
            let copy = Copy::of("llama3");
            copy.edit("config.json", |config| config[key] = value.clone());
            let error = copy.load().unwrap_err();
            let named = error.contains(&format!("`{key}`")) || error.contains("`model.") || error.contains("head");
            assert!(named, "{key} = {value}: {error}");
            assert!(!error.contains("blk."), "in the folder's own words: {error}");
        }
    }
}

#[test]
fn a_tokenizer_that_disagrees_with_the_weights_is_refused() {
    let copy = Copy::of("llama3");
    copy.edit("tokenizer.json", |t| {
        t["added_tokens"].as_array_mut().unwrap().push(json!({
            "id": 640, "content": "<more>", "special": true, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false
        }));
    });
    copy.refused(&["tokenizer.json", "`<more>`", "its id is 640, the embedding has 640 rows"]);
    let copy = Copy::of("llama3");
    copy.edit("tokenizer.json", |t| t["model"]["type"] = json!("Unigram"));
    copy.refused(&["`Unigram`"]);
    let copy = Copy::of("llama3");
    copy.edit("tokenizer.json", |t| t["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = json!("(a+)+$"));
    copy.refused(&["(a+)+$"]);
    let copy = Copy::of("tinyllama");
    copy.edit("tokenizer.json", |t| t["normalizer"] = json!({"type": "Lowercase"}));
    copy.refused(&["Lowercase"]);
}

/// A safetensors file with one tensor of the model described otherwise.
fn with_header(family: &str, change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Copy {
    let copy = Copy::of(family);
    let bytes = fs::read(&copy.path("model.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    change(header.as_object_mut().unwrap());
    let header = serde_json::to_vec(&header).unwrap();
    let mut changed = (header.len() as u64).to_le_bytes().to_vec();
    changed.extend(header);
    changed.extend(&bytes[8 + length..]);
    fs::write_atomic(&copy.path("model.safetensors"), &changed).unwrap();
    copy
}

#[test]
fn a_safetensors_header_that_lies_is_refused_by_tensor() {
    let name = "model.layers.1.mlp.up_proj.weight";
    let with = |key: &'static str, value: Value| with_header("llama3", move |header| header[name][key] = value);
    let huge = u64::MAX;
    with("data_offsets", json!([0, huge])).refused(&[name, "beyond the end"]);
    with("data_offsets", json!([9, 8])).refused(&[name, "beyond the end"]);
    with("data_offsets", json!([0, 12288])).refused(&["overlap", "model."]);
    with("shape", json!([huge, huge])).refused(&[name, "does not fit"]);
    with("shape", json!([96, 32, 2])).refused(&[name, "no matrix"]);
    with("shape", json!([64, 96])).refused(&[name, "[96, 64]", "[64, 96]"]);
    with("dtype", json!("I16")).refused(&[name, "I16"]);
    with("dtype", json!("X7")).refused(&[name, "`X7`"]);
    with_header("llama3", |header| drop(header.remove(name))).refused(&[name, "lacks"]);
    let other = "model.layers.1.mlp.strange.weight";
    with_header("llama3", |header| {
        let tensor = header.remove(name).unwrap();
        header.insert(other.to_owned(), tensor);
    })
    .refused(&[other, "does not compute"]);

    let copy = Copy::of("llama3");
    let bytes = fs::read(&copy.path("model.safetensors")).unwrap();
    let mut changed = bytes.clone();
    // The same name for two tensors of one length.
    let (first, same) = (b"model.layers.0.input_layernorm.weight", b"model.layers.1.input_layernorm.weight");
    let at = bytes.windows(first.len()).position(|window| window == first).unwrap();
    changed[at..at + same.len()].copy_from_slice(same);
    fs::write_atomic(&copy.path("model.safetensors"), &changed).unwrap();
    copy.refused(&["model.layers.1.input_layernorm.weight", "twice"]);
    for length in [0, 7, 8, 100, 5000, bytes.len() - 1] {
        fs::write_atomic(&copy.path("model.safetensors"), &bytes[..length]).unwrap();
        copy.refused(&["model.safetensors", "is damaged"]);
    }
    changed[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write_atomic(&copy.path("model.safetensors"), &changed).unwrap();
    copy.refused(&["a header of 18446744073709551615 bytes"]);
}

#[test]
fn a_weight_that_is_no_number_is_named_with_its_place() {
    let copy = Copy::of("llama3");
    let mut bytes = fs::read(&copy.path("model.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let name = "model.layers.2.mlp.down_proj.weight";
    // Row 3, column 5 of [64, 96] in f16.
    let at = 8 + length + header[name]["data_offsets"][0].as_u64().unwrap() as usize + (3 * 96 + 5) * 2;
    bytes[at..at + 2].fill(0xFF);
    fs::write_atomic(&copy.path("model.safetensors"), &bytes).unwrap();
    copy.refused(&[&format!("tensor `{name}`, row 3, column 5"), "not a finite number"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]
    #[test]
    fn no_changed_byte_makes_any_reader_panic(family in 0_usize..12, which in 0_usize..4, place: u64, byte: u8, more in 0_usize..3) {
        let copy = Copy::of(FAMILIES[family]);
        let files = ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"];
        let path = copy.path(files[which]);
        // Cut in several files: its index then.
        let path = if path.is_file() { path } else { copy.path("model.safetensors.index.json") };
        let mut bytes = fs::read(&path).unwrap();
        let reach = bytes.len().min(if which == 0 { 9000 } else { usize::MAX });
        let place = (place % reach as u64) as usize;
        bytes[place] = byte;
        for step in 0..more {
            bytes[(place * 7 + 13 * (step + 1)) % reach] ^= 1 << (step + 4);
        }
        fs::write_atomic(&path, &bytes).unwrap();
        let _ = copy.load();
    }
}
