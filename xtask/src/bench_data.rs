//! `cargo xtask bench data`: how fast files come in, what memory that takes, how fast pages of rows are and how long the
//! search for nearly the same rows takes.
//!
//! The files are made here: questions and answers of made-up words, the frequent ones frequent, as in a language.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts become rates

use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::run::{Outcome, at, cache, cargo, check, read, released, root, timed};
use crate::starter::{self, Consent};

const BEGIN: &str = "<!-- data: begin -->\n";
const END: &str = "<!-- data: end -->";
/// Rows of the project whose pages are measured.
const ROWS: usize = 1_000_000;
/// Stands in ten of the rows.
const RARE: &str = "quellwolke";

/// With the features that the tests are built with, so that what they built is used.
const BUILD: [&str; 13] = [
    "build",
    "--release",
    "--locked",
    "--workspace",
    "--exclude",
    "hone-desktop",
    "--exclude",
    "hone-e2e",
    "--exclude",
    "xtask",
    "--bin=hone",
    "--example",
    "near_duplicates",
];

/// What one import took.
struct Taken {
    what: String,
    megabytes: f64,
    wall: f64,
    cpu: f64,
    peak: f64,
    database: f64,
}

/// Measures and writes the table into `docs/benchmarks.md`.
pub fn run(arguments: &[String]) -> Outcome {
    let megabytes = match arguments {
        [] => 200,
        [flag, count] if flag == "--megabytes" => count.parse().map_err(|_| format!("`{count}` is no number"))?,
        _ => return Err("`cargo xtask bench data` takes `--megabytes N` and nothing else".into()),
    };
    starter::ensure(&Consent::Shown)?;
    timed("build for release", || check(&mut cargo(&BUILD)))?;
    let load = load();
    let folder = cache().join("bench-data");
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    let taken = timed("imports", || imports(&folder, megabytes))?;
    let pages = timed("pages", || pages(&folder))?;
    fs::remove_dir_all(&folder).map_err(at(&folder))?;
    let similar = timed("nearly the same rows", || read(&mut Command::new(released("examples/near_duplicates"))))?;
    write(&about(&load)?, &taken, &pages, &similar)
}

fn imports(folder: &Path, megabytes: usize) -> Outcome<Vec<Taken>> {
    let mut taken = Vec::new();
    for (name, make) in [("rows.jsonl", line as fn(&mut Words, usize) -> String), ("rows.csv", cells)] {
        taken.push(import(folder, name, megabytes, make)?);
    }
    taken.push(import(folder, "text.txt", megabytes.min(50), paragraph)?);
    taken.push(import(folder, "large.jsonl", megabytes * 10, line)?);
    Ok(taken)
}

/// Makes a file of a size, imports it into a project of its own, and throws both away.
fn import(folder: &Path, name: &str, megabytes: usize, make: fn(&mut Words, usize) -> String) -> Outcome<Taken> {
    let file = folder.join(name);
    let mut words = Words(7);
    let mut size = 0;
    make_file(&file, |at| {
        let text = if at == 0 && file.extension().is_some_and(|end| end == "csv") {
            "question,answer\n".to_owned()
        } else {
            make(&mut words, at)
        };
        size += text.len();
        (size < megabytes * 1_000_000).then_some(text)
    })?;
    let project = folder.join("project");
    let taken = import_into(&project, &file)?;
    fs::remove_dir_all(&project).map_err(at(&project))?;
    fs::remove_file(&file).map_err(at(&file))?;
    Ok(taken)
}

fn import_into(project: &Path, file: &Path) -> Outcome<Taken> {
    check(Command::new(released("hone")).arg("new").arg(project).args(["--name", "Bench", "--base", "gemma3-270m"]))?;
    let megabytes = fs::metadata(file).map_err(at(file))?.len() as f64 / 1e6;
    let begun = Instant::now();
    let mut child = Command::new(released("hone"))
        .arg("--project")
        .arg(project)
        .arg("import")
        .arg(file)
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let (mut cpu, mut peak) = (0.0, 0.0);
    let status = loop {
        // The time of a process that has ended stands there until it is waited for, its memory does not.
        cpu = seconds(child.id()).unwrap_or(cpu);
        peak = megabytes_at_peak(child.id()).unwrap_or(peak);
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let wall = begun.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("the import of `{}` ended with {status}", file.display()));
    }
    let database = fs::metadata(project.join("hone.db")).map_err(at(project))?.len() as f64 / 1e6;
    let what = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Taken { what, megabytes, wall, cpu, peak, database })
}

/// Processor seconds of a process, as Linux tells them.
fn seconds(id: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Peak memory of a process, as Linux tells it.
fn megabytes_at_peak(id: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = peak.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0 / 1e6)
}

