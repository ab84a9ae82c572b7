//! The report as one HTML page without scripts, fonts or pictures from elsewhere. Everything from rows is escaped.

use std::fmt::Write;

use hone_job::StepMetrics;

use crate::chart;
use crate::error::Result;
use crate::report::{Answer, EvalReport, Interval, Verdict};

const STYLE: &str = "\
:root{color-scheme:light}body{font:15px/1.5 system-ui,'Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif;\
max-width:60rem;margin:2.5rem auto;padding:0 1.5rem;color:#162023;background:#fcfdfd}\
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2.25rem 0 .5rem}p{max-width:46rem}\
.quiet{color:#59686f}.lead{font-size:1.15rem}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\
th,td{text-align:left;vertical-align:top;padding:.4rem .8rem .4rem 0;border-bottom:1px solid #dde4e4}\
th{font-weight:600;color:#43525a}td.n,th.n{text-align:right;white-space:nowrap}\
.right{color:#1c6b3d}.wrong{color:#b0271f}svg{max-width:100%;height:auto}";

/// The page of a report; `metrics` are the steps of its run.
///
/// # Errors
/// [`crate::EvalError::Chart`] when a curve cannot be drawn.
pub fn render(report: &EvalReport, metrics: &[StepMetrics]) -> Result<String> {
    let mut page = String::new();
    let held = &report.held_out;
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Exam of {run}</title><style>{STYLE}</style><h1>Exam of {run}</h1>\
         <p class=\"quiet\">Base model {base}, compared with {against}. {rows} rows kept from training, {seconds:.0} s.</p>\
         <p class=\"lead\">{sentence}</p>",
        run = escape(&report.run),
        base = escape(&report.base),
        against = escape(&report.against),
        rows = held.rows,
        seconds = report.seconds,
        sentence = verdict_sentence(report),
    );
    page.push_str("<h2>Measures</h2><table><tr><th>Measure<th class=\"n\">Before<th class=\"n\">After<th class=\"n\">Change, 95 % interval<th>Verdict");
    row(
        &mut page,
        "Held-out loss, nats per token (lower is better)",
        held.before,
        held.after,
        &held.change,
        held.verdict,
    );
    let _ = write!(
        page,
        "<tr><td>Perplexity<td class=\"n\">{:.2}<td class=\"n\">{:.2}<td><td>",
        held.perplexity_before, held.perplexity_after
    );
    if let Some(score) = &report.f1 {
        row(
            &mut page,
            "Token F1 of the answers (higher is better)",
            score.before,
            score.after,
            &score.change,
            score.verdict,
        );
    }
    if let Some(score) = &report.facts {
        row(&mut page, "Answers that state the fact, share", score.before, score.after, &score.change, score.verdict);
    }
    let kept = &report.forgetting;
    let title = format!("Loss on {} general texts (what it forgot)", kept.texts);
    row(&mut page, &title, kept.before, kept.after, &kept.change, kept.verdict);
    page.push_str("</table>");
    if !metrics.is_empty() {
        let _ = write!(page, "<h2>How it learned</h2>{}", chart::loss_curve(metrics)?);
    }
    if !report.answers.is_empty() {
        page.push_str("<h2>Exam questions, side by side</h2>");
        answers(&mut page, &report.answers);
    }
    if let Some(recall) = &report.recall {
        let _ = write!(
            page,
            "<h2>Questions it studied, asked word for word</h2><p>{} of {} answered with the right fact, {} before.</p>",
            recall.right_after, recall.asked, recall.right_before
        );
        answers(&mut page, &recall.answers);
    }
    page.push_str("</html>\n");
    Ok(page)
}

