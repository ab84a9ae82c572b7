//! The export in llama.cpp, as others ship it (npm's `node-llama-cpp`): it loads, tokenises and answers as Hone does.
//!
//! Needs Node and the packages of `tests/foreign` installed in `HONE_FOREIGN_DIR`. Without them the tests print a skip
//! line; with `HONE_REQUIRE_FOREIGN=1` they fail.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hone_export::{Quantisation, merge};
use hone_job::Job;
use hone_model::gguf::GgufFile;
use hone_model::{ChatMessage, Decoder, GenerateOptions};
use serde::Deserialize;
use serde_json::json;

use crate::starter::{Starter, adapter, starter};

#[derive(Deserialize)]
pub struct Answer {
    tensors: usize,
    architecture: String,
    eos: u32,
    eot: u32,
    pub tokenize: Vec<Vec<u32>>,
    pub greedy: Vec<Vec<GreedyToken>>,
    logits: Vec<Vec<Position>>,
}

#[derive(Deserialize)]
pub struct GreedyToken {
    pub token: u32,
    /// Distance of the best logit from the second.
    pub margin: f32,
}

#[derive(Deserialize)]
pub struct Position {
    /// Token and logit, best first.
    top: Vec<(u32, f64)>,
    logsumexp: f64,
}

pub fn foreign() -> Option<PathBuf> {
    let folder = std::env::var_os("HONE_FOREIGN_DIR").map(PathBuf::from);
    let found = folder.filter(|folder| folder.join("node_modules/node-llama-cpp/package.json").is_file());
    if found.is_none() {
        assert!(std::env::var_os("HONE_REQUIRE_FOREIGN").is_none(), "node-llama-cpp is not in HONE_FOREIGN_DIR");
        println!("SKIPPED: node-llama-cpp is not in HONE_FOREIGN_DIR");
    }
    found
}

