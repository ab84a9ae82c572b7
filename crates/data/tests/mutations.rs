//! Files broken by chance, the same in every run: none may stop the reader, panic through it, or give nothing silently.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use hone_data::import::{ReadOptions, read_bytes};
use hone_data::mapping;
use hone_data::passages::{PassageLength, split};
use hone_data::{Content, content};
use hone_job::Job;

/// Mutations of each file.
const EACH: u64 = 40;

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

#[test]
fn no_mutation_of_any_format_panics_hangs_or_is_silently_empty() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = |path: &str| hone_job::fs::read(&folder.join(path)).unwrap();
    let originals = [
        ("a.pdf", file("../../tests/bad-input/good.pdf")),
        ("protected.pdf", file("../../tests/bad-input/no-printing.pdf")),
        ("a.docx", file("../../tests/bad-input/good.docx")),
        ("cut.docx", file("../../tests/bad-input/entities.docx")),
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
    for (name, original) in &originals {
        for seed in 0..EACH {
            let bytes = mutated(original, seed);
            let (done, wait) = mpsc::channel();
            let label = format!("{seed}-{name}");
            let name = label.clone();
            let reader = std::thread::spawn(move || {
                read_whole(&name, &bytes);
                done.send(()).ok();
            });
            match wait.recv_timeout(Duration::from_secs(60)) {
                Ok(()) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("{label} hangs"),
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    reader.join().ok();
                    panic!("{label} stopped its reader");
                }
            }
        }
    }
}
