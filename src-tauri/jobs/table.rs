//! The table of running jobs: start, cancel, end with the window.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hone_job::Event;
use tokio::sync::mpsc;

use crate::error::ShellError;
use crate::worker::{self, Lifetime, Order, Start};

/// How long jobs get to stop cleanly when the window closes.
const FAREWELL: Duration = Duration::from_millis(1500);
/// How long one look at the table waits before the next.
const LOOK: Duration = Duration::from_millis(20);

struct Entry {
    orders: mpsc::Sender<Order>,
    lifetime: Lifetime,
    dir: Option<PathBuf>,
}

/// The running jobs. Cheap to clone.
#[derive(Clone, Default)]
pub struct Jobs {
    running: Arc<Mutex<HashMap<String, Entry>>>,
    last: Arc<AtomicU64>,
}

impl Jobs {
    /// Starts a worker for the project at `dir`, hands its events to `on_event`, and returns the job's number at once.
    pub fn start(&self, dir: Option<PathBuf>, start: Start, on_event: impl FnMut(Event) + Send + 'static) -> String {
        let id = (self.last.fetch_add(1, Ordering::Relaxed) + 1).to_string();
        let (orders, receiver) = mpsc::channel(8);
        self.running().insert(id.clone(), Entry { orders, lifetime: start.lifetime, dir });
        let (table, own) = (self.clone(), id.clone());
        tauri::async_runtime::spawn(async move {
            worker::run(start, receiver, on_event).await;
            table.running().remove(&own);
        });
        id
    }

    /// Asks a job to stop at the next safe place.
    ///
    /// # Errors
    /// [`ShellError::NoSuchJob`] when it has ended.
    pub async fn cancel(&self, id: &str) -> Result<(), ShellError> {
        let orders = self.running().get(id).map(|entry| entry.orders.clone());
        let gone = || ShellError::NoSuchJob { id: id.to_owned() };
        orders.ok_or_else(gone)?.send(Order::Cancel).await.map_err(|_| gone())
    }

    /// Whether a training that this window started in the project at `dir` is running or about to.
    pub fn trains(&self, dir: &Path) -> bool {
        self.running().values().any(|entry| entry.lifetime == Lifetime::Own && entry.dir.as_deref() == Some(dir))
    }

    /// Ends what must not outlive the window: asks first, then kills. Trainings go on.
    pub async fn farewell(&self) {
        for order in [Order::Cancel, Order::Kill] {
            let waiting = self.of_the_window();
            for orders in &waiting {
                let _ = orders.send(order).await;
            }
            let mut left = FAREWELL;
            while !self.of_the_window().is_empty() && !left.is_zero() {
                tokio::time::sleep(LOOK).await;
                left = left.saturating_sub(LOOK);
            }
        }
    }

    fn of_the_window(&self) -> Vec<mpsc::Sender<Order>> {
        let running = self.running();
        running.values().filter(|entry| entry.lifetime == Lifetime::Window).map(|entry| entry.orders.clone()).collect()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str, lifetime: Lifetime) -> Start {
        Start { program: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()], lifetime, log: None }
    }

    #[tokio::test]
    async fn a_job_can_be_cancelled_by_its_number() {
        let jobs = Jobs::default();
        let (sender, mut events) = mpsc::unbounded_channel();
        let id = jobs.start(None, sh(r#"read word; echo '{"event":"cancelled"}'"#, Lifetime::Window), move |event| {
            let _ = sender.send(event);
        });
        jobs.cancel(&id).await.unwrap();
        assert_eq!(events.recv().await, Some(Event::Cancelled));
        assert_eq!(events.recv().await, None, "nothing after the closing event");
        assert!(jobs.cancel("99").await.is_err());
    }

    #[tokio::test]
    async fn closing_the_window_ends_its_jobs_and_leaves_trainings_running() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("trained");
        let jobs = Jobs::default();
        jobs.start(None, sh("exec sleep 600", Lifetime::Window), |_| {});
        let training = format!("sleep 4; echo done > '{}'", mark.display());
        jobs.start(Some(folder.path().into()), sh(&training, Lifetime::Own), |_| {});
        jobs.farewell().await;
        assert!(jobs.trains(folder.path()));
        assert_eq!(jobs.running().len(), 1, "the training alone is left");
        for _ in 0..1000 {
            if mark.exists() {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("the training did not go on");
    }
}
