//! One worker process: started, listened to line by line, asked to stop, ended.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use hone_job::{AppError, Event, Explain, fs};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use crate::error::ShellError;

/// Longest line of the worker's output, bytes.
const LINE_MAX: u64 = 64 << 20;
/// Lines kept of what the worker wrote for people.
const STDERR_LINES: usize = 40;

/// How long a worker lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Ended with the window.
    Window,
    /// In a process group of its own; goes on when the window is closed.
    Own,
}

/// What is started.
#[derive(Debug)]
pub struct Start {
    /// The worker.
    pub program: PathBuf,
    /// Its words.
    pub arguments: Vec<OsString>,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// Where it writes what is for people; without it that is read here, which a worker cannot outlive.
    pub log: Option<PathBuf>,
}

/// What a running worker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Stop at the next safe place.
    Cancel,
    /// End at once.
    Kill,
}

impl Start {
    fn spawn(&self) -> Result<Child, ShellError> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        match &self.log {
            Some(path) => {
                fs::remove_file(path)?;
                command.stderr(fs::append(path)?)
            }
            None => command.stderr(Stdio::piped()),
        };
        command.kill_on_drop(self.lifetime == Lifetime::Window);
        #[cfg(unix)]
        if self.lifetime == Lifetime::Own {
            command.process_group(0);
        }
        #[cfg(windows)]
        command.creation_flags(0x0800_0000); // CREATE_NO_WINDOW
        command.spawn().map_err(|source| ShellError::WorkerStart { path: self.program.clone(), source })
    }
}

/// Runs a worker to its end and hands every event to `on_event`. The last one is always `done`, `cancelled` or
/// `failed`: where the worker could not say it itself, it is said for it.
pub async fn run(start: Start, mut orders: mpsc::Receiver<Order>, mut on_event: impl FnMut(Event)) {
    let failed = |error: &ShellError| Event::Failed(error.to_app_error());
    let mut child = match start.spawn() {
        Ok(child) => child,
        Err(error) => return on_event(failed(&error)),
    };
    let mut stdin = child.stdin.take();
    let stderr = child.stderr.take().map(|stream| tauri::async_runtime::spawn(last_lines(stream)));
    let mut stdout = child.stdout.take().map(BufReader::new);
    let mut closing = None;
    let mut line = Vec::new();
    while let Some(reader) = stdout.as_mut() {
        tokio::select! {
            read = next_line(reader, &mut line) => {
                if !read {
                    stdout = None;
                } else if let Ok(event) = serde_json::from_slice::<Event>(&line) {
                    if is_closing(&event) { closing = Some(event) } else { on_event(event) }
                }
                line.clear();
            }
            Some(order) = orders.recv() => obey(order, &mut child, &mut stdin).await,
        }
    }
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            Some(order) = orders.recv() => obey(order, &mut child, &mut stdin).await,
        }
    };
    if let Some(event) = closing {
        return on_event(event);
    }
    let stderr = match (stderr, &start.log) {
        (Some(lines), _) => lines.await.unwrap_or_default(),
        (None, Some(log)) => last_lines(fs::read(log).unwrap_or_default().as_slice()).await,
        (None, None) => String::new(),
    };
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    on_event(failed(&ShellError::WorkerEnded { status, stderr }));
}

/// Runs a worker to its end for the value of its `result` event.
///
/// # Errors
/// What the worker failed with, or that it gave no answer.
pub async fn ask(program: PathBuf, mut arguments: Vec<OsString>) -> Result<Value, AppError> {
    let verb = arguments.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let mut answer = None;
    let mut failure = None;
    let (_orders, nothing) = mpsc::channel(1);
    arguments.insert(0, "--json".into());
    run(Start { program, arguments, lifetime: Lifetime::Window, log: None }, nothing, |event| match event {
        Event::Result { value } => answer = Some(value),
        Event::Failed(error) => failure = Some(error),
        _ => {}
    })
    .await;
    match (failure, answer) {
        (Some(error), _) => Err(error),
        (None, Some(value)) => Ok(value),
        (None, None) => Err(ShellError::NoAnswer { verb }.to_app_error()),
    }
}

fn is_closing(event: &Event) -> bool {
    matches!(event, Event::Done | Event::Cancelled | Event::Failed(_))
}

