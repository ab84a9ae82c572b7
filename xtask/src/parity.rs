//! `cargo xtask parity`: the same step in Transformers and PEFT, live. Several GB of Python packages go to the cache.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{Outcome, at, built, cache, cargo, check, root, timed};
use crate::starter::{self, Consent};

/// Compares; with `--write-golden` also renews the files that `cargo xtask test` checks.
pub fn run(words: &[String]) -> Outcome {
    let python = python()?;
    let model = starter::ensure(&Consent::Shown)?;
    timed("build the worker", || check(&mut cargo(&["build", "--locked", "--package", "hone"])))?;
    let script = |name: &str| {
        let mut command = Command::new(&python);
        command.arg(root().join("tests/parity").join(name)).arg("--hone").arg(built("hone"));
        command.arg("--cache").arg(cache().join("parity"));
        command
    };
    timed("parity of the families", || check(&mut script("families_live.py")))?;
    timed("parity of random shapes", || check(&mut script("shapes.py")))?;
    timed("parity of the starter model", || check(script("run.py").arg("--model").arg(&model).args(words)))?;
    timed("losses and DoRA", || check(&mut script("objectives.py")))
}

/// Python with the pinned packages, in an environment of its own.
pub fn python() -> Outcome<PathBuf> {
    let requirements = root().join("tests/parity/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).map_err(at(&requirements))?;
    let folder = cache().join("parity/venv");
    let python = folder.join("bin/python");
    let stamp = folder.join("hone-requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    timed("Python packages (several GB, once)", || {
        check(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        check(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--no-deps", "-r"]).arg(&requirements))
    })?;
    std::fs::write(&stamp, wanted).map_err(at(&stamp))?;
    Ok(python)
}
