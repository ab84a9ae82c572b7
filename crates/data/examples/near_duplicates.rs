//! How long the search for nearly the same rows takes: `cargo run --release -p hone-data --no-default-features
//! --example near_duplicates [ROWS]`. The rows are made up: English-like and Chinese ones of about 60 words, one in ten
//! of them like an earlier one.
#![allow(clippy::print_stdout)] // its output is what it is for

use std::time::Instant;

use hone_data::clean::{CleanOptions, Findings, Measures, Plan, Rule, check};
use hone_data::split::{SplitShares, assign};
use hone_data::{Message, Origin, Role, Row, RowStatus};

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let rows = rows(count);
    let bytes: usize = rows.iter().flat_map(|row| &row.messages).map(|message| message.content.len()).sum();
    println!("{count} rows, {:.1} MB", bytes as f64 / 1e6);
    for rule in Rule::ALL {
        let begun = Instant::now();
        let found = found(&rows, rule);
        println!("{:16} {:7.2} s  {} hits", rule.code(), begun.elapsed().as_secs_f64(), found.verdicts.len());
    }
    let begun = Instant::now();
    assign(&rows, 42, SplitShares::default());
    println!("{:16} {:7.2} s", "split", begun.elapsed().as_secs_f64());
}

fn found(rows: &[Row], rule: Rule) -> Findings {
    let perplexities = rows.iter().map(|row| (row.id, 50.0)).collect();
    let measures = Measures {
        text: &|text| text.len() / 4,
        row: &|row| row.messages.iter().map(|message| message.content.len() / 4).sum(),
        perplexities: &perplexities,
    };
    let plan = Plan { rules: &[rule], applied: &[] };
    check(rows, plan, &CleanOptions::default(), &measures, &std::collections::BTreeSet::new(), &mut |_| true)
        .unwrap_or_default()
}

/// A small generator (`xorshift`), so that every run makes the same rows.
struct Draw(u64);

impl Draw {
    fn below(&mut self, count: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % count
    }
}

fn rows(count: usize) -> Vec<Row> {
    let mut draw = Draw(0x2545_F491_4F6C_DD1D);
    let mut rows: Vec<Row> = Vec::with_capacity(count);
    for id in 0..count {
        let answer = if id > 100 && draw.below(10) == 0 {
            // Like an earlier row, with one word more.
            format!("{} {}", rows[draw.below(id as u64) as usize].messages[1].content, word(&mut draw))
        } else if draw.below(4) == 0 {
            (0..90).map(|_| char::from_u32(0x4E00 + draw.below(3000) as u32).unwrap_or('文')).collect()
        } else {
            (0..60).map(|_| word(&mut draw)).collect::<Vec<_>>().join(" ")
        };
        rows.push(row(id as i64, format!("What about {}?", word(&mut draw)), answer));
    }
    rows
}

fn word(draw: &mut Draw) -> String {
    // Frequent words are drawn far more often than rare ones, as in real text.
    let rank = draw.below(draw.0 % 20_000 + 1);
    let syllables = ["ba", "ke", "ri", "to", "mu", "na", "le", "so", "di", "pa"];
    (0..5)
        .scan(rank + 1, |rest, _| (*rest > 0).then(|| syllables[(std::mem::replace(rest, *rest / 10) % 10) as usize]))
        .collect()
}

fn row(id: i64, question: String, answer: String) -> Row {
    let message = |role, content| Message { role, content };
    Row {
        id,
        messages: vec![message(Role::User, question), message(Role::Assistant, answer)],
        text: String::new(),
        label: None,
        origin: Origin::Mapped,
        document: None,
        passage: None,
        line: None,
        status: RowStatus::Approved,
        split: None,
        metadata: std::collections::BTreeMap::new(),
    }
}
