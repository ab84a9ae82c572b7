//! Paging, approving and editing rows; what the cleaning rules said.

use std::path::PathBuf;

use hone_data::clean::{Rule, Verdict};
use hone_data::{Row, RowStatus};
use hone_studio::{RowFilter, RowPage, RuleHits};

use crate::checks;
use crate::error::ShellError;
use crate::shell::Shell;

/// Verdicts of one rule that are told with it.
const SHOWN: usize = 50;
/// Longest text of an edited row, bytes.
const ROW_MAX: usize = 4 << 20;

pub async fn page(
    shell: &Shell,
    dir: PathBuf,
    filter: RowFilter,
    offset: u32,
    limit: u32,
) -> Result<RowPage, ShellError> {
    for text in [&filter.search, &filter.document].into_iter().flatten() {
        checks::text("filter", text, checks::NAME_MAX)?;
    }
    let limit = limit.min(checks::ROWS_MAX as u32);
    shell.with_project(&dir, move |project| Ok(project.store()?.rows(&filter, offset.into(), limit.into())?)).await
}

pub async fn read(shell: &Shell, dir: PathBuf, id: i64) -> Result<Row, ShellError> {
    shell.with_project(&dir, move |project| Ok(project.store()?.row(id)?)).await
}

pub async fn set_status(shell: &Shell, dir: PathBuf, ids: Vec<i64>, status: RowStatus) -> Result<(), ShellError> {
    if ids.len() > checks::ROWS_MAX {
        return Err(ShellError::BadArgument { name: "ids", reason: "there are too many at once" });
    }
    shell.with_project(&dir, move |project| Ok(project.store()?.set_status(&ids, status)?)).await
}

pub async fn edit(shell: &Shell, dir: PathBuf, id: i64, row: Row) -> Result<(), ShellError> {
    let texts = row.messages.iter().map(|message| message.content.len());
    if texts.chain([row.text.len()]).sum::<usize>() > ROW_MAX {
        return Err(ShellError::BadArgument { name: "row", reason: "it is too long" });
    }
    shell.with_project(&dir, move |project| Ok(project.store()?.edit(id, &row)?)).await
}

pub async fn rule_hits(shell: &Shell, dir: PathBuf, rule: Rule, offset: u32) -> Result<Vec<Verdict>, ShellError> {
    shell
        .with_project(&dir, move |project| Ok(project.store()?.rule_verdicts(rule, offset.into(), SHOWN as u64)?))
        .await
}

pub async fn keep_hit(shell: &Shell, dir: PathBuf, rule: Rule, row: i64, kept: bool) -> Result<(), ShellError> {
    shell.with_project(&dir, move |project| Ok(project.store()?.keep_hit(rule, row, kept)?)).await
}

pub async fn verdicts(shell: &Shell, dir: PathBuf) -> Result<Vec<RuleHits>, ShellError> {
    shell.with_project(&dir, |project| Ok(project.store()?.applied_rules(SHOWN)?)).await
}
