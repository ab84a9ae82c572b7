//! Settings and the projects opened last.

use hone_studio::{RecentProject, Settings, settings};

use crate::checks;
use crate::error::ShellError;
use crate::shell::{Shell, blocking};

pub async fn read(shell: &Shell) -> Result<Settings, ShellError> {
    let dir = shell.config_dir()?;
    blocking(move || Ok(settings::read(&dir)?)).await
}

pub async fn write(shell: &Shell, new: Settings) -> Result<(), ShellError> {
    if let Some(language) = &new.language {
        checks::identifier("language", language)?;
    }
    let dir = shell.config_dir()?;
    blocking(move || Ok(settings::write(&dir, &new)?)).await
}

pub async fn recent(shell: &Shell) -> Result<Vec<RecentProject>, ShellError> {
    let dir = shell.config_dir()?;
    blocking(move || Ok(settings::recent(&dir)?)).await
}
