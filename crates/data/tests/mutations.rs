//! Files broken by chance, the same in every run: none may stop the reader, panic through it, or give nothing silently.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use hone_data::import::{ReadOptions, open_archive, read_bytes};
use hone_data::mapping;
use hone_data::passages::{PassageLength, split};
use hone_data::{Content, content};
use hone_job::Job;

/// Mutations of each file.
const EACH: u64 = 40;
/// No file takes more processor time, seconds.
const MOST_SECONDS: f64 = 10.0;
/// A reader that has not ended by then hangs, however busy the machine is.
const HANGS: Duration = Duration::from_secs(100);

/// `SplitMix64`, so that the same files come out everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn mutated(original: &[u8], seed: u64) -> Vec<u8> {
    let mut chance = Chance(seed);
    let mut bytes = original.to_vec();
    for _ in 0..=chance.below(4) {
        let (at, length) = (chance.below(bytes.len()), chance.below(64));
        let end = (at + length).min(bytes.len());
        match chance.below(7) {
            0 => bytes.truncate(at),
            1 => bytes[at..end].fill(chance.next() as u8),
            2 => bytes[at..end].iter_mut().for_each(|byte| *byte ^= 1 << (chance.next() % 8)),
            3 => {
                bytes.drain(at..end);
            }
            4 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            5 => {
                let digits: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit()).collect();
                if let Some(at) = digits.get(chance.below(digits.len())) {
                    bytes[*at] = b'0' + chance.below(10) as u8;
                }
            }
            _ => {
                let other = chance.below(bytes.len());
                bytes.swap(at, other);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn read_whole(name: &str, bytes: &[u8]) {
    let options = ReadOptions { max_unpacked: 16 << 20, max_pages: 50, ..ReadOptions::default() };
    let outcome = read_bytes(Path::new(name), bytes, &options, &Job::silent()).unwrap();
    match &outcome.content {
        Content::Nothing => assert!(!outcome.issues.is_empty(), "{name}: silently empty"),
        Content::Text(blocks) => {
            let words = |text: &str| text.split_whitespace().count();
            let passages = split(blocks, &words, PassageLength { min: 20, max: 60 });
            let joined: String = passages.iter().map(|passage| passage.text.as_str()).collect();
            assert_eq!(joined, content::document_text(blocks), "{name}");
        }
        Content::Records(records) => {
            mapping::apply(records, &mapping::guess(records), "hash", name);
        }
    }
}

/// A package with one of its parts mutated before it is packed, so that the part's reader sees it and not the unpacking.
fn repacked(original: &[u8], seed: u64) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(original)).unwrap();
    let mut chance = Chance(seed ^ 0x5EED);
    let chosen = chance.below(archive.len());
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let name = entry.name().unwrap().into_owned();
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(&if at == chosen && !bytes.is_empty() { mutated(&bytes, seed) } else { bytes }).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Most memory that this process has had, bytes.
fn most_memory() -> Option<u64> {
    let status = hone_job::fs::read_to_string(Path::new("/proc/self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

/// Processor time of this process so far, in hundredths as Linux counts them.
fn processor_seconds() -> Option<f64> {
    let stat = hone_job::fs::read_to_string(Path::new("/proc/self/stat")).ok()?;
    let mut numbers = stat.rsplit(')').next()?.split_whitespace().skip(11).map(str::parse::<f64>);
    Some((numbers.next()?.ok()? + numbers.next()?.ok()?) / 100.0)
}

#[test]
fn no_mutation_of_any_format_panics_hangs_takes_a_gigabyte_or_is_silently_empty() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = |path: &str| hone_job::fs::read(&folder.join(path)).unwrap();
    let made = |name: &'static str| (name, file(&format!("tests/made/{name}")));
    let originals = [
        ("a.pdf", file("../../tests/bad-input/good.pdf")),
        ("protected.pdf", file("../../tests/bad-input/no-printing.pdf")),
        ("a.docx", file("../../tests/bad-input/good.docx")),
        ("cut.docx", file("../../tests/bad-input/entities.docx")),
        made("sample.docx"),
        made("sample.odt"),
        made("sample.epub"),
        made("sample.rtf"),
        made("sample.html"),
        made("slides.pptx"),
        made("rows.ods"),
        made("rows.xls"),
        made("rows-snappy.parquet"),
        made("rows-zstd.parquet"),
        made("messages.parquet"),
        ("a.zip", file("../../tests/bad-input/nested.zip")),
        (
            "a.md",
            b"# Title\n\nWords *here*.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n".to_vec(),
        ),
        ("a.txt", "码头上的灯从黄昏亮到黎明。Dusk till dawn.\n\nNext.\n".repeat(4).into_bytes()),
        ("a.csv", file("../../tests/bad-input/ragged.csv")),
        ("a.jsonl", file("../../tests/bad-input/broken-line.jsonl")),
        (
            "a.json",
            br#"{"data": [{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}]}"#
                .to_vec(),
        ),
    ];
    let mut files = 0;
    for (name, original) in &originals {
        for seed in 0..EACH {
            check(&format!("{seed}-{name}"), mutated(original, seed));
            files += 1;
            if zip::ZipArchive::new(Cursor::new(original)).is_ok() {
                check(&format!("{seed}-repacked-{name}"), repacked(original, seed));
                files += 1;
            }
        }
    }
    assert!(files >= 1000, "{files}");
    assert!(most_memory().is_none_or(|bytes| bytes < 1 << 30), "{:?}", most_memory());
}

/// Reads one file on a thread of its own.
fn check(label: &str, bytes: Vec<u8>) {
    let before = processor_seconds();
    let (done, wait) = mpsc::channel();
    let name = label.to_owned();
    let reader = std::thread::spawn(move || {
        let options = ReadOptions { max_unpacked: 16 << 20, max_pages: 50, ..ReadOptions::default() };
        match open_archive(Path::new(&name), &bytes, &options) {
            Some(archive) => {
                for (name, bytes) in archive.filter_map(|entry| Some((entry.name, entry.bytes.ok()?))) {
                    read_whole(&name, &bytes);
                }
            }
            None => read_whole(&name, &bytes),
        }
        done.send(()).ok();
    });
    match wait.recv_timeout(HANGS) {
        Ok(()) => {
            let took = processor_seconds().zip(before).map(|(after, before)| after - before);
            assert!(took.is_none_or(|seconds| seconds < MOST_SECONDS), "{label} took {took:?} s");
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{label} hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            reader.join().ok();
            panic!("{label} stopped its reader");
        }
    }
}
