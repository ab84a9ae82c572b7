//! Drafts: how far writing them is, deciding on them, taking that back.

use std::path::PathBuf;

use hone_data::RowStatus;
use hone_studio::RowFilter;
use hone_studio::store::{Decided, DraftingState, ReviewState};

use crate::checks;
use crate::error::ShellError;
use crate::shell::Shell;
use crate::unread::Writers;
use crate::worker;

pub async fn decide_all(
    shell: &Shell,
    dir: PathBuf,
    filter: RowFilter,
    status: RowStatus,
) -> Result<Decided, ShellError> {
    checked(&filter)?;
    shell.with_project(&dir, move |project| Ok(project.store()?.set_status_where(&filter, status, false)?)).await
}

pub async fn undo(shell: &Shell, dir: PathBuf) -> Result<Option<Decided>, ShellError> {
    shell.with_project(&dir, |project| Ok(project.store()?.undo_decision()?)).await
}

pub async fn review(shell: &Shell, dir: PathBuf, filter: RowFilter) -> Result<ReviewState, ShellError> {
    checked(&filter)?;
    shell.with_project(&dir, move |project| Ok(project.store()?.review(&filter)?)).await
}

pub async fn drafting(shell: &Shell, dir: PathBuf) -> Result<DraftingState, ShellError> {
    shell.with_project(&dir, |project| Ok(project.store()?.drafting()?)).await
}

pub async fn writers(_: &Shell) -> Result<Writers, ShellError> {
    Ok(Writers(worker::ask(worker::locate()?, vec!["draft".into(), "--writers".into()]).await?))
}

fn checked(filter: &RowFilter) -> Result<(), ShellError> {
    for text in [&filter.search, &filter.document].into_iter().flatten() {
        checks::text("filter", text, checks::NAME_MAX)?;
    }
    Ok(())
}
