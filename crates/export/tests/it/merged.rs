//! Merged models: what changes, what must not.

use std::path::Path;

use candle_core::quantized::GgmlDType;
use hone_export::{ExportError, ExportRequest, Quantisation, export_folder, merge, rehearse};
use hone_job::Job;
use hone_model::gguf::{GgufFile, Value};
use hone_model::lora::LoraPart;
use hone_model::weights::dequantise;
use hone_model::{Adapter, ChatFormat, Decoder, LoraConfig, TargetModule, Tokenizer};

use crate::starter::{Starter, adapter, starter};

fn merged(starter: &Starter, adapter: Option<&Adapter>, quantisation: Quantisation, folder: &Path) -> GgufFile {
    let path = folder.join(format!("{}.gguf", quantisation.name()));
    let bytes = merge(&starter.file, adapter, quantisation, &path, &starter.format, &Job::silent()).unwrap();
    assert_eq!(bytes, hone_job::fs::metadata(&path).unwrap().len());
    GgufFile::open(&path).unwrap()
}

#[test]
fn everything_that_training_did_not_touch_is_copied_byte_for_byte() {
    let Some(starter) = starter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = merged(starter, None, Quantisation::Source, folder.path());
    assert_eq!(file.tensors().len(), starter.file.tensors().len());
    for (ours, source) in file.tensors().iter().zip(starter.file.tensors()) {
        assert_eq!((&ours.name, ours.dtype, &ours.shape), (&source.name, source.dtype, &source.shape));
        assert!(file.bytes(ours) == starter.file.bytes(source), "{}", ours.name);
    }
    for (index, (key, _)) in starter.file.metadata().iter().enumerate() {
        assert_eq!(&file.metadata()[index].0, key, "the order is kept");
        assert!(file.raw(key) == starter.file.raw(key), "{key}");
    }
    let added: Vec<_> = file.metadata()[starter.file.metadata().len()..].iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(added, ["tokenizer.chat_template", "tokenizer.ggml.eot_token_id"]);
    assert_eq!(file.get("tokenizer.chat_template").unwrap().as_str().unwrap(), starter.format.jinja);
    assert_eq!(file.get("tokenizer.ggml.eot_token_id"), Some(&Value::U32(106)));
}

#[test]
fn a_merged_weight_is_the_base_weight_plus_scaled_b_times_a() {
    let Some(starter) = starter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let adapter = adapter(&starter.file);
    let file = merged(starter, Some(&adapter), Quantisation::F32, folder.path());
    assert_eq!(file.u32("general.file_type").unwrap(), 0);
    for (layer, module) in [(0, TargetModule::QProj), (9, TargetModule::DownProj), (17, TargetModule::VProj)] {
        let name = format!("blk.{layer}.{}.weight", module.gguf_name());
        let base = dequantise(&starter.file, starter.file.tensor(&name).unwrap()).unwrap();
        let ours = dequantise(&file, file.tensor(&name).unwrap()).unwrap();
        let part = |part: LoraPart| {
            let of = |t: &&hone_model::lora::AdapterTensor| t.layer == layer && t.module == module && t.part == part;
            let tensor = adapter.tensors().iter().find(of).unwrap();
            (&adapter.params()[tensor.range.clone()], [tensor.shape[0], tensor.shape[1]])
        };
        let ((a, [rank, input]), (b, [out, _])) = (part(LoraPart::A), part(LoraPart::B));
        for (row, column) in [(0, 0), (out / 2, input / 3), (out - 1, input - 1)] {
            let product: f64 = (0..rank).map(|r| f64::from(b[row * rank + r]) * f64::from(a[r * input + column])).sum();
            let expected = f64::from(base[row * input + column]) + 2.0 * product; // alpha 8 / rank 4
            let found = f64::from(ours[row * input + column]);
            assert!((found - expected).abs() < 1e-6, "{name}[{row}, {column}]: {found} and {expected}");
        }
    }
    let norm = starter.file.tensor("blk.3.attn_norm.weight").unwrap();
    assert_eq!(file.bytes(file.tensor(&norm.name).unwrap()), starter.file.bytes(norm));
}

#[test]
fn each_quantisation_says_what_it_is_and_keeps_what_is_quantised_already() {
    let Some(starter) = starter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let adapter = adapter(&starter.file);
    let file = merged(starter, Some(&adapter), Quantisation::Q8_0, folder.path());
    assert_eq!(file.u32("general.file_type").unwrap(), 7);
    let embedding = file.tensor("token_embd.weight").unwrap();
    let source = starter.file.tensor("token_embd.weight").unwrap();
    assert!(file.bytes(embedding) == starter.file.bytes(source), "Q8_0 already: not quantised twice");
    assert_eq!(file.tensor("blk.0.attn_q.weight").unwrap().dtype, GgmlDType::Q8_0);
    assert_eq!(file.tensor("blk.0.attn_q_norm.weight").unwrap().dtype, GgmlDType::F32);
}

