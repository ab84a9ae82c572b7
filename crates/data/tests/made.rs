//! Files that other programs made (`made/make.py`): one text in every format of documents, one table in every format of rows.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

use std::path::Path;

use hone_data::content::document_text;
use hone_data::import::{ReadOptions, ReadOutcome, read};
use hone_data::passages::{PassageLength, split};
use hone_data::{Block, BlockKind, Content, Record, Records, Role};
use hone_job::Job;

fn read_file(name: &str) -> ReadOutcome {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/made").join(name);
    read(&path, &ReadOptions::default(), &Job::silent()).unwrap()
}

fn blocks(name: &str) -> Vec<Block> {
    let outcome = read_file(name);
    assert_eq!(outcome.issues, [], "{name}");
    let Content::Text(blocks) = outcome.content else { panic!("{name}: no text") };
    blocks
}

fn records(name: &str) -> Records {
    let outcome = read_file(name);
    assert_eq!(outcome.issues, [], "{name}");
    let Content::Records(records) = outcome.content else { panic!("{name}: no records") };
    records
}

const DOCUMENTS: &[&str] = &["sample.md", "sample.docx", "sample.odt", "sample.rtf", "sample.epub", "sample.html"];

#[test]
fn every_format_of_documents_says_the_same_in_the_same_order() {
    for name in DOCUMENTS {
        let text = document_text(&blocks(name));
        let mut at = 0;
        for words in [
            "Every day",
            "The lamp on the pier burns from dusk to dawn. Whoever has the watch looks at it twice a night.",
            "Before dusk",
            "1. Wipe the glass with a dry cloth.\n2. Fill the tank up to the second mark.\n3. Light the wick,",
            "What it uses",
            "When something breaks",
            "Report a crack in the glass to the harbour office at once: 灯罩裂了要马上报告港务处。",
            "- A wick that smokes is cut straight.\n- A tank that leaks is taken ashore.\n",
            "“A dark pier is a closed pier”, says the old rule – and it costs 5 € a night.",
            "Außerdem gilt: Größere Schäden trägt die Genossenschaft.",
        ] {
            let found = text[at..].find(words).unwrap_or_else(|| panic!("{name} lacks `{words}` behind {at}:\n{text}"));
            at += found + words.len();
        }
        assert_eq!(text.matches("Once before midnight and once after.").count(), 1, "{name}: the note, once\n{text}");
    }
}

#[test]
fn every_format_of_documents_keeps_tables_as_markdown_under_their_heading_path() {
    for name in DOCUMENTS.iter().filter(|name| **name != "sample.md") {
        let blocks = blocks(name);
        let table = blocks.iter().find(|block| block.kind == BlockKind::Table).unwrap_or_else(|| panic!("{name}"));
        let row = table.text.trim_end().lines().last().unwrap();
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells, ["June", "17", "1"], "{name}");
        let words = |text: &str| text.split_whitespace().count();
        let passages = split(&blocks, &words, PassageLength { min: 1, max: 40 });
        let passage = passages.iter().find(|passage| passage.text.contains("| 41 |")).unwrap();
        assert!(passage.heading.ends_with("Every day > What it uses"), "{name}: {}", passage.heading);
    }
}

#[test]
fn slides_of_two_programs_are_read_with_their_notes_and_tables() {
    let text = document_text(&blocks("slides.pptx"));
    assert_eq!(
        text,
        "Care of the harbour lamp\n\nFor whoever has the watch\n\nBefore dusk\n\n- Wipe the glass\n  - with a dry cloth\n\n\
         Show the cloth. 灯罩要擦干净。\n\nWhat it uses\n\n| Month | Oil, litres |\n|---|---|\n| January | 41 |\n\n"
    );
    let blocks = blocks("sample.pptx");
    let text = document_text(&blocks);
    for words in
        ["1. Wipe the glass with a dry cloth.\n2. Fill", "| June | 17 | 1 |", "- A tank that leaks is taken ashore."]
    {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(blocks.iter().all(|block| block.pages.is_some()));
}

#[test]
fn every_format_of_rows_holds_the_same_rows() {
    for name in
        ["rows.xls", "rows.ods", "rows-snappy.parquet", "rows-zstd.parquet", "rows-gzip.parquet", "rows-none.parquet"]
    {
        let records = records(name);
        let columns = ["question", "answer", "litres"].map(|column| records.column(column).expect(name));
        assert_eq!(records.columns.len(), columns.len(), "{name}");
        let line = |record: &Record| columns.map(|column| record.value(column)).join("|");
        let values: Vec<_> = records.records.iter().map(line).collect();
        let number = |whole: &str| if name.ends_with("parquet") { format!("{whole}.0") } else { whole.to_owned() };
        assert_eq!(
            values,
            [
                format!("How much oil does the lamp use in January?|41 litres|{}", number("41")),
                "灯罩裂了怎么办？|马上报告港务处|0.5".to_owned(),
                format!("Who looks at the lamp?|Whoever has the watch, twice a night|{}", number("7")),
            ],
            "{name}"
        );
    }
}

#[test]
fn conversations_in_parquet_are_conversations_and_pictures_are_left_out() {
    let records = records("messages.parquet");
    assert_eq!(records.columns, Vec::<String>::new());
    let turns: Vec<_> = records.records[1].messages.iter().map(|turn| (turn.role, turn.content.as_str())).collect();
    assert_eq!(turns, [(Role::User, "灯罩裂了怎么办？"), (Role::Assistant, "马上报告港务处")]);
}
