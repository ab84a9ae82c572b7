//! Token ids and loss masks of the starter model against Transformers' tokenizer.
//!
//! `tests/parity/golden.py` made the figures, from the vocabulary in the same GGUF file.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

use std::path::{Path, PathBuf};

use hone_job::fs;
use hone_model::chat::{ChatFormat, ChatMessage};
use hone_model::gguf::GgufFile;
use hone_model::tokenizer::Tokenizer;
use serde::Deserialize;

#[derive(Deserialize)]
struct Texts {
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Conversations {
    conversations: Vec<Conversation>,
}

#[derive(Deserialize)]
struct Conversation {
    messages: Vec<(String, String)>,
    ids: Vec<u32>,
    trained: Vec<bool>,
}

fn golden_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/golden").join(name)
}

/// The starter model's file, or nothing (said loudly, and refused where `HONE_REQUIRE_MODEL=1`).
fn starter_model() -> Option<GgufFile> {
    let path = hone_model::source::default_models_dir().unwrap().join("gemma-3-270m-q4_k_m.gguf");
    if path.exists() {
        return Some(GgufFile::open(&path).unwrap());
    }
    assert!(std::env::var_os("HONE_REQUIRE_MODEL").is_none_or(|v| v != "1"), "no starter model at {}", path.display());
    println!("SKIPPED: no starter model at {}; `cargo xtask test` fetches it", path.display());
    None
}

#[test]
fn difficult_texts_become_the_tokens_that_transformers_makes_and_come_back_unchanged() {
    let Some(file) = starter_model() else { return };
    let tokenizer = Tokenizer::from_gguf(&file).unwrap();
    let golden: Texts = fs::read_json(&golden_file("tokenizer.json")).unwrap();
    assert!(golden.texts.len() >= 15);
    for Text { text, ids } in golden.texts {
        assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids), text);
    }
}

#[test]
fn conversations_become_gemmas_turns_and_only_answers_are_trained() {
    let Some(file) = starter_model() else { return };
    let tokenizer = Tokenizer::from_gguf(&file).unwrap();
    let format = ChatFormat::from_gguf(&file, &tokenizer).unwrap();
    let golden: Conversations = fs::read_json(&golden_file("conversations.json")).unwrap();
    for Conversation { messages, ids, trained } in golden.conversations {
        let messages: Vec<_> = messages.into_iter().map(|(role, content)| ChatMessage::new(role, content)).collect();
        let encoded = format.encode(&tokenizer, &messages).unwrap();
        assert_eq!(encoded.ids, ids, "{messages:?}");
        assert_eq!(encoded.trained, trained, "{messages:?}");
    }
}
