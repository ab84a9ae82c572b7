//! The project's documents.

use std::path::PathBuf;

use hone_data::{Document, MappedFile, Passage};
use hone_studio::store::DocumentYield;

use crate::checks;
use crate::error::ShellError;
use crate::shell::Shell;

pub async fn list(shell: &Shell, dir: PathBuf) -> Result<Vec<Document>, ShellError> {
    shell.with_project(&dir, |project| Ok(project.store()?.documents()?)).await
}

pub async fn passages(shell: &Shell, dir: PathBuf, hash: String) -> Result<Vec<Passage>, ShellError> {
    checks::identifier("hash", &hash)?;
    shell.with_project(&dir, move |project| Ok(project.store()?.passages(&hash)?)).await
}

pub async fn yields(shell: &Shell, dir: PathBuf) -> Result<Vec<DocumentYield>, ShellError> {
    shell.with_project(&dir, |project| Ok(project.store()?.yields()?)).await
}

pub async fn mapping(shell: &Shell, dir: PathBuf, hash: String) -> Result<Option<MappedFile>, ShellError> {
    checks::identifier("hash", &hash)?;
    shell.with_project(&dir, move |project| Ok(project.store()?.file_mapping(&hash)?)).await
}

pub async fn remove(shell: &Shell, dir: PathBuf, hash: String) -> Result<(), ShellError> {
    checks::identifier("hash", &hash)?;
    shell.with_project(&dir, move |project| Ok(project.store()?.remove_document(&hash)?)).await
}
