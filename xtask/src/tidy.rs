//! What the tree promises about itself: directions of dependencies, length of files, who imports what.
//! Runs as a test of this package.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Outcome, at, read, root};

/// Which crate of ours may depend on which. A new edge needs an ADR.
const EDGES: &[(&str, &[&str])] = &[
    ("job", &[]),
    ("data", &["job"]),
    ("model", &["job"]),
    ("hardware", &["job"]),
    ("train", &["job", "data", "model", "hardware"]),
    ("eval", &["job", "data", "model", "hardware"]),
    ("export", &["job", "model"]),
    ("draft", &["job", "data", "model"]),
    ("studio", &["job", "data"]),
    ("cli", &["job", "data", "model", "train", "eval", "export", "draft", "hardware", "studio"]),
];
/// What the shell may depend on: nothing that links candle.
const SHELL: &[&str] = &["job", "data", "studio"];
/// Lines after which a file is split.
const LONGEST: usize = 600;

/// Checks all of it.
pub fn check() -> Outcome {
    let mut faults = Vec::new();
    for (name, allowed) in EDGES {
        edges(&root().join("crates").join(name).join("Cargo.toml"), name, allowed, &mut faults)?;
    }
    edges(&root().join("Cargo.toml"), "src-tauri", SHELL, &mut faults)?;
    for path in tracked()? {
        file(&path, &mut faults)?;
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n       ")) }
}

fn edges(manifest: &Path, name: &str, allowed: &[&str], faults: &mut Vec<String>) -> Outcome {
    let text = std::fs::read_to_string(manifest).map_err(at(manifest))?;
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        }
        let word = line.split([' ', '=', '.']).next().unwrap_or_default();
        if section != "[dependencies]" || word.is_empty() {
            continue;
        }
        if let Some(other) = word.strip_prefix("hone-")
            && !allowed.contains(&other)
        {
            faults.push(format!("`{name}` must not depend on `{other}` ({})", manifest.display()));
        }
        if name != "src-tauri" && word.starts_with("tauri") {
            faults.push(format!("`{name}` must not know Tauri ({})", manifest.display()));
        }
        if ["src-tauri", "studio"].contains(&name) && word.starts_with("candle") {
            faults.push(format!("`{name}` must not link candle ({})", manifest.display()));
        }
    }
    Ok(())
}

fn tracked() -> Outcome<Vec<PathBuf>> {
    let listed = read(Command::new("git").args(["ls-files", "-z"]).current_dir(root()))?;
    Ok(listed
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(|name| root().join(name))
        .filter(|path| path.is_file())
        .collect())
}

fn file(path: &Path, faults: &mut Vec<String>) -> Outcome {
    let ends = |wanted: &[&str]| path.extension().is_some_and(|end| wanted.iter().any(|one| end == *one));
    if !ends(&["rs", "ts", "svelte"]) || path.components().any(|part| part.as_os_str() == "fixtures") {
        return Ok(());
    }
    let text = std::fs::read_to_string(path).map_err(at(path))?;
    let lines = text.lines().count();
    if lines > LONGEST {
        faults.push(format!("{} has {lines} lines, more than {LONGEST}: split it", path.display()));
    }
    let in_ui = path.starts_with(root().join("ui/src"));
    if in_ui && text.contains("@tauri-apps") && !path.ends_with("ui/src/host/tauri.ts") {
        faults.push(format!("{} imports @tauri-apps; only ui/src/host/tauri.ts may", path.display()));
    }
    let in_parts = path.starts_with(root().join("ui/src/parts"));
    if in_parts && (text.contains("/steps/") || text.contains("/state/")) {
        faults.push(format!("{}: parts import nothing from steps or state", path.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_that_is_not_allowed_is_named() {
        let folder = std::env::temp_dir().join(format!("hone-tidy-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let manifest = folder.join("Cargo.toml");
        std::fs::write(
            &manifest,
            "[dependencies]\nhone-job.workspace = true\nhone-train.workspace = true\ntauri = \"2\"\n",
        )
        .unwrap();
        let mut faults = Vec::new();
        edges(&manifest, "data", &["job"], &mut faults).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("`data` must not depend on `train`"));
        assert!(faults[1].contains("must not know Tauri"));
    }

    #[test]
    fn the_tree_is_tidy() {
        assert_eq!(check(), Ok(()));
    }
}
