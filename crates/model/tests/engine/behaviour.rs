//! What must hold whatever the numbers are.

use candle_core::quantized::GgmlDType;
use hone_model::lora::LoraPart;
use hone_model::{
    Adapter, Batch, Decoder, LoraConfig, ModelError, StepOptions, TargetModule, WeightStorage, prove_gradients,
};

use crate::tiny::{self, VOCABULARY};

fn gradients(decoder: &Decoder, adapter: &Adapter, batch: &Batch, options: &StepOptions) -> (f64, Vec<f32>) {
    let mut grads = vec![0.0; adapter.params().len()];
    let loss = decoder.loss_and_gradients(adapter, batch, 0.01, options, &mut grads).unwrap();
    (loss.nats, grads)
}

/// A step whose dropout and noise are drawn by `dropout_seed`.
fn seeded(dropout_seed: Option<u64>) -> StepOptions {
    StepOptions { dropout_seed, ..StepOptions::default() }
}

#[test]
fn packed_sequences_give_what_they_give_one_by_one() {
    let decoder = tiny::decoder();
    let adapter = tiny::adapter(&decoder, &tiny::lora(&TargetModule::SEVEN));
    let sequences = tiny::sequences();
    let (packed_nats, packed) = gradients(&decoder, &adapter, &tiny::pack(&sequences), &seeded(None));
    let mut nats = 0.0;
    let mut grads = vec![0.0; adapter.params().len()];
    for sequence in &sequences {
        let batch = tiny::pack(std::slice::from_ref(sequence));
        nats += decoder.loss_and_gradients(&adapter, &batch, 0.01, &seeded(None), &mut grads).unwrap().nats;
    }
    assert!((packed_nats / nats - 1.0).abs() < 1e-6, "{packed_nats} against {nats}");
    assert!(tiny::distance(&packed, &grads) < 1e-5);
}

#[test]
fn checkpointing_changes_no_bit_also_with_dropout() {
    let decoder = tiny::decoder();
    let config = LoraConfig { dropout: 0.2, ..tiny::lora(&TargetModule::SEVEN) };
    let adapter = tiny::adapter(&decoder, &config);
    let batch = tiny::pack(&tiny::sequences());
    for dropout_seed in [None, Some(5)] {
        let kept = gradients(&decoder, &adapter, &batch, &seeded(dropout_seed));
        let recomputed =
            gradients(&decoder, &adapter, &batch, &StepOptions { checkpointing: true, ..seeded(dropout_seed) });
        assert_eq!(kept, recomputed);
    }
}

#[test]
fn dropout_follows_its_seed_and_is_off_outside_training() {
    let decoder = tiny::decoder();
    let config = LoraConfig { dropout: 0.2, ..tiny::lora(&TargetModule::SEVEN) };
    let adapter = tiny::adapter(&decoder, &config);
    let batch = tiny::pack(&tiny::sequences());
    let with = |seed| gradients(&decoder, &adapter, &batch, &seeded(seed));
    assert_eq!(with(Some(1)), with(Some(1)));
    assert_ne!(with(Some(1)).0, with(Some(2)).0);
    assert_ne!(with(Some(1)).0, with(None).0);
    let without = decoder.loss(Some(&adapter), &batch).unwrap().nats;
    assert!((without / with(None).0 - 1.0).abs() < 1e-9);
}

#[test]
fn the_gradient_with_dropout_is_that_of_finite_differences() {
    let decoder = tiny::decoder();
    let config = LoraConfig { dropout: 0.3, ..tiny::lora(&TargetModule::SEVEN) };
    let adapter = tiny::adapter(&decoder, &config);
    let batch = tiny::pack(&tiny::sequences());
    let options = StepOptions { checkpointing: true, ..seeded(Some(3)) };
    let (_, grads) = gradients(&decoder, &adapter, &batch, &options);
    let norm = grads.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
    // Along the gradient itself the loss rises by the gradient's norm.
    let moved = |step: f64| {
        let mut moved = adapter.clone();
        for (value, grad) in moved.params_mut().iter_mut().zip(&grads) {
            *value += (step * f64::from(*grad) / norm) as f32;
        }
        gradients(&decoder, &moved, &batch, &options).0 * 0.01
    };
    let measured = (moved(2e-3) - moved(-2e-3)) / 4e-3;
    assert!((measured / norm - 1.0).abs() < 5e-3, "measured {measured}, gradient says {norm}");
}

#[test]
fn gradients_add_to_what_is_there() {
    let decoder = tiny::decoder();
    let adapter = tiny::adapter(&decoder, &tiny::lora(&TargetModule::SEVEN));
    let batch = tiny::pack(&tiny::sequences());
    let (_, once) = gradients(&decoder, &adapter, &batch, &seeded(None));
    let mut twice = once.clone();
    decoder.loss_and_gradients(&adapter, &batch, 0.01, &seeded(None), &mut twice).unwrap();
    let doubled: Vec<f32> = once.iter().map(|g| 2.0 * g).collect();
    assert!(tiny::distance(&twice, &doubled) < 1e-6);
}

