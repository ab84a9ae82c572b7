//! The program: one window, its commands, and a clean end.

use std::process::ExitCode;

use tauri::plugin::TauriPlugin;
use tauri::{Manager, RunEvent, Runtime, Url};

use crate::commands;
use crate::shell::{Shell, project_argument};

/// Opens the window and returns when it is closed. A training goes on; everything else is ended.
pub fn run() -> ExitCode {
    let built = commands::attach(tauri::Builder::default())
        .plugin(page())
        .setup(|app| {
            app.manage(Shell::new(app.handle().clone(), project_argument(std::env::args_os())));
            Ok(())
        })
        .build(tauri::generate_context!());
    match built {
        Ok(app) => {
            app.run(|app, event| {
                if matches!(event, RunEvent::Exit) {
                    tauri::async_runtime::block_on(app.state::<Shell>().jobs.farewell());
                }
            });
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("Hone's window cannot open: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A desktop without a language (`LANG=C`) gives pages a language that is none, on which `Intl` throws.
const LANGUAGE: &str = "try { new Intl.NumberFormat(navigator.language) } catch {
    Object.defineProperty(navigator, 'language', { value: 'en' });
    Object.defineProperty(navigator, 'languages', { value: ['en'] });
}";

/// Keeps the window on its own pages, whatever a link in a document says, and gives them a language.
fn page<R: Runtime>() -> TauriPlugin<R> {
    let page = tauri::plugin::Builder::new("page").js_init_script(LANGUAGE);
    page.on_navigation(|_, url| is_home(url, tauri::is_dev())).build()
}

fn is_home(url: &Url, dev: bool) -> bool {
    match (url.scheme(), url.host_str()) {
        ("tauri", _) | ("http" | "https", Some("tauri.localhost")) | ("about", None) => true,
        ("http", Some("localhost")) => dev,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_cannot_lead_the_window_away() {
        let home = |url: &str| is_home(&Url::parse(url).unwrap(), false);
        assert!(home("tauri://localhost/index.html"));
        assert!(home("http://tauri.localhost/"));
        for away in ["https://example.org/", "file:///etc/passwd", "data:text/html,x", "http://localhost:5173/"] {
            assert!(!home(away), "{away}");
        }
    }
}
