//! The only file that talks to Ollama.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use hone_job::{Cancelled, Job};
use hone_model::ChatMessage;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body, SendBody};

use super::wire::{
    ChatAnswer, ChatBody, ErrorAnswer, GenerateBody, Generated, Listed, Options, RawRequest, Shown, StatusLine, Tags,
    VersionAnswer,
};
use super::{Version, address};
use crate::error::{ExportError, Result};

/// How long a silent server is waited for while it connects or works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Patience {
    connect: Duration,
    silence: Duration,
}

/// A connection to the Ollama of this machine.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    address: String,
}

impl Client {
    /// A client for the server that `OLLAMA_HOST` names, or for the usual place. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ExportError::RemoteOllama`] when that is another machine.
    pub fn new(ollama_host: Option<&str>) -> Result<Self> {
        // Loading a large model from a slow disk can take minutes without a word.
        let patience = Patience { connect: Duration::from_secs(3), silence: Duration::from_secs(600) };
        Self::with_patience(ollama_host, patience)
    }

    fn with_patience(ollama_host: Option<&str>, patience: Patience) -> Result<Self> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(patience.connect))
            .timeout_per_read(Some(patience.silence))
            .timeout_per_write(Some(patience.silence))
            .build();
        Ok(Self { agent: config.new_agent(), address: address(ollama_host)? })
    }

    /// Where the server is, e.g. `http://127.0.0.1:11434`.
    pub fn address(&self) -> &str {
        &self.address
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    fn failed(&self, doing: &'static str, error: ureq::Error) -> ExportError {
        let refused = |kind| matches!(kind, io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable);
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve)
            | ureq::Error::ConnectionFailed
            | ureq::Error::HostNotFound => {
                ExportError::Unreachable { address: self.address.clone(), source: Box::new(error) }
            }
            ureq::Error::Io(ref io) if refused(io.kind()) => {
                ExportError::Unreachable { address: self.address.clone(), source: Box::new(error) }
            }
            other => ExportError::Broken { doing, problem: other.to_string() },
        }
    }

    fn get<T: DeserializeOwned>(&self, path: &str, doing: &'static str) -> Result<T> {
        let response = self.agent.get(self.url(path)).call().map_err(|error| self.failed(doing, error))?;
        json(response, doing)
    }

    fn post(&self, path: &str, body: &impl Serialize, doing: &'static str) -> Result<Response<Body>> {
        self.agent.post(self.url(path)).send_json(body).map_err(|error| self.failed(doing, error))
    }

    /// The server's version: the first thing to ask.
    ///
    /// # Errors
    /// [`ExportError::Unreachable`] when no server answers.
    pub fn version(&self) -> Result<Version> {
        let answer: VersionAnswer = self.get("/api/version", "asking for its version")?;
        Ok(Version::parse(&answer.version))
    }

    /// The models that Ollama has.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let tags: Tags = self.get("/api/tags", "listing its models")?;
        Ok(tags.models)
    }

    /// Whether Ollama has a model. Asked before anything that would otherwise fetch it from the network.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub fn has(&self, name: &str) -> Result<bool> {
        let tagged = if name.rsplit('/').next().is_some_and(|last| last.contains(':')) {
            name.to_owned()
        } else {
            format!("{name}:latest")
        };
        Ok(self.list()?.iter().any(|model| model.name.eq_ignore_ascii_case(&tagged)))
    }

    /// What Ollama knows about a model.
    ///
    /// # Errors
    /// When there is none of that name or the server cannot be asked.
    pub fn show(&self, name: &str) -> Result<Shown> {
        let doing = "describing a model";
        json(self.post("/api/show", &serde_json::json!({"model": name}), doing)?, doing)
    }

    /// Removes a model.
    ///
    /// # Errors
    /// When there is none of that name or the server cannot be asked.
    pub fn delete(&self, name: &str) -> Result<()> {
        let doing = "removing a model";
        let request = self.agent.delete(self.url("/api/delete")).force_send_body();
        let sent = request.send_json(serde_json::json!({"model": name}));
        accepted(sent.map_err(|error| self.failed(doing, error))?, doing).map(drop)
    }

    /// Whether Ollama has a file already; `digest` is `sha256:` and 64 hex digits.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub fn has_blob(&self, digest: &str) -> Result<bool> {
        let sent = self.agent.head(self.url(&format!("/api/blobs/{digest}"))).call();
        Ok(sent.map_err(|error| self.failed("asking for a file", error))?.status().is_success())
    }

    /// Gives Ollama a file. Progress is reported in bytes.
    ///
    /// # Errors
    /// When the file cannot be read, the connection breaks, the server finds another digest, or the job is cancelled.
    pub fn upload(&self, digest: &str, path: &Path, job: &Job) -> Result<()> {
        let doing = "taking the model file";
        let total = hone_job::fs::metadata(path)?.len();
        let mut reader = Upload { file: hone_job::fs::open(path)?, job, done: 0, total };
        let request = self.agent.post(self.url(&format!("/api/blobs/{digest}"))).header("content-length", total);
        let sent = request.content_type("application/octet-stream").send(SendBody::from_reader(&mut reader));
        job.check()?;
        accepted(sent.map_err(|error| self.failed(doing, error))?, doing).map(drop)
    }

    /// Sends the request that creates a model and follows the answer to its end.
    pub(super) fn create(&self, body: &serde_json::Value, job: &Job) -> Result<()> {
        let doing = "creating the model";
        let response = accepted(self.post("/api/create", body, doing)?, doing)?;
        let mut finished = false;
        for line in BufReader::new(response.into_body().into_reader()).lines() {
            job.check()?;
            let line = line.map_err(|error| ExportError::Broken { doing, problem: error.to_string() })?;
            if line.trim().is_empty() {
                continue;
            }
            let status: StatusLine = serde_json::from_str(&line)
                .map_err(|error| ExportError::Broken { doing, problem: format!("it said `{line}`: {error}") })?;
            // An error can still come after HTTP has said that all is well.
            if !status.error.is_empty() {
                return Err(ExportError::Refused { doing, message: status.error });
            }
            finished = status.status == "success";
            if status.total > 0 {
                job.progress(status.completed, status.total, "bytes");
            } else {
                job.notice("ollama_status", status.status);
            }
        }
        if finished {
            return Ok(());
        }
        Err(ExportError::Broken { doing, problem: "the answer ended before it said `success`".to_owned() })
    }

    /// Continues a prompt greedily, exactly as written.
    ///
    /// # Errors
    /// When the model cannot be loaded or the connection breaks.
    pub fn generate_raw(&self, request: &RawRequest) -> Result<Generated> {
        let doing = "answering a prompt";
        let options = Options {
            temperature: 0.0,
            top_k: 1,
            seed: 0,
            repeat_penalty: 1.0,
            num_predict: request.max_tokens,
            num_ctx: request.context,
            stop: &request.stops,
        };
        let body = GenerateBody { model: &request.model, prompt: &request.prompt, raw: true, stream: false, options };
        let generated: Generated = json(self.post("/api/generate", &body, doing)?, doing)?;
        if generated.error.is_empty() {
            return Ok(generated);
        }
        Err(ExportError::Refused { doing, message: generated.error })
    }

    /// The text that Ollama would give to the model for these messages; `None` from a server that does not tell.
    ///
    /// # Errors
    /// When the server refuses or the connection breaks.
    pub fn rendered(&self, model: &str, messages: &[ChatMessage]) -> Result<Option<String>> {
        let doing = "rendering a conversation";
        let body = ChatBody { model, messages, stream: false, render_only: true };
        let answer: ChatAnswer = json(self.post("/api/chat", &body, doing)?, doing)?;
        Ok(answer.debug.map(|debug| debug.rendered_template))
    }
}

