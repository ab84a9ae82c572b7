//! `cargo xtask bench`: Hone and PyTorch + PEFT in turn, in one go, on this machine.

use std::process::Command;

use crate::parity;
use crate::run::{Outcome, built, cache, cargo, check, root, timed};
use crate::starter::{self, Consent};

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
    })
}
