//! A small model of every family, adapted, merged and taken to llama.cpp: it tokenises and answers there as in Hone.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use hone_export::{Quantisation, merge, write_adapter};
use hone_job::{Explain, Job};
use hone_model::ModelFile;
use hone_model::{ChatFormat, Decoder, GenerateOptions, LoraConfig, Tokenizer};
use serde_json::json;

use crate::llama_cpp::{GreedyToken, ask, foreign};
use crate::starter::adapter_of;

/// Both compute in f32 here: only closer calls than this may fall differently.
const MARGIN: f32 = 0.01;

/// What tokenizers trip over: contractions, digits, white space, line ends, scripts, signs, control tokens spelled out.
const TEXTS: [&str; 14] = [
    "Hello  world, it's DON'T and we'll see, they'RE",
    " a leading space, a trailing one ",
    "1 12 123 1234 12345 0555 014 400, 12,345.60 cr, 1e-9, 0xFF",
    "line\none\n\ntwo \n  three\r\n\r\nfour\t\ttab",
    "   three spaces,  then two\n   ",
    "naïve café Łódź Straße ﬁne e\u{301} \u{e9}",
    "渡轮合作社成立于一九七一年，有 38 名员工。フェリー한국어",
    "Привет, мир! שלום مرحبا ٣٤٥",
    "👩‍🚀🚢😀 🇳🇴 — “quoted” …",
    "fn main() {\n    println!(\"{}\", 1 << 4);\n}\n",
    "HTTPServer camelCase ALLCAPS MixedUp iPhone's McDonald's",
    "https://example.org/a?b=c&d=%20#e /path//to///file",
    "<|im_start|>user say <|im_end|>",
    "",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/parity/golden/families/{name}.gguf"))
}

fn check(name: &str) {
    check_base(name, &fixture(name));
    check_base(name, &fixture(name).with_extension(""));
}