/// Passes answers with a good status on, and turns others into Ollama's own words.
fn accepted(mut response: Response<Body>, doing: &'static str) -> Result<Response<Body>> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.body_mut().read_to_string().unwrap_or_default();
    let message = serde_json::from_str::<ErrorAnswer>(&body).map_or_else(
        |_| format!("HTTP {} {}", status.as_u16(), body.chars().take(300).collect::<String>()),
        |answer| answer.error,
    );
    Err(ExportError::Refused { doing, message })
}

fn json<T: DeserializeOwned>(response: Response<Body>, doing: &'static str) -> Result<T> {
    let mut response = accepted(response, doing)?;
    let read = response.body_mut().with_config().limit(64 << 20).read_json();
    read.map_err(|error| ExportError::Broken { doing, problem: error.to_string() })
}

/// A file on its way to Ollama: counts, and stops when asked to.
struct Upload<'a> {
    file: std::fs::File,
    job: &'a Job,
    done: u64,
    total: u64,
}

impl Read for Upload<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.job.check().map_err(|Cancelled| io::Error::other("stopped on request"))?;
        let read = self.file.read(bytes)?;
        let before = self.done;
        self.done += read as u64;
        // One word for every megabyte is enough.
        if before >> 20 != self.done >> 20 {
            self.job.progress(self.done, self.total, "bytes");
        }
        Ok(read)
    }
}
