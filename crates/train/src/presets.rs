//! The run configurations that Hone ships: `presets/*.toml` at the root of the repository.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::RunConfig;
use crate::error::{Result, TrainError};

/// The preset that is used when nobody chose one.
pub const DEFAULT: &str = "balanced";

const SHIPPED: [(&str, &str); 3] = [
    ("quick", include_str!("../../../presets/quick.toml")),
    ("balanced", include_str!("../../../presets/balanced.toml")),
    ("thorough", include_str!("../../../presets/thorough.toml")),
];

/// A shipped run configuration, as a list shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Preset {
    /// Its name: `quick`, `balanced`, `thorough`.
    pub name: String,
    /// Its knobs.
    pub config: RunConfig,
    /// The file with its comments.
    pub toml: String,
}

/// Every shipped preset, the fastest first.
///
/// # Errors
/// [`TrainError::Config`] for a broken file; a test keeps that from shipping.
pub fn presets() -> Result<Vec<Preset>> {
    SHIPPED
        .iter()
        .map(|(name, toml)| {
            Ok(Preset { name: (*name).to_owned(), config: RunConfig::from_toml(toml)?, toml: (*toml).to_owned() })
        })
        .collect()
}

/// One preset by name.
///
/// # Errors
/// [`TrainError::NoPreset`] when there is none of this name.
pub fn preset(name: &str) -> Result<RunConfig> {
    match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        Some((_, toml)) => RunConfig::from_toml(toml),
        None => Err(TrainError::NoPreset {
            name: name.to_owned(),
            known: SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_read_and_names_itself() {
        let names: Vec<_> = presets().unwrap().into_iter().map(|preset| (preset.name, preset.config.preset)).collect();
        let expected = ["quick", "balanced", "thorough"].map(|name| (name.to_owned(), name.to_owned()));
        assert_eq!(names, expected);
    }

    #[test]
    fn every_knob_of_a_preset_has_a_comment_above_it() {
        for preset in presets().unwrap() {
            let lines: Vec<&str> = preset.toml.lines().collect();
            for (at, line) in
                lines.iter().enumerate().filter(|(_, line)| line.contains(" = ") && !line.starts_with('#'))
            {
                assert!(at > 0 && lines[at - 1].starts_with('#'), "{}: `{line}` has no comment", preset.name);
            }
        }
    }

    #[test]
    fn a_configuration_survives_being_written_and_read() {
        for preset in presets().unwrap() {
            assert_eq!(RunConfig::from_toml(&preset.config.to_toml().unwrap()).unwrap(), preset.config);
        }
    }

    #[test]
    fn an_unknown_knob_in_a_file_is_refused() {
        let text = format!("colour = \"blue\"\n{}", SHIPPED[1].1);
        assert!(RunConfig::from_toml(&text).unwrap_err().to_string().contains("colour"));
    }
}
