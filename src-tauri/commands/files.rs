//! The system's own dialogs, and showing what was made.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rfd::{AsyncFileDialog, FileHandle};
use tauri::Manager;

use crate::checks;
use crate::error::ShellError;
use crate::shell::Shell;

const DOCUMENTS: &[&str] = &[
    "pdf", "docx", "docm", "pptx", "pptm", "ppsx", "odt", "rtf", "epub", "html", "htm", "xhtml", "md", "markdown",
    "txt", "csv", "tsv", "xlsx", "xlsm", "xls", "ods", "jsonl", "ndjson", "json", "parquet", "zip",
];

pub async fn pick_files(shell: &Shell, title: String) -> Result<Vec<PathBuf>, ShellError> {
    let dialog =
        dialog(shell, &title)?.add_filter("PDF, DOCX, PPTX, ODT, EPUB, HTML, TXT, XLSX, CSV, JSONL, ZIP", DOCUMENTS);
    Ok(dialog.pick_files().await.unwrap_or_default().iter().map(path).collect())
}

pub async fn pick_folder(shell: &Shell, title: String) -> Result<Option<PathBuf>, ShellError> {
    Ok(dialog(shell, &title)?.pick_folder().await.as_ref().map(path))
}

pub async fn pick_model(shell: &Shell, title: String) -> Result<Option<PathBuf>, ShellError> {
    let dialog = dialog(shell, &title)?.add_filter("GGUF, config.json", &["gguf", "json"]);
    Ok(dialog.pick_file().await.as_ref().map(path))
}

pub async fn reveal(shell: &Shell, target: PathBuf) -> Result<(), ShellError> {
    let target = shell.projects.inside(&target)?;
    let page = target.extension().is_some_and(|end| end == "html");
    // A file is shown in its folder; only a report of ours is opened itself.
    let shown = if page || target.is_dir() { target.as_path() } else { target.parent().unwrap_or(&target) };
    let started = opener().arg(shown).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = started.map_err(|source| ShellError::Reveal { path: shown.to_owned(), source })?;
    tauri::async_runtime::spawn_blocking(move || child.wait());
    Ok(())
}

fn opener() -> Command {
    Command::new(match std::env::consts::OS {
        "windows" => "explorer",
        "macos" => "open",
        _ => "xdg-open",
    })
}

fn dialog(shell: &Shell, title: &str) -> Result<AsyncFileDialog, ShellError> {
    let dialog = AsyncFileDialog::new().set_title(checks::text("title", title, 200)?);
    Ok(match shell.app.get_webview_window("main") {
        Some(window) => dialog.set_parent(&window),
        None => dialog,
    })
}

fn path(handle: &FileHandle) -> PathBuf {
    Path::to_path_buf(handle.path())
}
