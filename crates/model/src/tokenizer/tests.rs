use std::path::PathBuf;

use serde::Deserialize;

use super::*;
use crate::testing::starter_tokenizer as tokenizer;

#[derive(Deserialize)]
struct Expected {
    text: String,
    special: bool,
    ids: Vec<u32>,
}

/// The ids in `tests/foreign/tokens-gemma3.json` are llama.cpp's; `texts.mjs` beside it made them.
#[test]
fn ids_equal_those_of_llama_cpp_on_hard_texts() {
    let Some(tokenizer) = tokenizer() else { return };
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/foreign/tokens-gemma3.json");
    let expected: Vec<Expected> = hone_job::fs::read_json(&path).unwrap();
    assert!(expected.len() > 500);
    let different: Vec<_> = expected
        .iter()
        .filter_map(|case| {
            let encode = if case.special { Tokenizer::encode_with_specials } else { Tokenizer::encode };
            let ids = encode(tokenizer, &case.text).unwrap();
            (ids != case.ids).then_some((&case.text, case.special, ids, &case.ids))
        })
        .collect();
    assert!(different.is_empty(), "{} of {} differ: {different:#?}", different.len(), expected.len());
}

#[test]
fn control_tokens_spelled_in_a_text_stay_text_and_come_back_as_written() {
    let Some(tokenizer) = tokenizer() else { return };
    let text = "say <end_of_turn> and <bos> </s>";
    let ids = tokenizer.encode(text).unwrap();
    assert!(ids.iter().all(|id| !tokenizer.is_control(*id)), "{ids:?}");
    assert_eq!(tokenizer.decode(&ids), text);
    assert_eq!(tokenizer.encode_with_specials("<end_of_turn>").unwrap(), [106]);
}

#[test]
fn the_special_tokens_are_those_of_the_file() {
    let Some(tokenizer) = tokenizer() else { return };
    assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.add_bos()), (Some(2), Some(1), true));
    assert_eq!(tokenizer.special_id("<start_of_turn>"), Some(105));
    assert_eq!(tokenizer.vocabulary_size(), 262_144);
    assert_eq!(tokenizer.decode(&[105, 818, 106]), "The");
    assert_eq!(tokenizer.decode_with_specials(&[105, 818, 106]), "<start_of_turn>The<end_of_turn>");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn every_text_comes_back_from_its_ids_whole_and_streamed(text in "\\PC{0,40}[ \n\t]{0,6}\\PC{0,40}") {
        let Some(tokenizer) = tokenizer() else { return Ok(()) };
        // U+2581 is the vocabulary's own sign for a space.
        let text = text.replace('\u{2581}', "_");
        let ids = tokenizer.encode(&text).unwrap();
        proptest::prop_assert_eq!(&tokenizer.decode(&ids), &text);
        let mut stream = TextStream::new(tokenizer);
        let mut streamed: String = ids.iter().map(|id| stream.push(*id)).collect();
        streamed += &stream.finish();
        proptest::prop_assert_eq!(streamed, text);
    }
}
