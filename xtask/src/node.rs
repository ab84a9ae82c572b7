//! Packages from npm: the window's, and llama.cpp for the foreign checks.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Outcome, at, cache, check, has, root};

/// Installs the window's packages into `ui/node_modules` unless they are there for this very lock file.
pub fn ui() -> Outcome<PathBuf> {
    let folder = root().join("ui");
    install(&folder, &folder, &["ci", "--no-audit", "--no-fund"])?;
    Ok(folder)
}

/// Builds `ui/dist`, which the shell embeds.
pub fn build_ui() -> Outcome {
    let folder = ui()?;
    npm(&folder, &["run", "build"])
}

/// llama.cpp as the npm package `node-llama-cpp`, CPU build only, in the cache.
pub fn foreign() -> Outcome<PathBuf> {
    let source = root().join("tests/foreign");
    let folder = cache().join("foreign");
    std::fs::create_dir_all(&folder).map_err(at(&folder))?;
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        let from = source.join(name);
        if from.is_file() {
            std::fs::copy(&from, folder.join(name)).map_err(at(&from))?;
        }
    }
    // Scripts would build llama.cpp anew; the optional packages are 640 MB of CUDA and Vulkan. Not `ci`: it refuses a lock
    // file that does not name the optional packages for other systems.
    let words = ["install", "--no-save", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"];
    install(&folder, &folder, &words)?;
    Ok(folder)
}

/// Runs one npm command in a folder.
pub fn npm(folder: &Path, words: &[&str]) -> Outcome {
    check(Command::new("npm").args(words).current_dir(folder))
}

fn install(folder: &Path, lock_folder: &Path, words: &[&str]) -> Outcome {
    if !has("node", "--version") || !has("npm", "--version") {
        return Err("Node.js 20 or newer with npm is needed; install it and try again".into());
    }
    let lock = lock_folder.join("package-lock.json");
    let wanted = std::fs::read_to_string(&lock).map_err(at(&lock))?;
    let stamp = folder.join("node_modules/.hone-lock");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    npm(folder, words)?;
    std::fs::write(&stamp, wanted).map_err(at(&stamp))
}
