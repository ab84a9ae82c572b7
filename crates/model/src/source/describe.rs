//! What is said about a base model before it is loaded.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::ModelFile;
use crate::arch;
use crate::error::Result;
use crate::gguf::Value;
use crate::tokenizer::Tokenizer;

/// A base model at hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct BaseModel {
    /// What to call it by: `gemma3-270m`, `ollama:name:tag` or a path.
    pub reference: String,
    /// Its name, for people.
    pub name: String,
    /// The GGUF file, or the folder.
    pub path: String,
    /// Model family, e.g. `gemma3`.
    pub architecture: String,
    /// Number of weights.
    pub parameters: u64,
    /// Size of the files with weights.
    pub bytes: u64,
    /// Longest sequence it was made for, tokens.
    pub context_length: u32,
    /// How its weights are stored, e.g. `Q4_K_M`.
    pub quantisation: String,
    /// Whether the file carries a chat template of its own.
    pub chat_template: bool,
    /// Worth knowing before it is chosen, e.g. that an adapter in Ollama's model is not included.
    pub remark: Option<String>,
}

/// Describes a model file that can be trained.
///
/// # Errors
/// When the model is of a kind that Hone does not train.
pub fn describe(file: &ModelFile, reference: &str) -> Result<BaseModel> {
    let shape = arch::read_config(file)?;
    Tokenizer::check_kind(file)?;
    let stem = || file.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = file.get("general.name").and_then(Value::as_str).filter(|name| !name.is_empty());
    Ok(BaseModel {
        reference: reference.to_owned(),
        name: name.map_or_else(stem, str::to_owned),
        path: file.path().display().to_string(),
        architecture: file.architecture().to_owned(),
        parameters: file.tensors().iter().map(|tensor| tensor.elements() as u64).sum(),
        bytes: file.file_bytes(),
        context_length: u32::try_from(shape.context_length).unwrap_or(u32::MAX),
        quantisation: quantisation(file),
        chat_template: file.get("tokenizer.chat_template").is_some(),
        remark: None,
    })
}

/// The name of `general.file_type` (`enum llama_ftype`).
fn quantisation(file: &ModelFile) -> String {
    let name = match file.get("general.file_type").and_then(Value::as_u64) {
        Some(0) => "F32",
        Some(1) => "F16",
        Some(2) => "Q4_0",
        Some(3) => "Q4_1",
        Some(7) => "Q8_0",
        Some(8) => "Q5_0",
        Some(9) => "Q5_1",
        Some(10) => "Q2_K",
        Some(11) => "Q3_K_S",
        Some(12) => "Q3_K_M",
        Some(13) => "Q3_K_L",
        Some(14) => "Q4_K_S",
        Some(15) => "Q4_K_M",
        Some(16) => "Q5_K_S",
        Some(17) => "Q5_K_M",
        Some(18) => "Q6_K",
        Some(32) => "BF16",
        _ => "unknown",
    };
    name.to_owned()
}
