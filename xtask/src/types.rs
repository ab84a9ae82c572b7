//! The TypeScript form of the Rust types that cross to the window, written by `ts-rs` while the tests run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::run::{Outcome, at, cache, cargo, check, root};

/// Packages whose tests are built apart, so that their test dependencies do not rebuild the shell with other features.
pub const APART: &[&str] = &["--exclude", "hone-desktop", "--exclude", "hone-e2e", "--exclude", "xtask"];

/// Where the tests write the types when they are to be compared.
pub fn fresh_folder() -> PathBuf {
    cache().join("types")
}

fn committed_folder() -> PathBuf {
    root().join("ui/src/host/types")
}

/// Writes the types into the checkout, in place of those that are there.
pub fn write() -> Outcome {
    std::fs::remove_dir_all(committed_folder()).map_err(at(&committed_folder()))?;
    let mut words = vec!["test", "--locked", "--workspace"];
    words.extend(APART);
    words.push("export_bindings");
    check(cargo(&words).env("TS_RS_EXPORT_DIR", committed_folder()))?;
    let shell = ["test", "--locked", "--package", "hone-desktop", "--lib", "export_bindings"];
    check(cargo(&shell).env("TS_RS_EXPORT_DIR", committed_folder()))
}

/// Fails when the committed types are not what the tests have just written to [`fresh_folder`].
pub fn compare() -> Outcome {
    let fresh = names(&fresh_folder())?;
    let committed = names(&committed_folder())?;
    let stale: Vec<&str> = fresh
        .union(&committed)
        .filter(|name| !same(&fresh_folder().join(name), &committed_folder().join(name)))
        .map(String::as_str)
        .collect();
    if stale.is_empty() {
        eprintln!("{} types as committed", fresh.len());
        return Ok(());
    }
    Err(format!("stale types, run `cargo xtask types` and commit: {}", stale.join(", ")))
}

fn names(folder: &Path) -> Outcome<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).map_err(at(&next))? {
            let path = entry.map_err(at(&next))?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if let Ok(name) = path.strip_prefix(folder) {
                found.insert(name.display().to_string());
            }
        }
    }
    Ok(found)
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((std::fs::read(one), std::fs::read(other)), (Ok(a), Ok(b)) if a == b)
}
