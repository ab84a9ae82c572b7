//! PEFT's adapter folder: `adapter_model.safetensors` and `adapter_config.json` (PEFT 0.21).

use std::collections::BTreeMap;
use std::path::Path;

use hone_job::fs;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::{Adapter, LoraConfig, TargetModule};
use crate::config::DecoderConfig;
use crate::error::{ModelError, Result};

const WEIGHTS: &str = "adapter_model.safetensors";
const CONFIG: &str = "adapter_config.json";

/// The fields of `adapter_config.json` that Hone reads or writes; PEFT knows no others of ours.
#[derive(Debug, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // PEFT's own fields
struct PeftConfig {
    peft_type: String,
    #[serde(default)]
    task_type: Option<String>,
    #[serde(default)]
    base_model_name_or_path: Option<String>,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    lora_dropout: f64,
    target_modules: Vec<String>,
    #[serde(default = "none")]
    bias: String,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    inference_mode: bool,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    modules_to_save: Option<Vec<String>>,
    #[serde(default)]
    rank_pattern: BTreeMap<String, usize>,
    #[serde(default)]
    alpha_pattern: BTreeMap<String, f64>,
}

fn none() -> String {
    "none".to_owned()
}

impl Adapter {
    /// Reads an adapter that PEFT, or Hone, saved.
    ///
    /// # Errors
    /// [`ModelError::Fs`] when a file cannot be read; [`ModelError::Adapter`] when it is not such a file, uses something that
    /// Hone does not train (rank patterns, biases), or its tensors are not exactly those of this base model.
    pub fn load_peft(folder: &Path, decoder: &DecoderConfig) -> Result<Self> {
        let path = folder.join(CONFIG);
        let peft: PeftConfig = fs::read_json(&path)?;
        let config = read_config(peft).map_err(|problem| ModelError::Adapter { path, problem })?;
        let mut adapter = Self::zeros(decoder, &config)?;
        let path = folder.join(WEIGHTS);
        let bytes = fs::read(&path)?;
        fill(&mut adapter, &bytes).map_err(|problem| ModelError::Adapter { path, problem })?;
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
        let peft = PeftConfig {
            peft_type: "LORA".to_owned(),
            task_type: Some("CAUSAL_LM".to_owned()),
            base_model_name_or_path: Some(base.to_owned()),
            r: config.rank,
            lora_alpha: config.alpha,
            lora_dropout: config.dropout,
            target_modules: config.target_modules.iter().map(|module| module.name().to_owned()).collect(),
            bias: none(),
            fan_in_fan_out: false,
            inference_mode: true,
            use_rslora: config.use_rslora,
            use_dora: config.use_dora,
            modules_to_save: None,
            rank_pattern: BTreeMap::new(),
            alpha_pattern: BTreeMap::new(),
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

fn read_config(peft: PeftConfig) -> std::result::Result<LoraConfig, String> {
    if peft.peft_type != "LORA" {
        return Err(format!("its type is `{}`, Hone reads `LORA`", peft.peft_type));
    }
    let foreign = [
        ("fan_in_fan_out", peft.fan_in_fan_out),
        ("bias", peft.bias != "none"),
        ("modules_to_save", peft.modules_to_save.is_some_and(|modules| !modules.is_empty())),
        ("rank_pattern", !peft.rank_pattern.is_empty()),
        ("alpha_pattern", !peft.alpha_pattern.is_empty()),
    ];
    if let Some((name, _)) = foreign.iter().find(|(_, used)| *used) {
        return Err(format!("it uses `{name}`, which Hone does not train"));
    }
    let mut target_modules = peft
        .target_modules
        .iter()
        .map(|name| {
            let known = TargetModule::ALL.into_iter().find(|module| module.name() == name);
            known.ok_or_else(|| format!("it adapts `{name}`, which Hone does not train"))
        })
        .collect::<std::result::Result<Vec<_>, _>>()?;
    target_modules.sort_unstable();
    target_modules.dedup();
    Ok(LoraConfig {
        rank: peft.r,
        alpha: peft.lora_alpha,
        dropout: peft.lora_dropout,
        target_modules,
        use_rslora: peft.use_rslora,
        use_dora: peft.use_dora,
    })
}

fn fill(adapter: &mut Adapter, bytes: &[u8]) -> std::result::Result<(), String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
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
