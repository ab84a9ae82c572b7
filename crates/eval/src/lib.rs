//! Proof of what a training did: an exam on rows the model never saw, before and after, what it recalls of the rows it
//! studied, and what it forgot of everything else, with intervals.
//!
//! Knows no training: an adapter and rows come in, an [`EvalReport`] and its page go out.

mod chart;
mod error;
mod exam;
mod guard;
mod page;
mod report;
mod score;
mod statistics;

pub use error::{EvalError, Result};
pub use exam::{ExamOptions, Examinee, examine};
pub use page::render;
pub use report::{Answer, EvalReport, ForgettingReport, Interval, LossReport, RecallReport, ScoreReport, Verdict};
