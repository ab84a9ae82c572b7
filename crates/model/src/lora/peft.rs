//! PEFT's adapter folder: `adapter_model.safetensors` and `adapter_config.json` (PEFT 0.21).

use std::collections::BTreeSet;
use std::path::Path;

use hone_job::fs;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Adapter, LoraConfig, TargetModule};
use crate::config::DecoderConfig;
use crate::error::{ModelError, Result};

const WEIGHTS: &str = "adapter_model.safetensors";
const CONFIG: &str = "adapter_config.json";

/// The fields of `adapter_config.json` that Hone writes.
#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools)] // PEFT's own fields
struct Written<'a> {
    peft_type: &'a str,
    task_type: &'a str,
    base_model_name_or_path: &'a str,
    r: usize,
    lora_alpha: f64,
    lora_dropout: f64,
    target_modules: Vec<&'a str>,
    bias: &'a str,
    fan_in_fan_out: bool,
    inference_mode: bool,
    use_rslora: bool,
    use_dora: bool,
    modules_to_save: Option<Vec<String>>,
    rank_pattern: Map<String, Value>,
    alpha_pattern: Map<String, Value>,
}

/// The fields that Hone reads. Which projections are adapted is read from the names of the tensors: `target_modules` can also be a
/// list of whole paths or a regular expression.
#[derive(Debug, Deserialize)]
struct Read {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    lora_dropout: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Fields of PEFT's that change what an adapter computes, or which layers have one, where they are set.
const FOREIGN: [&str; 18] = [
    "fan_in_fan_out",
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
    "layers_to_transform",
    "exclude_modules",
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
    "lora_bias",
    "use_qalora",
    "alora_invocation_tokens",
    "use_bdlora",
    "arrow_config",
    "kasa_config",
    "velora_config",
    "monteclora_config",
    "megatron_config",
];
/// Beginnings that leave the base model's weights as they are.
const HARMLESS_BEGINNINGS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

impl Adapter {
    /// Reads an adapter that PEFT, or Hone, saved.
    ///
    /// # Errors
    /// [`ModelError::Fs`] when a file cannot be read; [`ModelError::Adapter`] when it is not such a file, uses something that
    /// Hone does not train (rank patterns, biases ...), or its tensors are not exactly those of this base model.
    pub fn load_peft(folder: &Path, decoder: &DecoderConfig) -> Result<Self> {
        let path = folder.join(CONFIG);
        let wrong = |path: &Path, problem: String| ModelError::Adapter { path: path.to_owned(), problem };
        let peft: Read = serde_json::from_slice(&fs::read(&path)?).map_err(|error| wrong(&path, error.to_string()))?;
        check_config(&peft).map_err(|problem| wrong(&path, problem))?;
        let path = folder.join(WEIGHTS);
        let bytes = fs::read(&path)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(&path, error.to_string()))?;
        let target_modules = adapted(&file, peft.r).map_err(|problem| wrong(&path, problem))?;
        let config = LoraConfig {
            rank: peft.r,
            alpha: peft.lora_alpha,
            dropout: peft.lora_dropout,
            target_modules,
            use_rslora: peft.use_rslora,
            use_dora: peft.use_dora,
        };
        let mut adapter = Self::zeros(decoder, &config)?;
        fill(&mut adapter, &file).map_err(|problem| wrong(&path, problem))?;
        Ok(adapter)
    }

    /// Writes the adapter as PEFT does, f32. `base` is the base model's name for `base_model_name_or_path`.
    ///
    /// # Errors
    /// [`ModelError::Fs`] when a file cannot be written.
    pub fn save_peft(&self, folder: &Path, base: &str) -> Result<()> {
        fs::create_dir_all(folder)?;
        write_tensors(&folder.join(WEIGHTS), self, self.params())?;
        let config = self.config();
        let peft = Written {
            peft_type: "LORA",
            task_type: "CAUSAL_LM",
            base_model_name_or_path: base,
            r: config.rank,
            lora_alpha: config.alpha,
            lora_dropout: config.dropout,
            target_modules: config.target_modules.iter().map(|module| module.name()).collect(),
            bias: "none",
            fan_in_fan_out: false,
            inference_mode: true,
            use_rslora: config.use_rslora,
            use_dora: config.use_dora,
            modules_to_save: None,
            rank_pattern: Map::new(),
            alpha_pattern: Map::new(),
        };
        Ok(fs::write_json(&folder.join(CONFIG), &peft)?)
    }
}

