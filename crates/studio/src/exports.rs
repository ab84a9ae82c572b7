//! What was exported.

use std::path::Path;
use std::time::SystemTime;

use hone_job::fs;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Project, StudioError};

/// One export in the project's `exports` folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ExportEntry {
    /// Its folder's name.
    pub name: String,
    /// Its folder.
    pub dir: String,
    /// The model's or adapter's file name.
    pub model: String,
    /// Size of that file, bytes.
    pub bytes: u64,
    /// Whether a Modelfile lies beside it.
    pub modelfile: bool,
    /// Whether the replay in Ollama was recorded.
    pub proof: bool,
    /// When it was written, RFC 3339.
    pub written_at: String,
}

/// All exports, newest first. A folder without a model is none.
///
/// # Errors
/// When the folder may not be read.
pub fn list(project: &Project) -> Result<Vec<ExportEntry>, StudioError> {
    let dir = project.exports_dir();
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut exports: Vec<_> = fs::list_dir(&dir)?.iter().filter_map(|dir| entry(dir)).collect();
    exports.sort_by(|a, b| b.written_at.cmp(&a.written_at));
    Ok(exports)
}

fn entry(dir: &Path) -> Option<ExportEntry> {
    let is_model = |end: &std::ffi::OsStr| end == "gguf" || end == "safetensors";
    let model = fs::list_dir(dir).ok()?.into_iter().find(|path| path.extension().is_some_and(is_model))?;
    let metadata = fs::metadata(&model).ok()?;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Some(ExportEntry {
        name: name(dir),
        dir: dir.to_string_lossy().into_owned(),
        model: name(&model),
        bytes: metadata.len(),
        modelfile: dir.join("Modelfile").is_file(),
        proof: dir.join("proof.json").is_file(),
        written_at: rfc3339(metadata.modified().ok()?)?,
    })
}

fn rfc3339(time: SystemTime) -> Option<String> {
    Some(jiff::Timestamp::try_from(time).ok()?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
