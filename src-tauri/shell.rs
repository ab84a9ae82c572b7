//! What the commands share: the app's handle, the opened projects, the running jobs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hone_studio::Project;
use tauri::{AppHandle, Manager};

use crate::checks::OpenProjects;
use crate::error::ShellError;
use crate::jobs::Jobs;

/// State of the running program.
pub struct Shell {
    /// The program.
    pub app: AppHandle,
    /// The project named on the command line.
    pub first_project: Option<PathBuf>,
    /// The folders that commands may touch.
    pub projects: OpenProjects,
    /// The running workers.
    pub jobs: Jobs,
    /// Number of the newest look at a run; an older one sees that it is over.
    pub follow: Arc<AtomicU64>,
}

impl Shell {
    /// A program that has opened nothing yet.
    pub fn new(app: AppHandle, first_project: Option<PathBuf>) -> Self {
        Self { app, first_project, projects: OpenProjects::default(), jobs: Jobs::default(), follow: Arc::default() }
    }

    /// Where settings and recent projects lie.
    ///
    /// # Errors
    /// [`ShellError::NoPlace`].
    pub fn config_dir(&self) -> Result<PathBuf, ShellError> {
        self.app.path().app_config_dir().map_err(|source| ShellError::NoPlace { what: "settings folder", source })
    }

    /// Works on an opened project away from the window's thread.
    ///
    /// # Errors
    /// [`ShellError::ProjectNotOpen`], or what `work` says.
    pub async fn with_project<T: Send + 'static>(
        &self,
        dir: &Path,
        work: impl FnOnce(&Project) -> Result<T, ShellError> + Send + 'static,
    ) -> Result<T, ShellError> {
        let dir = self.projects.get(dir)?;
        blocking(move || work(&Project::open(&dir)?)).await
    }
}

/// Runs disk work away from the window's thread.
///
/// # Errors
/// What `work` says.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ShellError> + Send + 'static,
) -> Result<T, ShellError> {
    tauri::async_runtime::spawn_blocking(work).await.map_err(ShellError::Task)?
}

/// The project named by `--project DIR` among the program's arguments.
pub fn project_argument(arguments: impl IntoIterator<Item = OsString>) -> Option<PathBuf> {
    let mut arguments = arguments.into_iter().skip_while(|word| word != "--project");
    arguments.nth(1).and_then(|dir| std::path::absolute(dir).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_project_comes_from_the_command_line() {
        let words = |list: &[&str]| project_argument(list.iter().map(OsString::from));
        assert_eq!(words(&["hone-desktop", "--project", "/tmp/x"]), Some("/tmp/x".into()));
        assert_eq!(words(&["hone-desktop", "--project"]), None);
        assert_eq!(words(&["hone-desktop"]), None);
    }
}
