//! Base model and adapter become one model file.

use std::io::Write;
use std::path::Path;

use candle_core::quantized::GgmlDType;
use hone_job::{Job, fs::FsError};
use hone_model::gguf::{TensorEntry, Value};
use hone_model::weights::{dequantise, sort_into_pairs};
use hone_model::{Adapter, ChatFormat, ModelFile};

use crate::error::{ExportError, Result};
use crate::gguf::{TensorPlan, text_value, u32_value, write_gguf};
use crate::quantise::{Quantisation, encode};

/// Values that are expanded to f32 at a time when a tensor only changes its type.
const CHUNK_VALUES: usize = 1 << 22;

/// What the merged file will hold.
pub(crate) struct MergePlan<'a> {
    keys: Vec<(String, Vec<u8>)>,
    tensors: Vec<TensorPlan>,
    sources: Vec<(&'a TensorEntry, bool)>,
    alignment: u64,
}

impl MergePlan<'_> {
    /// About how large the file will be.
    pub(crate) fn bytes(&self) -> u64 {
        let keys: usize = self.keys.iter().map(|(key, value)| key.len() + value.len() + 8).sum();
        let tensors = self.tensors.iter().map(|tensor| tensor.bytes() + tensor.name.len() as u64 + 96);
        keys as u64 + tensors.sum::<u64>()
    }
}

/// Resolves what [`merge`] would write.
pub(crate) fn plan<'a>(
    base: &'a ModelFile,
    adapter: Option<&Adapter>,
    quantisation: Quantisation,
    format: &ChatFormat,
) -> Result<MergePlan<'a>> {
    let mut changed: Vec<String> = adapter.map_or_else(Vec::new, Adapter::touched);
    if let Some(tensor) = changed.iter().find(|name| base.tensor(name).is_none()) {
        return Err(ExportError::ForeignAdapter { tensor: tensor.clone(), path: base.path().to_owned() });
    }
    changed.sort_unstable();
    let layers = base.u32_or(&format!("{}.block_count", base.architecture()), 0)? as usize;
    let mut tensors = Vec::new();
    let mut sources = Vec::new();
    // Pictures are another model's part of the file: some files of Ollama's library carry one.
    for entry in base.tensors().iter().filter(|entry| !entry.name.starts_with("v.") && !entry.name.starts_with("mm.")) {
        let is_changed = changed.binary_search(&entry.name).is_ok();
        let dtype = quantisation.dtype(entry, is_changed, layers);
        tensors.push(TensorPlan { name: entry.name.clone(), shape: entry.shape.clone(), dtype });
        sources.push((entry, is_changed));
    }
    let alignment = base.get("general.alignment").and_then(Value::as_u64).unwrap_or(32);
    Ok(MergePlan { keys: keys(base, quantisation, format), tensors, sources, alignment })
}

/// Every key of the base model in its order, byte for byte, but for what training decided.
fn keys(base: &ModelFile, quantisation: Quantisation, format: &ChatFormat) -> Vec<(String, Vec<u8>)> {
    let mut decided = vec![
        ("general.quantization_version", u32_value(2)),
        ("tokenizer.chat_template", text_value(&format.jinja)),
        ("tokenizer.ggml.eot_token_id", u32_value(format.end_of_turn)),
    ];
    if let Some(file_type) = quantisation.file_type() {
        decided.push(("general.file_type", u32_value(file_type)));
    }
    let mut keys: Vec<(String, Vec<u8>)> = Vec::new();
    for (key, _) in base.metadata() {
        let value = match decided.iter().position(|(name, _)| name == key) {
            Some(index) => decided.remove(index).1,
            None => base.raw(key).unwrap_or_default().to_vec(),
        };
        keys.push((key.clone(), value));
    }
    keys.extend(decided.into_iter().map(|(key, value)| (key.to_owned(), value)));
    keys
}

/// Writes `base`, with `adapter` merged into it in f32, to `out` and returns the file's size.
///
/// What the adapter does not touch and keeps its type is copied byte for byte; a Hugging Face folder is written as llama.cpp's
/// converter would write it. The chat template of `format` and the
/// token that ends a turn are written into the file.
///
/// # Errors
/// When the adapter does not fit the base model, holds values that are not finite, the disk refuses, or the job is cancelled.
pub fn merge(
    base: &ModelFile,
    adapter: Option<&Adapter>,
    quantisation: Quantisation,
    out: &Path,
    format: &ChatFormat,
    job: &Job,
) -> Result<u64> {
    let plan = plan(base, adapter, quantisation, format)?;
    write(&plan, base, adapter, out, job)
}

pub(crate) fn write(
    plan: &MergePlan<'_>,
    base: &ModelFile,
    adapter: Option<&Adapter>,
    out: &Path,
    job: &Job,
) -> Result<u64> {
    job.stage("merge");
    let total: u64 = plan.tensors.iter().map(TensorPlan::bytes).sum();
    let mut done = 0;
    write_gguf(out, &plan.keys, &plan.tensors, plan.alignment, |index, writer| {
        job.check()?;
        let (entry, changed) = plan.sources[index];
        let dtype = plan.tensors[index].dtype;
        let paired = base.paired_in_gguf(entry);
        if changed || paired.is_some() {
            let mut weight = dequantise(base, entry)?;
            if let Some(adapter) = adapter.filter(|_| changed) {
                adapter.merge_into(&entry.name, &mut weight)?;
            }
            if let Some(head) = paired {
                let row = if entry.shape.len() == 1 { 1 } else { row_of(entry) };
                sort_into_pairs(&mut weight, row, head);
            }
            put(writer, &encode(&entry.name, &weight, row_of(entry), dtype)?)?;
        } else if dtype == entry.dtype {
            put(writer, base.bytes(entry))?;
        } else {
            convert(base, entry, dtype, writer, job)?;
        }
        done += plan.tensors[index].bytes();
        job.progress(done, total, "bytes");
        Ok(())
    })
}

fn row_of(entry: &TensorEntry) -> usize {
    entry.shape.last().copied().unwrap_or(1)
}

/// Writes a tensor in another type, some rows at a time: an embedding can be larger than the memory.
fn convert(base: &ModelFile, entry: &TensorEntry, dtype: GgmlDType, writer: &mut dyn Write, job: &Job) -> Result<()> {
    let row = row_of(entry);
    let rows = entry.elements() / row;
    let row_bytes = entry.byte_len / rows;
    let step = (CHUNK_VALUES / row).max(1);
    for first in (0..rows).step_by(step) {
        job.check()?;
        let count = step.min(rows - first);
        let part = TensorEntry {
            name: entry.name.clone(),
            shape: vec![count, row],
            dtype: entry.dtype,
            offset: entry.offset + (first * row_bytes) as u64,
            byte_len: count * row_bytes,
        };
        put(writer, &encode(&entry.name, &dequantise(base, &part)?, row, dtype)?)?;
    }
    Ok(())
}

pub(crate) fn put(writer: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    // The writer knows the path; it puts it into the error.
    writer.write_all(bytes).map_err(|source| FsError { action: "write", path: Path::new("").to_owned(), source }.into())
}
