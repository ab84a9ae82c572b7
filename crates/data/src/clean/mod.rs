//! Cleaning rules: pure functions from rows to verdicts. Nothing is changed here; a verdict says what would be.

mod balance;
mod boilerplate;
mod characters;
mod check;
mod checks;
mod duplicates;
mod html;
mod hyphenation;
mod language;
mod length;
mod options;
mod perplexity;
mod personal;
mod rule;
mod texts;
mod verdict;
mod whitespace;
mod width;

pub(crate) use duplicates::nearly_the_same;

pub use check::{Findings, Measures, Plan, changed, check};
pub use language::language_of;
pub use options::{
    BalanceOptions, BoilerplateOptions, CharacterOptions, CheckAction, CheckOptions, CleanOptions, LanguageOptions,
    LongAction, NearDuplicateOptions, OptionError, PerplexityOptions, PersonalAction, PersonalOptions, TooLongOptions,
    TooShortOptions, WidthOptions,
};
pub use personal::PersonalKind;
pub use rule::Rule;
pub use texts::row_text;
pub use verdict::{Action, Bar, Details, Made, Quantile, Verdict};

#[cfg(test)]
pub(crate) mod tests;
