//! The engine for graphics cards, on candle's CPU device, against the fused kernels.

use std::path::Path;

use candle_core::quantized::GgmlDType;
use hone_job::{Explain, Job};
use hone_model::{
    Batch, Decoder, Device, LoraConfig, ModelError, ModelFile, Objective, Placement, Precision, StepOptions,
    TargetModule, prove_gradients,
};

use crate::tiny::{self, step};

/// Largest relative difference of losses, and of each tensor's gradient.
const CLOSE: f64 = 1e-4;
const FAMILIES: [&str; 12] = [
    "gemma2",
    "gemma3",
    "llama3",
    "mistral",
    "phi3",
    "phi4-mini",
    "qwen2",
    "qwen2-yarn",
    "qwen3",
    "smollm2",
    "tinyllama",
    "yi",
];

/// The same model for the fused kernels and for the tensors of a card.
struct Two {
    fused: Decoder,
    tensors: Decoder,
}

fn two(file: &ModelFile) -> Two {
    Two { fused: Decoder::load(file, &Job::silent()).unwrap(), tensors: on_tensors(file, Precision::F32) }
}

fn on_tensors(file: &ModelFile, precision: Precision) -> Decoder {
    let placement = Placement { device: tested(), precision, ..Placement::default() };
    Decoder::load_on(file, placement, &Job::silent()).unwrap()
}

/// candle's CPU device, or a card: `HONE_TEST_DEVICE=cuda:0` with the feature `cuda`.
fn tested() -> Device {
    std::env::var("HONE_TEST_DEVICE").map_or(Device::CpuTensors, |device| device.parse().unwrap())
}

fn family(name: &str) -> ModelFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/parity/golden/families/{name}.gguf"));
    ModelFile::open(&path).unwrap()
}

fn seven() -> LoraConfig {
    tiny::lora(&TargetModule::SEVEN)
}

/// Sequences that cross blocks of queries and windows, short ones between them, one of a single token.
fn batch(vocabulary: usize) -> Batch {
    let mut sequences = tiny::sequences();
    sequences.push(tiny::sequence(5, 300, |at| at % 2 == 0));
    for (ids, labels) in &mut sequences {
        for (id, label) in ids.iter_mut().zip(labels) {
            *id %= vocabulary as u32;
            *label = if *label < 0 { *label } else { i64::from(*id) };
        }
    }
    tiny::pack(&sequences)
}

/// Loss and every gradient of one step, both ways.
#[track_caller]
fn check(what: &str, two: &Two, lora: &LoraConfig, batch: &Batch, options: &StepOptions) {
    let adapter = tiny::adapter(&two.fused, lora);
    let (expected, expected_grads) = step(&two.fused, &adapter, batch, options);
    let (sum, grads) = step(&two.tensors, &adapter, batch, options);
    let apart = (sum.nats / expected.nats - 1.0).abs();
    assert!(apart < CLOSE, "{what}: the loss is {} instead of {}", sum.mean(), expected.mean());
    assert_eq!((sum.tokens, sum.weight), (expected.tokens, expected.weight), "{what}");
    let mut worst = (0.0, "");
    for tensor in adapter.tensors() {
        let range = tensor.range.clone();
        let distance = tiny::distance(&grads[range.clone()], &expected_grads[range]);
        if distance > worst.0 {
            worst = (distance, tensor.name.as_str());
        }
    }
    println!("{what}: loss off by {apart:.1e}, `{}` by {:.1e}", worst.1, worst.0);
    assert!(worst.0 < CLOSE, "{what}: the gradient of `{}` is off by {:e}", worst.1, worst.0);
}

#[test]
fn every_family_gives_the_loss_and_gradients_of_the_fused_kernels() {
    for name in FAMILIES {
        let two = two(&family(name));
        let batch = batch(two.fused.config().vocabulary_size);
        check(name, &two, &seven(), &batch, &StepOptions::default());
        prove_gradients(&two.tensors, &seven()).unwrap();
    }
}

#[test]
fn dropout_noise_weights_and_recomputing_agree() {
    for name in ["gemma2", "phi3", "qwen2"] {
        let two = two(&family(name));
        let mut batch = batch(two.fused.config().vocabulary_size);
        batch.weights = vec![2.0, 1.0, 0.5, 0.0, 1.5];
        let lora = LoraConfig { dropout: 0.2, ..seven() };
        let kept = StepOptions { dropout_seed: Some(5), neftune_alpha: 5.0, ..StepOptions::default() };
        check(name, &two, &lora, &batch, &kept);
        let adapter = tiny::adapter(&two.tensors, &lora);
        let again = StepOptions { checkpointing: true, ..kept };
        assert_eq!(step(&two.tensors, &adapter, &batch, &kept), step(&two.tensors, &adapter, &batch, &again));
    }
}

#[test]
fn every_objective_agrees_with_and_without_a_cap() {
    for name in ["gemma2", "llama3"] {
        let two = two(&family(name));
        let batch = batch(two.fused.config().vocabulary_size);
        for (label_smoothing, focal_gamma) in [(0.1, 0.0), (0.0, 2.0)] {
            let objective = Objective { label_smoothing, focal_gamma };
            check(name, &two, &seven(), &batch, &StepOptions { objective, ..StepOptions::default() });
        }
    }
}