#[test]
fn the_same_step_gives_the_same_bits() {
    let decoder = tiny::decoder();
    let adapter = tiny::adapter(&decoder, &tiny::lora(&TargetModule::SEVEN));
    let batch = tiny::pack(&tiny::sequences());
    assert_eq!(
        gradients(&decoder, &adapter, &batch, &seeded(None)),
        gradients(&decoder, &adapter, &batch, &seeded(None))
    );
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let decoder = tiny::decoder();
    let config = LoraConfig { dropout: 0.2, ..tiny::lora(&TargetModule::SEVEN) };
    let adapter = tiny::adapter(&decoder, &config);
    let batch = tiny::pack(&tiny::sequences());
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| gradients(&decoder, &adapter, &batch, &seeded(Some(3))))
    };
    assert_eq!(with(1), with(2));
    assert_eq!(with(1), with(5));
}

#[test]
fn weights_kept_as_stored_give_the_same_bits_as_expanded_ones() {
    for dtype in [GgmlDType::Q8_0, GgmlDType::Q5_0, GgmlDType::BF16] {
        let expanded = tiny::decoder_of(dtype, WeightStorage::Expanded);
        let stored = tiny::decoder_of(dtype, WeightStorage::Stored);
        assert!(stored.weight_bytes() < expanded.weight_bytes());
        let adapter = tiny::adapter(&expanded, &tiny::lora(&TargetModule::SEVEN));
        let batch = tiny::pack(&tiny::sequences());
        assert_eq!(
            gradients(&expanded, &adapter, &batch, &seeded(None)),
            gradients(&stored, &adapter, &batch, &seeded(None))
        );
    }
}

#[test]
fn a_fresh_adapter_changes_nothing_and_a_trained_one_merged_gives_the_tuned_model() {
    let decoder = tiny::decoder();
    let config = tiny::lora(&TargetModule::SEVEN);
    let batch = tiny::pack(&tiny::sequences());
    let base = decoder.loss(None, &batch).unwrap();
    let fresh = Adapter::new(decoder.config(), &config, 1).unwrap();
    assert_eq!(decoder.loss(Some(&fresh), &batch).unwrap(), base);
    let tuned = tiny::adapter(&decoder, &config);
    assert_ne!(decoder.loss(Some(&tuned), &batch).unwrap(), base);
}

#[test]
fn merging_adds_the_scaled_product_to_the_weight_of_that_name_only() {
    let decoder = tiny::decoder();
    let adapter = tiny::adapter(&decoder, &tiny::lora(&[TargetModule::KProj]));
    let [out, input] = TargetModule::KProj.shape(decoder.config());
    let mut weight = vec![1.0; out * input];
    assert!(adapter.merge_into("blk.2.attn_k.weight", &mut weight).unwrap());
    let of = |part| {
        let tensor = adapter.tensors().iter().find(|tensor| tensor.layer == 2 && tensor.part == part).unwrap();
        &adapter.params()[tensor.range.clone()]
    };
    let (a, b) = (of(LoraPart::A), of(LoraPart::B));
    // Row 5, column 7, rank 3, alpha 6.
    let expected = 1.0 + 2.0 * (0..3).map(|r| b[5 * 3 + r] * a[r * input + 7]).sum::<f32>();
    assert!((weight[5 * input + 7] - expected).abs() < 1e-6);
    for untouched in ["blk.2.attn_q.weight", "token_embd.weight", "blk.2.attn_k_norm.weight"] {
        assert!(!adapter.merge_into(untouched, &mut weight).unwrap(), "{untouched}");
    }
    assert!(matches!(
        adapter.merge_into("blk.2.attn_k.weight", &mut [0.0; 3]),
        Err(ModelError::AdapterMismatch { .. })
    ));
}

#[test]
fn a_peft_folder_brings_back_the_adapter() {
    let decoder = tiny::decoder();
    let config =
        LoraConfig { dropout: 0.05, use_rslora: true, ..tiny::lora(&[TargetModule::QProj, TargetModule::UpProj]) };
    let adapter = tiny::adapter(&decoder, &config);
    let folder = tempfile::tempdir().unwrap();
    adapter.save_peft(folder.path(), "tiny").unwrap();
    assert_eq!(Adapter::load_peft(folder.path(), decoder.config()).unwrap(), adapter);

    let json: serde_json::Value = hone_job::fs::read_json(&folder.path().join("adapter_config.json")).unwrap();
    assert_eq!(json["peft_type"], "LORA");
    assert_eq!(json["target_modules"], serde_json::json!(["q_proj", "up_proj"]));
    let names: Vec<&str> = adapter.tensors().iter().map(|tensor| tensor.name.as_str()).collect();
    assert!(names.contains(&"base_model.model.model.layers.6.self_attn.q_proj.lora_A.weight"));
    assert!(names.contains(&"base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"));
}

