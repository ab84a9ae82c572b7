//! System packages, by apt where it may.

use std::process::Command;

use crate::run::{Outcome, check, has};

/// What any build needs: a C compiler for SQLite, pkg-config, pip for the starter model.
pub const BUILD: &[&str] = &["gcc", "libc6-dev", "pkg-config"];
/// What the window needs to build.
pub const WINDOW: &[&str] = &["libwebkit2gtk-4.1-dev"];
/// What the tests in a real window need.
pub const WINDOW_TESTS: &[&str] = &["xvfb", "xauth", "webkit2gtk-driver", "fonts-dejavu-core", "xdotool"];

/// What reads scanned pages in the tests, English with it.
pub const RECOGNITION: &[&str] = &["tesseract-ocr"];

/// Installs the missing ones of `packages`; on other systems says what is needed and goes on.
pub fn install(packages: &[&str]) -> Outcome {
    if !has("dpkg-query", "--version") {
        eprintln!(
            "not a Debian or Ubuntu: make sure that these are there in your system's form: {}",
            packages.join(" ")
        );
        return Ok(());
    }
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("installing system packages: {}", missing.join(" "));
    check(&mut apt(&["update", "-qq"])).or_else(|error| {
        eprintln!("xtask: {error}; going on with the package lists at hand");
        Ok::<(), String>(())
    })?;
    let mut words = vec!["install", "-y", "-qq", "--no-install-recommends"];
    words.extend(&missing);
    check(&mut apt(&words))
        .map_err(|error| format!("{error}\nInstall them yourself and try again: apt-get install {}", missing.join(" ")))
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f", "${Status}", package])
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("install ok installed"))
}

fn apt(words: &[&str]) -> Command {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
    if !root {
        command.args(["-n", "apt-get"]);
    }
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
    command
}
