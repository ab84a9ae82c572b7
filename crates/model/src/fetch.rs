//! Downloading a base model from the Hugging Face hub: with progress, going on where an earlier try stopped.
//!
//! This file is the only place where weights are fetched from the network.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use hf_hub::Cache;
use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hone_job::Job;

use crate::error::{ModelError, Result};
use crate::source::{CatalogueEntry, ModelFile};

/// Where the hub is, when `HF_ENDPOINT` names no mirror.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

enum Message {
    Total(usize),
    More(usize),
    Ended(std::result::Result<PathBuf, ApiError>),
}

struct Reporter(Sender<Message>);

impl Progress for Reporter {
    fn init(&mut self, size: usize, _file: &str) {
        let _ = self.0.send(Message::Total(size));
    }
    fn update(&mut self, size: usize) {
        let _ = self.0.send(Message::More(size));
    }
    fn finish(&mut self) {}
}

/// Fetches `entry` into `models_dir` from the hub at `endpoint` and returns its path. A file that is there already is
/// kept. What was fetched before an interruption is kept in `models_dir/.hub` and not fetched again.
///
/// # Errors
/// When the download fails, the disk is full, or the file is not what the hub says it is.
pub fn fetch(entry: &CatalogueEntry, models_dir: &Path, endpoint: &str, job: &Job) -> Result<PathBuf> {
    let target = models_dir.join(entry.file);
    if target.is_file() && ModelFile::open(&target).is_ok() {
        return Ok(target);
    }
    job.stage("download");
    let hub = models_dir.join(".hub");
    hone_job::fs::create_dir_all(&hub)?;
    let (sender, receiver) = mpsc::channel();
    let (repository, file, endpoint) = (entry.repository.to_owned(), entry.remote_file, endpoint.to_owned());
    let cache = hub.clone();
    // The client cannot be interrupted: when the job is cancelled this thread is left behind and ends with the worker.
    std::thread::spawn(move || {
        let client = ApiBuilder::from_cache(Cache::new(cache)).with_endpoint(endpoint).with_retries(3).build();
        let fetched =
            client.and_then(|client| client.model(repository).download_with_progress(file, Reporter(sender.clone())));
        let _ = sender.send(Message::Ended(fetched));
    });
    let (mut done, mut total, mut said) = (0_usize, 0_usize, 0_usize);
    let fetched = loop {
        job.check()?;
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(Message::Total(size)) => (done, total) = (0, size),
            Ok(Message::More(size)) => done += size,
            Ok(Message::Ended(fetched)) => break fetched,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break Err(ApiError::InvalidResume),
        }
        if done.abs_diff(said) > total / 200 {
            job.progress(done as u64, total as u64, "bytes");
            said = done;
        }
    };
    let failed = |source: ApiError| ModelError::Download {
        repository: entry.repository.to_owned(),
        file: entry.remote_file.to_owned(),
        source: source.into(),
    };
    settle(&fetched.map_err(failed)?, &target)?;
    hone_job::fs::remove_dir_all(&hub)?;
    job.progress(total as u64, total as u64, "bytes");
    Ok(target)
}

/// Checks a fetched file against the hub's own digest and moves it to its place.
fn settle(fetched: &Path, target: &Path) -> Result<()> {
    let blob = fetched.canonicalize().map_err(|source| hone_job::fs::FsError {
        action: "find",
        path: fetched.to_owned(),
        source,
    })?;
    let file = ModelFile::open(&blob)?;
    // The hub names large files by their SHA-256.
    let name = blob.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) && file.sha256() != name {
        hone_job::fs::remove_file(&blob)?;
        let problem = format!("its SHA-256 is {}, the hub says {name}", file.sha256());
        return Err(ModelError::Damaged { path: target.to_owned(), place: "the whole file".to_owned(), problem });
    }
    drop(file);
    hone_job::fs::rename(&blob, target)?;
    Ok(())
}

#[cfg(test)]
mod tests;