#[test]
fn a_peft_folder_of_another_model_is_refused_with_its_tensor() {
    let decoder = tiny::decoder();
    let adapter = tiny::adapter(&decoder, &tiny::lora(&[TargetModule::QProj]));
    let folder = tempfile::tempdir().unwrap();
    adapter.save_peft(folder.path(), "tiny").unwrap();
    let mut other = decoder.config().clone();
    other.layers.push(other.layers[0]);
    let error = Adapter::load_peft(folder.path(), &other).unwrap_err().to_string();
    assert!(error.contains("layers.7.self_attn.q_proj.lora_A.weight` is missing"), "{error}");
    other.layers.truncate(5);
    let error = Adapter::load_peft(folder.path(), &other).unwrap_err().to_string();
    assert!(error.contains("belongs to no projection"), "{error}");
}

/// An adapter as PEFT saved it, with other fields in its configuration.
fn with_fields(decoder: &Decoder, fields: &[(&str, serde_json::Value)]) -> (tempfile::TempDir, Adapter) {
    let adapter = tiny::adapter(decoder, &tiny::lora(&[TargetModule::QProj, TargetModule::UpProj]));
    let folder = tempfile::tempdir().unwrap();
    adapter.save_peft(folder.path(), "tiny").unwrap();
    let path = folder.path().join("adapter_config.json");
    let mut json: serde_json::Map<String, serde_json::Value> = hone_job::fs::read_json(&path).unwrap();
    json.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    hone_job::fs::write_json(&path, &json).unwrap();
    (folder, adapter)
}

#[test]
fn target_modules_in_each_of_pefts_forms_are_the_same_adapter() {
    let decoder = tiny::decoder();
    // `all-linear` is saved as whole paths, a regular expression as it is; what PEFT 0.21 writes besides changes nothing.
    let paths = serde_json::json!(["model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj"]);
    for form in [paths, serde_json::json!(r".*\.(q|up)_proj")] {
        let besides = [("alora_invocation_tokens", serde_json::Value::Null), ("loftq_config", serde_json::json!({}))];
        let fields =
            [("target_modules", form), ("init_lora_weights", true.into()), ("megatron_core", "megatron.core".into())];
        let (folder, adapter) = with_fields(&decoder, &[&fields[..], &besides[..]].concat());
        assert_eq!(Adapter::load_peft(folder.path(), decoder.config()).unwrap(), adapter);
    }
}

#[test]
fn an_adapter_that_computes_something_else_is_refused_by_the_name_of_the_setting() {
    let decoder = tiny::decoder();
    for (name, value) in [
        ("bias", serde_json::json!("all")),
        ("rank_pattern", serde_json::json!({"q_proj": 2})),
        ("layers_to_transform", serde_json::json!([0])),
        ("trainable_token_indices", serde_json::json!([5])),
        ("alora_invocation_tokens", serde_json::json!([1, 2])),
        ("init_lora_weights", serde_json::json!("pissa_niter_16")),
        ("peft_type", serde_json::json!("LOHA")),
        ("r", serde_json::json!(1_u64 << 50)),
    ] {
        let (folder, _) = with_fields(&decoder, &[(name, value.clone())]);
        let error = Adapter::load_peft(folder.path(), decoder.config()).unwrap_err().to_string();
        let said = value.as_str().unwrap_or(name);
        assert!(error.contains(&format!("`{said}`")) || error.contains(&format!("`{name}`")), "{error}");
    }
}

#[test]
fn every_part_of_an_adapter_learns() {
    let decoder = tiny::decoder();
    for module in TargetModule::SEVEN {
        prove_gradients(&decoder, &tiny::lora(&[module])).unwrap();
    }
    prove_gradients(&decoder, &tiny::lora(&TargetModule::SEVEN)).unwrap();
}

#[test]
fn a_batch_that_contradicts_itself_is_refused() {
    let decoder = tiny::decoder();
    let batch = |ids: &[u32], labels: &[i64], starts: &[usize]| {
        let batch = Batch { ids: ids.to_vec(), labels: labels.to_vec(), starts: starts.to_vec(), ..Batch::default() };
        decoder.loss(None, &batch).unwrap_err()
    };
    assert!(matches!(batch(&[1, 2], &[1], &[0]), ModelError::Length { .. }));
    assert!(matches!(batch(&[1, 2], &[1, 2], &[1]), ModelError::Batch { .. }));
    assert!(matches!(batch(&[1, 2], &[1, 2], &[0, 2]), ModelError::Batch { .. }));
    assert!(matches!(batch(&[], &[], &[]), ModelError::Batch { .. }));
    assert!(matches!(batch(&[1, VOCABULARY as u32], &[1, 2], &[0]), ModelError::TokenOutOfRange { .. }));
    assert!(matches!(batch(&[1, 2], &[1, VOCABULARY as i64], &[0]), ModelError::TokenOutOfRange { .. }));
}
