//! The project's trainings and what came of them.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use hone_job::fs;
use hone_job::run::{RunState, RunView};
use hone_studio::{ExportEntry, runs};
use tauri::ipc::Channel;

use crate::checks;
use crate::error::ShellError;
use crate::runs::{Follow, PAUSE, RunUpdate};
use crate::shell::{Shell, blocking};
use crate::unread::Report;

pub async fn list(shell: &Shell, dir: PathBuf) -> Result<Vec<RunState>, ShellError> {
    shell.with_project(&dir, |project| Ok(runs::list(project)?)).await
}

pub async fn read(shell: &Shell, dir: PathBuf, run: String) -> Result<RunView, ShellError> {
    checks::run_id(&run)?;
    shell.with_project(&dir, move |project| Ok(runs::read(project, &run)?)).await
}

pub async fn follow(
    shell: &Shell,
    dir: PathBuf,
    run: String,
    channel: Channel<RunUpdate>,
) -> Result<RunView, ShellError> {
    checks::run_id(&run)?;
    let project = shell.projects.get(&dir)?;
    let mine = shell.follow.fetch_add(1, Ordering::Relaxed) + 1;
    let id = run.clone();
    let mut follow = Follow::new(shell.with_project(&dir, move |project| Ok(runs::dir(project, &id)?)).await?);
    loop {
        // Asked first, so that what a worker wrote just before it ended is still looked at.
        let starting = shell.jobs.trains(&project);
        let (looked, back) = blocking(move || Ok((follow.look(), follow))).await?;
        follow = back;
        let (updates, alive) = looked?;
        let heard = updates.into_iter().all(|update| channel.send(update).is_ok());
        let newest = shell.follow.load(Ordering::Relaxed) == mine;
        if !heard || !newest || !(alive || starting) {
            return read(shell, dir, run).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub async fn cancel(shell: &Shell, dir: PathBuf, run: String) -> Result<(), ShellError> {
    checks::run_id(&run)?;
    shell.with_project(&dir, move |project| Ok(runs::cancel(project, &run)?)).await
}

pub async fn report(shell: &Shell, dir: PathBuf, run: String) -> Result<Option<Report>, ShellError> {
    checks::run_id(&run)?;
    shell
        .with_project(&dir, move |project| {
            let path = runs::dir(project, &run)?.join("eval.json");
            Ok(if path.is_file() { Some(Report(fs::read_json(&path)?)) } else { None })
        })
        .await
}

pub async fn exports(shell: &Shell, dir: PathBuf) -> Result<Vec<ExportEntry>, ShellError> {
    shell.with_project(&dir, |project| Ok(hone_studio::exports::list(project)?)).await
}
