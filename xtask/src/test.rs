//! `cargo xtask test`: installs what is missing, runs everything that must pass, ends with the total.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cuda::{self, Checked};
use crate::machine::{self, BUILD, RECOGNITION, WINDOW, WINDOW_TESTS};
use crate::run::{Outcome, built, cargo, has, minutes, root};
use crate::starter::{self, Consent};
use crate::types::{self, APART};
use crate::{node, run};

/// Results of one part, added up at the end.
#[derive(Default, Clone)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
    /// Names of the failed, as far as the runner tells them.
    failures: Vec<String>,
}

struct Tools {
    model: PathBuf,
    foreign: PathBuf,
}

struct Part {
    name: &'static str,
    count: Count,
    time: Duration,
}

/// Installs what the tests need.
pub fn setup() -> Outcome {
    tools().map(|_| ())
}

fn tools() -> Outcome<Tools> {
    run::timed("system packages", || machine::install(&[BUILD, WINDOW, WINDOW_TESTS, RECOGNITION].concat()))?;
    let model = run::timed("starter model", || starter::ensure(&Consent::Shown))?;
    run::timed("the window's packages", node::ui)?;
    let foreign = run::timed("llama.cpp", node::foreign)?;
    Ok(Tools { model, foreign })
}

/// Runs all parts, or those named after `--only`.
pub fn run(words: &[String]) -> Outcome {
    let only: Option<Vec<&str>> = match words {
        [] => None,
        [flag, parts] if flag == "--only" => Some(parts.split(',').collect()),
        _ => return Err("`test` knows only `--only PART,PART`".into()),
    };
    let start = Instant::now();
    let tools = tools()?;
    // The pages come before anything that compiles the shell, which embeds them.
    run::timed("build the window's pages", node::build_ui)?;
    let mut parts: Vec<Part> = Vec::new();
    let mut part = |name: &'static str, work: &dyn Fn() -> Outcome<Count>| {
        if only.as_ref().is_some_and(|names| !names.contains(&name)) {
            return;
        }
        let start = Instant::now();
        eprintln!("\n== {name}");
        let count = work().unwrap_or_else(|message| {
            eprintln!("FAILED {name}: {message}");
            Count { failed: 1, failures: vec![message], ..Count::default() }
        });
        eprintln!("== {name}: {} passed, {} failed in {}", count.passed, count.failed, minutes(start.elapsed()));
        parts.push(Part { name, count, time: start.elapsed() });
    };
    part("tidy", &|| count(&mut cargo(&["test", "--locked", "--package", "xtask"])));
    part("fmt", &|| component("rustfmt", "fmt", &["fmt", "--all", "--check"]));
    part("ui", &ui);
    part("clippy", &|| {
        component("clippy", "clippy", &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])
    });
    part("rust", &|| rust(&tools));
    part("types", &|| types::compare().map(|()| Count { passed: 1, ..Count::default() }));
    part("window", &|| window(&tools));
    part("cuda", &worker_with_cuda);

    let mut total = Count::default();
    eprintln!();
    for Part { name, count, time } in parts {
        let Count { passed, failed, skipped, .. } = count;
        println!("{name:<8} {passed:>5} passed {failed:>3} failed {skipped:>3} skipped  {}", minutes(time));
        total = total.and(count);
    }
    // Last but for the total, so that the end of a long output says what is wrong.
    total.failures.iter().for_each(|failure| println!("FAILED {failure}"));
    println!("in {}\n{} passed, {} failed", minutes(start.elapsed()), total.passed, total.failed);
    if total.failed == 0 { Ok(()) } else { Err(format!("{} failed, see above", total.failed)) }
}

