//! Losses other than cross-entropy, weights of sequences, noise on the input, DoRA.

use hone_model::lora::LoraPart;
use hone_model::{
    Adapter, Batch, Decoder, LoraConfig, ModelError, Objective, StepOptions, TargetModule, prove_gradients,
};

use crate::tiny::{self, step};

/// Along its own direction the mean loss must rise by the gradient's norm.
#[track_caller]
fn check_gradient(decoder: &Decoder, adapter: &Adapter, batch: &Batch, options: &StepOptions) {
    let (_, grads) = step(decoder, adapter, batch, options);
    let norm = grads.iter().map(|grad| f64::from(*grad).powi(2)).sum::<f64>().sqrt();
    let moved = |by: f64| {
        let mut moved = adapter.clone();
        for (value, grad) in moved.params_mut().iter_mut().zip(&grads) {
            *value += (by * f64::from(*grad) / norm) as f32;
        }
        step(decoder, &moved, batch, options).0.mean()
    };
    let measured = (moved(2e-3) - moved(-2e-3)) / 4e-3;
    assert!((measured / norm - 1.0).abs() < 5e-3, "measured {measured}, the gradient says {norm}");
}

#[test]
fn the_gradient_of_every_loss_is_that_of_finite_differences() {
    let decoder = tiny::decoder();
    let adapter = tiny::adapter(&decoder, &tiny::lora(&TargetModule::SEVEN));
    let mut batch = tiny::pack(&tiny::sequences());
    batch.weights = vec![2.0, 1.0, 0.5, 0.0];
    for (label_smoothing, focal_gamma) in [(0.0, 0.0), (0.1, 0.0), (0.0, 2.0)] {
        let objective = Objective { label_smoothing, focal_gamma };
        check_gradient(&decoder, &adapter, &batch, &StepOptions { objective, ..StepOptions::default() });
    }
    let noisy =
        StepOptions { dropout_seed: Some(4), neftune_alpha: 5.0, checkpointing: true, ..StepOptions::default() };
    check_gradient(&decoder, &adapter, &batch, &noisy);
}

#[test]
fn a_sequence_that_counts_twice_is_a_sequence_that_comes_twice() {
    let decoder = tiny::decoder();
    let adapter = tiny::adapter(&decoder, &tiny::lora(&TargetModule::SEVEN));
    let sequences = tiny::sequences();
    let twice = tiny::pack(&[sequences[0].clone(), sequences[0].clone(), sequences[2].clone()]);
    let mut weighted = tiny::pack(&[sequences[0].clone(), sequences[2].clone(), sequences[3].clone()]);
    weighted.weights = vec![2.0, 1.0, 0.0];
    for objective in [Objective::default(), Objective { label_smoothing: 0.1, focal_gamma: 0.0 }] {
        let options = StepOptions { objective, ..StepOptions::default() };
        let (expected, expected_grads) = step(&decoder, &adapter, &twice, &options);
        let (sum, grads) = step(&decoder, &adapter, &weighted, &options);
        assert!((sum.mean() / expected.mean() - 1.0).abs() < 1e-6);
        assert!((sum.weight - expected.weight).abs() < 1e-9);
        assert!(tiny::distance(&grads, &expected_grads) < 1e-5);
    }
}

#[test]
fn noise_follows_its_seed_and_is_off_without_one() {
    let decoder = tiny::decoder();
    let adapter = tiny::adapter(&decoder, &tiny::lora(&TargetModule::SEVEN));
    let batch = tiny::pack(&tiny::sequences());
    let with = |dropout_seed| {
        step(&decoder, &adapter, &batch, &StepOptions { dropout_seed, neftune_alpha: 5.0, ..StepOptions::default() })
    };
    assert_eq!(with(Some(1)), with(Some(1)));
    assert_ne!(with(Some(1)).1, with(Some(2)).1);
    assert_eq!(with(None), step(&decoder, &adapter, &batch, &StepOptions::default()));
}

