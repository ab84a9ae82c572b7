//! What was learned alone, in llama.cpp's form: a GGUF file with the two matrices of each projection, for `--lora` and for Ollama's
//! `ADAPTER`, beside the unchanged base model.
//!
//! The names are those of the base model's tensors with `.lora_a` (`[rank, in]`) and `.lora_b` (`[out, rank]`); llama.cpp multiplies by
//! `adapter.lora.alpha / rank` (its `llama-adapter.cpp`).

use std::path::Path;

use candle_core::quantized::GgmlDType;
use hone_job::Job;
use hone_model::arch::read_config;
use hone_model::lora::LoraPart;
use hone_model::weights::sort_into_pairs;
use hone_model::{Adapter, ModelFile, TargetModule};

use crate::error::{ExportError, Result};
use crate::folder::{ExportOutcome, ExportRequest, modelfile_of};
use crate::gguf::{TensorPlan, f32_value, text_value, write_gguf};
use crate::modelfile::Modelfile;
use crate::quantise::Quantisation;

const ADAPTER_FILE: &str = "adapter.gguf";

/// Writes the folder: `adapter.gguf`, then a Modelfile that puts it on `from`, as Ollama is to find the base model.
///
/// # Errors
/// [`ExportError::NoAdapter`] for what llama.cpp's adapters cannot hold; when the base model or the disk refuses.
pub fn export_adapter(request: &ExportRequest<'_>, from: &str, job: &Job) -> Result<ExportOutcome> {
    hone_model::source::check_exportable(request.base, request.tokenizer, request.format)?;
    let adapter = request.adapter.ok_or(ExportError::NoAdapter { kind: "The base model itself" })?;
    let modelfile =
        Modelfile { from: from.to_owned(), adapter: Some(format!("./{ADAPTER_FILE}")), ..modelfile_of(request)? };
    let text = modelfile.text()?;
    hone_job::fs::create_dir_all(request.folder)?;
    let model_file = request.folder.join(ADAPTER_FILE);
    let bytes = write_adapter(request.base, adapter, &model_file, job)?;
    let modelfile = request.folder.join("Modelfile");
    hone_job::fs::write_atomic(&modelfile, text.as_bytes())?;
    Ok(ExportOutcome {
        folder: request.folder.display().to_string(),
        model_file: model_file.display().to_string(),
        bytes,
        quantisation: Quantisation::F32,
        modelfile: modelfile.display().to_string(),
        warnings: Vec::new(),
        ollama_name: None,
        proof: None,
    })
}

/// Writes an adapter for `base`, f32, and returns the file's size.
///
/// # Errors
/// [`ExportError::NoAdapter`] for `DoRA` and full fine-tuning, which llama.cpp's adapters cannot hold;
/// [`ExportError::ForeignAdapter`], [`ExportError::NotFinite`]; when the disk refuses or the job is cancelled.
pub fn write_adapter(base: &ModelFile, adapter: &Adapter, out: &Path, job: &Job) -> Result<u64> {
    if adapter.is_full() {
        return Err(ExportError::NoAdapter { kind: "Full fine-tuning" });
    }
    let config = adapter.config();
    if config.use_dora {
        return Err(ExportError::NoAdapter { kind: "DoRA" });
    }
    let head = read_config(base)?.head_size;
    let mut plans = Vec::new();
    for tensor in adapter.tensors() {
        let of_base = format!("blk.{}.{}.weight", tensor.layer, tensor.module.gguf_name());
        if base.tensor(&of_base).is_none() {
            return Err(ExportError::ForeignAdapter { tensor: of_base, path: base.path().to_owned() });
        }
        let name = format!("{of_base}.{}", if tensor.part == LoraPart::A { "lora_a" } else { "lora_b" });
        if adapter.params()[tensor.range.clone()].iter().any(|value| !value.is_finite()) {
            return Err(ExportError::NotFinite { tensor: name });
        }
        plans.push(TensorPlan { name, shape: tensor.shape.clone(), dtype: GgmlDType::F32 });
    }
    let keys = [
        ("general.architecture", text_value(base.architecture())),
        ("general.type", text_value("adapter")),
        ("adapter.type", text_value("lora")),
        // llama.cpp knows no rsLoRA: what it divides by the rank gives the same factor.
        ("adapter.lora.alpha", f32_value(config.scaling() * config.rank as f32)),
    ];
    let keys: Vec<_> = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    write_gguf(out, &keys, &plans, 32, |index, writer| {
        job.check()?;
        let tensor = &adapter.tensors()[index];
        let mut values = adapter.params()[tensor.range.clone()].to_vec();
        let turned = matches!(tensor.module, TargetModule::QProj | TargetModule::KProj);
        if base.architecture() == "llama" && turned && tensor.part == LoraPart::B {
            sort_into_pairs(&mut values, config.rank, head);
        }
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        crate::merge::put(writer, &bytes)
    })
}