#[test]
fn some_projections_and_stored_weights_and_many_targets_agree() {
    let tiny = tiny::model(GgmlDType::Q8_0);
    let two = two(&tiny.file);
    let long = tiny::pack(&[tiny::sequence(6, 700, |_| true)]);
    let modules = [TargetModule::KProj, TargetModule::VProj, TargetModule::UpProj];
    check("q8_0", &two, &tiny::lora(&modules), &long, &StepOptions::default());
}

#[test]
fn held_out_loss_and_logits_agree() {
    for name in ["gemma2", "gemma3", "qwen2"] {
        let two = two(&family(name));
        let batch = batch(two.fused.config().vocabulary_size);
        let adapter = tiny::adapter(&two.fused, &seven());
        for adapter in [None, Some(&adapter)] {
            let losses = |decoder: &Decoder| decoder.token_losses(adapter, &batch).unwrap();
            let far = |(a, b): (&f64, &f64)| (a - b).abs() > CLOSE * b.abs().max(1.0);
            let (fused, tensors) = (losses(&two.fused), losses(&two.tensors));
            assert!(fused.len() == tensors.len() && !tensors.iter().zip(&fused).any(far), "{name}");
            let logits = |decoder: &Decoder| decoder.logits(adapter, &batch.ids[..40]).unwrap();
            assert!(tiny::distance(&logits(&two.tensors), &logits(&two.fused)) < CLOSE, "{name}");
        }
    }
}

#[test]
fn half_the_bits_give_about_the_same_step_in_half_the_memory() {
    let file = family("llama3");
    let fused = Decoder::load(&file, &Job::silent()).unwrap();
    let batch = batch(fused.config().vocabulary_size);
    let adapter = tiny::adapter(&fused, &seven());
    let (expected, expected_grads) = step(&fused, &adapter, &batch, &StepOptions::default());
    for (precision, of_loss, of_gradients) in [(Precision::Bf16, 1e-2, 5e-2), (Precision::F16, 1e-3, 1e-2)] {
        let half = on_tensors(&file, precision);
        assert_eq!(half.weight_bytes() * 2, on_tensors(&file, Precision::F32).weight_bytes());
        let (sum, grads) = step(&half, &adapter, &batch, &StepOptions::default());
        assert!((sum.nats / expected.nats - 1.0).abs() < of_loss, "{} instead of {}", sum.mean(), expected.mean());
        let distance = tiny::distance(&grads, &expected_grads);
        assert!(distance < of_gradients, "{precision}: gradients are off by {distance:e}");
    }
}

#[test]
fn weights_that_f16_has_no_number_for_are_refused() {
    let tiny = tiny::model(GgmlDType::F32);
    let path = tiny.file.path();
    let at = tiny.file.tensor("blk.1.ffn_up.weight").unwrap().offset as usize;
    let mut bytes = hone_job::fs::read(path).unwrap();
    bytes[at..at + 4].copy_from_slice(&70_000f32.to_le_bytes());
    let large = path.with_file_name("large.gguf");
    hone_job::fs::write_atomic(&large, &bytes).unwrap();
    let file = ModelFile::open(&large).unwrap();
    let load = |precision| {
        let placement = Placement { device: tested(), precision, ..Placement::default() };
        Decoder::load_on(&file, placement, &Job::silent())
    };
    assert!(load(Precision::Bf16).is_ok());
    let error = load(Precision::F16).unwrap_err();
    assert!(error.to_string().contains("too large for f16") && error.hint().unwrap().contains("`bf16`"), "{error}");
}

#[test]
fn a_decoder_on_a_device_writes_what_it_writes_on_the_processor() {
    let two = two(&family("gemma3"));
    let options = hone_model::GenerateOptions { max_tokens: 8, ..Default::default() };
    let adapter = tiny::adapter(&two.fused, &seven());
    let write = |decoder: &Decoder| {
        let prompts = [vec![3, 5, 7, 11]];
        decoder.generate(Some(&adapter), &prompts, &options, &mut |_, _| std::ops::ControlFlow::Continue(())).unwrap()
    };
    assert_eq!(write(&two.tensors), write(&two.fused));
}

#[test]
fn what_a_card_does_not_compute_is_refused_by_name_with_what_to_choose_instead() {
    let two = two(&family("llama3"));
    let dora = two.tensors.fresh_adapter(&LoraConfig { use_dora: true, ..seven() }, 1).unwrap();
    let full = two.tensors.trainable_copy().unwrap();
    let batch = batch(two.fused.config().vocabulary_size);
    for (adapter, name, advice) in [(&dora, "DoRA", "lora.use_dora"), (&full, "whole model", "`method`")] {
        let mut grads = vec![0.0; adapter.params().len()];
        let options = StepOptions::default();
        let refused = [
            two.tensors.loss_and_gradients(adapter, &batch, 1.0, &options, &mut grads).unwrap_err(),
            two.tensors.loss(Some(adapter), &batch).unwrap_err(),
            two.tensors.logits(Some(adapter), &batch.ids).unwrap_err(),
        ];
        for error in refused {
            assert!(matches!(error, ModelError::Device { .. }), "{error}");
            assert!(error.to_string().contains(name) && error.hint().unwrap().contains(advice), "{error}");
        }
    }
}
