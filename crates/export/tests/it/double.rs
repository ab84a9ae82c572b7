//! A small server that plays Ollama's side of the contract, faults included. It follows Ollama's source
//! (`server/routes.go`, `server/create.go`), not what our client happens to send.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    /// `create` fails after it has answered HTTP 200.
    LateError,
    /// `create` stops talking before it says `success`.
    EndsEarly,
    /// An upload arrives with other bytes.
    Corrupts,
    /// An upload is cut off after some bytes.
    Breaks,
    /// An upload is read very slowly.
    Slow,
}

/// What the server knows and has seen.
#[derive(Default)]
pub struct State {
    pub fault: Fault,
    pub version: String,
    pub blobs: HashSet<String>,
    pub models: HashMap<String, Value>,
    /// Method and path of every request.
    pub requests: Vec<String>,
    /// Whether anything was asked that Ollama would have fetched from the network.
    pub pulled: bool,
    /// What a raw prompt is answered with.
    pub answers: HashMap<String, String>,
    /// What a conversation of that many messages is rendered to.
    pub renders: HashMap<usize, String>,
}

/// A running server; it ends with the test.
pub struct Double {
    pub address: String,
    pub state: Arc<Mutex<State>>,
}

impl Double {
    pub fn start(fault: Fault, version: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State { fault, version: version.to_owned(), ..State::default() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

struct Request {
    method: String,
    path: String,
    length: u64,
}

fn head(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let mut request = Request { method: words.next()?.to_owned(), path: words.next()?.to_owned(), length: 0 };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim();
        if line.is_empty() {
            return Some(request);
        }
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") {
            request.length = value.trim().parse().ok()?;
        }
        assert!(!name.eq_ignore_ascii_case("transfer-encoding"), "uploads say how long they are");
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(request) = head(&mut reader) {
        let fault = state.lock().unwrap().fault;
        state.lock().unwrap().requests.push(format!("{} {}", request.method, request.path));
        let mut body = (&mut reader).take(request.length);
        let (status, answer) = match (request.method.as_str(), request.path.as_str()) {
            ("HEAD", path) => {
                let known = state.lock().unwrap().blobs.contains(path.trim_start_matches("/api/blobs/"));
                (if known { 200 } else { 404 }, String::new())
            }
            ("POST", path) if path.starts_with("/api/blobs/") => {
                let Some(answer) = blob(path.trim_start_matches("/api/blobs/"), &mut body, fault, state) else {
                    return;
                };
                answer
            }
            (method, path) => {
                let mut text = String::new();
                body.read_to_string(&mut text).unwrap();
                let json = serde_json::from_str(&text).unwrap_or(Value::Null);
                answer(method, path, &json, fault, &mut state.lock().unwrap())
            }
        };
        let length = if request.method == "HEAD" { 0 } else { answer.len() };
        let written = write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{answer}");
        if written.and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

fn blob(digest: &str, body: &mut impl Read, fault: Fault, state: &Mutex<State>) -> Option<(u16, String)> {
    let mut hash = Sha256::new();
    let mut buffer = [0; 4096];
    loop {
        let read = body.read(&mut buffer).ok()?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        match fault {
            Fault::Breaks => return None,
            Fault::Slow => std::thread::sleep(Duration::from_millis(50)),
            _ => {}
        }
    }
    if fault == Fault::Corrupts {
        hash.update(b"x");
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if digest != format!("sha256:{found}") {
        return Some((
            400,
            json!({"error": format!("digest mismatch, expected \"{digest}\", got \"sha256:{found}\"")}).to_string(),
        ));
    }
    state.lock().unwrap().blobs.insert(digest.to_owned());
    Some((201, String::new()))
}

fn answer(method: &str, path: &str, body: &Value, fault: Fault, state: &mut State) -> (u16, String) {
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let tagged = |name: String| if name.contains(':') { name } else { format!("{name}:latest") };
    let not_found = |name: &str| (404, json!({"error": format!("model '{name}' not found")}).to_string());
    match (method, path) {
        ("GET", "/api/version") => (200, json!({"version": state.version}).to_string()),
        ("GET", "/api/tags") => {
            let models: Vec<_> =
                state.models.keys().map(|name| json!({"name": name, "model": name, "size": 1})).collect();
            (200, json!({ "models": models }).to_string())
        }
        ("POST", "/api/show") => match state.models.get(&tagged(text("model"))) {
            Some(model) => (200, json!({"template": model["template"], "system": model["system"]}).to_string()),
            None => not_found(&text("model")),
        },
        ("DELETE", "/api/delete") => match state.models.remove(&tagged(text("model"))) {
            Some(_) => (200, String::new()),
            None => not_found(&text("model")),
        },
        ("POST", "/api/create") => create(body, fault, state),
        ("POST", "/api/generate") => {
            if !state.models.contains_key(&tagged(text("model"))) {
                return not_found(&text("model"));
            }
            assert_eq!((&body["raw"], &body["stream"]), (&json!(true), &json!(false)));
            let response = state.answers.get(&text("prompt")).cloned().unwrap_or_default();
            (200, json!({"response": response, "done": true, "done_reason": "stop", "eval_count": 3}).to_string())
        }
        ("POST", "/api/chat") => {
            assert_eq!(body["_debug_render_only"], true);
            let count = body["messages"].as_array().map_or(0, Vec::len);
            let rendered = state.renders.get(&count).cloned().unwrap_or_default();
            (200, json!({"_debug_info": {"rendered_template": rendered}}).to_string())
        }
        _ => (404, "404 page not found".to_owned()),
    }
}

fn create(body: &Value, fault: Fault, state: &mut State) -> (u16, String) {
    let refuse = |message: String| (400, json!({ "error": message }).to_string());
    if body["from"].is_string() {
        state.pulled = true;
    }
    let Some(files) = body["files"].as_object().filter(|files| !files.is_empty()) else {
        return refuse("neither 'from' or 'files' was specified".to_owned());
    };
    for (name, digest) in files {
        if name.starts_with('/') || name.contains("..") || name.contains('\\') {
            return refuse("invalid file name".to_owned());
        }
        if !state.blobs.contains(digest.as_str().unwrap_or_default()) {
            return refuse(format!("blob {digest} not found"));
        }
    }
    if !body["parameters"]["stop"].is_array() {
        return refuse("option \"stop\" must be of type array".to_owned());
    }
    let mut lines = vec![json!({"status": "parsing GGUF"})];
    match fault {
        Fault::LateError => lines.push(json!({"error": "llama-quantize: invalid GGUF"})),
        Fault::EndsEarly => {}
        _ => {
            let name = body["model"].as_str().unwrap_or_default();
            let name = if name.contains(':') { name.to_owned() } else { format!("{name}:latest") };
            state.models.insert(name, body.clone());
            lines.extend([json!({"status": "writing manifest"}), json!({"status": "success"})]);
        }
    }
    (200, lines.iter().map(|line| format!("{line}\n")).collect())
}