/// A part of the Rust toolchain that may be missing on a machine: then it says so loudly and goes on.
fn component(name: &str, verb: &str, words: &[&str]) -> Outcome<Count> {
    if cargo(&[verb, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success()) {
        run::check(&mut cargo(words))?;
        return Ok(Count { passed: 1, ..Count::default() });
    }
    eprintln!("!!!! {name} is NOT INSTALLED on this machine: its check is SKIPPED (rustup component add {name}) !!!!");
    Ok(Count { skipped: 1, ..Count::default() })
}

/// Compiles the worker for graphics cards, ten minutes after a change of the dependencies; no card is needed.
fn worker_with_cuda() -> Outcome<Count> {
    match cuda::check_worker()? {
        Checked::Passed => Ok(Count { passed: 1, ..Count::default() }),
        Checked::Before => {
            eprintln!("nothing changed since the worker last compiled with CUDA");
            Ok(Count { passed: 1, ..Count::default() })
        }
        Checked::NoCompiler(why) => {
            eprintln!(
                "!!!! NVIDIA's compiler CANNOT BE FETCHED on this machine: the CUDA build is SKIPPED ({why}) !!!!"
            );
            Ok(Count { skipped: 1, ..Count::default() })
        }
    }
}

fn ui() -> Outcome<Count> {
    let folder = root().join("ui");
    node::npm(&folder, &["run", "check"])?;
    let tests = count(Command::new("npm").args(["test"]).current_dir(&folder))?;
    Ok(Count { passed: tests.passed + 1, ..tests })
}

/// `cargo test` over every crate but the shell, xtask and the window's tests, with what the tests need.
///
/// Also what builds the worker: the same set of crates means the same features, so nothing is compiled twice.
fn crates(tools: &Tools, flags: &[&str]) -> Command {
    // The same cases of the property tests on every machine; another seed looks for new ones.
    let seed = std::env::var_os("PROPTEST_RNG_SEED").unwrap_or_else(|| "20261127".into());
    let mut command = cargo(&["test", "--locked", "--workspace"]);
    command
        .args(APART)
        .args(flags)
        .env("TS_RS_EXPORT_DIR", types::fresh_folder())
        .env("HONE_REQUIRE_MODEL", "1")
        .env("HONE_MODELS", run::models())
        .env("HONE_REQUIRE_FOREIGN", "1")
        .env("HONE_REQUIRE_TESSERACT", "1")
        .env("PROPTEST_RNG_SEED", seed)
        .env("HONE_FOREIGN_DIR", &tools.foreign);
    command
}

fn rust(tools: &Tools) -> Outcome<Count> {
    let fresh = types::fresh_folder();
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh).map_err(run::at(&fresh))?;
    }
    // Built first, so that a slow build is not taken for a slow test.
    run::timed("build the tests", || run::check(&mut crates(tools, &["--no-run"])))?;
    let tested = count(&mut crates(tools, &["--no-fail-fast"]))?;
    let mut shell = cargo(&["test", "--locked", "--package", "hone-desktop", "--lib"]);
    let shell = count(shell.env("TS_RS_EXPORT_DIR", types::fresh_folder()))?;
    Ok(tested.and(shell))
}

fn window(tools: &Tools) -> Outcome<Count> {
    run::timed("build the worker", || run::check(&mut crates(tools, &["--no-run"])))?;
    run::check(&mut cargo(&["build", "--locked", "--package", "hone-desktop"]))?;
    run::check(&mut cargo(&["test", "--locked", "--no-run", "--package", "hone-e2e"]))?;
    if !has("xvfb-run", "--help") {
        return Err("`xvfb-run` is missing".into());
    }
    let tested = count(&mut in_a_window(tools, &[]))?;
    if tested.failed == 0 {
        return Ok(tested);
    }
    // Pictures, clicks and a system dialog on a machine that others use too: a test that fails alone a second time is wrong.
    eprintln!("!!!! {} failed in the window, once more: {} !!!!", tested.failed, tested.failures.join(", "));
    let again = count(&mut in_a_window(tools, &tested.failures))?;
    Ok(Count { passed: tested.passed + again.passed, skipped: tested.skipped, ..again })
}

