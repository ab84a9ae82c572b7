//! Model families: how each one's files are read into a [`DecoderConfig`]. One file per family, with both readings: `read` from
//! GGUF's keys, and `keys`, which writes a `config.json` as those keys. What all share is in `reader.rs`, `settings.rs`, `rope.rs`.

mod gemma2;
mod gemma3;
mod llama;
mod phi3;
mod qwen2;
mod qwen3;
mod reader;
mod rope;
mod settings;

use std::path::Path;

use reader::Reader;

use crate::config::DecoderConfig;
use crate::error::{ModelError, Result};
use crate::huggingface::{Config, Keys};
use crate::source::ModelFile;
use crate::weights::{check_all_read, check_shapes};

/// Reads a family's keys.
type ReadFamily = fn(&Reader<'_>) -> Result<DecoderConfig>;
/// Writes a family's `config.json` as GGUF's keys.
type WriteKeys = fn(&Config, &mut Keys) -> Result<()>;

/// The families that can be trained, as `general.architecture` names them, each with its reader.
const FAMILIES: &[(&str, ReadFamily)] = &[
    ("gemma2", gemma2::read),
    ("gemma3", gemma3::read),
    ("llama", llama::read),
    ("phi3", phi3::read),
    ("qwen2", qwen2::read),
    ("qwen3", qwen3::read),
];

/// A class of Transformers that a folder can be of.
struct Class {
    /// As in `architectures`.
    name: &'static str,
    /// As in `model_type`, for folders that name no class.
    model_type: &'static str,
    /// The family's name in GGUF files.
    family: &'static str,
    keys: WriteKeys,
}

const CLASSES: &[Class] = &[
    Class { name: "Gemma2ForCausalLM", model_type: "gemma2", family: "gemma2", keys: gemma2::keys },
    Class { name: "Gemma3ForCausalLM", model_type: "gemma3_text", family: "gemma3", keys: gemma3::keys },
    Class { name: "LlamaForCausalLM", model_type: "llama", family: "llama", keys: llama::keys },
    Class { name: "MistralForCausalLM", model_type: "mistral", family: "llama", keys: llama::mistral_keys },
    Class { name: "Phi3ForCausalLM", model_type: "phi3", family: "phi3", keys: phi3::keys },
    Class { name: "Qwen2ForCausalLM", model_type: "qwen2", family: "qwen2", keys: qwen2::keys },
    Class { name: "Qwen3ForCausalLM", model_type: "qwen3", family: "qwen3", keys: qwen3::keys },
];

/// The keys that GGUF would have for the `config.json` of `folder`.
///
/// # Errors
/// When the class is none that Hone trains, or the family's reader finds something wrong.
pub(crate) fn keys_of(folder: &Path, config: &Config) -> Result<Keys> {
    let classes = config.texts("architectures")?.unwrap_or_default();
    let model_type = config.text("model_type")?.unwrap_or_default();
    let name = classes.first().copied().unwrap_or(model_type);
    let experts = ["num_local_experts", "num_experts", "n_routed_experts"];
    let has_experts = experts.iter().any(|key| config.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0) > 1);
    let not_yet = if has_experts || name.contains("Moe") || name.contains("MoE") || name.contains("Mixtral") {
        Some("a mixture of experts")
    } else if name.ends_with("ForConditionalGeneration") || config.get("vision_config").is_some() {
        Some("a model that also reads pictures or sound")
    } else {
        None
    };
    if let Some(kind) = not_yet {
        let reason = format!("`{name}` is {kind}, which Hone does not train yet");
        return Err(ModelError::NotABaseModel { path: folder.to_owned(), reason });
    }
    let class = CLASSES.iter().find(|class| match classes.first() {
        Some(name) => class.name == *name,
        None => class.model_type == model_type,
    });
    let Some(class) = class else {
        return Err(ModelError::UnsupportedArchitecture {
            path: folder.to_owned(),
            found: name.to_owned(),
            supported: CLASSES.iter().map(|class| class.name).collect(),
        });
    };
    if config.flag_or("use_bidirectional_attention", false)? {
        return Err(config.wrong("use_bidirectional_attention", "a model that does not write text"));
    }
    let mut keys = Keys::new(class.family);
    (class.keys)(config, &mut keys)?;
    Ok(keys)
}

