//! A chosen drafting endpoint: the only file of this crate that touches the network.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use hone_job::Job;
use serde_json::Value;
use ureq::Agent;

use crate::address::Address;
use crate::error::{DraftError, Result};
use crate::wire::{Protocol, Tags, error_in};
use crate::writer::{Ask, Said};

/// Longest answer that is read, bytes.
const LONGEST: u64 = 16 << 20;

/// A model that a server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedModel {
    /// Its name there.
    pub name: String,
    /// Its size, bytes; 0 where the server does not say.
    pub bytes: u64,
    /// The computer it runs on, where that is not the server's own.
    pub elsewhere: Option<String>,
}

/// A model behind a server.
#[derive(Debug)]
pub struct Endpoint {
    agent: Agent,
    protocol: Protocol,
    url: String,
    model: String,
    name: String,
    key: Option<String>,
    /// The server has said that it cannot hold a model to a form.
    free: AtomicBool,
}

impl Endpoint {
    /// Chooses a model behind a server. Nothing of a document is sent yet. `leave` is a person's yes to documents leaving
    /// this computer; `patience` is how long one answer may take.
    ///
    /// # Errors
    /// [`DraftError::LeavesMachine`], [`DraftError::RunsElsewhere`], [`DraftError::NoSuchModel`],
    /// [`DraftError::Unreachable`].
    pub fn choose(
        protocol: Protocol,
        address: &Address,
        model: &str,
        key: Option<String>,
        leave: bool,
        patience: Duration,
    ) -> Result<Self> {
        if !address.local && !leave {
            return Err(DraftError::LeavesMachine { address: address.url.clone() });
        }
        let kind = if protocol == Protocol::Ollama { "ollama" } else { "endpoint" };
        let endpoint = Self {
            agent: agent(patience),
            protocol,
            url: address.url.clone(),
            model: model.to_owned(),
            name: format!("{kind}:{model}"),
            key,
            free: AtomicBool::new(false),
        };
        if protocol == Protocol::Ollama {
            endpoint.check_model(leave)?;
        }
        Ok(endpoint)
    }

    /// The models that an Ollama offers for writing.
    ///
    /// # Errors
    /// [`DraftError::Unreachable`], or what the server answers instead.
    pub fn ollama_models(address: &Address) -> Result<Vec<ServedModel>> {
        let tags = tags(&agent(Duration::from_secs(10)), &address.url)?;
        let writes =
            |capabilities: &[String]| capabilities.is_empty() || capabilities.iter().any(|one| one == "completion");
        Ok(tags
            .models
            .into_iter()
            .filter(|model| writes(&model.capabilities))
            .map(|model| ServedModel {
                name: model.name,
                bytes: model.size,
                elsewhere: Some(model.remote_host).filter(|host| !host.is_empty()),
            })
            .collect())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Ollama serves models that run on other computers under the same address; those are told by its list.
    fn check_model(&self, leave: bool) -> Result<()> {
        let tagged = if self.model.contains(':') { self.model.clone() } else { format!("{}:latest", self.model) };
        let tags = tags(&self.agent, &self.url)?;
        let found = tags.models.iter().find(|listed| listed.name.eq_ignore_ascii_case(&tagged));
        match found {
            Some(listed) if !listed.remote_host.is_empty() && !leave => {
                Err(DraftError::RunsElsewhere { model: self.model.clone(), host: listed.remote_host.clone() })
            }
            Some(_) => Ok(()),
            None => Err(DraftError::NoSuchModel {
                address: self.url.clone(),
                model: self.model.clone(),
                message: match tags.models.len() {
                    0 => "it has no models".to_owned(),
                    _ => format!(
                        "it has {}",
                        tags.models.iter().map(|m| m.name.as_str()).take(8).collect::<Vec<_>>().join(", ")
                    ),
                },
            }),
        }
    }

    /// Asks once. A cancelled job does not wait for the server: the request is left behind and ends on its own.
    pub(crate) fn say(&self, ask: &Ask<'_>, job: &Job) -> Result<Said> {
        let held = !self.free.load(Ordering::Relaxed);
        match self.ask(ask, held, job) {
            Err(DraftError::Refused { status: 400 | 422 | 501, .. }) if held && self.protocol == Protocol::OpenAi => {
                let said = self.ask(ask, false, job)?;
                self.free.store(true, Ordering::Relaxed);
                job.notice(
                    "answers_not_held",
                    "This server cannot hold a model to a form; answers are checked all the same",
                );
                Ok(said)
            }
            other => other,
        }
    }

    fn ask(&self, ask: &Ask<'_>, held: bool, job: &Job) -> Result<Said> {
        job.check()?;
        let url = format!("{}{}", self.url, self.protocol.path());
        let body = self.protocol.body(&self.model, ask, held);
        let (agent, key) = (self.agent.clone(), self.key.clone());
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || drop(sender.send(post(&agent, &url, key.as_deref(), &body))));
        let answered = loop {
            job.check()?;
            match receiver.recv_timeout(Duration::from_millis(100)) {
                Ok(answered) => break answered,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(DraftError::Broken { problem: "the request ended without a word".to_owned() });
                }
            }
        };
        let (status, text) = answered.map_err(|error| failed(&self.url, error))?;
        if (200..300).contains(&status) {
            return self.protocol.read(&text);
        }
        let message = serde_json::from_str(&text).ok().and_then(|value| error_in(&value));
        let message = message.unwrap_or_else(|| text.chars().take(300).collect::<String>().trim().to_owned());
        let address = self.url.clone();
        Err(match status {
            401 | 403 => DraftError::NotAllowed { address, status },
            404 => DraftError::NoSuchModel { address, model: self.model.clone(), message },
            _ => DraftError::Refused { status, message },
        })
    }
}

fn agent(patience: Duration) -> Agent {
    // No redirects and no proxy: what is sent goes to the address that was chosen, or nowhere.
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_connect(Some(Duration::from_secs(10).min(patience)))
        .timeout_per_read(Some(patience))
        .timeout_per_write(Some(patience))
        .build();
    config.new_agent()
}

fn post(agent: &Agent, url: &str, key: Option<&str>, body: &Value) -> std::result::Result<(u16, String), ureq::Error> {
    let mut request = agent.post(url);
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let mut response = request.send_json(body)?;
    let status = response.status().as_u16();
    Ok((status, response.body_mut().with_config().limit(LONGEST).read_to_string()?))
}

fn tags(agent: &Agent, url: &str) -> Result<Tags> {
    let mut response = agent.get(format!("{url}/api/tags")).call().map_err(|error| failed(url, error))?;
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(LONGEST).read_to_string().map_err(|error| failed(url, error))?;
    if status != 200 {
        return Err(DraftError::Refused { status, message: text.chars().take(300).collect() });
    }
    serde_json::from_str(&text).map_err(|error| DraftError::NotUnderstood { problem: error.to_string() })
}

fn failed(address: &str, error: ureq::Error) -> DraftError {
    let unreachable = match &error {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve)
        | ureq::Error::ConnectionFailed
        | ureq::Error::HostNotFound
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_) => true,
        ureq::Error::Io(io) => matches!(io.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable),
        _ => false,
    };
    if unreachable {
        return DraftError::Unreachable { address: address.to_owned(), source: Box::new(error) };
    }
    DraftError::Broken { problem: error.to_string() }
}
