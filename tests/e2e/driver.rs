//! `WebKit`'s own WebDriver and the window that it opens.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use crate::Desk;

/// The open window.
pub struct Window {
    /// The session.
    pub(crate) client: Client,
    _driver: Driver,
}

impl Window {
    /// Opens the program, with further words on its command line.
    ///
    /// # Panics
    /// When the driver or the window does not come up.
    pub async fn open(desk: &Desk, words: &[&str]) -> Self {
        let driver = Driver::start(desk);
        let binary = std::env::var("HONE_DESKTOP_BIN").unwrap();
        let wanted = json!({ "webkitgtk:browserOptions": { "binary": binary, "args": words } });
        let mut last = String::new();
        for _ in 0..100 {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(wanted.as_object().cloned().unwrap());
            match builder.connect(&driver.url).await {
                Ok(client) => return Self { client, _driver: driver },
                // The driver needs a moment before it listens.
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no window came up: {last}");
    }

    /// Closes the window.
    pub async fn close(self) {
        // The driver, and the window with it, is ended in any case.
        let _ = self.client.close().await;
    }
}

struct Driver {
    process: Child,
    url: String,
}

impl Driver {
    fn start(desk: &Desk) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap().port();
        let process = Command::new("WebKitWebDriver")
            .args([format!("--port={port}"), "--host=127.0.0.1".into()])
            .envs(desk.environment())
            .stdout(Stdio::null())
            // A group of its own, so that the window can be ended with it.
            .process_group(0)
            .spawn()
            .expect("WebKitWebDriver (package webkit2gtk-driver) is missing");
        Self { process, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.process.id()) {
            end(-pid);
        }
        let _ = self.process.wait();
    }
}

/// Ends a process, or with a negative number its whole group.
pub(crate) fn end(pid: i32) {
    // The number comes from a process or group of this test.
    let _ = Command::new("kill").args(["-KILL", "--", &pid.to_string()]).stderr(Stdio::null()).status();
}
