//! Steps and logits of the worker against figures that PyTorch, Transformers and PEFT computed (`tests/parity/golden`).
//!
//! A whole gradient is not stored: its norm and eight random projections are, from which the distance to ours is estimated.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use hone_job::fs;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::Deserialize;

// A tenth of what parity asks for: two good f32 implementations differ by about 1e-6 and 1e-5.
const LOSS_LIMIT: f64 = 1e-5;
const GRADIENT_LIMIT: f64 = 1e-4;
const ADAMW_LIMIT: f64 = 1e-5;
const LOGITS_LIMIT: f64 = 1e-4;

/// What computes with the operations of a graphics card: candle's CPU device, or a card, `HONE_TEST_DEVICE=cuda:0` with the feature
/// `cuda`.
#[allow(dead_code)] // not every test compares both engines
pub fn card() -> String {
    std::env::var("HONE_TEST_DEVICE").unwrap_or_else(|_| "cpu-tensors".to_owned())
}

#[derive(Deserialize)]
struct Golden {
    a_scale: f32,
    b_scale: f32,
    case: Case,
    loss: f64,
    trained_tokens: usize,
    gradients: BTreeMap<String, Gradient>,
    #[serde(default)]
    asked: Asked,
}

/// What differs from a plain step.
#[derive(Deserialize, Default)]
struct Asked {
    label_smoothing: f32,
    focal_gamma: f32,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    lora: Lora,
    optimiser: Optimiser,
    batch: serde_json::Value,
}

#[derive(Deserialize)]
struct Lora {
    rank: usize,
    alpha: f64,
    target_modules: Vec<String>,
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
}

#[derive(Deserialize)]
struct Optimiser {
    learning_rate: f64,
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
}

#[derive(Deserialize)]
struct Gradient {
    shape: Vec<usize>,
    norm: f64,
    projections: Vec<f64>,
}

#[derive(Deserialize)]
#[allow(dead_code)] // one of the two tests uses it
pub struct Logits {
    pub sequences: Vec<Sequence>,
}

#[derive(Deserialize)]
pub struct Sequence {
    ids: Vec<u32>,
    /// For each position: chosen tokens with their logit.
    positions: Vec<Vec<(usize, f64)>>,
}

#[derive(Deserialize)]
struct LossNote {
    loss: f64,
    trained_tokens: usize,
}

