//! `cargo xtask bench`: Hone in turn with PyTorch + PEFT (a training step) and with llama.cpp (writing), on this machine.

use std::process::Command;

use crate::run::{Outcome, built, cache, cargo, check, root, timed};
use crate::starter::{self, Consent};
use crate::{node, parity};

/// Measures and writes the table into `docs/benchmarks.md`.
pub fn run() -> Outcome {
    let python = parity::python()?;
    let model = starter::ensure(&Consent::Shown)?;
    timed("build the worker", || check(&mut cargo(&["build", "--locked", "--package", "hone"])))?;
    timed("benchmark", || {
        let mut command = Command::new(&python);
        command.arg(root().join("tests/parity/bench.py")).arg("--hone").arg(built("hone")).arg("--model").arg(&model);
        command.arg("--cache").arg(cache().join("parity"));
        check(command.arg("--out").arg(root().join("docs/benchmarks.md")))
    })?;
    let foreign = timed("llama.cpp", node::foreign)?;
    timed("writing", || {
        let mut command = Command::new(&python);
        command.env("HONE_FOREIGN_DIR", &foreign).arg(root().join("tests/foreign/writing.py"));
        command.arg("--hone").arg(built("hone")).arg("--model").arg(&model);
        check(command.arg("--out").arg(root().join("docs/benchmarks.md")))
    })
}
