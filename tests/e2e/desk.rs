//! A person's computer: a home folder that is thrown away, and the programs under test.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

/// The starter model's file.
const MODEL: &str = "gemma-3-270m-q4_k_m.gguf";

/// A home folder for one test. Trainings that it left running are ended with it.
pub struct Desk {
    home: TempDir,
}

impl Desk {
    /// An empty home; `None`, said loudly, when the machine lacks what the test needs.
    ///
    /// # Panics
    /// When `HONE_DESKTOP_BIN` is not set, or the model is missing although `HONE_REQUIRE_MODEL` is `1`.
    pub fn new(needs_model: bool) -> Option<Self> {
        for name in ["HONE_DESKTOP_BIN", "HONE_WORKER"] {
            assert!(
                std::env::var_os(name).is_some(),
                "`{name}` must name the built program; `cargo xtask test` sets it"
            );
        }
        if needs_model && !models().join(MODEL).is_file() {
            let place = models().join(MODEL);
            assert!(std::env::var_os("HONE_REQUIRE_MODEL").is_none_or(|v| v != "1"), "{} is missing", place.display());
            eprintln!("!!!! SKIPPED: the starter model is not at {} !!!!", place.display());
            return None;
        }
        Some(Self { home: tempfile::Builder::new().prefix("hone desk ").tempdir().unwrap() })
    }

    /// Whether Tesseract is installed, said loudly where it is not.
    ///
    /// # Panics
    /// When it is missing although `HONE_REQUIRE_TESSERACT` is set.
    pub fn recognises_text(&self) -> bool {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|folder| folder.join("tesseract").is_file());
        assert!(found || std::env::var_os("HONE_REQUIRE_TESSERACT").is_none(), "tesseract is missing");
        if !found {
            eprintln!("!!!! SKIPPED: tesseract is not installed !!!!");
        }
        found
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A project made by name alone.
    pub fn project(&self, name: &str) -> PathBuf {
        self.home().join("Hone").join(name)
    }

    /// What the programs see of the outside. No Ollama answers there.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("HOME", self.home().into()),
            ("XDG_CONFIG_HOME", self.home().join(".config")),
            ("XDG_DATA_HOME", self.home().join(".local/share")),
            ("XDG_CACHE_HOME", self.home().join(".cache")),
            ("HONE_MODELS", models()),
            ("OLLAMA_HOST", "http://127.0.0.1:9".into()),
            ("LANGUAGE", "en".into()),
            ("LANG", "C.UTF-8".into()),
            ("GSETTINGS_BACKEND", "memory".into()),
            ("TAURI_WEBVIEW_AUTOMATION", "true".into()),
        ]
    }

    /// The states of all trainings in a project, oldest first.
    pub fn runs(&self, project: &str) -> Vec<Value> {
        let Ok(entries) = std::fs::read_dir(self.project(project).join("runs")) else { return Vec::new() };
        let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        folders.sort();
        let state = |folder: &PathBuf| serde_json::from_slice(&std::fs::read(folder.join("state.json")).ok()?).ok();
        folders.iter().filter_map(state).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let Ok(projects) = std::fs::read_dir(self.home().join("Hone")) else { return };
        for project in projects.flatten() {
            for run in self.runs(&project.file_name().to_string_lossy()) {
                let Some(pid) = run["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()) else { continue };
                let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                // Only a worker of this very home: the number may belong to another program by now.
                if String::from_utf8_lossy(&command).contains(&*self.home().to_string_lossy()) {
                    crate::driver::end(pid);
                }
            }
        }
    }
}

fn models() -> PathBuf {
    std::env::var_os("HONE_MODELS").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".local/share/hone/models"),
        PathBuf::from,
    )
}
