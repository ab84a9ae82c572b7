//! One LoRA step and the logits of a small model of every family against what PyTorch, Transformers and PEFT computed.
//!
//! `tests/parity/families.py` made the models and the figures, both in `tests/parity/golden/families`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

#[path = "common/golden.rs"]
mod golden;

use hone_job::fs;

#[derive(serde::Deserialize)]
struct Family {
    logits: golden::Sequence,
}

fn check(name: &str) {
    let figures = format!("families/{name}.json");
    let family: Family = fs::read_json(&golden::golden_file(&figures)).unwrap();
    // The same weights as a GGUF file, and in the folder that Transformers saved.
    let (file, folder) = (format!("families/{name}.gguf"), format!("families/{name}"));
    for (model, device) in [(&file, "cpu"), (&folder, "cpu"), (&file, golden::card().as_str())] {
        let model = golden::golden_file(model);
        golden::check_logits(&model, &family.logits, device);
        golden::check_step(&model, &figures, device);
    }
}

#[test]
fn every_k_type() {
    let (file, figures) = (golden::golden_file("families/k-types.gguf"), "families/k-types.json");
    let family: Family = fs::read_json(&golden::golden_file(figures)).unwrap();
    for device in ["cpu", golden::card().as_str()] {
        golden::check_logits(&file, &family.logits, device);
        golden::check_step(&file, figures, device);
    }
}

#[test]
fn llama_3_with_frequency_factors_and_a_head_of_its_own() {
    check("llama3");
}

#[test]
fn smollm2_with_a_tied_head() {
    check("smollm2");
}

#[test]
fn mistral_with_a_head_width_of_its_own() {
    check("mistral");
}

#[test]
fn qwen_2_with_a_bias_on_queries_keys_and_values() {
    check("qwen2");
}

#[test]
fn qwen_3_with_norms_on_queries_and_keys() {
    check("qwen3");
}

#[test]
fn qwen_2_with_yarn() {
    check("qwen2-yarn");
}

#[test]
fn tinyllama_with_one_key_head_for_all_queries() {
    check("tinyllama");
}

#[test]
fn yi_with_a_large_rotary_base_and_stretched_positions() {
    check("yi");
}

#[test]
fn gemma_3_with_local_and_global_layers() {
    check("gemma3");
}

#[test]
fn gemma_2_with_soft_caps_and_a_window() {
    check("gemma2");
}

#[test]
fn phi_4_mini_with_fused_matrices_partial_rotation_and_longrope() {
    check("phi4-mini");
}

#[test]
fn phi_3_with_fused_matrices_and_a_window() {
    check("phi3");
}
