use serde::Deserialize;

use super::*;
use crate::gradients;

/// What `PyTorch` did; made by `fixtures/adamw.py`.
#[derive(Deserialize)]
struct Reference {
    steps: Vec<Case>,
    clipping: Vec<Clipping>,
}

#[derive(Deserialize)]
struct Case {
    betas: [f64; 2],
    eps: f64,
    weight_decay: f64,
    learning_rates: Vec<f64>,
    start: Vec<f32>,
    grads: Vec<Vec<f32>>,
    params: Vec<Vec<f32>>,
    exp_avg: Vec<f32>,
    exp_avg_sq: Vec<f32>,
}

#[derive(Deserialize)]
struct Clipping {
    limit: f64,
    grads: Vec<f32>,
    norm: f64,
    clipped: Vec<f32>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../fixtures/adamw.json")).unwrap()
}

#[track_caller]
fn check(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        // Two roundings apart at most: the library may fuse a multiplication with an addition.
        let allowed = 4.0 * f32::EPSILON * expected.abs().max(1e-3);
        assert!((found - expected).abs() <= allowed, "{what}: {found}, PyTorch {expected}");
    }
}

#[test]
fn steps_are_those_of_pytorch() {
    for case in reference().steps {
        let config =
            OptimiserConfig { betas: case.betas, eps: case.eps, weight_decay: case.weight_decay, eight_bit: false };
        let mut optimiser = AdamW::new(&config, case.start.len());
        let mut params = case.start.clone();
        for (step, expected) in case.params.iter().enumerate() {
            optimiser.step(&mut params, &case.grads[step], case.learning_rates[step]).unwrap();
            check(&format!("parameters after step {}", step + 1), &params, expected);
        }
        let Moments::Full { exp_avg, exp_avg_sq } = optimiser.moments() else { panic!("the state is f32") };
        check("exp_avg", exp_avg, &case.exp_avg);
        check("exp_avg_sq", exp_avg_sq, &case.exp_avg_sq);
    }
}

#[test]
fn a_restored_optimiser_goes_on_to_the_same_bits() {
    for (case, eight_bit) in reference().steps.into_iter().zip([false, true, true]) {
        let config = OptimiserConfig { betas: case.betas, eps: case.eps, weight_decay: case.weight_decay, eight_bit };
        let mut unbroken = AdamW::new(&config, case.start.len());
        let mut params = case.start.clone();
        for step in 0..3 {
            unbroken.step(&mut params, &case.grads[step], case.learning_rates[step]).unwrap();
        }
        let mut restored = AdamW::restore(&config, unbroken.steps(), unbroken.moments().clone()).unwrap();
        let mut other = params.clone();
        for step in 3..6 {
            unbroken.step(&mut params, &case.grads[step], case.learning_rates[step]).unwrap();
            restored.step(&mut other, &case.grads[step], case.learning_rates[step]).unwrap();
        }
        assert_eq!(params, other);
        assert_eq!(unbroken, restored);
    }
}

#[test]
fn gradients_are_clipped_as_pytorch_clips_them() {
    for case in reference().clipping {
        let mut found = case.grads.clone();
        let norm = gradients::global_norm(&found);
        assert!((norm - case.norm).abs() < 1e-6 * norm, "{norm}, PyTorch {}", case.norm);
        gradients::clip(&mut found, norm, case.limit);
        check("clipped", &found, &case.clipped);
    }
}

#[test]
fn buffers_of_another_length_are_refused() {
    let mut optimiser = AdamW::new(&OptimiserConfig::default(), 3);
    assert!(optimiser.step(&mut [0.0; 2], &[0.0; 3], 0.1).is_err());
    assert!(optimiser.step(&mut [0.0; 3], &[0.0; 4], 0.1).is_err());
    let uneven = Moments::Full { exp_avg: vec![0.0; 3], exp_avg_sq: vec![0.0; 2] };
    assert!(AdamW::restore(&OptimiserConfig::default(), 1, uneven).is_err());
    assert!(AdamW::restore(&OptimiserConfig::default(), 1, Moments::zeros(3, true)).is_err());
    assert_eq!(optimiser.steps(), 0);
}

#[test]
fn a_state_of_eight_bits_steers_where_that_of_32_bits_does() {
    // A bowl of 2,000 numbers whose sides differ in steepness by four decades, and gradients with noise on them.
    let len = 2000;
    let steepness = |at: usize| 10f32.powf(at as f32 / len as f32 * 4.0 - 3.0);
    let run = |eight_bit: bool| {
        let config = OptimiserConfig { weight_decay: 0.0, eight_bit, ..OptimiserConfig::default() };
        let mut optimiser = AdamW::new(&config, len);
        let mut params = vec![1.0f32; len];
        for step in 0..200 {
            let noise = |at: usize| 1.0 + 0.3 * ((at * 31 + step * 17) as f32).sin();
            let grads: Vec<f32> = params.iter().enumerate().map(|(at, p)| steepness(at) * p * noise(at)).collect();
            optimiser.step(&mut params, &grads, 1e-2).unwrap();
        }
        params
    };
    let (full, eight) = (run(false), run(true));
    let distance: f64 = full.iter().zip(&eight).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    let way: f64 = full.iter().map(|a| f64::from(a - 1.0).powi(2)).sum::<f64>().sqrt();
    assert!(distance < 0.03 * way, "{distance} apart after a way of {way}");
    assert!(distance > 0.0);
}
