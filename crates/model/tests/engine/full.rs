//! Training the whole model.

use candle_core::quantized::GgmlDType;
use hone_model::weights::dequantise;
use hone_model::{Adapter, Decoder, StepOptions, WeightStorage, prove_gradients_of};

use crate::tiny;

fn step(decoder: &Decoder, adapter: &Adapter, checkpointing: bool) -> (f64, Vec<f32>) {
    let batch = tiny::pack(&tiny::sequences());
    let mut grads = vec![0.0; adapter.params().len()];
    let scale = 1.0 / batch.trained_weight() as f32;
    let options = StepOptions { checkpointing, ..StepOptions::default() };
    let sum = decoder.loss_and_gradients(adapter, &batch, scale, &options, &mut grads).unwrap();
    (sum.mean(), grads)
}

#[test]
fn the_untrained_copy_is_the_base_model() {
    for storage in [WeightStorage::Expanded, WeightStorage::Stored] {
        let decoder = tiny::decoder_of(GgmlDType::Q8_0, storage);
        let copy = decoder.trainable_copy().unwrap();
        let batch = tiny::pack(&tiny::sequences());
        assert_eq!(decoder.loss(Some(&copy), &batch).unwrap(), decoder.loss(None, &batch).unwrap());
    }
}

#[test]
fn every_number_gets_its_gradient_by_finite_differences() {
    let decoder = tiny::decoder();
    let copy = decoder.trainable_copy().unwrap();
    prove_gradients_of(&decoder, &copy).unwrap();
    let (_, grads) = step(&decoder, &copy, false);
    assert_eq!(grads, step(&decoder, &copy, true).1);
    // The whole at once, then each kind of tensor alone, the others' gradients held at zero.
    let names: Vec<(String, std::ops::Range<usize>)> = copy.places();
    let kinds = [
        "",
        "attn_norm",
        "attn_q.",
        "attn_k.",
        "attn_v",
        "attn_q_norm",
        "attn_k_norm",
        "attn_output",
        "post_attention",
        "ffn_norm",
        "ffn_gate",
        "ffn_up",
        "ffn_down",
        "post_ffw",
        "output_norm",
        "token_embd",
    ];
    for kind in kinds {
        let mut direction = vec![0.0f32; grads.len()];
        for (_, range) in names.iter().filter(|(name, _)| name.contains(kind)) {
            direction[range.clone()].copy_from_slice(&grads[range.clone()]);
        }
        let norm = direction.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        assert!(norm > 0.0, "nothing reaches `{kind}`");
        let moved = |by: f64| {
            let mut moved = copy.clone();
            for (value, along) in moved.params_mut().iter_mut().zip(&direction) {
                *value += (by * f64::from(*along) / norm) as f32;
            }
            step(&decoder, &moved, false).0
        };
        let measured = (moved(4e-3) - moved(-4e-3)) / 8e-3;
        assert!((measured / norm - 1.0).abs() < 2e-2, "`{kind}`: measured {measured}, the gradient says {norm}");
    }
}

#[test]
fn what_was_trained_comes_back_and_replaces_the_tensors_of_the_file() {
    let tiny = tiny::model(GgmlDType::F32);
    let decoder = Decoder::load(&tiny.file, &hone_job::Job::silent()).unwrap();
    let mut tuned = decoder.trainable_copy().unwrap();
    for (at, value) in tuned.params_mut().iter_mut().enumerate() {
        *value += (at % 7) as f32 * 0.01;
    }
    let folder = tempfile::tempdir().unwrap();
    tuned.save(folder.path(), "tiny").unwrap();
    assert_eq!(Adapter::load(folder.path(), decoder.config()).unwrap(), tuned);
    let mut names = tuned.touched();
    names.sort_unstable();
    let mut expected: Vec<String> = tiny.file.tensors().iter().map(|tensor| tensor.name.clone()).collect();
    expected.sort_unstable();
    assert_eq!(names, expected, "every tensor of the file is trained");
    for (name, range) in tuned.places() {
        let mut weight = dequantise(&tiny.file, tiny.file.tensor(&name).unwrap()).unwrap();
        assert!(tuned.merge_into(&name, &mut weight).unwrap());
        assert_eq!(weight, &tuned.params()[range]);
    }
    let mut other = decoder.config().clone();
    other.layers.truncate(5);
    assert!(Adapter::load(folder.path(), &other).is_err());
}
