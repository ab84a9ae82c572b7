//! Changes to a run configuration by name: `epochs=2`, `lora.rank=32`.

use crate::RunConfig;
use crate::error::{Result, TrainError};

impl RunConfig {
    /// Changes one knob. The value is read as TOML (`2`, `1e-3`, `true`, `["q_proj"]`), a bare word as text. Knobs of the
    /// adapter are `lora.rank` or just `rank`.
    ///
    /// # Errors
    /// [`TrainError::Setting`] when `change` is not `key=value`, the knob is unknown or the value does not fit it;
    /// [`TrainError::OutOfRange`] when it is out of range. The configuration is then unchanged.
    pub fn set(&mut self, change: &str) -> Result<()> {
        let refuse = |problem: String, nearest: Option<String>| TrainError::Setting {
            change: change.to_owned(),
            problem,
            nearest,
        };
        let (key, value) = change.split_once('=').ok_or_else(|| refuse("it has no `=`".to_owned(), None))?;
        let (key, value) = (key.trim(), value.trim());
        let mut table = toml::Table::try_from(&*self).map_err(|error| refuse(error.to_string(), None))?;
        let knobs = knobs(&table);
        let path = knobs
            .iter()
            .find(|knob| knob.as_str() == key)
            .or_else(|| knobs.iter().find(|knob| knob.strip_prefix("lora.") == Some(key)))
            .ok_or_else(|| refuse(format!("there is no knob `{key}`"), nearest(key, &knobs)))?;
        let value = parse(value);
        match path.split_once('.') {
            Some((outer, inner)) => {
                if let Some(inner_table) = table.get_mut(outer).and_then(toml::Value::as_table_mut) {
                    inner_table.insert(inner.to_owned(), value);
                }
            }
            None => {
                table.insert(path.clone(), value);
            }
        }
        let changed: Self =
            table.try_into().map_err(|error: toml::de::Error| refuse(error.message().to_owned(), None))?;
        // What the knobs ask of the device together is looked at when all are set: they come in any order.
        changed.check_ranges()?;
        *self = changed;
        Ok(())
    }
}

/// The value as TOML, or as text when it is not.
fn parse(value: &str) -> toml::Value {
    format!("value = {value}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()))
}

/// Every knob's name, those of inner tables with a dot.
fn knobs(table: &toml::Table) -> Vec<String> {
    let mut names = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => names.extend(inner.keys().map(|inner| format!("{name}.{inner}"))),
            _ => names.push(name.clone()),
        }
    }
    names
}

/// The knob with the fewest differing letters, if a third of them at most differ.
fn nearest(key: &str, knobs: &[String]) -> Option<String> {
    let leaf = |knob: &str| knob.rsplit('.').next().unwrap_or(knob).to_owned();
    let (distance, knob) = knobs.iter().map(|knob| (edits(&leaf(key), &leaf(knob)), knob)).min()?;
    (distance * 3 <= key.chars().count()).then(|| knob.clone())
}

/// Levenshtein's distance.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (at, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use hone_job::Explain;
    use hone_model::TargetModule;

    use super::*;
    use crate::config::{Schedule, TrainOn};
    use crate::presets;

    fn balanced() -> RunConfig {
        presets::preset("balanced").unwrap()
    }

    #[test]
    fn a_knob_is_set_by_name() {
        let mut config = balanced();
        for change in ["epochs=7", "learning_rate = 5e-4", "schedule=linear", "train_on=\"reading\"", "lora.rank=4"] {
            config.set(change).unwrap();
        }
        config.set("target_modules=[\"q_proj\", \"v_proj\"]").unwrap();
        config.set("weight_decay=0").unwrap();
        assert_eq!((config.epochs, config.learning_rate, config.schedule), (7, 5e-4, Schedule::Linear));
        assert_eq!((config.train_on, config.lora.rank, config.weight_decay), (TrainOn::Reading, 4, 0.0));
        assert_eq!(config.lora.target_modules, [TargetModule::QProj, TargetModule::VProj]);
    }

    #[test]
    fn a_mistyped_knob_gets_a_suggestion_and_changes_nothing() {
        let mut config = balanced();
        let error = config.set("learning_rat=1e-4").unwrap_err();
        assert_eq!(error.hint().unwrap(), "Did you mean `learning_rate`?");
        assert!(config.set("colour=blue").unwrap_err().hint().unwrap().contains("key=value"));
        assert_eq!(config, balanced());
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused() {
        let mut config = balanced();
        for change in
            ["epochs=many", "epochs=0", "epochs", "warmup_ratio=2", "learning_rate=nan", "lora=3", "betas=[0.9]"]
        {
            assert!(config.set(change).is_err(), "{change}");
        }
        assert_eq!(config, balanced());
    }

    #[test]
    fn edits_are_counted_as_levenshtein_did() {
        assert_eq!((edits("kitten", "sitting"), edits("", "abc"), edits("same", "same")), (3, 3, 0));
    }
}