/// Writes `values`, laid out as the adapter's own buffer (its numbers, their gradients ...), under PEFT's names.
///
/// # Errors
/// [`ModelError::Fs`] when the file cannot be written; [`ModelError::AdapterMismatch`] when `values` is too short.
pub fn write_tensors(path: &Path, adapter: &Adapter, values: &[f32]) -> Result<()> {
    let mismatch = |problem: String| ModelError::AdapterMismatch { problem };
    let views = adapter
        .tensors()
        .iter()
        .map(|tensor| {
            let values =
                values.get(tensor.range.clone()).ok_or_else(|| mismatch(format!("no value for `{}`", tensor.name)))?;
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytemuck::cast_slice(values))
                .map_err(|error| mismatch(error.to_string()))?;
            Ok((tensor.name.as_str(), view))
        })
        .collect::<Result<Vec<_>>>()?;
    // The key that Transformers looks for before it accepts a file.
    let note = Some([("format".to_owned(), "pt".to_owned())].into());
    let bytes = safetensors::serialize(views, note).map_err(|error| mismatch(error.to_string()))?;
    Ok(fs::write_atomic(path, &bytes)?)
}

fn check_config(peft: &Read) -> std::result::Result<(), String> {
    if peft.peft_type != "LORA" {
        return Err(format!("its type is `{}`, Hone reads `LORA`", peft.peft_type));
    }
    let is_set = |value: &Value| match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Number(_) | Value::String(_) => true,
    };
    if let Some(name) = FOREIGN.iter().find(|name| peft.others.get(**name).is_some_and(is_set)) {
        return Err(format!("it uses `{name}`, which Hone does not train"));
    }
    if peft.others.get("bias").and_then(Value::as_str).is_some_and(|bias| bias != "none") {
        return Err("it uses `bias`, which Hone does not train".to_owned());
    }
    // PiSSA, LoftQ and their like move a part of the base model's weights into the adapter.
    match peft.others.get("init_lora_weights").and_then(Value::as_str) {
        Some(name) if !HARMLESS_BEGINNINGS.contains(&name) => Err(format!(
            "it began as `{name}`, for which the base model was changed too; save it with `path_initial_model_for_weight_conversion`"
        )),
        _ => Ok(()),
    }
}

/// The projections that have an `A`, each with `rank` rows.
fn adapted(file: &SafeTensors<'_>, rank: usize) -> std::result::Result<Vec<TargetModule>, String> {
    let mut modules = BTreeSet::new();
    for (name, view) in file.tensors() {
        let Some(path) = name.strip_suffix(".lora_A.weight") else { continue };
        let leaf = path.rsplit('.').next().unwrap_or(path);
        let known = TargetModule::ALL.into_iter().find(|module| module.name() == leaf);
        modules.insert(known.ok_or_else(|| format!("it adapts `{leaf}`, which Hone does not train"))?);
        // Before anything of that size is made: the rank is only what the configuration says.
        if view.shape().first() != Some(&rank) {
            return Err(format!("`{name}` is {:?}, its configuration says `r` = {rank}", view.shape()));
        }
    }
    if modules.is_empty() {
        return Err("it has no tensor whose name ends in `.lora_A.weight`".to_owned());
    }
    Ok(modules.into_iter().collect())
}

fn fill(adapter: &mut Adapter, file: &SafeTensors<'_>) -> std::result::Result<(), String> {
    let tensors = adapter.tensors().to_vec();
    for tensor in &tensors {
        let view = file.tensor(&tensor.name).map_err(|_| format!("tensor `{}` is missing", tensor.name))?;
        if view.shape() != tensor.shape {
            return Err(format!("`{}` is {:?}, this base model takes {:?}", tensor.name, view.shape(), tensor.shape));
        }
        let target = &mut adapter.params_mut()[tensor.range.clone()];
        match view.dtype() {
            Dtype::F32 => copy(target, view.data(), |bytes: [u8; 4]| f32::from_le_bytes(bytes)),
            Dtype::F16 => copy(target, view.data(), |bytes: [u8; 2]| half::f16::from_le_bytes(bytes).to_f32()),
            Dtype::BF16 => copy(target, view.data(), |bytes: [u8; 2]| half::bf16::from_le_bytes(bytes).to_f32()),
            other => return Err(format!("`{}` has dtype {other:?}; Hone reads F32, F16 and BF16", tensor.name)),
        }
    }
    if let Some(extra) = file.names().into_iter().find(|name| tensors.iter().all(|tensor| tensor.name != **name)) {
        return Err(format!("tensor `{extra}` belongs to no projection of this base model"));
    }
    Ok(())
}

fn copy<const BYTES: usize>(target: &mut [f32], bytes: &[u8], read: impl Fn([u8; BYTES]) -> f32) {
    for (value, bytes) in target.iter_mut().zip(bytes.as_chunks().0) {
        *value = read(*bytes);
    }
}