fn pages(folder: &Path) -> Outcome<String> {
    let file = folder.join("million.jsonl");
    let mut words = Words(11);
    make_file(&file, |at| {
        let text = line(&mut words, at);
        let text = if at % (ROWS / 10) == 77 {
            text.replacen("\"answer\": \"", &format!("\"answer\": \"{RARE} "), 1)
        } else {
            text
        };
        (at < ROWS).then_some(text)
    })?;
    let project = folder.join("pages");
    import_into(&project, &file)?;
    let frequent = Words::word(3);
    let middling = Words::word(4000);
    let mut command = Command::new(released("hone"));
    command.arg("--project").arg(&project).args(["lab", "pages", RARE, &frequent, &middling, "zzzzqqq"]);
    read(&mut command)
}

/// The load of the machine: how many programs ran or waited, on average over one, five and fifteen minutes.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().take(3).collect::<Vec<_>>().join(", ")
}

/// When and where this was measured.
fn about(load: &str) -> Outcome<String> {
    let day = read(Command::new("date").arg("+%Y-%m-%d"))?;
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).unwrap_or_default().1;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    Ok(format!(
        "Measured on {} with `cargo xtask bench data` (release build): {model}, {cores} logical cores; load before it {load}. The files \
         are of made-up words, frequent ones frequent. Time is the whole command's, from its start to its end, with the copy of the \
         file, the database and its search index on the disk. 1 MB is a million bytes.\n\n",
        day.trim()
    ))
}

fn write(about: &str, taken: &[Taken], pages: &str, similar: &str) -> Outcome {
    let mut text = about.to_owned();
    text += "| file | MB | seconds | MB/s | MB per processor second | peak memory, MB | database, MB |\n";
    text += "| --- | --- | --- | --- | --- | --- | --- |\n";
    for Taken { what, megabytes, wall, cpu, peak, database } in taken {
        let _ = writeln!(
            text,
            "| {what} | {megabytes:.0} | {wall:.2} | {:.1} | {:.1} | {peak:.0} | {database:.0} |",
            megabytes / wall,
            megabytes / cpu
        );
    }
    let _ = write!(
        text,
        "\nA page of 100 rows out of {ROWS}, milliseconds, median of nine (`hone lab pages`); `+` is 'at least':\n\n```\n{}\n```\n",
        pages.trim_end()
    );
    let _ = write!(
        text,
        "\nEach cleaning rule over 100,000 rows (the example `near_duplicates`):\n\n```\n{}\n```\n",
        similar.trim_end()
    );
    println!("{text}");
    let path = root().join("docs/benchmarks.md");
    let whole = fs::read_to_string(&path).map_err(at(&path))?;
    let (before, rest) = whole.split_once(BEGIN).ok_or("docs/benchmarks.md has no place for this table")?;
    let (_, after) = rest.split_once(END).ok_or("the place in docs/benchmarks.md has no end")?;
    fs::write(&path, format!("{before}{BEGIN}{text}{END}{after}")).map_err(at(&path))
}

/// Writes pieces until there are no more.
fn make_file(path: &Path, mut piece: impl FnMut(usize) -> Option<String>) -> Outcome {
    let mut file = BufWriter::new(fs::File::create(path).map_err(at(path))?);
    let mut number = 0;
    while let Some(text) = piece(number) {
        file.write_all(text.as_bytes()).map_err(at(path))?;
        number += 1;
    }
    file.flush().map_err(at(path))?;
    // What is measured is not to wait for this file to reach the disk.
    file.get_ref().sync_all().map_err(at(path))
}

fn line(words: &mut Words, at: usize) -> String {
    format!("{{\"question\": \"{}? ({at})\", \"answer\": \"{}\"}}\n", words.some(8), words.sentences(4))
}

fn cells(words: &mut Words, at: usize) -> String {
    format!("\"{}? ({at})\",\"{}\"\n", words.some(8), words.sentences(4))
}

fn paragraph(words: &mut Words, at: usize) -> String {
    format!("{}\n\n{}", words.sentences(6), if at % 20 == 19 { "\n" } else { "" })
}

/// Draws words, the n-th about n times as rarely as the first.
struct Words(u64);

impl Words {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// The word of a rank.
    fn word(rank: u64) -> String {
        const HEADS: [&str; 16] = ["b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr"];
        const TAILS: [&str; 12] = ["a", "e", "i", "o", "u", "an", "en", "er", "in", "or", "al", "is"];
        let mut word = String::new();
        let mut left = rank + 1;
        while left > 0 {
            word += HEADS[(left % 16) as usize];
            word += TAILS[(left / 16 % 12) as usize];
            left /= 192;
        }
        word
    }

    fn some(&mut self, count: usize) -> String {
        let mut text = String::new();
        for at in 0..count {
            if at > 0 {
                text.push(' ');
            }
            // Uniform in the logarithm of the rank: Zipf's law.
            let share = self.next() as f64 / f64::from(1_u32 << 31);
            text += &Self::word((20_000f64.powf(share)) as u64);
        }
        text
    }

    fn sentences(&mut self, count: usize) -> String {
        let mut text = String::new();
        for at in 0..count {
            if at > 0 {
                text.push(' ');
            }
            let length = 8 + self.next() % 12;
            text += &self.some(length as usize);
            text.push('.');
        }
        text
    }
}
