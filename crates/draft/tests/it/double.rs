//! A small server that plays both protocols' side of the contract, faults included. It follows Ollama's source
//! (`server/routes.go`) and OpenAI's description of chat completions, not what our client happens to send.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// What the server does with the next question to a model.
#[derive(Debug, Clone)]
pub enum Turn {
    /// Answers with this text.
    Says(String),
    /// Answers, but only after a while.
    Slow(Duration, String),
    /// Runs out of room in the middle of this text.
    CutOff(String),
    /// Answers with this status and body.
    Http(u16, String),
    /// Says that all is well and then tells an error.
    LateError(String),
    /// Closes the connection in the middle of its answer.
    Breaks,
    /// Says nothing more and keeps the connection.
    Hangs,
}

#[derive(Default)]
struct State {
    turns: Vec<Turn>,
    bodies: Vec<Value>,
    heads: Vec<String>,
    /// Refuses `response_format`, as servers do that know no schemas.
    free: bool,
}

/// The server.
pub struct Double {
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl Double {
    /// Starts a server that takes these turns one after the other, the last again and again.
    pub fn start(turns: Vec<Turn>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { turns, ..State::default() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    /// A server that refuses `response_format`.
    pub fn free(turns: Vec<Turn>) -> Self {
        let double = Self::start(turns);
        double.state.lock().unwrap().free = true;
        double
    }

    /// The bodies of the questions so far.
    pub fn bodies(&self) -> Vec<Value> {
        self.state.lock().unwrap().bodies.clone()
    }

    /// The request lines and headers so far.
    pub fn heads(&self) -> Vec<String> {
        self.state.lock().unwrap().heads.clone()
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
            head += &line;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let path = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
        state.lock().unwrap().heads.push(head);
        let answered = match path.as_str() {
            "/api/tags" => write(&mut stream, 200, &tags()),
            "/api/chat" | "/v1/chat/completions" => {
                let body: Value = serde_json::from_slice(&body).unwrap();
                check(&path, &body);
                let turn = {
                    let mut state = state.lock().unwrap();
                    state.bodies.push(body.clone());
                    if state.free && body["response_format"].is_object() {
                        Turn::Http(400, json!({"error": {"message": "response_format is not supported"}}).to_string())
                    } else if state.turns.len() > 1 {
                        state.turns.remove(0)
                    } else {
                        state.turns[0].clone()
                    }
                };
                take(&mut stream, path == "/api/chat", turn)
            }
            _ => write(&mut stream, 404, "404 page not found"),
        };
        if answered.is_none() {
            return;
        }
    }
}

/// What the servers themselves insist on.
fn check(path: &str, body: &Value) {
    assert!(body["model"].is_string() && body["stream"] == false, "{body}");
    let roles: Vec<_> = body["messages"].as_array().unwrap().iter().map(|message| message["role"].clone()).collect();
    assert_eq!(roles, ["system", "user"]);
    if path == "/api/chat" {
        assert_eq!(body["format"]["type"], "object", "a schema stands in `format`");
        assert!(body["options"]["temperature"].is_number() && body["options"]["num_ctx"].as_u64() >= Some(4096));
        assert!(body.get("response_format").is_none());
    } else {
        assert!(body["temperature"].is_number() && body["max_tokens"].is_number());
        assert!(body.get("format").is_none() && body.get("options").is_none());
        if let Some(form) = body.get("response_format") {
            assert_eq!((&form["type"], &form["json_schema"]["strict"]), (&json!("json_schema"), &json!(true)));
            assert_eq!(form["json_schema"]["schema"]["additionalProperties"], false, "strict mode insists on it");
        }
    }
}

fn tags() -> String {
    json!({"models": [
        {"name": "qwen3:4b", "model": "qwen3:4b", "size": 2_600_000_000_u64, "capabilities": ["completion", "tools"]},
        {"name": "writer:latest", "model": "writer:latest", "size": 1},
        {"name": "nomic-embed-text:latest", "model": "nomic-embed-text:latest", "size": 1, "capabilities": ["embedding"]},
        {"name": "big:cloud", "model": "big:cloud", "size": 300, "remote_model": "big", "remote_host": "https://ollama.com:443"},
    ]})
    .to_string()
}

fn said(ollama: bool, text: &str, reason: &str) -> String {
    if ollama {
        return json!({"model": "writer", "message": {"role": "assistant", "content": text}, "done": true, "done_reason": reason,
            "prompt_eval_count": 100, "eval_count": 20})
        .to_string();
    }
    json!({"id": "x", "object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": text},
        "finish_reason": reason}], "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}})
    .to_string()
}

fn take(stream: &mut TcpStream, ollama: bool, turn: Turn) -> Option<()> {
    match turn {
        Turn::Says(text) => write(stream, 200, &said(ollama, &text, "stop")),
        Turn::Slow(time, text) => {
            std::thread::sleep(time);
            write(stream, 200, &said(ollama, &text, "stop"))
        }
        Turn::CutOff(text) => write(stream, 200, &said(ollama, &text, "length")),
        Turn::Http(status, body) => write(stream, status, &body),
        Turn::LateError(message) if ollama => write(stream, 200, &json!({ "error": message }).to_string()),
        Turn::LateError(message) => {
            write(stream, 200, &json!({"error": {"message": message, "code": 500}}).to_string())
        }
        Turn::Breaks => {
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n{{\"message\":");
            let _ = stream.flush();
            None
        }
        Turn::Hangs => {
            std::thread::sleep(Duration::from_secs(600));
            None
        }
    }
}

fn write(stream: &mut TcpStream, status: u16, body: &str) -> Option<()> {
    let length = body.len();
    let written = write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    written.and_then(|()| stream.flush()).ok()
}
