//! From a model reference to a file.

use std::path::{Path, PathBuf};

use super::ollama_store;
use super::{BaseModel, ModelFile, catalogue, describe, find};
use crate::error::{ModelError, Result};

/// Where base models are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Hone's own folder of model files.
    pub models_dir: PathBuf,
    /// Ollama's store, if there is one; it is only read.
    pub ollama_models: Option<PathBuf>,
}

/// Hone's models folder when nothing else is asked for: `HONE_MODELS`, or `hone/models` in the user's data folder.
/// `None` when the system names no home folder.
pub fn default_models_dir() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("HONE_MODELS").filter(|folder| !folder.is_empty()) {
        return Some(folder.into());
    }
    directories::BaseDirs::new().map(|folders| folders.data_dir().join("hone").join("models"))
}

/// Ollama's store: `OLLAMA_MODELS`, or `.ollama/models` in the home folder; `None` when it is not there.
pub fn default_ollama_models() -> Option<PathBuf> {
    let given = std::env::var_os("OLLAMA_MODELS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || directories::BaseDirs::new().map(|folders| folders.home_dir().join(".ollama").join("models"));
    given.or_else(home).filter(|folder| folder.is_dir())
}

/// Finds the base model that a reference means and checks that it can be trained.
///
/// A reference is a catalogue name, the name of a file or folder in Hone's models folder, a path to a `.gguf` file or to a
/// Hugging Face folder, or `ollama:NAME[:TAG]`.
///
/// # Errors
/// When there is no such model, its file is damaged, or it is of a kind that Hone does not train.
pub fn resolve(reference: &str, places: &Places) -> Result<BaseModel> {
    if let Some(name) = reference.strip_prefix("ollama:") {
        let Some(store) = &places.ollama_models else {
            return Err(no_model(
                reference,
                "Ollama's store is not on this machine",
                "Set OLLAMA_MODELS to its folder",
            ));
        };
        return ollama_store::resolve(store, name, reference);
    }
    let path = Path::new(reference);
    if path.exists() {
        return describe(&ModelFile::open(path)?, reference);
    }
    let own = places.models_dir.join(format!("{reference}.gguf"));
    if !reference.contains(['/', '\\']) {
        let folder = places.models_dir.join(reference);
        if own.is_file() || folder.join("config.json").is_file() {
            return describe(&ModelFile::open(if own.is_file() { &own } else { &folder })?, reference);
        }
    }
    match find(reference) {
        Some(entry) => {
            let path = places.models_dir.join(entry.file);
            if path.is_file() {
                return describe(&ModelFile::open(&path)?, entry.name);
            }
            let problem = format!("it is not in `{}` yet", places.models_dir.display());
            Err(no_model(reference, &problem, &format!("Fetch it: `hone models get {}`", entry.name)))
        }
        None if path.extension().is_some_and(|extension| extension == "gguf") || reference.contains(['/', '\\']) => {
            Err(no_model(reference, "there is no such file", "Check the path; the file may have been moved or renamed"))
        }
        None => {
            let names: Vec<_> = catalogue().iter().map(|entry| entry.name).collect();
            let hint = format!(
                "Known names: {}; `ollama:NAME` and paths to `.gguf` files and Hugging Face folders work too",
                names.join(", ")
            );
            Err(no_model(reference, "it is neither a file nor a name in the catalogue", &hint))
        }
    }
}

/// Every base model on this machine that can be trained, Hone's own first. Files that cannot are left out.
pub fn list(places: &Places) -> Vec<BaseModel> {
    let files = hone_job::fs::list_dir(&places.models_dir).unwrap_or_default();
    let is_model = |path: &&PathBuf| {
        path.extension().is_some_and(|extension| extension == "gguf") || path.join("config.json").is_file()
    };
    let found = files.iter().filter(is_model);
    let mut models: Vec<BaseModel> = found
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let entry = catalogue().iter().find(|entry| entry.file == name);
            let reference = entry.map_or_else(|| name.trim_end_matches(".gguf"), |entry| entry.name);
            describe(&ModelFile::open(path).ok()?, reference).ok()
        })
        .collect();
    models.extend(places.ollama_models.iter().flat_map(|store| ollama_store::list(store)));
    models
}

pub(super) fn no_model(reference: &str, problem: &str, hint: &str) -> ModelError {
    ModelError::NoModel { reference: reference.to_owned(), problem: problem.to_owned(), hint: hint.to_owned() }
}