/// The shape of the model in `file`.
///
/// # Errors
/// [`ModelError::UnsupportedArchitecture`] for a family that Hone cannot train; [`ModelError::NotABaseModel`] for adapters and
/// parts of split files; what the family's reader finds wrong; a tensor that is missing or of another shape than the keys say.
pub fn read_config(file: &ModelFile) -> Result<DecoderConfig> {
    file.check_whole_model()?;
    let Some((_, read)) = FAMILIES.iter().find(|(name, _)| *name == file.architecture()) else {
        return Err(ModelError::UnsupportedArchitecture {
            path: file.path().to_owned(),
            found: file.architecture().to_owned(),
            supported: FAMILIES.iter().map(|(name, _)| *name).collect(),
        });
    };
    let reader = Reader { file };
    if reader.number_or("expert_count", 0)? > 0 {
        return Err(reader.wrong("expert_count", "experts: Hone does not train mixtures of experts yet"));
    }
    let config = read(&reader)?;
    if config.head_size == 0 || config.head_size % 2 != 0 {
        return Err(reader.wrong("attention.head_count", "which leaves no even width for a head"));
    }
    if config.heads % config.kv_heads != 0 {
        return Err(reader.wrong("attention.head_count_kv", "which does not divide the number of heads"));
    }
    if config.norm_epsilon < 0.0 {
        return Err(reader.wrong("attention.layer_norm_rms_epsilon", "below 0"));
    }
    for rope in &config.ropes {
        if rope.base <= 0.0 {
            return Err(reader.wrong("rope.freq_base", "not above 0"));
        }
        if rope.scaling_factor <= 0.0 {
            return Err(reader.wrong("rope.scaling.factor", "below 0"));
        }
        if rope.dimensions % 2 != 0 || rope.dimensions > config.head_size {
            return Err(reader.wrong("rope.dimension_count", "a width that cannot be rotated within a head"));
        }
        let lists = [Some(&rope.frequency_factors), rope.long.as_ref().map(|long| &long.frequency_factors)];
        let lists = lists.into_iter().flatten();
        if lists.clone().any(|list| !list.is_empty() && list.len() != rope.dimensions / 2) {
            return Err(reader.wrong("rope.dimension_count", "not twice as many as the file has factors for"));
        }
        if lists.flatten().any(|factor| !(factor.is_finite() && *factor > 0.0)) {
            let (path, place) = (file.path().to_owned(), "the factors of the rotation".to_owned());
            return Err(ModelError::Damaged { path, place, problem: "one of them is not a number above 0".to_owned() });
        }
    }
    check_all_read(file, &config)?;
    check_shapes(file, &config)?;
    Ok(config)
}

/// What of a model llama.cpp, and with it Ollama, would compute otherwise; `None` when nothing is.
///
/// Only folders can have it: their settings can say more than GGUF's keys can.
pub fn export_obstacle(file: &ModelFile) -> Option<&'static str> {
    let reader = Reader { file };
    let gemma = file.architecture().starts_with("gemma");
    let zero = |leaf: &str| reader.decimal_or(leaf, 1.0).is_ok_and(|number| number == 0.0);
    if reader.has("attention.scale") {
        Some("its `query_pre_attn_scalar` is another than that of the published models of its family")
    } else if gemma && reader.has_list("attention.sliding_window_pattern") {
        Some("its layers see far and near in another order than the published models of its family")
    } else if zero("attn_logit_softcapping") || zero("final_logit_softcapping") {
        Some("it lacks the soft caps of the published models of its family")
    } else {
        None
    }
}
