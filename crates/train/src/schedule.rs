//! The learning rate of a step.

use std::f64::consts::PI;

use crate::config::Schedule;

/// The learning rate of step `step` (counted from 0) of `total`, as Transformers' schedulers give it: it rises in a
/// straight line over `warmup` steps, beginning above zero (`(step + 1) / (warmup + 1)`) so that no step is wasted, then
/// follows `schedule` down, reaching zero just after the last step.
pub fn learning_rate(schedule: Schedule, peak: f64, step: u32, warmup: u32, total: u32) -> f64 {
    if step < warmup {
        return peak * f64::from(step + 1) / f64::from(warmup + 1);
    }
    let after = f64::from(step - warmup) / f64::from(total.saturating_sub(warmup).max(1));
    peak * match schedule {
        Schedule::Constant => 1.0,
        Schedule::Linear => (1.0 - after).max(0.0),
        Schedule::Cosine => 0.5 * (1.0 + (PI * after.min(1.0)).cos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schedule: Schedule, warmup: u32, total: u32, expected: &[f64]) {
        for (step, expected) in expected.iter().enumerate() {
            let found = learning_rate(schedule, 2.0, step as u32, warmup, total);
            assert!((found - expected).abs() < 1e-9, "step {step}: {found}, expected {expected}");
        }
    }

    #[test]
    fn it_rises_in_equal_parts_and_stays() {
        check(Schedule::Constant, 3, 6, &[0.5, 1.0, 1.5, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn it_falls_in_a_straight_line() {
        check(Schedule::Linear, 0, 4, &[2.0, 1.5, 1.0, 0.5, 0.0]);
        check(Schedule::Linear, 1, 5, &[1.0, 2.0, 1.5, 1.0, 0.5, 0.0]);
    }

    #[test]
    fn it_falls_along_half_a_cosine() {
        // cos(0), cos(60°), cos(90°), cos(120°) are 1, 1/2, 0, -1/2.
        check(Schedule::Cosine, 0, 6, &[2.0, 1.0 + 0.75f64.sqrt(), 1.5, 1.0, 0.5, 1.0 - 0.75f64.sqrt(), 0.0]);
    }

    #[test]
    fn a_run_of_one_step_learns() {
        for schedule in [Schedule::Constant, Schedule::Linear, Schedule::Cosine] {
            assert!(learning_rate(schedule, 1e-3, 0, 0, 1) > 0.0);
            assert!(learning_rate(schedule, 1e-3, 0, 1, 1) > 0.0);
        }
    }
}
