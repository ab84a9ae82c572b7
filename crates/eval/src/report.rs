//! What an exam found, as it is stored in `runs/<id>/eval.json` and shown in the window.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An estimate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Interval {
    /// The value on the rows at hand.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// What an interval says about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export, rename = "EvalVerdict")]
pub enum Verdict {
    /// The whole interval lies on the good side.
    Better,
    /// The interval crosses 'no change'.
    Unclear,
    /// The whole interval lies on the bad side.
    Worse,
}

/// Surprise on rows the model was not trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LossReport {
    /// Rows measured.
    pub rows: usize,
    /// Trained tokens in them.
    pub tokens: usize,
    /// Nats per token, base model.
    pub before: f64,
    /// Nats per token, tuned model.
    pub after: f64,
    /// `exp(before)`.
    pub perplexity_before: f64,
    /// `exp(after)`.
    pub perplexity_after: f64,
    /// `after - before` with its paired bootstrap interval; below 0 is better.
    pub change: Interval,
    /// What the interval says.
    pub verdict: Verdict,
}

/// A score of generated answers between 0 and 1, higher is better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ScoreReport {
    /// Mean over the questions, base model.
    pub before: f64,
    /// Mean over the questions, tuned model.
    pub after: f64,
    /// `after - before` with its paired bootstrap interval; above 0 is better.
    pub change: Interval,
    /// What the interval says.
    pub verdict: Verdict,
}

/// One question with what was expected and what was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Answer {
    /// The row's number.
    pub row: i64,
    /// The last thing the user says in the row.
    pub question: String,
    /// What the row answers.
    pub expected: String,
    /// Greedy answer of the base model.
    pub before: String,
    /// Greedy answer of the tuned model.
    pub after: String,
    /// Token F1 of `before` against `expected`, 0 to 1.
    pub f1_before: f64,
    /// Token F1 of `after` against `expected`, 0 to 1.
    pub f1_after: f64,
    /// Whether `before` states the expected fact.
    pub fact_before: bool,
    /// Whether `after` states the expected fact.
    pub fact_after: bool,
}

/// Questions the model was trained on, asked word for word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RecallReport {
    /// Questions asked.
    pub asked: usize,
    /// Answered with the right fact by the base model.
    pub right_before: usize,
    /// Answered with the right fact by the tuned model.
    pub right_after: usize,
    /// Every question with its answers.
    pub answers: Vec<Answer>,
}

/// Surprise on general texts that no training of this project is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ForgettingReport {
    /// Texts measured.
    pub texts: usize,
    /// Nats per token, base model.
    pub before: f64,
    /// Nats per token, tuned model.
    pub after: f64,
    /// `after - before` with its paired bootstrap interval; above 0 means that it forgot.
    pub change: Interval,
    /// What the interval says.
    pub verdict: Verdict,
}

/// What an exam found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct EvalReport {
    /// The run whose adapter was examined.
    pub run: String,
    /// Reference of the base model.
    pub base: String,
    /// What it was compared with: `base`, or another run.
    pub against: String,
    /// Held-out loss on the rows kept for the exam.
    pub held_out: LossReport,
    /// Mean token F1 of the exam's answers; absent when the exam holds no questions.
    pub f1: Option<ScoreReport>,
    /// Share of the exam's questions whose answer states the expected fact.
    pub facts: Option<ScoreReport>,
    /// The exam's questions with both answers.
    pub answers: Vec<Answer>,
    /// What the model recalls of the rows it studied; absent when it studied no questions.
    pub recall: Option<RecallReport>,
    /// What it forgot.
    pub forgetting: ForgettingReport,
    /// Wall time of the exam, seconds.
    pub seconds: f64,
}
