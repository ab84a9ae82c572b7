//! `hone lab pages`: how long a page of rows takes to read, with filters and search words.

use std::time::Instant;

use clap::Args;
use hone_data::{Origin, RowStatus, Split};
use hone_studio::{RowFilter, Store};
use serde::Serialize;

use crate::context::Context;
use crate::failure::Outcome;
use crate::output::{Report, table};

/// Rows of a page.
const PAGE: u64 = 100;

/// How long a page of the project's rows takes.
#[derive(Debug, Args)]
pub struct Pages {
    /// Words to search for, each on its own
    words: Vec<String>,
    /// How often each page is read; the median counts
    #[arg(long, default_value_t = 9)]
    times: usize,
}

/// One page that was read.
#[derive(Debug, Serialize)]
struct Timed {
    what: String,
    milliseconds: f64,
    worst: f64,
    rows: u64,
    total: u64,
    at_least: bool,
}

/// Measures.
pub fn run(arguments: &Pages, context: &Context) -> Outcome {
    let store = context.project()?.store()?;
    let all = RowFilter::default();
    let total = store.rows(&all, 0, 1)?.total;
    let exam = RowFilter { split: Some(Split::Exam), status: Some(RowStatus::Approved), ..all.clone() };
    let mut asked = vec![
        ("first page".to_owned(), all.clone(), 0),
        ("last page".to_owned(), all.clone(), total.saturating_sub(PAGE)),
        ("exam, first page".to_owned(), exam.clone(), 0),
        ("exam, in the middle".to_owned(), exam.clone(), total / 20),
        ("none of a kind".to_owned(), RowFilter { origin: Some(Origin::Manual), ..all.clone() }, 0),
    ];
    for word in &arguments.words {
        let search = |filter: &RowFilter| RowFilter { search: Some(word.clone()), ..filter.clone() };
        asked.push((format!("`{word}`"), search(&all), 0));
        asked.push((format!("`{word}` in the exam"), search(&exam), 0));
    }
    let timed = asked
        .into_iter()
        .map(|(what, filter, offset)| time(&store, what, &filter, offset, arguments.times))
        .collect::<Outcome<Vec<_>>>()?;
    let mut lines = vec![["page", "ms", "worst", "rows", "of"].map(str::to_owned).to_vec()];
    lines.extend(timed.iter().map(|timed| {
        let more = if timed.at_least { "+" } else { "" };
        vec![
            timed.what.clone(),
            format!("{:.1}", timed.milliseconds),
            format!("{:.1}", timed.worst),
            timed.rows.to_string(),
            format!("{}{more}", timed.total),
        ]
    }));
    Ok(Report::new(&timed, table(&lines)))
}

fn time(store: &Store, what: String, filter: &RowFilter, offset: u64, times: usize) -> Outcome<Timed> {
    let mut milliseconds = Vec::new();
    let mut page = store.rows(filter, offset, PAGE)?;
    for _ in 0..times.max(1) {
        let begun = Instant::now();
        page = store.rows(filter, offset, PAGE)?;
        milliseconds.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    milliseconds.sort_by(f64::total_cmp);
    Ok(Timed {
        what,
        milliseconds: milliseconds[milliseconds.len() / 2],
        worst: milliseconds[milliseconds.len() - 1],
        rows: page.rows.len() as u64,
        total: page.total,
        at_least: page.at_least,
    })
}
