//! In one sentence: what can be trained on a machine.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// How far a machine gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum VerdictCode {
    /// At least the smallest model can be trained.
    CanTrain,
    /// Free memory does not hold the smallest model.
    TooLittleMemory,
}

/// What can be trained on a machine. A rule of thumb: the preflight of a run measures the real thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export, rename = "MachineVerdict")]
pub struct Verdict {
    /// How far it gets.
    pub code: VerdictCode,
    /// Largest model of the Gemma 3 sizes that fits, parameters; 0 when none does.
    pub largest_parameters: u64,
    /// Minutes that three passes over 1,000 rows of 60 tokens take with the smallest model.
    pub minutes_smallest: f64,
    /// For people, English.
    pub sentence: String,
}

/// Gemma 3's text sizes: parameters and the name people know.
const SIZES: [(u64, &str); 4] =
    [(270_000_000, "270M"), (1_000_000_000, "1B"), (4_000_000_000, "4B"), (12_000_000_000, "12B")];
/// The engine computes in f32 on the CPU.
const BYTES_PER_PARAMETER: u64 = 4;
/// Activations, adapter, optimiser and the rest of a small batch; measured 0.4 to 1.3 GB with the 270M model.
const WORKING_BYTES: u64 = 1_200_000_000;
/// Measured with the 270M model, fused kernels, 2 cores with AVX2: 150 tokens a second.
const TOKENS_PER_CORE_SECOND: f64 = 75.0;

/// What a machine with this much free memory (bytes) and this many physical cores can train.
pub fn verdict(memory_available: u64, cores: u32) -> Verdict {
    let fits = |parameters: u64| parameters * BYTES_PER_PARAMETER + WORKING_BYTES <= memory_available;
    let minutes = 3.0 * 1000.0 * 60.0 / (TOKENS_PER_CORE_SECOND * f64::from(cores.max(1))) / 60.0;
    match SIZES.iter().rev().find(|(parameters, _)| fits(*parameters)) {
        Some((parameters, name)) => Verdict {
            code: VerdictCode::CanTrain,
            largest_parameters: *parameters,
            minutes_smallest: minutes,
            sentence: format!(
                "This computer can train models of up to {name} parameters on its processor; with the 270M model, three \
                 passes over 1,000 short rows take about {minutes:.0} minutes"
            ),
        },
        None => Verdict {
            code: VerdictCode::TooLittleMemory,
            largest_parameters: 0,
            minutes_smallest: minutes,
            sentence: format!(
                "The smallest model needs {:.1} GB of memory and {:.1} GB are free; close other programs and look again",
                (SIZES[0].0 * BYTES_PER_PARAMETER + WORKING_BYTES) as f64 / 1e9,
                memory_available as f64 / 1e9,
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    #[test]
    fn the_largest_model_that_fits_is_named() {
        // 4 bytes a parameter and 1.2 GB to work in: 2.28, 5.2, 17.2 and 49.2 GB.
        for (gigabytes, largest) in [(3, 270_000_000), (6, GB), (17, GB), (18, 4 * GB), (64, 12 * GB)] {
            assert_eq!(verdict(gigabytes * GB, 2).largest_parameters, largest, "{gigabytes} GB");
        }
    }

    #[test]
    fn too_little_memory_says_how_much_is_needed() {
        let verdict = verdict(GB, 4);
        assert_eq!((verdict.code, verdict.largest_parameters), (VerdictCode::TooLittleMemory, 0));
        assert!(
            verdict.sentence.contains("needs 2.3 GB") && verdict.sentence.contains("1.0 GB are free"),
            "{}",
            verdict.sentence
        );
    }

    #[test]
    fn twice_the_cores_take_half_the_time() {
        // 180,000 tokens at 150 a second are 20 minutes.
        assert!((verdict(8 * GB, 2).minutes_smallest - 20.0).abs() < 1e-9);
        assert!((verdict(8 * GB, 4).minutes_smallest - 10.0).abs() < 1e-9);
    }
}