pub fn ask(folder: &Path, request: &serde_json::Value) -> Answer {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/foreign/oracle.mjs");
    let mut child = Command::new("node")
        .arg(script)
        .env("HONE_FOREIGN_DIR", folder)
        .env("GGML_NO_BACKTRACE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "llama.cpp did not take the file: {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn export(starter: &Starter, quantisation: Quantisation, folder: &Path) -> PathBuf {
    let path = folder.join("model.gguf");
    let adapter = adapter(&starter.file);
    merge(&starter.file, Some(&adapter), quantisation, &path, &starter.format, &Job::silent()).unwrap();
    path
}

const QUESTIONS: [&str; 5] = [
    "What is the capital of France?",
    "Write a function that adds two numbers in Python.",
    "法国的首都是哪里？",
    "Name three colours of the rainbow 🌈.",
    "When does the first ferry leave on Sundays?",
];

/// Gate 2 of the contract: on an unquantised file two engines may only differ where the best two tokens are this close.
const MARGIN: f32 = 0.3;

#[test]
fn an_unquantised_export_answers_in_llama_cpp_token_for_token_as_in_hone() {
    let (Some(starter), Some(foreign)) = (starter(), foreign()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = export(starter, Quantisation::F16, folder.path());
    let file = GgufFile::open(&path).unwrap();
    let prompts: Vec<Vec<u32>> = QUESTIONS
        .iter()
        .map(|question| {
            starter.format.encode_prompt(&starter.tokenizer, &[ChatMessage::new("user", *question)]).unwrap()
        })
        .collect();
    let greedy: Vec<_> = prompts.iter().map(|ids| json!({"ids": ids, "count": 20})).collect();
    let tokenize: Vec<_> = QUESTIONS.iter().map(|text| json!({"text": text, "special": false})).collect();
    let answer = ask(&foreign, &json!({"model": path, "greedy": greedy, "tokenize": tokenize}));
    assert_eq!((answer.tensors, answer.architecture.as_str()), (starter.file.tensors().len(), "gemma3"));
    assert_eq!((answer.eos, answer.eot), (1, 106));
    for (question, ids) in QUESTIONS.iter().zip(&answer.tokenize) {
        assert_eq!(&starter.tokenizer.encode(question).unwrap(), ids);
    }
    let decoder = Decoder::load(&file, &Job::silent()).unwrap();
    let options = GenerateOptions { max_tokens: 20, ..GenerateOptions::default() };
    let ours = decoder.generate(None, &prompts, &options, &mut |_, _| std::ops::ControlFlow::Continue(())).unwrap();
    let (mut same, mut total, mut smallest) = (0, 0, f32::INFINITY);
    for ((question, ours), theirs) in QUESTIONS.iter().zip(&ours).zip(&answer.greedy) {
        assert_eq!(ours.len(), 20, "{question}");
        for (index, (our, their)) in ours.iter().zip(theirs).enumerate() {
            total += 1;
            if *our != their.token {
                // From here on the two texts differ; this place must have been a close call.
                assert!(their.margin < MARGIN, "{question}: token {index} differs at a margin of {}", their.margin);
                break;
            }
            same += 1;
            smallest = smallest.min(their.margin);
        }
    }
    println!("llama.cpp: {same} of {total} greedy tokens equal, smallest margin among them {smallest}");
    assert!(same >= 80, "only {same} of 100 tokens could be compared");
}

/// Best logits that are compared one by one; the rest of the vocabulary counts as one.
const TOP: usize = 256;

#[test]
fn a_quantised_export_gives_the_same_probabilities_in_llama_cpp_within_the_gate() {
    let (Some(starter), Some(foreign)) = (starter(), foreign()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = export(starter, Quantisation::Q8_0, folder.path());
    let text = "The ferry to the island leaves at twenty to eight. On Sundays it leaves two hours later. 渡轮在星期天晚两个小时出发。 ⛴";
    let mut ids = vec![starter.tokenizer.bos().unwrap()];
    ids.extend(starter.tokenizer.encode(text).unwrap());
    let answer = ask(&foreign, &json!({"model": path, "logits": [{"ids": ids, "from": 0, "top": TOP}]}));
    let theirs = &answer.logits[0];
    let decoder = Decoder::load(&GgufFile::open(&path).unwrap(), &Job::silent()).unwrap();
    let ours = decoder.logits(None, &ids).unwrap();
    let vocabulary = starter.tokenizer.vocabulary_size();
    let (mut divergence, mut nll_ours, mut nll_theirs, mut counted) = (0.0, 0.0, 0.0, 0);
    for (index, (row, position)) in ours.chunks_exact(vocabulary).zip(theirs).enumerate() {
        let largest = f64::from(row.iter().copied().fold(f32::MIN, f32::max));
        let logsumexp = largest + row.iter().map(|logit| (f64::from(*logit) - largest).exp()).sum::<f64>().ln();
        let ours = |token: u32| f64::from(row[token as usize]) - logsumexp;
        let (mut rest_ours, mut rest_theirs, mut kl) = (1.0, 1.0, 0.0);
        for (token, logit) in &position.top {
            let (q, p) = (ours(*token), logit - position.logsumexp);
            kl += p.exp() * (p - q);
            rest_theirs -= p.exp();
            rest_ours -= q.exp();
        }
        if rest_theirs > 1e-9 && rest_ours > 1e-9 {
            kl += rest_theirs * (rest_theirs / rest_ours).ln();
        }
        divergence += kl;
        // Perplexity over the tokens that both list; the sum is the same set for both.
        if let Some(next) = ids.get(index + 1)
            && let Some((_, logit)) = position.top.iter().find(|(token, _)| token == next)
        {
            nll_theirs -= logit - position.logsumexp;
            nll_ours -= ours(*next);
            counted += 1;
        }
    }
    let positions = theirs.len() as f64;
    let ratio = ((nll_ours - nll_theirs) / f64::from(counted)).exp();
    println!(
        "llama.cpp on the Q8_0 file: mean KL {:.2e}, perplexity ratio {ratio:.4} over {counted} tokens",
        divergence / positions
    );
    assert!(divergence / positions <= 0.03, "mean KL {}", divergence / positions);
    assert!((ratio - 1.0).abs() <= 0.03, "perplexity ratio {ratio}");
    assert!(counted >= 25, "{counted}");
}

#[test]
fn llama_cpp_refuses_a_truncated_export_as_hone_does() {
    let (Some(starter), Some(foreign)) = (starter(), foreign()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = export(starter, Quantisation::Source, folder.path());
    let length = hone_job::fs::metadata(&path).unwrap().len();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(length * 9 / 10).unwrap();
    assert!(GgufFile::open(&path).is_err());
    let taken =
        std::panic::catch_unwind(|| ask(&foreign, &json!({"model": path, "greedy": [{"ids": [2], "count": 1}]})));
    assert!(taken.is_err());
}