#[test]
fn weights_and_settings_that_make_no_sense_are_refused() {
    let decoder = tiny::decoder();
    let adapter = tiny::adapter(&decoder, &tiny::lora(&TargetModule::SEVEN));
    let with = |weights: &[f32], label_smoothing: f32| {
        let mut batch = tiny::pack(&tiny::sequences());
        batch.weights = weights.to_vec();
        let objective = Objective { label_smoothing, focal_gamma: 0.0 };
        let options = StepOptions { objective, ..StepOptions::default() };
        decoder.loss_and_gradients(&adapter, &batch, 1.0, &options, &mut vec![0.0; adapter.params().len()])
    };
    assert!(matches!(with(&[1.0], 0.0), Err(ModelError::Length { .. })));
    assert!(matches!(with(&[1.0, -1.0, 1.0, 1.0], 0.0), Err(ModelError::Batch { .. })));
    assert!(matches!(with(&[], 2.0), Err(ModelError::Objective { .. })));
}

fn dora() -> LoraConfig {
    LoraConfig { use_dora: true, ..tiny::lora(&TargetModule::SEVEN) }
}

#[test]
fn a_fresh_dora_adapter_changes_nothing_and_every_part_of_it_learns() {
    let decoder = tiny::decoder();
    let batch = tiny::pack(&tiny::sequences());
    let fresh = decoder.fresh_adapter(&dora(), 1).unwrap();
    let (base, with) = (decoder.loss(None, &batch).unwrap(), decoder.loss(Some(&fresh), &batch).unwrap());
    assert!((with.nats / base.nats - 1.0).abs() < 1e-6, "{with:?} instead of {base:?}");
    prove_gradients(&decoder, &dora()).unwrap();
    let magnitudes = fresh.tensors().iter().filter(|tensor| tensor.part == LoraPart::Magnitude);
    assert_eq!(magnitudes.count(), 7 * 7);
}

#[test]
fn a_dora_step_is_the_same_with_checkpointing_and_by_finite_differences_of_the_magnitudes() {
    let decoder = tiny::decoder();
    let adapter = tiny::adapter(&decoder, &LoraConfig { dropout: 0.2, ..dora() });
    let batch = tiny::pack(&tiny::sequences());
    let options = StepOptions { dropout_seed: Some(2), ..StepOptions::default() };
    let (_, mut grads) = step(&decoder, &adapter, &batch, &options);
    assert_eq!(grads, step(&decoder, &adapter, &batch, &StepOptions { checkpointing: true, ..options }).1);
    // The denominator moves with A and B, which the gradient leaves out on purpose: only the magnitudes are moved.
    for tensor in adapter.tensors().iter().filter(|tensor| tensor.part != LoraPart::Magnitude) {
        grads[tensor.range.clone()].fill(0.0);
    }
    let norm = grads.iter().map(|grad| f64::from(*grad).powi(2)).sum::<f64>().sqrt();
    let moved = |by: f64| {
        let mut moved = adapter.clone();
        for (value, grad) in moved.params_mut().iter_mut().zip(&grads) {
            *value += (by * f64::from(*grad) / norm) as f32;
        }
        step(&decoder, &moved, &batch, &options).0.mean()
    };
    let measured = (moved(2e-3) - moved(-2e-3)) / 4e-3;
    assert!((measured / norm - 1.0).abs() < 5e-3, "measured {measured}, the gradient says {norm}");
}

#[test]
fn a_dora_adapter_comes_back_from_its_peft_folder_and_merges_to_the_trained_lengths() {
    let decoder = tiny::decoder();
    let adapter = tiny::adapter(&decoder, &dora());
    let folder = tempfile::tempdir().unwrap();
    adapter.save_peft(folder.path(), "tiny").unwrap();
    assert_eq!(Adapter::load_peft(folder.path(), decoder.config()).unwrap(), adapter);
    let named = |name: &str| adapter.tensors().iter().find(|tensor| tensor.name == name).unwrap();
    let lengths = named("base_model.model.model.layers.2.mlp.down_proj.lora_magnitude_vector");
    let [out, input] = TargetModule::DownProj.shape(decoder.config());
    assert_eq!(lengths.shape, [out]);
    let mut weight: Vec<f32> = (0..out * input).map(|at| (at as f32).sin()).collect();
    assert!(adapter.merge_into("blk.2.ffn_down.weight", &mut weight).unwrap());
    for (row, wanted) in weight.chunks(input).zip(&adapter.params()[lengths.range.clone()]) {
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!((length - wanted.abs()).abs() < 1e-5, "{length} instead of {wanted}");
    }
}