async fn obey(order: Order, child: &mut Child, stdin: &mut Option<ChildStdin>) {
    // Both fail only when the worker has ended by itself, which is what was wanted.
    match order {
        Order::Cancel => {
            if let Some(stdin) = stdin {
                let _ = stdin.write_all(b"cancel\n").await;
                let _ = stdin.flush().await;
            }
        }
        Order::Kill => {
            let _ = child.start_kill();
        }
    }
}

/// Appends the next line to `line` and says whether there was one. A part of a line is kept in `line` when the future
/// is dropped before its end, so that the call can be repeated.
async fn next_line(reader: &mut (impl AsyncBufReadExt + Unpin), line: &mut Vec<u8>) -> bool {
    let room = LINE_MAX.saturating_sub(line.len() as u64);
    matches!(reader.take(room).read_until(b'\n', line).await, Ok(read) if read > 0)
}

async fn last_lines(stream: impl AsyncRead + Unpin) -> String {
    let mut lines = BufReader::new(stream).split(b'\n');
    let mut kept = VecDeque::new();
    while let Ok(Some(line)) = lines.next_segment().await {
        if kept.len() == STDERR_LINES {
            kept.pop_front();
        }
        kept.push_back(String::from_utf8_lossy(&line).into_owned());
    }
    Vec::from(kept).join("\n")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use hone_job::ErrorCode;

    use super::*;

    /// Runs a shell script in the worker's place and collects the events.
    async fn events(script: &str, orders: &[Order], log: Option<PathBuf>) -> Vec<Event> {
        let (sender, receiver) = mpsc::channel(4);
        for order in orders {
            sender.send(*order).await.unwrap();
        }
        let mut seen = Vec::new();
        let arguments = vec!["-c".into(), script.into()];
        let start = Start { program: "/bin/sh".into(), arguments, lifetime: Lifetime::Window, log };
        run(start, receiver, |event| seen.push(event)).await;
        seen
    }

    #[tokio::test]
    async fn events_arrive_in_order_and_the_closing_one_comes_last() {
        let script = r#"echo '{"event":"stage","name":"read"}'
            echo 'not json'
            echo '{"event":"done"}'
            echo '{"event":"progress","done":1,"total":2,"unit":"rows"}'"#;
        let seen = events(script, &[], None).await;
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert_eq!(seen[0], Event::Stage { name: "read".into() });
        assert_eq!(seen[2], Event::Done);
    }

    #[tokio::test]
    async fn a_worker_that_dies_is_reported_with_what_it_wrote_last() {
        let seen = events("echo 'thread main panicked at x.rs' >&2; kill -9 $$", &[], None).await;
        let [Event::Failed(error)] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!(error.code, ErrorCode::OutOfMemory);
        assert!(error.detail.as_ref().is_some_and(|detail| detail.contains("x.rs")), "{error:?}");
    }

    #[tokio::test]
    async fn a_worker_with_a_log_is_reported_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("worker.log");
        let seen = events("echo 'no such layer' >&2; exit 7", &[], Some(log)).await;
        let [Event::Failed(error)] = &seen[..] else { panic!("{seen:?}") };
        assert!(error.message.contains('7'), "{error:?}");
        assert_eq!(error.detail.as_deref(), Some("no such layer"));
    }

    #[tokio::test]
    async fn a_cancel_is_a_line_on_the_workers_stdin() {
        let script = r#"read word; echo "{\"event\":\"stage\",\"name\":\"$word\"}"; echo '{"event":"cancelled"}'"#;
        let seen = events(script, &[Order::Cancel], None).await;
        assert_eq!(seen, [Event::Stage { name: "cancel".into() }, Event::Cancelled]);
    }

    #[tokio::test]
    async fn a_kill_ends_a_worker_that_does_not_listen() {
        let seen = events("exec sleep 600", &[Order::Kill], None).await;
        assert!(matches!(&seen[..], [Event::Failed(_)]), "{seen:?}");
    }

    #[tokio::test]
    async fn a_missing_program_is_a_failure_that_names_it() {
        let (_orders, nothing) = mpsc::channel(1);
        let mut seen = Vec::new();
        let start = Start { program: "/nowhere/hone".into(), arguments: vec![], lifetime: Lifetime::Window, log: None };
        run(start, nothing, |event| seen.push(event)).await;
        let [Event::Failed(error)] = &seen[..] else { panic!("{seen:?}") };
        assert!(error.message.contains("/nowhere/hone"));
    }
}
