//! What a person does in the window, and what they see.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fantoccini::Locator;
use serde_json::{Value, json};

use crate::Window;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(100);

fn hook(name: &str) -> String {
    format!("[data-test=\"{name}\"]")
}

impl Window {
    /// Runs a script in the page for its value.
    pub async fn script(&self, script: &str, arguments: Vec<Value>) -> Value {
        match self.client.execute(script, arguments).await {
            Ok(value) => value,
            Err(error) => panic!("`{script}`: {error}"),
        }
    }

    /// Runs a script that calls its last argument with its answer.
    ///
    /// # Panics
    /// When the page cannot run it.
    pub async fn answer_of(&self, script: &str, argument: String) -> Value {
        self.client.execute_async(script, vec![json!(argument)]).await.unwrap()
    }

    /// Waits until an expression is true in the page.
    ///
    /// # Panics
    /// After `seconds`, with what the window showed.
    pub async fn wait(&self, what: &str, expression: &str, seconds: u64) {
        let script = format!("return Boolean({expression})");
        let begun = Instant::now();
        loop {
            if self.client.execute(&script, vec![]).await.is_ok_and(|value| value == json!(true)) {
                return;
            }
            if begun.elapsed() > Duration::from_secs(seconds) {
                self.picture("failure").await;
                let text = self.script("return document.body.innerText", vec![]).await;
                panic!(
                    "after {seconds} s still not: {what}\n---- the window shows:\n{}",
                    text.as_str().unwrap_or_default()
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until an element with this hook is there.
    pub async fn see(&self, name: &str, seconds: u64) {
        self.wait(name, &format!("document.querySelector('{}')", hook(name)), seconds).await;
    }

    /// Presses the element with this hook, once it is there and can be pressed.
    pub async fn press(&self, name: &str) {
        let element = format!("document.querySelector('{}')", hook(name));
        let free = format!("(e => e && !e.disabled && !e.querySelector('button:disabled'))({element})");
        self.wait(&format!("`{name}` can be pressed"), &free, 60).await;
        // A list that grows may move it away between the look and the press.
        for left in (0..3).rev() {
            let pressed = match self.client.find(Locator::Css(&hook(name))).await {
                Ok(found) => found.click().await,
                Err(error) => Err(error),
            };
            match pressed {
                Ok(()) => return,
                Err(error) => assert!(left > 0, "`{name}` cannot be pressed: {error}"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Types into the field with this hook, in place of what is there.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.client.wait().for_element(Locator::Css(&hook(name))).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses in the list with this hook, as if by hand.
    pub async fn choose(&self, name: &str, value: &str) {
        let script = "const field = document.querySelector(arguments[0]); field.value = arguments[1];
            field.dispatchEvent(new Event('change', { bubbles: true }));";
        self.script(script, vec![json!(hook(name)), json!(value)]).await;
    }

    /// Presses keys, whatever has the focus.
    pub async fn keys(&self, keys: &str) {
        self.client.find(Locator::Css("body")).await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Changes a knob under 'all settings'.
    pub async fn set_knob(&self, name: &str, value: &str) {
        let script = "const label = [...document.querySelectorAll('details label')].find(l => l.innerText.trim() === arguments[0]);
            const field = document.getElementById(label.htmlFor);
            field.value = arguments[1];
            field.dispatchEvent(new Event('change', { bubbles: true }));";
        self.script(script, vec![json!(name), json!(value)]).await;
    }

    /// How many elements carry this hook.
    pub async fn count(&self, name: &str) -> u64 {
        let script = "return document.querySelectorAll(arguments[0]).length";
        self.script(script, vec![json!(hook(name))]).await.as_u64().unwrap()
    }

    /// The text of the first element with this hook.
    pub async fn text(&self, name: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        self.script(script, vec![json!(hook(name))]).await.as_str().unwrap_or_default().to_owned()
    }

    /// An attribute of the first element with this hook.
    pub async fn attribute(&self, name: &str, attribute: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? ''";
        let value = self.script(script, vec![json!(hook(name)), json!(attribute)]).await;
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Drags files over the window until it shows that it takes them, and lets them go, as the system tells it.
    pub async fn drop_files(&self, files: &[PathBuf]) {
        let script = "return window.__TAURI_INTERNALS__.invoke('plugin:event|emit', { event: arguments[0],
            payload: { paths: arguments[1], position: { x: 600, y: 400 } } })";
        let begun = Instant::now();
        while self.count("drop-zone").await != 1 || !self.attribute("drop-zone", "class").await.contains("hot") {
            assert!(begun.elapsed() < Duration::from_secs(30), "the window does not take files");
            self.script(script, vec![json!("tauri://drag-enter"), json!(files)]).await;
            tokio::time::sleep(LOOK).await;
        }
        self.picture("2-drop").await;
        self.script(script, vec![json!("tauri://drag-drop"), json!(files)]).await;
    }

    /// Makes a project on the starter model and goes to its documents.
    pub async fn make_project(&self, name: &str) {
        self.see("new-project", 30).await;
        let looked = "!document.querySelector('[data-test=\"verdict\"]').innerText.includes('Looking')";
        self.wait("the machine's verdict", looked, 60).await;
        self.picture("1-welcome").await;
        self.press("new-project").await;
        self.fill("project-name", name).await;
        self.wait("a base model", "document.querySelector('[data-test=\"base-model\"]')?.value", 30).await;
        self.press("create-project").await;
        self.see("step-import", 30).await;
    }

    /// Lets the window speak Chinese, or English again.
    pub async fn speak(&self, language: &str) {
        self.press("settings").await;
        self.press(&format!("language-{language}")).await;
        self.press("settings-close").await;
        let speaks = format!("document.documentElement.lang.startsWith('{language}')");
        self.wait("the other language", &speaks, 10).await;
    }

    /// Keeps a picture of the window in the folder that `HONE_SCREENSHOTS` names.
    pub async fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("HONE_SCREENSHOTS") else { return };
        let path = Path::new(&folder).join(format!("{name}.png"));
        // What the page last said has been drawn once two frames have gone by; the compositor may be one behind.
        let drawn = "const done = arguments[arguments.length - 1];
            requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 300)));";
        self.client.execute_async(drawn, vec![]).await.unwrap();
        if let Ok(png) = self.client.screenshot().await {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(path, png).unwrap();
        }
    }
}
