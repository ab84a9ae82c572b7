//! What every fuzz target does with its bytes.

pub mod model;
pub mod tiny;

use std::path::Path;

use hone_data::import::{ReadOptions, open_archive, read_bytes};
use hone_data::passages::{PassageLength, split};
use hone_data::{Content, content, mapping};
use hone_job::Job;
use hone_model::chat::BudgetedAllocator;

/// As in the worker: a template's memory is counted by it.
#[global_allocator]
static ALLOCATOR: BudgetedAllocator = BudgetedAllocator;

/// Reads bytes as a file of this name, and goes on with what comes out as an import does. Nothing may come out
/// silently, and passages must be the document.
pub fn read(name: &str, bytes: &[u8]) {
    let options = ReadOptions { max_unpacked: 16 << 20, max_pages: 50, max_page_seconds: 5, ..ReadOptions::default() };
    if let Some(archive) = open_archive(Path::new(name), bytes, &options) {
        for entry in archive.take(50) {
            if let Ok(bytes) = &entry.bytes {
                take(&entry.name, bytes, &options);
            }
        }
        return;
    }
    take(name, bytes, &options);
}

/// Reads bytes as the part `part` of a package that is otherwise sound, so that what is tried are the readers of parts
/// and not the unpacking.
pub fn read_part(name: &str, part: &str, others: &[(&str, &str)], bytes: &[u8]) {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let parts = others.iter().map(|(name, text)| (*name, text.as_bytes())).chain([(part, bytes)]);
    for (name, bytes) in parts {
        archive.start_file(name, stored).expect("memory to write to");
        archive.write_all(bytes).expect("memory to write to");
    }
    read(name, &archive.finish().expect("memory to write to").into_inner());
}

fn take(name: &str, bytes: &[u8], options: &ReadOptions) {
    let outcome = read_bytes(Path::new(name), bytes, options, &Job::silent()).expect("nobody stopped it");
    match &outcome.content {
        Content::Nothing => assert!(!outcome.issues.is_empty(), "silently empty"),
        Content::Text(blocks) => {
            let words = |text: &str| text.split_whitespace().count();
            let passages = split(blocks, &words, PassageLength { min: 20, max: 60 });
            let joined: String = passages.iter().map(|passage| passage.text.as_str()).collect();
            assert_eq!(joined, content::document_text(blocks));
        }
        Content::Records(records) => {
            mapping::apply(records, &mapping::guess(records), "hash", name);
        }
    }
}

/// Makes a target that reads its bytes as a file of this name, or as one part of a package.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        $crate::target!(|bytes: &[u8]| $crate::read($name, bytes));
    };
    ($name:literal, $part:literal, $others:expr) => {
        $crate::target!(|bytes: &[u8]| $crate::read_part($name, $part, $others, bytes));
    };
    (|$bytes:ident: &[u8]| $read:expr) => {
        #[cfg(feature = "libfuzzer")]
        libfuzzer_sys::fuzz_target!(|$bytes: &[u8]| $read);

        #[cfg(not(feature = "libfuzzer"))]
        fn main() {
            for path in std::env::args_os().skip(1) {
                println!("{}", std::path::Path::new(&path).display());
                let bytes = std::fs::read(&path).expect("a file to read");
                let $bytes = bytes.as_slice();
                $read;
            }
        }
    };
}
