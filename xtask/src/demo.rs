//! `cargo xtask demo`: the main job, from a fresh machine.

use std::path::PathBuf;
use std::process::Command;

use crate::machine::{self, BUILD, WINDOW};
use crate::node;
use crate::run::{Outcome, built, cargo, check, timed};
use crate::starter::{self, Consent};

struct Options {
    headless: bool,
    out: PathBuf,
    consent: Consent,
}

fn options(words: &[String]) -> Outcome<Options> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let display =
        ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()));
    let mut options = Options { headless: !display, out: home.join("hone-demo"), consent: Consent::Ask };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--headless" => options.headless = true,
            "--yes" => options.consent = Consent::Given,
            "--out" => options.out = words.next().ok_or("`--out` needs a folder")?.into(),
            other => return Err(format!("`demo` does not know `{other}`")),
        }
    }
    // The worker runs in the checkout; the folder was meant from where the person stands.
    options.out = std::path::absolute(&options.out).map_err(|error| error.to_string())?;
    Ok(options)
}

/// Installs what is missing, builds, and runs the demo.
pub fn run(words: &[String]) -> Outcome {
    let options = options(words)?;
    timed("starter model", || starter::ensure(&options.consent))?;
    timed("system packages", || {
        machine::install(BUILD)?;
        if options.headless { Ok(()) } else { machine::install(WINDOW) }
    })?;
    timed("build the worker", || check(&mut cargo(&["build", "--locked", "--package", "hone"])))?;
    if options.headless {
        return timed("demo", || check(Command::new(built("hone")).arg("demo").arg("--out").arg(&options.out)));
    }
    timed("build the window's pages", node::build_ui)?;
    timed("build the window", || check(&mut cargo(&["build", "--locked", "--package", "hone-desktop"])))?;
    timed("demo project", || {
        check(Command::new(built("hone")).args(["demo", "--until", "import", "--out"]).arg(&options.out))
    })?;
    eprintln!("opening the window on {}", options.out.display());
    check(Command::new(built("hone-desktop")).arg("--project").arg(&options.out))
}
