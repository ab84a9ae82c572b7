//! Text recognition for scanned pages, by the program `tesseract`, which runs as a process of its own.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hone_job::{Cancelled, Job};

/// How often the program is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// What it says about one page is not longer, bytes.
const MAX_ANSWER: u64 = 32 << 20;

/// How pictures become text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recogniser {
    /// The program.
    pub program: PathBuf,
    /// Languages as the program calls them: `eng`, `chi_sim`.
    pub languages: Vec<String>,
    /// A page that takes longer is given up, seconds.
    pub max_page_seconds: u64,
}

/// Why a picture gave no text.
#[derive(Debug)]
pub(super) enum NoText {
    Cancelled,
    /// The program ended so, or not at all.
    Failed(String),
}

impl From<Cancelled> for NoText {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// The text of a picture: paragraphs of lines.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Recognised {
    pub paragraphs: Vec<Vec<String>>,
    /// Words, and the sum of how sure the program is of each, 0 to 100.
    pub words: usize,
    pub sureness: f64,
}

/// Finds `tesseract` in the folders of a `PATH`.
pub fn find(path: &OsStr) -> Option<PathBuf> {
    let name = format!("tesseract{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(path).map(|folder| folder.join(&name)).find(|program| program.is_file())
}

/// The languages that a program has.
pub fn languages(program: &Path) -> Vec<String> {
    let said = Command::new(program).arg("--list-langs").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    said.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The languages to recognise in a project of this language (`en`, `zh`), of those that there are: its own, and English,
/// which stands in documents of every language.
pub fn chosen(language: &str, there_are: &[String]) -> Vec<String> {
    let own: &[&str] = match language.split(['-', '_']).next().unwrap_or_default() {
        "zh" => &["chi_sim", "chi_tra"],
        "ja" => &["jpn"],
        "ko" => &["kor"],
        "de" => &["deu"],
        "fr" => &["fra"],
        "es" => &["spa"],
        "it" => &["ita"],
        "pt" => &["por"],
        "ru" => &["rus"],
        _ => &[],
    };
    own.iter()
        .chain(&["eng"])
        .filter(|code| there_are.iter().any(|one| one == *code))
        .map(|code| (*code).to_owned())
        .collect()
}

/// Recognises the text of a picture (PNG).
///
/// # Errors
/// [`NoText`] when the program fails or takes too long, or `job` was asked to stop.
pub(super) fn recognise(recogniser: &Recogniser, picture: Vec<u8>, job: &Job) -> Result<Recognised, NoText> {
    let failed = |cause: &dyn std::fmt::Display| NoText::Failed(cause.to_string());
    let mut command = Command::new(&recogniser.program);
    command.args(["stdin", "stdout", "--psm", "3", "-l"]).arg(recogniser.languages.join("+")).arg("tsv");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Its threads wait for each other by turning in circles: on a busy machine a page took minutes instead of seconds.
    command.env("OMP_THREAD_LIMIT", "1");
    let mut child = Running(command.spawn().map_err(|error| failed(&error))?);
    let (stdin, stdout, stderr) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(NoText::Failed("its streams cannot be opened".to_owned()));
    };
    // The program may end before it has read all: that shows in how it ends.
    std::thread::spawn(move || stdin.write_all(&picture).ok());
    let answer = std::thread::spawn(move || text(stdout, MAX_ANSWER));
    let complaint = std::thread::spawn(move || text(stderr, 4096));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.0.try_wait().map_err(|error| failed(&error))? {
            break status;
        }
        job.check()?;
        if started.elapsed().as_secs() >= recogniser.max_page_seconds {
            return Err(NoText::Failed(format!("it took longer than {} seconds", recogniser.max_page_seconds)));
        }
        std::thread::sleep(LOOK);
    };
    if !status.success() {
        let complaint = complaint.join().unwrap_or_default();
        return Err(NoText::Failed(complaint.lines().next().unwrap_or("it ended without a word").to_owned()));
    }
    Ok(table(&answer.join().unwrap_or_default()))
}

