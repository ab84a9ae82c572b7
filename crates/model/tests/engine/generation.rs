//! Continuing prompts.

use std::ops::ControlFlow;

use hone_model::{Decoder, GenerateOptions, ModelError, TargetModule};

use crate::tiny::{self, VOCABULARY};

fn prompts() -> Vec<Vec<u32>> {
    [(1, 30), (2, 3), (3, 12)].into_iter().map(|(seed, length)| tiny::sequence(seed, length, |_| true).0).collect()
}

fn written(decoder: &Decoder, prompts: &[Vec<u32>], options: &GenerateOptions) -> Vec<Vec<u32>> {
    decoder.generate(None, prompts, options, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

#[test]
fn greedy_text_is_what_the_logits_of_the_growing_sequence_say() {
    let decoder = tiny::decoder();
    let adapter = tiny::adapter(&decoder, &tiny::lora(&TargetModule::SEVEN));
    let options = GenerateOptions { max_tokens: 20, ..GenerateOptions::default() };
    let prompts = prompts();
    let mut heard = vec![Vec::new(); prompts.len()];
    let mut hear = |prompt: usize, id| {
        heard[prompt].push(id);
        ControlFlow::Continue(())
    };
    let texts = decoder.generate(Some(&adapter), &prompts, &options, &mut hear).unwrap();
    assert_eq!(heard, texts);
    for (prompt, text) in prompts.iter().zip(&texts) {
        assert_eq!(text.len(), 20);
        let mut ids = prompt.clone();
        for id in text {
            let logits = decoder.logits(Some(&adapter), &ids).unwrap();
            let last = &logits[logits.len() - VOCABULARY..];
            let best = (0..VOCABULARY).max_by(|a, b| last[*a].total_cmp(&last[*b])).unwrap();
            assert_eq!(*id as usize, best);
            ids.push(*id);
        }
    }
}

#[test]
fn a_stop_token_ends_one_prompt_and_is_not_written() {
    let decoder = tiny::decoder();
    let free = written(&decoder, &prompts(), &GenerateOptions { max_tokens: 12, ..GenerateOptions::default() });
    let stop = free[1][4];
    let options = GenerateOptions { max_tokens: 12, stop_ids: vec![stop], ..GenerateOptions::default() };
    for (text, free) in written(&decoder, &prompts(), &options).iter().zip(&free) {
        let end = free.iter().position(|id| *id == stop).unwrap_or(free.len());
        assert_eq!(text, &free[..end]);
    }
}

#[test]
fn sampling_follows_its_seed_and_one_candidate_is_greedy() {
    let decoder = tiny::decoder();
    let options =
        |seed, top_k| GenerateOptions { max_tokens: 15, temperature: 1.5, top_k, seed, ..GenerateOptions::default() };
    let first = written(&decoder, &prompts(), &options(1, None));
    assert_eq!(first, written(&decoder, &prompts(), &options(1, None)));
    assert_ne!(first, written(&decoder, &prompts(), &options(2, None)));
    let greedy = written(&decoder, &prompts(), &GenerateOptions { max_tokens: 15, ..GenerateOptions::default() });
    assert_eq!(greedy, written(&decoder, &prompts(), &options(3, Some(1))));
}

#[test]
fn text_ends_with_the_context_and_a_prompt_that_fills_it_is_refused() {
    let decoder = tiny::decoder();
    let options = GenerateOptions { max_tokens: 100, context: Some(35), ..GenerateOptions::default() };
    let lengths: Vec<usize> = written(&decoder, &prompts(), &options).iter().map(Vec::len).collect();
    assert_eq!(lengths, [5, 32, 23]);
    let options = GenerateOptions { context: Some(30), ..options };
    let error = decoder.generate(None, &prompts(), &options, &mut |_, _| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, ModelError::ContextFull { tokens: 30, context: 30 }));
}

#[test]
fn breaking_stops_at_once_and_keeps_what_was_written() {
    let decoder = tiny::decoder();
    let mut left = 7;
    let mut stop = |_, _| {
        left -= 1;
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = GenerateOptions { max_tokens: 50, ..GenerateOptions::default() };
    let texts = decoder.generate(None, &prompts(), &options, &mut stop).unwrap();
    assert_eq!(texts.iter().map(Vec::len).sum::<usize>(), 7);
}

#[test]
fn weights_kept_as_stored_write_the_same_text() {
    use candle_core::quantized::GgmlDType;
    use hone_model::{LoraConfig, WeightStorage};
    let options = GenerateOptions { max_tokens: 20, ..GenerateOptions::default() };
    for (dtype, use_dora) in [(GgmlDType::Q8_0, false), (GgmlDType::Q5_0, true), (GgmlDType::F16, false)] {
        let texts = [WeightStorage::Expanded, WeightStorage::Stored].map(|storage| {
            let decoder = tiny::decoder_of(dtype, storage);
            let adapter = tiny::adapter(&decoder, &LoraConfig { use_dora, ..tiny::lora(&TargetModule::SEVEN) });
            decoder.generate(Some(&adapter), &prompts(), &options, &mut |_, _| ControlFlow::Continue(())).unwrap()
        });
        assert_eq!(texts[0], texts[1], "{dtype:?}");
    }
}

#[test]
fn a_penalty_keeps_the_text_from_repeating_a_token() {
    let decoder = tiny::decoder();
    let options = GenerateOptions { max_tokens: 20, repeat_penalty: 1e6, ..GenerateOptions::default() };
    for (prompt, text) in prompts().iter().zip(written(&decoder, &prompts(), &options)) {
        let mut seen = prompt.clone();
        for id in text {
            assert!(!seen.contains(&id), "{id} comes twice");
            seen.push(id);
        }
    }
}
