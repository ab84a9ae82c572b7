//! One LoRA step and the logits of the starter model against what PyTorch, Transformers and PEFT computed.
//!
//! The figures in `tests/parity/golden` come from `tests/parity/run.py --write-golden`, which also compares live.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

#[path = "common/golden.rs"]
mod golden;

use std::path::PathBuf;
use std::sync::Mutex;

use hone_job::fs;

/// A step of the starter model takes gigabytes: one at a time.
static ENGINE: Mutex<()> = Mutex::new(());

/// The starter model's file, or nothing (said loudly, and refused where `HONE_REQUIRE_MODEL=1`).
fn starter_model() -> Option<PathBuf> {
    let path = hone_model::source::default_models_dir().unwrap().join("gemma-3-270m-q4_k_m.gguf");
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("HONE_REQUIRE_MODEL").is_none_or(|v| v != "1"), "no starter model at {}", path.display());
    println!("SKIPPED: no starter model at {}; `cargo xtask test` fetches it", path.display());
    None
}

fn check_step(case: &str) {
    let Some(model) = starter_model() else { return };
    let _alone = ENGINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    golden::check_step(&model, &format!("step-{case}.json"), "cpu");
}

#[test]
fn a_step_on_padded_answers_is_the_one_pytorch_makes() {
    check_step("answers");
}

#[test]
fn a_step_on_a_row_longer_than_the_sliding_window_is_the_one_pytorch_makes() {
    check_step("beyond-the-window");
}

#[test]
fn a_step_on_rows_padded_on_the_left_with_few_adapted_modules_is_the_one_pytorch_makes() {
    check_step("left-padded");
}

#[test]
fn logits_of_the_base_model_are_the_ones_transformers_computes() {
    let Some(model) = starter_model() else { return };
    let _alone = ENGINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let golden: golden::Logits = fs::read_json(&golden::golden_file("logits.json")).unwrap();
    for sequence in &golden.sequences {
        golden::check_logits(&model, sequence, "cpu");
    }
}