/// The tests in a real window, one after the other: two windows on one screen take the focus from each other.
fn in_a_window(tools: &Tools, names: &[String]) -> Command {
    let mut command = Command::new("xvfb-run");
    command
        .args(["-a", "-s", "-screen 0 1280x800x24", "cargo", "test", "--locked", "--package", "hone-e2e", "--"])
        .args(["--test-threads", "1"])
        .args(names)
        .current_dir(root())
        .env("CARGO_TARGET_DIR", run::target())
        .env("HONE_DESKTOP_BIN", built("hone-desktop"))
        .env("HONE_WORKER", built("hone"))
        .env("HONE_MODELS", tools.model.parent().unwrap_or(&tools.model))
        .env("HONE_REQUIRE_MODEL", "1")
        .env("HONE_REQUIRE_TESSERACT", "1")
        .env("GSETTINGS_BACKEND", "memory");
    command
}

impl Count {
    fn and(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
            failures: [self.failures, other.failures].concat(),
        }
    }
}

/// Runs a test runner, shows its output, and adds up the closing lines of cargo test and Vitest.
fn count(command: &mut Command) -> Outcome<Count> {
    eprintln!("$ {command:?}");
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let mut total = Count::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = String::from_utf8_lossy(&line.map_err(|error| error.to_string())?).into_owned();
            eprintln!("{line}");
            total = total.and(closing_line(&line));
            total.failures.extend(failed_name(&line));
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if !status.success() && total.failed == 0 {
        total.failed = 1;
    }
    if total.passed + total.failed == 0 {
        return Err(format!("{command:?} ran no test"));
    }
    Ok(total)
}

/// `test result: ok. 3 passed; 1 failed; 2 ignored` of cargo test, `Tests  3 passed | 1 failed (4)` of Vitest.
fn closing_line(line: &str) -> Count {
    let plain: String = strip_colours(line);
    let rest = plain.trim().strip_prefix("test result:").or_else(|| plain.trim().strip_prefix("Tests "));
    let Some(rest) = rest else { return Count::default() };
    let words: Vec<&str> = rest.split([' ', ';', '|']).filter(|word| !word.is_empty()).collect();
    let number = |name: &str| {
        let place = words.iter().position(|word| *word == name);
        place.and_then(|place| words.get(place.checked_sub(1)?)?.parse().ok()).unwrap_or(0)
    };
    let skipped = number("ignored") + number("skipped");
    Count { passed: number("passed"), failed: number("failed"), skipped, failures: Vec::new() }
}

/// The name in `test NAME ... FAILED` of cargo test and in ` FAIL  NAME` of Vitest.
fn failed_name(line: &str) -> Option<String> {
    let plain = strip_colours(line);
    let cargo = plain.strip_prefix("test ").and_then(|rest| rest.trim_end().strip_suffix(" ... FAILED"));
    cargo.or(plain.trim_start().strip_prefix("FAIL  ")).map(str::to_owned)
}

fn strip_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(|c| *c == 'm');
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_both_runners_are_read() {
        let cargo = closing_line("test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out");
        assert_eq!((cargo.passed, cargo.failed, cargo.skipped), (3, 1, 2));
        let vitest = closing_line(
            "\u{1b}[2m      Tests \u{1b}[22m \u{1b}[31m1 failed\u{1b}[39m | \u{1b}[32m7 passed\u{1b}[39m (8)",
        );
        assert_eq!((vitest.passed, vitest.failed, vitest.skipped), (7, 1, 0));
    }

    #[test]
    fn failed_tests_of_both_runners_are_named() {
        assert_eq!(failed_name("test ops::a_norm ... FAILED").as_deref(), Some("ops::a_norm"));
        assert_eq!(failed_name("test ops::a_norm ... ok"), None);
        assert_eq!(
            failed_name("\u{1b}[41m FAIL \u{1b}[49m src/window.test.ts > opens").as_deref(),
            Some("src/window.test.ts > opens")
        );
    }
}
