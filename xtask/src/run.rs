//! Paths, and running other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An error is a sentence for the person at the terminal.
pub type Outcome<T = ()> = Result<T, String>;

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

fn home() -> PathBuf {
    std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default()
}

/// Where builds, packages and downloads are kept between runs: `HONE_CACHE`, or the user's cache folder.
pub fn cache() -> PathBuf {
    let given = std::env::var_os("HONE_CACHE").map(PathBuf::from);
    let xdg = || std::env::var_os("XDG_CACHE_HOME").map(|folder| PathBuf::from(folder).join("hone"));
    given.or_else(xdg).unwrap_or_else(|| home().join(".cache/hone"))
}

/// Where Hone keeps base models; the same rule as `hone_model::source::default_models_dir`.
pub fn models() -> PathBuf {
    if let Some(folder) = std::env::var_os("HONE_MODELS") {
        return folder.into();
    }
    if cfg!(target_os = "macos") {
        return home().join("Library/Application Support/hone/models");
    }
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    data.unwrap_or_else(|| home().join(".local/share")).join("hone/models")
}

/// Cargo's target folder, outside the checkout.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| cache().join("target"), PathBuf::from)
}

/// A program of ours as Cargo built it.
pub fn built(name: &str) -> PathBuf {
    target().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// A program of ours as Cargo built it for release.
pub fn released(name: &str) -> PathBuf {
    target().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// `cargo` with the shared target folder, in the checkout.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root()).env("CARGO_TARGET_DIR", target());
    command
}

/// Whether a program can be started at all.
pub fn has(program: &str, probe: &str) -> bool {
    Command::new(program)
        .arg(probe)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a command to its end, its output on the terminal.
pub fn check(command: &mut Command) -> Outcome {
    let shown = show(command);
    eprintln!("$ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` ended with {status}")),
        Err(error) => Err(format!("`{shown}` cannot be started: {error}")),
    }
}

/// Runs a command and gives its standard output.
pub fn read(command: &mut Command) -> Outcome<String> {
    let shown = show(command);
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| format!("`{shown}`: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("`{shown}` ended with {}", output.status))
    }
}

/// Does something and says how long it took.
pub fn timed<T>(what: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    eprintln!("\n== {what}");
    let start = Instant::now();
    let outcome = work();
    eprintln!("== {what}: {} in {}", if outcome.is_ok() { "done" } else { "FAILED" }, minutes(start.elapsed()));
    outcome
}

/// `3 min 07 s`.
pub fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

/// Names the path in an I/O error.
pub fn at(path: &Path) -> impl FnOnce(std::io::Error) -> String {
    let path = path.display().to_string();
    move |error| format!("`{path}`: {error}")
}

fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}
