//! `hone eval RUN [--against base|RUN]`: exam, statistics, report.

use std::path::PathBuf;

use hone_data::{Row, RowStatus, Split};
use hone_eval::{EvalReport, ExamOptions, Examinee, examine, render};
use hone_job::fs;
use hone_model::{Decoder, Device, Placement};
use hone_studio::runs;
use hone_train::run_folder::read_config;

use crate::args::Eval;
use crate::context::Context;
use crate::failure::Outcome;
use crate::output::{Report, table};
use crate::verbs::base;
use crate::verbs::training::{adapter, done};

/// Longest answer in the exam, tokens.
const ANSWER: usize = 96;

/// Examines a training.
pub fn run(arguments: &Eval, context: &Context) -> Outcome {
    let (report, page) = eval(arguments, context)?;
    let words = format!("{}Report: {}", words(&report), page.display());
    Ok(Report::new(&report, words))
}

/// Examines a training; answers its report and where the page for people lies.
pub fn eval(arguments: &Eval, context: &Context) -> Outcome<(EvalReport, PathBuf)> {
    let project = context.project()?;
    let state = done(&project, &arguments.run)?;
    let dir = runs::dir(&project, &state.id)?;
    let (config, _) = read_config(&dir)?;
    let base = base::open(&state.base)?;
    context.job.stage("load");
    // The processor computes in f32 whatever the run was trained in.
    let placement = match arguments.device.unwrap_or(config.device) {
        Device::Cpu => Placement::default(),
        device => Placement { device, ..config.placement(false) },
    };
    let decoder = Decoder::load_on(&base.file, placement, &context.job)?;
    let learned = adapter(&dir, &decoder)?;
    let against = match arguments.against.as_str() {
        "base" => None,
        other => Some(adapter(&runs::dir(&project, &done(&project, other)?.id)?, &decoder)?),
    };
    let rows = project.store()?.approved_rows()?;
    let options = ExamOptions {
        run: state.id.clone(),
        base: state.base.clone(),
        against: arguments.against.clone(),
        exam: part(&rows, Split::Exam),
        studied: part(&rows, Split::Train).into_iter().filter(|row| !row.messages.is_empty()).collect(),
        max_seq_len: config.max_seq_len as usize,
        max_answer_tokens: ANSWER,
    };
    let examinee = Examinee {
        decoder: &decoder,
        tokenizer: &base.tokenizer,
        chat: &base.chat,
        adapter: &learned,
        against: against.as_ref(),
    };
    let report = examine(&examinee, &options, &context.job)?;
    fs::write_json(&dir.join("eval.json"), &report)?;
    let page = dir.join("report.html");
    let metrics = runs::read(&project, &state.id)?.metrics;
    fs::write_atomic(&page, render(&report, &metrics)?.as_bytes())?;
    Ok((report, page))
}

fn part(rows: &[Row], split: Split) -> Vec<Row> {
    rows.iter().filter(|row| row.split == Some(split) && row.status == RowStatus::Approved).cloned().collect()
}

fn words(report: &EvalReport) -> String {
    let cells = |cells: [String; 4]| cells.to_vec();
    let head = ["", "before", "after", "95 % interval of the change"].map(str::to_owned);
    let loss = |name: &str, before: f64, after: f64, change: &hone_eval::Interval| {
        cells([
            name.to_owned(),
            format!("{before:.4}"),
            format!("{after:.4}"),
            format!("{:+.4} to {:+.4}", change.low, change.high),
        ])
    };
    let mut lines = vec![cells(head)];
    lines.push(loss("held-out loss", report.held_out.before, report.held_out.after, &report.held_out.change));
    lines.push(cells([
        "perplexity".into(),
        format!("{:.2}", report.held_out.perplexity_before),
        format!("{:.2}", report.held_out.perplexity_after),
        String::new(),
    ]));
    for (name, score) in [("same words as expected", &report.f1), ("right facts", &report.facts)] {
        if let Some(score) = score {
            lines.push(loss(name, score.before, score.after, &score.change));
        }
    }
    lines.push(loss(
        "loss on other texts",
        report.forgetting.before,
        report.forgetting.after,
        &report.forgetting.change,
    ));
    let mut words = table(&lines);
    if let Some(recall) = &report.recall {
        words += &format!(
            "Training questions answered right: {} of {} before, {} of {} after.\n",
            recall.right_before, recall.asked, recall.right_after, recall.asked
        );
    }
    words
}