fn verdict_sentence(report: &EvalReport) -> String {
    let held = &report.held_out;
    let learned = match held.verdict {
        Verdict::Better => "It learned: rows it never saw surprise it less than before.",
        Verdict::Unclear => "Unclear: on rows it never saw there is no change beyond chance.",
        Verdict::Worse => "It got worse: rows it never saw surprise it more than before.",
    };
    let forgot = match report.forgetting.verdict {
        Verdict::Worse => "On general texts it lost something.",
        Verdict::Unclear => "On general texts there is no change beyond chance.",
        Verdict::Better => "On general texts it did not get worse.",
    };
    format!("{learned} {forgot}")
}

fn row(page: &mut String, name: &str, before: f64, after: f64, change: &Interval, verdict: Verdict) {
    let word = match verdict {
        Verdict::Better => "better",
        Verdict::Unclear => "unclear",
        Verdict::Worse => "worse",
    };
    let _ = write!(
        page,
        "<tr><td>{name}<td class=\"n\">{before:.3}<td class=\"n\">{after:.3}\
         <td class=\"n\">{:+.3} ({:+.3} to {:+.3})<td>{word}",
        change.estimate, change.low, change.high
    );
}

fn answers(page: &mut String, answers: &[Answer]) {
    page.push_str("<table><tr><th>Question<th>Expected<th>Before<th>After");
    for answer in answers {
        let mark = if answer.fact_after { ("right", "✓") } else { ("wrong", "✗") };
        let _ = write!(
            page,
            "<tr><td>{}<td>{}<td class=\"quiet\">{}<td><span class=\"{}\">{}</span> {}",
            escape(&answer.question),
            escape(&answer.expected),
            escape(&answer.before),
            mark.0,
            mark.1,
            escape(&answer.after),
        );
    }
    page.push_str("</table>");
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{ForgettingReport, LossReport};

    fn report(answer: &str) -> EvalReport {
        let interval = Interval { estimate: -1.5, low: -1.9, high: -1.1 };
        EvalReport {
            run: "20260101-000000".into(),
            base: "gemma3-270m".into(),
            against: "base".into(),
            held_out: LossReport {
                rows: 20,
                tokens: 300,
                before: 3.0,
                after: 1.5,
                perplexity_before: 20.09,
                perplexity_after: 4.48,
                change: interval,
                verdict: Verdict::Better,
            },
            f1: None,
            facts: None,
            answers: vec![Answer {
                row: 1,
                question: "Who?".into(),
                expected: "Ingrid".into(),
                before: String::new(),
                after: answer.into(),
                f1_before: 0.0,
                f1_after: 1.0,
                fact_before: false,
                fact_after: true,
            }],
            recall: None,
            forgetting: ForgettingReport {
                texts: 24,
                before: 3.1,
                after: 3.2,
                change: Interval { estimate: 0.1, low: -0.1, high: 0.3 },
                verdict: Verdict::Unclear,
            },
            seconds: 12.0,
        }
    }

    #[test]
    fn what_a_model_says_cannot_become_markup() {
        let page = render(&report("<script>alert(1)</script>"), &[]).unwrap();
        assert!(!page.contains("<script"));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    }

    #[test]
    fn the_page_says_what_was_learned_and_draws_the_curve() {
        let steps: Vec<StepMetrics> = (1..=5)
            .map(|step| StepMetrics {
                step,
                epoch: 1.0,
                loss: 3.0 / f64::from(step),
                loss_ema: 3.0 / f64::from(step),
                learning_rate: 1e-3,
                grad_norm: 1.0,
                tokens: 100,
                tokens_per_second: 100.0,
                step_seconds: 1.0,
                memory_bytes: 1,
                valid_loss: (step % 2 == 0).then_some(2.0),
            })
            .collect();
        let page = render(&report("Ingrid"), &steps).unwrap();
        assert!(page.contains("It learned"), "{page}");
        assert!(page.contains("-1.500 (-1.900 to -1.100)"));
        let lines = |colour: &str| page.split("<polyline").filter(|line| line.contains(colour)).count();
        assert_eq!((lines("#0B6380"), lines("#B97509")), (2, 2), "each curve and its key");
        assert!(page.contains("rows it has not seen"));
    }
}
