//! What only the worker can tell: the machine and the models.

use crate::error::ShellError;
use crate::shell::Shell;
use crate::unread::{BaseModels, Machine};
use crate::worker;

pub async fn machine(_: &Shell) -> Result<Machine, ShellError> {
    Ok(Machine(worker::ask(worker::locate()?, vec!["doctor".into()]).await?))
}

pub async fn models(_: &Shell) -> Result<BaseModels, ShellError> {
    Ok(BaseModels(worker::ask(worker::locate()?, vec!["models".into(), "list".into()]).await?))
}
