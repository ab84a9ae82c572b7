//! What can be chosen about the rules.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;

use crate::clean::{PersonalKind, Rule};

/// What can be chosen about the rules; what is absent has its default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export)]
pub struct CleanOptions {
    /// Of the rule `characters`.
    pub characters: CharacterOptions,
    /// Of the rule `width`.
    pub width: WidthOptions,
    /// Of the rule `boilerplate`.
    pub boilerplate: BoilerplateOptions,
    /// Of the rule `personal`.
    pub personal: PersonalOptions,
    /// Of the rule `near_duplicates`.
    pub near_duplicates: NearDuplicateOptions,
    /// Of the rule `too_short`.
    pub too_short: TooShortOptions,
    /// Of the rule `too_long`.
    pub too_long: TooLongOptions,
    /// Of the rule `language`.
    pub language: LanguageOptions,
    /// Of the rule `balance`.
    pub balance: BalanceOptions,
    /// Of the rule `perplexity`.
    pub perplexity: PerplexityOptions,
    /// Of the rule `contradictions`.
    pub contradictions: CheckOptions,
    /// Of the rule `leaks`.
    pub leaks: CheckOptions,
}

/// Why a change of an option was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// It is not `rule.option=value`.
    #[error("`{change}` is not of the form `rule.option=value`")]
    Form {
        /// What was asked.
        change: String,
    },
    /// There is no such option.
    #[error("There is no option `{name}`")]
    Unknown {
        /// Its name as asked.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The value does not fit.
    #[error("`{value}` does not fit the option `{name}`: {reason}")]
    Value {
        /// The option.
        name: String,
        /// What was asked.
        value: String,
        /// Why not.
        reason: String,
    },
}

impl CleanOptions {
    /// Changes one option: `near_duplicates.threshold=0.9`; several values are parted by commas.
    ///
    /// # Errors
    /// [`OptionError`]; nothing is changed then.
    pub fn set(&mut self, change: &str) -> Result<(), OptionError> {
        let form = || OptionError::Form { change: change.to_owned() };
        let (name, value) = change.split_once('=').ok_or_else(form)?;
        let (rule, option) = name.split_once('.').ok_or_else(form)?;
        let mut all = serde_json::to_value(&*self).unwrap_or_default();
        let slot = all.get_mut(rule).and_then(|options| options.get_mut(option));
        let Some(slot) = slot else {
            return Err(OptionError::Unknown { name: name.to_owned(), known: self.names().join(", ") });
        };
        *slot = if slot.is_array() {
            value.split([',', '，']).map(str::trim).filter(|part| !part.is_empty()).collect()
        } else {
            serde_json::from_str(value).ok().filter(|value: &Value| !value.is_string()).unwrap_or_else(|| value.into())
        };
        let refused = |reason: String| OptionError::Value { name: name.to_owned(), value: value.to_owned(), reason };
        let changed: Self = serde_json::from_value(all).map_err(|error| refused(error.to_string()))?;
        changed.check().map_err(|reason| refused(reason.to_owned()))?;
        *self = changed;
        Ok(())
    }

    /// The options of a rule as in another set of options, the others as here.
    #[must_use]
    pub fn with_rule(&self, rule: Rule, other: &Self) -> Self {
        let mut all = serde_json::to_value(self).unwrap_or_default();
        let mut theirs = serde_json::to_value(other).unwrap_or_default();
        if let Some(slot) = all.get_mut(rule.code()) {
            *slot = theirs[rule.code()].take();
        }
        serde_json::from_value(all).unwrap_or_else(|_| self.clone())
    }

    fn names(&self) -> Vec<String> {
        let all = serde_json::to_value(self).unwrap_or_default();
        let rules = all.as_object().into_iter().flatten();
        rules
            .flat_map(|(rule, options)| {
                options.as_object().into_iter().flatten().map(move |(name, _)| format!("{rule}.{name}"))
            })
            .collect()
    }

    fn check(&self) -> Result<(), &'static str> {
        match self {
            _ if !(0.5..=1.0).contains(&self.near_duplicates.threshold) => Err("it lies between 0.5 and 1"),
            _ if !(self.balance.ratio >= 1.0 && self.balance.ratio.is_finite()) => Err("it is at least 1"),
            _ if !(self.perplexity.threshold > 1.0 && self.perplexity.threshold.is_finite()) => {
                Err("it is more than 1")
            }
            _ if self.too_long.max_tokens < 8 => Err("it is at least 8"),
            _ if self.boilerplate.documents < 2 => Err("it is at least 2"),
            _ => Ok(()),
        }
    }
}