fn text(stream: impl Read, limit: u64) -> String {
    let mut bytes = Vec::new();
    stream.take(limit).read_to_end(&mut bytes).ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The program's table: a word a line, with the block, paragraph and line that it stands in.
fn table(answer: &str) -> Recognised {
    let mut found = Recognised::default();
    let (mut paragraph, mut line) = (None, None);
    for row in answer.lines().skip(1) {
        let cells: Vec<&str> = row.splitn(12, '\t').collect();
        let [level, page, block, in_block, in_paragraph, _, _, _, _, _, sureness, word] = cells[..] else { continue };
        if level != "5" || word.trim().is_empty() {
            continue;
        }
        if paragraph != Some((page, block, in_block)) {
            paragraph = Some((page, block, in_block));
            line = None;
            found.paragraphs.push(Vec::new());
        }
        let Some(lines) = found.paragraphs.last_mut() else { continue };
        match lines.last_mut() {
            Some(last) if line == Some(in_paragraph) => last.push_str(&format!(" {}", word.trim())),
            _ => lines.push(word.trim().to_owned()),
        }
        line = Some(in_paragraph);
        found.words += 1;
        found.sureness += sureness.parse().unwrap_or(0.0);
    }
    found
}

/// A child that does not outlive its page.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended cannot be killed, which is as well.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_together_to_lines_and_lines_to_paragraphs() {
        let row = |block: u8, paragraph: u8, line: u8, word: &str| {
            format!("5\t1\t{block}\t{paragraph}\t{line}\t1\t0\t0\t9\t9\t90.5\t{word}\n")
        };
        let answer = [
            "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
                .to_owned(),
            "1\t1\t0\t0\t0\t0\t0\t0\t99\t99\t-1\t\n".to_owned(),
            row(1, 1, 1, "The"),
            row(1, 1, 1, "lamp"),
            row(1, 1, 2, "burns"),
            row(1, 2, 1, " "),
            row(2, 1, 1, "at \"5\"\tt"),
        ];
        let found = table(&answer.concat());
        assert_eq!(found.paragraphs, [vec!["The lamp".to_owned(), "burns".to_owned()], vec!["at \"5\"\tt".to_owned()]]);
        assert_eq!((found.words, found.sureness), (4, 362.0));
    }

    #[test]
    fn the_language_of_the_project_and_english_are_chosen_of_those_there_are() {
        let there_are = ["osd", "eng", "chi_sim"].map(str::to_owned);
        assert_eq!(chosen("zh", &there_are), ["chi_sim", "eng"]);
        assert_eq!(chosen("de-CH", &there_are), ["eng"]);
        assert_eq!(chosen("en", &[]), Vec::<String>::new());
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_fails_or_hangs_costs_its_page() {
        let recogniser = |program: &str| Recogniser {
            program: program.into(),
            languages: vec!["eng".to_owned()],
            max_page_seconds: 1,
        };
        let dir = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = dir.path().join(name);
            hone_job::fs::write_atomic(&path, format!("#!/bin/sh\n{text}\n").as_bytes()).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path.display().to_string()
        };
        let said = |program: &str| match recognise(&recogniser(program), vec![0; 1 << 20], &Job::silent()) {
            Err(NoText::Failed(cause)) => cause,
            other => panic!("{other:?}"),
        };
        assert!(said("/nowhere/tesseract").contains("No such file"));
        assert_eq!(said(&script("fails", "echo no such language >&2; exit 1")), "no such language");
        assert_eq!(said(&script("hangs", "exec sleep 100")), "it took longer than 1 seconds");
        let job = Job::silent();
        job.cancel();
        let stopped = recognise(&recogniser(&script("slow", "exec sleep 100")), Vec::new(), &job);
        assert!(matches!(stopped, Err(NoText::Cancelled)));
    }
}
