//! Making, opening and looking at a project.

use std::path::PathBuf;

use hone_studio::{Project, ProjectFile, ProjectState, project, settings, state};
use tauri::Manager;

use crate::checks;
use crate::error::ShellError;
use crate::shell::{Shell, blocking};
use crate::worker;

/// Name of the sample project's folder.
const SAMPLE: &str = "Hone sample";

pub async fn first(shell: &Shell) -> Result<Option<String>, ShellError> {
    Ok(shell.first_project.as_ref().map(|dir| dir.to_string_lossy().into_owned()))
}

pub async fn create(
    shell: &Shell,
    dir: Option<PathBuf>,
    name: String,
    base: String,
    language: Option<String>,
) -> Result<ProjectState, ShellError> {
    let dir = match dir {
        Some(dir) => checks::absolute("dir", &dir)?.to_owned(),
        None => documents(shell)?.join(checks::file_name("name", name.trim())?),
    };
    let name = checks::word("name", name.trim())?.to_owned();
    let base = checks::word("base", &base)?.to_owned();
    let language = checks::identifier("language", language.as_deref().unwrap_or("en"))?.to_owned();
    let file = ProjectFile::new(name, base, language);
    let project = blocking(move || Ok(Project::create(&dir, file)?)).await?;
    opened(shell, project).await
}

pub async fn open(shell: &Shell, dir: PathBuf) -> Result<ProjectState, ShellError> {
    checks::absolute("dir", &dir)?;
    let project = blocking(move || Ok(Project::open(&dir)?)).await?;
    opened(shell, project).await
}

pub async fn state(shell: &Shell, dir: PathBuf) -> Result<ProjectState, ShellError> {
    shell.with_project(&dir, |project| Ok(state::read(project)?)).await
}

pub async fn set_base(shell: &Shell, dir: PathBuf, base: String) -> Result<ProjectState, ShellError> {
    checks::word("base", &base)?;
    let change = move |project: &Project| {
        let mut project = project.clone();
        project.set_base(&base)?;
        Ok(state::read(&project)?)
    };
    shell.with_project(&dir, change).await
}

pub async fn sample(shell: &Shell) -> Result<ProjectState, ShellError> {
    let dir = documents(shell)?.join(SAMPLE);
    if !project::is_project(&dir) {
        let mut out = std::ffi::OsString::from("--out=");
        out.push(&dir);
        worker::ask(worker::locate()?, vec!["demo".into(), "--until=import".into(), out]).await?;
    }
    open(shell, dir).await
}

/// Lets the commands touch the project, and puts it on top of the list of recent ones.
async fn opened(shell: &Shell, project: Project) -> Result<ProjectState, ShellError> {
    shell.projects.add(project.dir())?;
    let config = shell.config_dir()?;
    blocking(move || {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        // The list is a convenience: a project opens also where it cannot be kept.
        let _ = settings::remember(&config, &project, &now);
        Ok(state::read(&project)?)
    })
    .await
}

/// The folder in which projects lie that were not given one.
fn documents(shell: &Shell) -> Result<PathBuf, ShellError> {
    let path = shell.app.path();
    let home = || path.home_dir().map_err(|source| ShellError::NoPlace { what: "documents folder", source });
    path.document_dir().or_else(|_| home()).map(|dir| dir.join("Hone"))
}