/// FNV-1a, as in `tests/parity/hashed.py`.
fn seed(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |value, byte| (value ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// `SplitMix64` as numbers in [-1, 1) that are exact in f32, as in `tests/parity/hashed.py`.
fn uniform(text: &str, count: usize) -> impl Iterator<Item = f32> + use<> {
    let start = seed(text);
    (1..=count as u64).map(move |i| {
        let mut z = start.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((z >> 40) as f64 / f64::from(1 << 23) - 1.0) as f32
    })
}

pub fn golden_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/golden").join(name)
}

fn hone(arguments: &[&std::ffi::OsStr]) {
    let done = Command::new(env!("CARGO_BIN_EXE_hone")).args(arguments).output().expect("the worker starts");
    assert!(
        done.status.success(),
        "hone {arguments:?}: {}\n{}{}",
        done.status,
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

fn tensor(file: &SafeTensors, name: &str) -> (Vec<usize>, Vec<f64>) {
    let view = file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(view.dtype(), Dtype::F32, "{name}");
    let values = view.data().chunks_exact(4).map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
    (view.shape().to_vec(), values.collect())
}

fn adapter_start(golden: &Golden, name: &str, shape: &[usize]) -> Vec<f32> {
    let numbers = uniform(&format!("{}:{name}", golden.case.name), shape.iter().product());
    if name.ends_with(".lora_magnitude_vector") {
        return numbers.map(|value| 1.5 + value * 0.25).collect();
    }
    let scale = if name.contains(".lora_A.") { golden.a_scale } else { golden.b_scale };
    numbers.map(|value| value * scale).collect()
}

/// The adapter start as PEFT lays it out on disk.
fn write_adapter(golden: &Golden, folder: &Path) {
    let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = golden
        .gradients
        .iter()
        .map(|(name, gradient)| {
            let values = adapter_start(golden, name, &gradient.shape);
            (name, &gradient.shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
        })
        .collect();
    let views = bytes.iter().map(|(name, shape, data)| {
        (name.as_str(), TensorView::new(Dtype::F32, (*shape).clone(), data).expect("sizes fit"))
    });
    let file = safetensors::serialize(views, None).expect("the adapter serialises");
    fs::create_dir_all(folder).unwrap();
    fs::write_atomic(&folder.join("adapter_model.safetensors"), &file).unwrap();
    let lora = &golden.case.lora;
    let config = serde_json::json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": null, "inference_mode": false,
        "r": lora.rank, "lora_alpha": lora.alpha, "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": false,
        "target_modules": lora.target_modules, "use_rslora": lora.use_rslora, "use_dora": lora.use_dora,
        "init_lora_weights": true,
    });
    fs::write_json(&folder.join("adapter_config.json"), &config).unwrap();
}

/// `|ours - theirs| / |theirs|` of one gradient, estimated from its projections: the product of a vector with numbers
/// uniform in [-1, 1) has the variance `|vector|^2 / 3`.
fn estimated_error(name: &str, ours: &[f64], theirs: &Gradient) -> f64 {
    let mut squares = 0.0;
    for (k, expected) in theirs.projections.iter().enumerate() {
        let numbers = uniform(&format!("projection{k}:{name}"), ours.len());
        let product: f64 = ours.iter().zip(numbers).map(|(value, number)| value * f64::from(number)).sum();
        squares += (product - expected).powi(2);
    }
    (3.0 * squares / theirs.projections.len() as f64).sqrt() / theirs.norm
}

/// The first step of `AdamW` (Loshchilov and Hutter 2019, algorithm 2): both moments are zero before it.
fn adamw(weight: f64, gradient: f64, wanted: &Optimiser) -> f64 {
    let (beta1, beta2) = wanted.betas;
    let mean = (1.0 - beta1) * gradient / (1.0 - beta1);
    let square = (1.0 - beta2) * gradient * gradient / (1.0 - beta2);
    weight * (1.0 - wanted.learning_rate * wanted.weight_decay)
        - wanted.learning_rate * mean / (square.sqrt() + wanted.eps)
}

fn relative(ours: &[f64], theirs: &[f64]) -> f64 {
    let distance: f64 = ours.iter().zip(theirs).map(|(a, b)| (a - b).powi(2)).sum();
    let length: f64 = theirs.iter().map(|b| b * b).sum();
    (distance / length).sqrt()
}

/// One step of `model` on `device` against the golden file `name`: loss, names, shapes and values of every gradient, and `AdamW`.
pub fn check_step(model: &Path, name: &str, device: &str) {
    let golden: Golden = fs::read_json(&golden_file(name)).unwrap();
    let case = &golden.case.name;
    let scratch = tempfile::tempdir().unwrap();
    let (adapter, batch, out) =
        (scratch.path().join("start"), scratch.path().join("batch.json"), scratch.path().join("out"));
    write_adapter(&golden, &adapter);
    fs::write_json(&batch, &golden.case.batch).unwrap();

    let wanted = &golden.case.optimiser;
    let numbers = [
        wanted.learning_rate.to_string(),
        format!("{},{}", wanted.betas.0, wanted.betas.1),
        wanted.eps.to_string(),
        wanted.weight_decay.to_string(),
        golden.asked.label_smoothing.to_string(),
        golden.asked.focal_gamma.to_string(),
    ];
    hone(&[
        "lab".as_ref(),
        "step".as_ref(),
        "--model".as_ref(),
        model.as_ref(),
        "--adapter".as_ref(),
        adapter.as_ref(),
        "--batch".as_ref(),
        batch.as_ref(),
        "--out".as_ref(),
        out.as_ref(),
        "--learning-rate".as_ref(),
        numbers[0].as_ref(),
        "--betas".as_ref(),
        numbers[1].as_ref(),
        "--eps".as_ref(),
        numbers[2].as_ref(),
        "--weight-decay".as_ref(),
        numbers[3].as_ref(),
        "--label-smoothing".as_ref(),
        numbers[4].as_ref(),
        "--focal-gamma".as_ref(),
        numbers[5].as_ref(),
        "--device".as_ref(),
        device.as_ref(),
    ]);

    let note: LossNote = fs::read_json(&out.join("loss.json")).unwrap();
    assert_eq!(note.trained_tokens, golden.trained_tokens);
    let error = (note.loss - golden.loss).abs() / golden.loss;
    assert!(error <= LOSS_LIMIT, "loss {} instead of {}", note.loss, golden.loss);

    let (grads, after) =
        (fs::read(&out.join("grads.safetensors")).unwrap(), fs::read(&out.join("adapter_model.safetensors")).unwrap());
    let (grads, after) = (SafeTensors::deserialize(&grads).unwrap(), SafeTensors::deserialize(&after).unwrap());
    let expected: Vec<&str> = golden.gradients.keys().map(String::as_str).collect();
    for file in [&grads, &after] {
        let mut names = file.names();
        names.sort_unstable();
        assert_eq!(names, expected, "the names are PEFT's");
    }
    let mut worst = 0.0_f64;
    for (name, theirs) in &golden.gradients {
        let (shape, ours) = tensor(&grads, name);
        assert_eq!(shape, theirs.shape, "{name}");
        assert!(ours.iter().any(|value| *value != 0.0), "{name} has no gradient");
        let error = estimated_error(name, &ours, theirs);
        assert!(error <= GRADIENT_LIMIT, "{name}: relative error {error:.2e}");
        worst = worst.max(error);

        let start = adapter_start(&golden, name, &shape);
        let stepped: Vec<f64> = start.iter().zip(&ours).map(|(w, g)| adamw(f64::from(*w), *g, wanted)).collect();
        let (shape, written) = tensor(&after, name);
        assert_eq!(shape, theirs.shape, "{name}");
        let error = relative(&written, &stepped);
        assert!(error <= ADAMW_LIMIT, "{name} after AdamW: relative error {error:.2e}");
    }
    println!("{case} on {device}: loss {} instead of {}, worst gradient {worst:.2e}", note.loss, golden.loss);
}

/// Logits of `model` on `device` against those of the golden sequence.
pub fn check_logits(model: &Path, sequence: &Sequence, device: &str) {
    let scratch = tempfile::tempdir().unwrap();
    let (tokens, out) = (scratch.path().join("tokens.json"), scratch.path().join("logits.safetensors"));
    fs::write_json(&tokens, &sequence.ids).unwrap();
    hone(&[
        "lab".as_ref(),
        "logits".as_ref(),
        "--model".as_ref(),
        model.as_ref(),
        "--tokens".as_ref(),
        tokens.as_ref(),
        "--out".as_ref(),
        out.as_ref(),
        "--device".as_ref(),
        device.as_ref(),
    ]);
    let bytes = fs::read(&out).unwrap();
    let (shape, values) = tensor(&SafeTensors::deserialize(&bytes).unwrap(), "logits");
    assert_eq!(shape[0], sequence.ids.len());
    for (position, chosen) in sequence.positions.iter().enumerate() {
        let row = &values[position * shape[1]..][..shape[1]];
        let largest = chosen.iter().map(|(_, logit)| logit.abs()).fold(0.0, f64::max);
        for (token, logit) in chosen {
            let error = (row[*token] - logit).abs() / largest;
            assert!(error <= LOGITS_LIMIT, "position {position}, token {token}: {} instead of {logit}", row[*token]);
        }
    }
}