/// Of the rule `characters`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export)]
pub struct CharacterOptions {
    /// Keep letters, digits and blanks only. Destroys numbers, units, formulas, code and punctuation.
    pub letters_and_digits_only: bool,
}

/// Of the rule `width`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export)]
pub struct WidthOptions {
    /// Normalise to the whole of Unicode's NFKC. Turns `m²` into `m2` and `½` into `1⁄2`.
    pub nfkc: bool,
}

/// Of the rule `boilerplate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export)]
pub struct BoilerplateOptions {
    /// A line that stands in so many documents is boilerplate.
    pub documents: u32,
    /// The lines that were found when the rule was checked, as they are compared. Kept with the rule, so that it means
    /// the same later.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

impl Default for BoilerplateOptions {
    fn default() -> Self {
        Self { documents: 3, lines: Vec::new() }
    }
}

/// What is done with personal details.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum PersonalAction {
    /// A placeholder takes their place.
    #[default]
    Mask,
    /// The row is left out.
    Drop,
    /// They stay; the row is pointed at.
    Keep,
}

/// Of the rule `personal`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export)]
pub struct PersonalOptions {
    /// What is done.
    pub action: PersonalAction,
    /// Which kinds are looked for.
    pub kinds: Vec<PersonalKind>,
    /// Details that stay as they are: your own numbers and addresses, or a part of them (`@clinic.example`).
    pub own: Vec<String>,
}

impl Default for PersonalOptions {
    fn default() -> Self {
        Self { action: PersonalAction::default(), kinds: PersonalKind::ALL.to_vec(), own: Vec::new() }
    }
}

/// Of the rule `near_duplicates`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export)]
pub struct NearDuplicateOptions {
    /// Rows that share this part of their pieces (Jaccard) are nearly the same; 0.5 to 1.
    pub threshold: f64,
    /// Rows with different numbers are never nearly the same: `5 mg` and `50 mg` are not.
    pub numbers_differ: bool,
}

impl Default for NearDuplicateOptions {
    fn default() -> Self {
        Self { threshold: 0.8, numbers_differ: true }
    }
}

/// Of the rule `too_short`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export)]
pub struct TooShortOptions {
    /// Rows of fewer tokens are too short.
    pub min_tokens: u32,
}

impl Default for TooShortOptions {
    fn default() -> Self {
        Self { min_tokens: 4 }
    }
}

/// What is done with rows that are too long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum LongAction {
    /// The row is left out.
    #[default]
    Drop,
    /// A row that ends at the last sentence that fits takes its place.
    Truncate,
    /// Several rows take its place: a text is parted between sentences, a conversation between its exchanges. One
    /// exchange that does not fit by itself is truncated.
    Split,
}

/// Of the rule `too_long`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export)]
pub struct TooLongOptions {
    /// Rows of more tokens are too long; the marks of the chat template count.
    pub max_tokens: u32,
    /// What is done.
    pub action: LongAction,
}

impl Default for TooLongOptions {
    fn default() -> Self {
        Self { max_tokens: 2048, action: LongAction::default() }
    }
}

/// Of the rule `language`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export)]
pub struct LanguageOptions {
    /// Codes (ISO 639-3: `eng`, `cmn`, `deu`) of the languages that stay. None: those of at least a tenth of the rows.
    pub keep: Vec<String>,
}

/// Of the rule `balance`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export)]
pub struct BalanceOptions {
    /// No label may stand so many times more often than the rarest; at least 1.
    pub ratio: f64,
    /// Draws which rows stay.
    pub seed: u32,
}

impl Default for BalanceOptions {
    fn default() -> Self {
        Self { ratio: 3.0, seed: 42 }
    }
}

/// Of the rule `perplexity`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export)]
pub struct PerplexityOptions {
    /// Rows of a higher perplexity are left out. What is right depends on the base model: look at the distribution.
    pub threshold: f64,
}

impl Default for PerplexityOptions {
    fn default() -> Self {
        Self { threshold: 150.0 }
    }
}

/// What is done with rows that a check finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum CheckAction {
    /// They are pointed at.
    #[default]
    Flag,
    /// They are left out; of several answers the first stays.
    Drop,
}

/// Of the rules `contradictions` and `leaks`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(export)]
pub struct CheckOptions {
    /// What is done.
    pub action: CheckAction,
}