/// The starter model's own types were chosen by llama.cpp's quantiser.
#[test]
fn q4_k_m_chooses_the_types_that_llama_cpp_chose_for_the_same_model() {
    let Some(starter) = starter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let adapter = adapter(&starter.file);
    let file = merged(starter, Some(&adapter), Quantisation::Q4KM, folder.path());
    let types = |file: &GgufFile| file.tensors().iter().map(|t| (t.name.clone(), t.dtype)).collect::<Vec<_>>();
    assert_eq!(types(&file), types(&starter.file));
    // A weight survives within the error that 4 to 5 bits allow: relative RMSE of Q5_0 is about 0.04.
    let name = "blk.5.attn_q.weight";
    let mut wanted = dequantise(&starter.file, starter.file.tensor(name).unwrap()).unwrap();
    adapter.merge_into(name, &mut wanted).unwrap();
    let ours = dequantise(&file, file.tensor(name).unwrap()).unwrap();
    let (error, norm) = wanted.iter().zip(&ours).fold((0.0, 0.0), |(error, norm), (wanted, ours)| {
        (error + f64::from(wanted - ours).powi(2), norm + f64::from(*wanted).powi(2))
    });
    assert!((error / norm).sqrt() < 0.08, "{}", (error / norm).sqrt());
}

fn request<'a>(starter: &'a Starter, adapter: Option<&'a Adapter>, folder: &'a Path) -> ExportRequest<'a> {
    ExportRequest {
        base: &starter.file,
        adapter,
        format: &starter.format,
        tokenizer: &starter.tokenizer,
        quantisation: Quantisation::Source,
        folder,
        context: 2048,
        system: None,
        free_bytes: None,
    }
}

#[test]
fn the_rehearsal_knows_the_size_and_a_full_disk_before_anything_is_written() {
    let Some(starter) = starter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("export");
    let rehearsal = rehearse(&request(starter, None, &target)).unwrap();
    assert_eq!(rehearsal.warnings, Vec::<String>::new());
    let full = ExportRequest { free_bytes: Some(rehearsal.bytes), ..request(starter, None, &target) };
    assert!(matches!(rehearse(&full), Err(ExportError::NoSpace { .. })));
    assert!(matches!(export_folder(&full, &Job::silent()), Err(ExportError::NoSpace { .. })));
    assert!(!target.exists());
    let outcome = export_folder(&request(starter, None, &target), &Job::silent()).unwrap();
    let difference = rehearsal.bytes.abs_diff(outcome.bytes);
    assert!(difference < 64 << 10, "the rehearsal was {difference} bytes off");
    let text = hone_job::fs::read_to_string(Path::new(&outcome.modelfile)).unwrap();
    assert!(text.contains("\nFROM ./model.gguf\n") && Path::new(&outcome.model_file).is_file());
}

#[test]
fn a_broken_adapter_or_a_cancelled_job_leaves_nothing_behind() {
    let Some(starter) = starter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut broken = adapter(&starter.file);
    let last = broken.params().len() - 1;
    broken.params_mut()[last] = f32::NAN;
    let error = export_folder(&request(starter, Some(&broken), folder.path()), &Job::silent()).unwrap_err();
    assert!(matches!(&error, ExportError::NotFinite { tensor } if tensor == "blk.17.ffn_down.weight"), "{error}");
    let job = Job::silent();
    job.cancel();
    let error = export_folder(&request(starter, None, folder.path()), &job).unwrap_err();
    assert!(hone_job::Explain::is_cancelled(&error));
    assert_eq!(hone_job::fs::list_dir(folder.path()).unwrap(), Vec::<std::path::PathBuf>::new());
}

/// Rows sorted in pairs with a head of its own; a bias on queries, keys and values; fused matrices.
const FAMILIES: [&str; 3] = ["llama3", "qwen2", "phi3"];

/// What a family's small model predicts with `tuned` over it, and what the merged file predicts by itself.
fn check_merged(family: &str, tuned: impl Fn(&Decoder) -> Adapter) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/parity/golden/families/{family}.gguf"));
    let file = GgufFile::open(&path).unwrap();
    let decoder = Decoder::load(&file, &Job::silent()).unwrap();
    let mut tuned = tuned(&decoder);
    for (at, value) in tuned.params_mut().iter_mut().enumerate() {
        *value += ((at * 31 % 17) as f32 - 8.0) * 0.004;
    }
    let ids: Vec<u32> = (0..40).map(|at| 20 + at * 37 % 600).collect();
    let expected = decoder.logits(Some(&tuned), &ids).unwrap();
    assert_ne!(expected, decoder.logits(None, &ids).unwrap());

    let format = ChatFormat::from_gguf(&file, &Tokenizer::from_gguf(&file).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let merged = folder.path().join("merged.gguf");
    merge(&file, Some(&tuned), Quantisation::F32, &merged, &format, &Job::silent()).unwrap();
    let merged = Decoder::load(&GgufFile::open(&merged).unwrap(), &Job::silent()).unwrap();
    let logits = merged.logits(None, &ids).unwrap();
    let largest = expected.iter().fold(0.0f32, |most, logit| most.max(logit.abs()));
    for (logit, expected) in logits.iter().zip(&expected) {
        assert!((logit - expected).abs() < 1e-4 * largest, "{family}: {logit} instead of {expected}");
    }
}

#[test]
fn a_fully_trained_model_is_exported_as_it_was_trained() {
    for family in FAMILIES {
        check_merged(family, |decoder| decoder.trainable_copy().unwrap());
    }
}

#[test]
fn a_dora_adapter_is_merged_into_what_it_was_trained_as() {
    let lora = |target_modules: &[TargetModule]| LoraConfig {
        rank: 3,
        alpha: 6.0,
        dropout: 0.0,
        target_modules: target_modules.to_vec(),
        use_rslora: false,
        use_dora: true,
    };
    for family in FAMILIES {
        check_merged(family, |decoder| decoder.fresh_adapter(&lora(&TargetModule::SEVEN), 1).unwrap());
    }
}
