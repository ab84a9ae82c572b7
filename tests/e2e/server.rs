//! A double of a server with an OpenAI-compatible address, which rewords what it is asked to reword.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

/// The server. It answers as long as the test runs.
pub struct Server {
    /// Its address, as a person types it.
    pub address: String,
}

impl Server {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// When there is none.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(|| serve(stream));
            }
        });
        Self { address }
    }
}

fn serve(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(body) = request(&mut reader) {
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let user = asked["messages"][1]["content"].as_str().unwrap();
        // The pair stands in the first line, before what is to be done with it.
        let pair: Value = serde_json::from_str(user.lines().next().unwrap()).unwrap();
        let question = pair["question"].as_str().unwrap().to_lowercase();
        let answer = json!({"question": format!("Could you tell me: {question}"), "answer": pair["answer"]});
        let said = json!({
            "choices": [{"message": {"role": "assistant", "content": answer.to_string()}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 50, "completion_tokens": 20},
        })
        .to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", said.len());
        if stream.write_all((head + &said).as_bytes()).is_err() {
            return;
        }
    }
}

/// The body of the next request; nothing at the end.
fn request(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}
