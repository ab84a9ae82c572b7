//! Steps with label smoothing, focal loss, row weights and `DoRA` against what PyTorch and PEFT computed.
//!
//! `tests/parity/objectives.py` made the figures in `tests/parity/golden/objectives`, on the small models of every family.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

#[path = "common/golden.rs"]
#[allow(dead_code)] // logits are compared by the other tests
mod golden;

use hone_job::fs;

#[derive(serde::Deserialize)]
struct Figures {
    asked: Asked,
}

#[derive(serde::Deserialize)]
struct Asked {
    model: String,
}

/// Also with the operations of a graphics card, which computes every objective but no `DoRA`.
fn check(name: &str) {
    check_on(name, "cpu");
    check_on(name, &golden::card());
}

fn check_on(name: &str, device: &str) {
    let name = format!("objectives/{name}.json");
    let figures: Figures = fs::read_json(&golden::golden_file(&name)).unwrap();
    golden::check_step(&golden::golden_file(&figures.asked.model), &name, device);
}

#[test]
fn label_smoothing_is_that_of_pytorch() {
    check("label-smoothing");
    check("label-smoothing-weighted-capped");
}

#[test]
fn focal_loss_is_that_of_its_formula() {
    check("focal");
    check("focal-weighted-capped");
}

#[test]
fn rows_count_what_their_weights_say() {
    check("weighted");
}

#[test]
fn a_dora_step_is_the_one_peft_makes() {
    check_on("dora", "cpu");
    check_on("dora-bias", "cpu");
    check_on("dora-fused", "cpu");
}
