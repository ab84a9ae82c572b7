//! Ollama's model store on disk, read only: `manifests/<host>/<namespace>/<model>/<tag>` and `blobs/sha256-<hex>`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::resolve::no_model;
use super::{BaseModel, ModelFile, describe};
use crate::error::Result;

const LAYER: &str = "application/vnd.ollama.image.";
/// The host and namespace that Ollama does not show.
const HIDDEN: (&str, &str) = ("registry.ollama.ai", "library");

#[derive(Deserialize)]
struct Manifest {
    config: Layer,
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    #[serde(default)]
    media_type: String,
    digest: String,
}

#[derive(Deserialize, Default)]
struct Config {
    #[serde(default)]
    model_format: String,
    #[serde(default)]
    remote_host: String,
}

/// A model of the store: its name as Ollama shows it, and its manifest.
struct Stored {
    name: String,
    manifest: PathBuf,
}

/// Every model of the store that can be trained.
pub(super) fn list(store: &Path) -> Vec<BaseModel> {
    let stored = enumerate(store);
    stored.iter().filter_map(|stored| open(store, stored, &format!("ollama:{}", stored.name)).ok()).collect()
}

/// The model of that name (`NAME` or `NAME:TAG`).
pub(super) fn resolve(store: &Path, name: &str, reference: &str) -> Result<BaseModel> {
    let wanted = if name.rsplit('/').next().is_some_and(|last| last.contains(':')) {
        name.to_owned()
    } else {
        format!("{name}:latest")
    };
    let stored = enumerate(store);
    if let Some(stored) = stored.iter().find(|stored| stored.name.eq_ignore_ascii_case(&wanted)) {
        return open(store, stored, reference);
    }
    let names: Vec<_> = stored.iter().map(|stored| stored.name.as_str()).collect();
    let hint = if names.is_empty() {
        "Ollama has no models yet: fetch one with `ollama pull`".to_owned()
    } else {
        format!("Ollama has: {}", names.join(", "))
    };
    Err(no_model(reference, &format!("`{wanted}` is not in `{}`", store.display()), &hint))
}

fn enumerate(store: &Path) -> Vec<Stored> {
    let mut stored = Vec::new();
    for host in children(&store.join("manifests")) {
        for namespace in children(&host) {
            for model in children(&namespace) {
                for tag in children(&model) {
                    let part =
                        |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                    let mut name = format!("{}:{}", part(&model), part(&tag));
                    if part(&namespace) != HIDDEN.1 || part(&host) != HIDDEN.0 {
                        name = format!("{}/{name}", part(&namespace));
                    }
                    if part(&host) != HIDDEN.0 {
                        name = format!("{}/{name}", part(&host));
                    }
                    if tag.is_file() {
                        stored.push(Stored { name, manifest: tag });
                    }
                }
            }
        }
    }
    stored
}

fn children(folder: &Path) -> Vec<PathBuf> {
    if folder.is_dir() { hone_job::fs::list_dir(folder).unwrap_or_default() } else { Vec::new() }
}

/// The blob of a digest `sha256:<64 hex digits>`; anything else names no finished blob.
fn blob(store: &Path, digest: &str) -> Option<PathBuf> {
    let hex = digest.strip_prefix("sha256:")?;
    let whole = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| store.join("blobs").join(format!("sha256-{hex}")))
}

fn open(store: &Path, stored: &Stored, reference: &str) -> Result<BaseModel> {
    let manifest: Manifest = hone_job::fs::read_json(&stored.manifest)?;
    let refuse = |problem: &str| no_model(reference, problem, "Choose another model, for example `gemma3-270m`");
    let config: Config = match blob(store, &manifest.config.digest).filter(|path| path.is_file()) {
        Some(path) => hone_job::fs::read_json(&path)?,
        None => Config::default(),
    };
    if !config.remote_host.is_empty() {
        return Err(refuse("it runs in the cloud; its weights are not on this machine"));
    }
    if !config.model_format.is_empty() && config.model_format != "gguf" {
        return Err(refuse(&format!("its weights are in the format `{}`, not GGUF", config.model_format)));
    }
    let of = |kind: &str| {
        let wanted = format!("{LAYER}{kind}");
        manifest.layers.iter().filter(|layer| layer.media_type == wanted).collect::<Vec<_>>()
    };
    let [weights] = of("model")[..] else {
        return Err(refuse("it does not consist of exactly one file of weights"));
    };
    let path = blob(store, &weights.digest).ok_or_else(|| refuse("its weights are not downloaded completely"))?;
    let mut model = describe(&ModelFile::open(&path)?, reference)?;
    model.name.clone_from(&stored.name);
    if !of("adapter").is_empty() {
        model.remark = Some("Ollama adds an adapter to this model; only the base model under it is used".to_owned());
    }
    Ok(model)
}
