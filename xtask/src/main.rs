//! `cargo xtask`: the two commands of the README (`demo`, `test`) and the ones for engineers (`parity`, `bench`).
//!
//! Has no dependencies, so that it starts within seconds on a machine that has nothing yet.

mod bench;
mod bench_data;
mod cuda;
mod demo;
mod machine;
mod node;
mod parity;
mod run;
mod starter;
mod test;
#[cfg(test)]
mod tidy;
mod types;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask demo   [--headless] [--out DIR] [--yes]   do the main job on the sample documents
cargo xtask test   [--only PART]                      run everything that must pass
cargo xtask parity [--write-golden]                   compare with Transformers and PEFT, live
cargo xtask bench                                     measure side by side, write docs/benchmarks.md
cargo xtask bench data [--megabytes N]                measure imports and pages of rows, write docs/benchmarks.md
cargo xtask check-cuda                                compile and lint the worker with CUDA, without a card
cargo xtask build-cuda                                a release build of the worker for NVIDIA cards
cargo xtask types                                     write the TypeScript types of the Rust side
cargo xtask setup                                     install what the tests need, nothing else

Parts of `test`: tidy fmt ui clippy rust types window cuda. Several may be given, joined by commas.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let outcome = match arguments.first().map(String::as_str) {
        Some("demo") => demo::run(rest),
        Some("test") => test::run(rest),
        Some("parity") => parity::run(rest),
        Some("bench") if rest.first().is_some_and(|what| what == "data") => bench_data::run(&rest[1..]),
        Some("bench") => bench::run(),
        Some("check-cuda") => cuda::run(),
        Some("build-cuda") => cuda::build(),
        Some("types") => types::write(),
        Some("setup") => test::setup(),
        _ => {
            print!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
