//! Starting and cancelling workers.

use std::path::PathBuf;

use hone_job::Event;
use tauri::ipc::Channel;

use crate::checks;
use crate::error::ShellError;
use crate::jobs::JobSpec;
use crate::shell::Shell;
use crate::worker::{self, Lifetime, Start};

pub async fn start(
    shell: &Shell,
    dir: Option<PathBuf>,
    job: JobSpec,
    channel: Channel<Event>,
) -> Result<String, ShellError> {
    let dir = dir.map(|dir| shell.projects.get(&dir)).transpose()?;
    let start = Start {
        program: worker::locate()?,
        arguments: job.arguments(dir.as_deref())?,
        lifetime: if job.outlives_window() { Lifetime::Own } else { Lifetime::Window },
        log: dir.as_ref().filter(|_| job.outlives_window()).map(|dir| dir.join("runs").join("worker.log")),
    };
    // A page that was closed or reloaded does not listen any more; the worker goes on all the same.
    Ok(shell.jobs.start(dir, start, move |event| drop(channel.send(event))))
}

pub async fn cancel(shell: &Shell, id: String) -> Result<(), ShellError> {
    shell.jobs.cancel(checks::identifier("id", &id)?).await
}
