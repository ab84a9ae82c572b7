//! The sample handbook as PDF and as Word document: the text that others find in it, and its structure.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use hone_data::content::document_text;
use hone_data::import::{ReadOptions, read};
use hone_data::{Block, BlockKind, Content};
use hone_job::{Job, fs};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/samples").join(name)
}

fn blocks(name: &str) -> Vec<Block> {
    let outcome = read(&sample(name), &ReadOptions::default(), &Job::silent()).unwrap();
    assert_eq!(outcome.issues, [], "{name}");
    let Content::Text(blocks) = outcome.content else { panic!("{name}: no text") };
    blocks
}

/// Runs of three letters or digits; spaces, signs and the bars of tables do not count.
fn shingles(text: &str) -> HashSet<[char; 3]> {
    let letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    letters.windows(3).map(|three| [three[0], three[1], three[2]]).collect()
}

fn recall(reference: &str, text: &str) -> f64 {
    let (reference, text) = (shingles(reference), shingles(text));
    reference.intersection(&text).count() as f64 / reference.len() as f64
}

fn headings(blocks: &[Block]) -> Vec<&str> {
    let title = |block: &'_ Block| matches!(block.kind, BlockKind::Heading { .. });
    blocks
        .iter()
        .filter(|block| title(block))
        .filter_map(|block| match &block.kind {
            BlockKind::Heading { title, .. } => Some(title.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn the_pdf_holds_what_pdftotext_finds_in_it_without_headers_and_page_numbers() {
    let golden = fs::read_to_string(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/handbook.txt")).unwrap();
    let blocks = blocks("handbook.pdf");
    let text = document_text(&blocks);
    let found = recall(&golden, &text);
    assert!(found >= 0.98, "recall {found:.4}");
    assert!(recall(&text, &golden) >= 0.98, "nothing invented");
    let header = "Handbook of the Orrin Sound Ferry Cooperative";
    assert_eq!(text.matches(header).count(), 1, "the title page has it, the running headers are dropped");
    assert!(text.contains("| Engines | 2 Brandt M6, 420 kW each | 2 Kolbe V8, 310 kW each | 1 Brandt M4, 165 kW |"));
    assert!(
        text.contains("a printed copy is kept") || text.contains("A printed copy is kept on the bridge"),
        "lines are joined"
    );
    let chinese = text.lines().find(|line| line.contains("本章由无线电")).unwrap();
    assert!(!chinese.contains("同事 使用") && chinese.contains("同事使用"), "no space at a line end: {chinese}");
}

#[test]
fn pdf_and_word_document_say_the_same_under_the_same_headings() {
    let (pdf, word) = (blocks("handbook.pdf"), blocks("handbook.docx"));
    let (pdf_text, word_text) = (document_text(&pdf), document_text(&word));
    // Word counts its numbered lists on from chapter to chapter, the PDF does not: numbers are left out.
    let words = |text: &str| text.chars().filter(|c| !c.is_numeric()).collect::<String>();
    let found = recall(&words(&word_text), &words(&pdf_text));
    assert!(found >= 0.99, "{found}");
    let (in_pdf, in_word) = (headings(&pdf), headings(&word));
    let missing: Vec<_> = in_word.iter().filter(|title| !in_pdf.contains(title)).collect();
    assert!(in_word.len() > 60 && missing.len() <= 2, "{missing:?} of {}", in_word.len());
    let tables = |blocks: &[Block]| blocks.iter().filter(|block| block.kind == BlockKind::Table).count();
    assert!(tables(&pdf) * 10 >= tables(&word) * 9, "{} of {} tables", tables(&pdf), tables(&word));
}

#[test]
fn questions_csv_maps_itself() {
    let outcome = read(&sample("questions.csv"), &ReadOptions::default(), &Job::silent()).unwrap();
    let Content::Records(records) = outcome.content else { panic!("no records") };
    let mapping = hone_data::mapping::guess(&records);
    let applied = hone_data::mapping::apply(&records, &mapping, "hash", "questions.csv");
    assert_eq!((applied.rows.len(), applied.issues.len()), (records.records.len(), 0), "{mapping:?}");
    assert!(mapping.question.is_some() && mapping.answer.is_some() && mapping.split.is_some());
    assert!(applied.rows.iter().all(|row| row.split.is_some() && row.messages.len() == 2));
}
