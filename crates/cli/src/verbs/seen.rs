//! `hone rows seen [--longest TOKENS]`: what the model will see, summed up over all rows.

use hone_data::dataset::Enough;
use hone_data::{Row, Split};
use hone_train::config::TrainOn;
use hone_train::presets;
use hone_train::sequences::{resolve_train_on, sequences};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::args::RowsSeen;
use crate::context::Context;
use crate::failure::{Outcome, check};
use crate::output::{Report, table};
use crate::verbs::base::{self, Base};

/// Rows that are told by number.
const TOLD: usize = 200;
/// Rows between two looks at whether to stop.
const PORTION: usize = 256;

/// What the model will see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SeenSummary {
    /// The longest row that is trained on, tokens; what is beyond is cut off.
    pub max_seq_len: u64,
    /// Rows that are trained on, with what is measured during training.
    pub rows: u64,
    /// Of these, rows that this training passes over: texts where there are conversations.
    pub other_kind: u64,
    /// Tokens of the rows that are trained on, template included, cut ones not.
    pub tokens: u64,
    /// Tokens that are learned.
    pub trained_tokens: u64,
    /// Tokens that are cut off.
    pub cut_tokens: u64,
    /// The longest row before cutting, tokens.
    pub longest: u64,
    /// Rows that are cut, by number.
    pub cut: Vec<i64>,
    /// How many rows are cut.
    pub cut_rows: u64,
    /// Rows with nothing to learn, by number: no answer, or cut before it.
    pub nothing: Vec<i64>,
    /// How many rows have nothing to learn.
    pub nothing_rows: u64,
    /// Rows that the chat template refuses, with its reason.
    pub refused: Vec<Refusal>,
    /// Whether there is enough to learn from.
    pub enough: Enough,
}

/// A row that the chat template refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Refusal {
    /// The row's number.
    pub row: i64,
    /// Why.
    pub reason: String,
}

/// Sums up what the model will see.
pub fn run(arguments: &RowsSeen, context: &Context) -> Outcome {
    let project = context.project()?;
    let longest = match arguments.longest {
        Some(longest) => longest,
        None => presets::preset(presets::DEFAULT)?.max_seq_len as usize,
    };
    let rows = project.store()?.approved_rows()?;
    let base = base::open(&project.file().base)?;
    context.job.stage("tokenise");
    let summary = sum_up(&rows, &base, longest, context)?;
    let words = words(&summary);
    Ok(Report::new(&summary, words))
}

fn sum_up(rows: &[Row], base: &Base, longest: usize, context: &Context) -> Outcome<SeenSummary> {
    let studied: Vec<&Row> = rows.iter().filter(|row| row.split != Some(Split::Exam)).collect();
    let train_on = resolve_train_on(TrainOn::Auto, &studied);
    let mut sum = SeenSummary {
        max_seq_len: longest as u64,
        rows: studied.len() as u64,
        other_kind: 0,
        tokens: 0,
        trained_tokens: 0,
        cut_tokens: 0,
        longest: 0,
        cut: Vec::new(),
        cut_rows: 0,
        nothing: Vec::new(),
        nothing_rows: 0,
        refused: Vec::new(),
        enough: Enough::Nothing,
    };
    let mut used = 0;
    for (at, portion) in studied.chunks(PORTION).enumerate() {
        check(&context.job)?;
        context.job.progress((at * PORTION) as u64, studied.len() as u64, "rows");
        // Uncut first: what is cut is told row by row.
        let whole = sequences(portion, &base.tokenizer, &base.chat, train_on, usize::MAX)?;
        sum.other_kind += whole.other_kind as u64;
        sum.longest = sum.longest.max(whole.longest() as u64);
        sum.refused.extend(whole.refused.iter().map(|(row, reason)| Refusal { row: *row, reason: reason.clone() }));
        sum.nothing_rows += whole.empty as u64;
        let kept: std::collections::HashSet<i64> = whole.sequences.iter().map(|sequence| sequence.row).collect();
        let refused: std::collections::HashSet<i64> = whole.refused.iter().map(|(row, _)| *row).collect();
        if whole.empty > 0 {
            let nothing = portion.iter().map(|row| row.id).filter(|id| !kept.contains(id) && !refused.contains(id));
            sum.nothing.extend(nothing.take(TOLD.saturating_sub(sum.nothing.len())));
        }
        for mut sequence in whole.sequences {
            let cut = sequence.truncate(longest);
            if cut > 0 {
                sum.cut_rows += 1;
                sum.cut_tokens += cut as u64;
                tell(&mut sum.cut, sequence.row);
            }
            if sequence.trained_tokens() == 0 {
                sum.nothing_rows += 1;
                tell(&mut sum.nothing, sequence.row);
                continue;
            }
            used += 1;
            sum.tokens += sequence.ids.len() as u64;
            sum.trained_tokens += sequence.trained_tokens() as u64;
        }
    }
    sum.enough = Enough::of(used, sum.tokens);
    Ok(sum)
}

fn tell(list: &mut Vec<i64>, row: i64) {
    if list.len() < TOLD {
        list.push(row);
    }
}

fn words(sum: &SeenSummary) -> String {
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let numbers = |rows: &[i64]| rows.iter().take(12).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut lines = vec![
        line("rows", format!("{} to study and to measure on", sum.rows)),
        line("tokens", format!("{}, {} of them learned", sum.tokens, sum.trained_tokens)),
        line("longest row", format!("{} tokens, room for {}", sum.longest, sum.max_seq_len)),
        line("cut off", format!("{} tokens of {} rows {}", sum.cut_tokens, sum.cut_rows, numbers(&sum.cut))),
        line("nothing to learn", format!("{} rows {}", sum.nothing_rows, numbers(&sum.nothing))),
    ];
    if sum.other_kind > 0 {
        lines.push(line("passed over", format!("{} texts, since there are conversations", sum.other_kind)));
    }
    lines.extend(
        sum.refused.iter().take(12).map(|refusal| line(&format!("row {}", refusal.row), refusal.reason.clone())),
    );
    format!("{}{}", table(&lines), sum.enough.sentence())
}
