use std::path::Path;

use super::*;
use crate::testing::{starter_model, starter_path};

fn places(folder: &Path, ollama: Option<&Path>) -> Places {
    Places { models_dir: folder.to_owned(), ollama_models: ollama.map(Path::to_owned) }
}

fn link(from: &Path, to: &Path) {
    hone_job::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(from, to).unwrap();
}

#[test]
fn a_catalogue_name_a_file_name_and_a_path_lead_to_the_same_model() {
    let Some(_) = starter_model() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(find(STARTER).unwrap().file);
    link(&starter_path().unwrap(), &file);
    let places = places(folder.path(), None);
    let by_name = resolve(STARTER, &places).unwrap();
    assert_eq!(
        (by_name.architecture.as_str(), by_name.quantisation.as_str(), by_name.context_length),
        ("gemma3", "Q4_K_M", 32_768)
    );
    // 268 million by Google's model card: 170 million embedding, 100 million layers.
    assert_eq!(by_name.parameters, 268_098_176);
    assert_eq!(resolve("gemma-3-270m-q4_k_m", &places).unwrap().path, by_name.path);
    assert_eq!(resolve(file.to_str().unwrap(), &places).unwrap().path, by_name.path);
    assert_eq!(list(&places), [by_name]);
}

#[test]
fn references_that_lead_nowhere_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path(), None);
    let hint = |reference: &str| hone_job::Explain::hint(&resolve(reference, &places).unwrap_err()).unwrap();
    assert_eq!(hint("gemma3-270m"), "Fetch it: `hone models get gemma3-270m`");
    assert!(hint("gemma9").starts_with("Known names: gemma3-270m, "));
    assert!(hint("/nowhere/x.gguf").starts_with("Check the path"));
    assert!(hint("ollama:x").contains("OLLAMA_MODELS"));
    let empty = resolve(folder.path().to_str().unwrap(), &places).unwrap_err();
    assert!(empty.to_string().contains("a folder without `config.json`"), "{empty}");
    assert_eq!(list(&places), []);
}

/// A store laid out by hand as Ollama's source lays it out.
fn store(folder: &Path, model: &str, config: &str, layers: &[(&str, &str)]) {
    let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
    let layers: Vec<_> = layers
        .iter()
        .map(|(kind, blob)| serde_json::json!({"mediaType": format!("application/vnd.ollama.image.{kind}"), "digest": digest(blob)}))
        .collect();
    let manifest = serde_json::json!({"schemaVersion": 2, "config": {"digest": digest("c")}, "layers": layers});
    let path = folder.join("manifests").join(model);
    hone_job::fs::create_dir_all(path.parent().unwrap()).unwrap();
    hone_job::fs::create_dir_all(&folder.join("blobs")).unwrap();
    hone_job::fs::write_json(&path, &manifest).unwrap();
    hone_job::fs::write_atomic(&folder.join(format!("blobs/sha256-{}", "c".repeat(64))), config.as_bytes()).unwrap();
}

#[test]
fn ollamas_models_are_found_by_the_names_that_ollama_shows() {
    let Some(_) = starter_model() else { return };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let config = r#"{"model_format": "gguf"}"#;
    store(root, "registry.ollama.ai/library/gemma3/latest", config, &[("model", "a"), ("params", "b")]);
    store(root, "registry.ollama.ai/someone/mine/v1", config, &[("model", "a"), ("adapter", "b")]);
    link(&starter_path().unwrap(), &root.join(format!("blobs/sha256-{}", "a".repeat(64))));
    let places = places(root, Some(root));
    let names: Vec<_> = list(&places).into_iter().map(|model| model.name).collect();
    assert_eq!(names, ["gemma3:latest", "someone/mine:v1"]);
    assert_eq!(resolve("ollama:gemma3", &places).unwrap().remark, None);
    assert!(resolve("ollama:someone/mine:v1", &places).unwrap().remark.unwrap().contains("adapter"));
    let error = resolve("ollama:other", &places).unwrap_err();
    assert_eq!(hone_job::Explain::hint(&error).unwrap(), "Ollama has: gemma3:latest, someone/mine:v1");
}

#[test]
fn cloud_models_and_other_formats_are_refused_by_name() {
    let refusal = |config: &str| {
        let folder = tempfile::tempdir().unwrap();
        store(folder.path(), "registry.ollama.ai/library/other/latest", config, &[("tensor", "a")]);
        let places = places(folder.path(), Some(folder.path()));
        assert_eq!(list(&places), []);
        resolve("ollama:other", &places).unwrap_err().to_string()
    };
    assert!(refusal(r#"{"remote_host": "x"}"#).contains("runs in the cloud"));
    assert!(refusal(r#"{"model_format": "safetensors"}"#).contains("in the format `safetensors`"));
}
