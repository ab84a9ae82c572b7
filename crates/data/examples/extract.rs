//! The text that Hone reads from a file, on stdout; what it noticed, on stderr. For `tests/documents/compare.py`.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

use std::path::Path;

use hone_data::Content;
use hone_data::content::document_text;
use hone_data::import::{ReadOptions, read};
use hone_job::Job;

fn main() {
    for path in std::env::args_os().skip(1) {
        let outcome = read(Path::new(&path), &ReadOptions::default(), &Job::silent()).unwrap();
        match &outcome.content {
            Content::Nothing => {}
            Content::Text(blocks) => print!("{}", document_text(blocks)),
            Content::Records(records) => {
                println!("{}", records.columns.join("\t"));
                for record in &records.records {
                    println!("{}", record.values.join("\t"));
                }
            }
        }
        for issue in &outcome.issues {
            eprintln!("{:?} {} {} {}: {}", issue.kind, issue.code, issue.file, issue.place, issue.message);
        }
    }
}