/// Base model and adapter, merged, in llama.cpp; `base` is a GGUF file or a folder.
fn check_base(name: &str, base: &Path) {
    let Some(foreign) = foreign() else { return };
    let base = ModelFile::open(base).unwrap();
    let tokenizer = Tokenizer::from_gguf(&base).unwrap();
    let format = ChatFormat::from_gguf(&base, &tokenizer).unwrap();
    let adapter = adapter_of(&base, 0.2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    merge(&base, Some(&adapter), Quantisation::F32, &path, &format, &Job::silent()).unwrap();

    // Shorter than Phi-3's window together with the answer: llama.cpp computes that family without it.
    let short = |text: &&str| tokenizer.encode(text).unwrap().into_iter().take(20).collect();
    let prompts: Vec<Vec<u32>> = TEXTS[..8].iter().map(short).collect();
    let decoder = Decoder::load(&base, &Job::silent()).unwrap();
    let options = GenerateOptions { max_tokens: 20, ..GenerateOptions::default() };
    let mut go_on = |_, _| ControlFlow::Continue(());
    let adapted = decoder.generate(Some(&adapter), &prompts, &options, &mut go_on).unwrap();
    let plain = decoder.generate(None, &prompts, &options, &mut go_on).unwrap();
    assert_ne!(adapted, plain, "the adapter changes what is said");
    let merged = Decoder::load(&ModelFile::open(&path).unwrap(), &Job::silent()).unwrap();
    assert_eq!(merged.generate(None, &prompts, &options, &mut go_on).unwrap(), adapted);

    let greedy: Vec<_> = prompts.iter().map(|ids| json!({"ids": ids, "count": 20})).collect();
    let mut tokenize: Vec<_> = TEXTS.iter().map(|text| json!({"text": text, "special": false})).collect();
    let chat = "<|im_start|>user\n  What? <|im_end|>\n\n<|im_start|>assistant\n<s> This.</s> \t\n<|endoftext|>\n!";
    tokenize.push(json!({"text": chat, "special": true}));
    // LongRope's factors for long texts are taken in a longer context than the model was first made for.
    let context = decoder.config().context_length;
    let answer = ask(&foreign, &json!({"model": path, "greedy": greedy, "tokenize": tokenize, "context": context}));
    for (text, ids) in TEXTS.iter().zip(&answer.tokenize) {
        // Qwen's folders put accents and letters together; GGUF cannot say so.
        if base.is_folder() && base.architecture().starts_with("qwen") && text.contains('\u{301}') {
            continue;
        }
        assert_eq!(&tokenizer.encode(text).unwrap(), ids, "{text:?}");
        assert_eq!(tokenizer.decode(ids), **text);
    }
    assert_eq!(&tokenizer.encode_with_specials(chat).unwrap(), answer.tokenize.last().unwrap(), "{chat:?}");
    check_answers(name, &adapted, &answer.greedy);

    // The adapter alone, beside the unchanged base model.
    let (plain, alone) = (folder.path().join("base.gguf"), folder.path().join("adapter.gguf"));
    merge(&base, None, Quantisation::F32, &plain, &format, &Job::silent()).unwrap();
    write_adapter(&base, &adapter, &alone, &Job::silent()).unwrap();
    let request = json!({"model": plain, "adapter": alone, "greedy": greedy, "context": context});
    check_answers(name, &adapted, &ask(&foreign, &request).greedy);
}

/// Token for token, until a choice was too close.
fn check_answers(name: &str, ours: &[Vec<u32>], theirs: &[Vec<GreedyToken>]) {
    let mut same = 0;
    for (ours, theirs) in ours.iter().zip(theirs) {
        for (at, (our, their)) in ours.iter().zip(theirs).enumerate() {
            if *our != their.token {
                assert!(their.margin < MARGIN, "{name}: token {at} differs at a margin of {}", their.margin);
                break;
            }
            same += 1;
        }
    }
    assert!(same >= 100, "{name}: only {same} of 160 tokens could be compared");
}

#[test]
fn what_an_adapter_of_llama_cpp_cannot_hold_is_refused_by_name() {
    let base = ModelFile::open(&fixture("llama3")).unwrap();
    let decoder = Decoder::load(&base, &Job::silent()).unwrap();
    let plain = adapter_of(&base, 0.2);
    let dora = decoder.fresh_adapter(&LoraConfig { use_dora: true, ..plain.config().clone() }, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("adapter.gguf");
    for (adapter, kind) in [(dora, "DoRA"), (decoder.trainable_copy().unwrap(), "Full fine-tuning")] {
        let error = write_adapter(&base, &adapter, &out, &Job::silent()).unwrap_err();
        assert!(error.to_string().starts_with(kind) && error.hint().unwrap().contains("joined in"), "{error}");
        assert!(!out.exists());
    }
    let mut broken = plain;
    broken.params_mut()[5] = f32::NAN;
    assert!(write_adapter(&base, &broken, &out, &Job::silent()).is_err());
}

#[test]
fn llama_3_in_llama_cpp() {
    check("llama3");
}

#[test]
fn smollm2_in_llama_cpp() {
    check("smollm2");
}

#[test]
fn mistral_in_llama_cpp() {
    check("mistral");
}

#[test]
fn qwen_2_in_llama_cpp() {
    check("qwen2");
}

#[test]
fn qwen_3_in_llama_cpp() {
    check("qwen3");
}

#[test]
fn gemma_2_in_llama_cpp() {
    check("gemma2");
}

#[test]
fn phi_4_mini_in_llama_cpp() {
    check("phi4-mini");
}

#[test]
fn qwen_2_with_yarn_in_llama_cpp() {
    check("qwen2-yarn");
}

#[test]
fn tinyllama_in_llama_cpp() {
    check("tinyllama");
}

#[test]
fn yi_in_llama_cpp() {
    check("yi");
}

#[test]
fn gemma_3_in_llama_cpp() {
    check("gemma3");
}

#[test]
fn phi_3_in_llama_cpp() {
    check("phi3");
}
