//! Cleaning rules: pure functions from rows to verdicts. Nothing is changed here; a verdict says what would be.

mod duplicates;
mod length;
mod whitespace;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Row;

pub use duplicates::duplicates;
pub use length::{too_long, too_short};
pub use whitespace::{tidy, whitespace};

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Rule {
    /// Runs of spaces, blanks at line ends, invisible and no-break spaces.
    Whitespace,
    /// Rows that say the same as an earlier one; exam questions that are also trained on.
    Duplicates,
    /// Rows of very few tokens.
    TooShort,
    /// Rows of more tokens than fit.
    TooLong,
}

impl Rule {
    /// All rules, in the order in which they are checked.
    pub const ALL: [Self; 4] = [Self::Whitespace, Self::Duplicates, Self::TooShort, Self::TooLong];

    /// The stable code, as in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Whitespace => "whitespace",
            Self::Duplicates => "duplicates",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
        }
    }

    /// The rule with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.code() == code)
    }
}

/// What a rule would do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Action {
    /// Change its text: [`changed`] gives the new row.
    Change,
    /// Leave it out.
    Drop,
    /// Nothing by itself; worth a look.
    Flag,
}

/// One hit of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, rename = "RuleVerdict")]
pub struct Verdict {
    /// The row's number.
    pub row: i64,
    /// Which rule.
    pub rule: Rule,
    /// What it would do.
    pub action: Action,
    /// The row's text as it is, turns parted by a blank line.
    pub before: String,
    /// The text after a change; empty for a row that is left out; as before for one that is flagged.
    pub after: String,
    /// The other row that it is about: the one it repeats.
    pub related: Option<i64>,
}

/// Bounds of the length rules, tokens of a whole row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Fewer is too short.
    pub min_tokens: usize,
    /// More is too long.
    pub max_tokens: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { min_tokens: 4, max_tokens: 2048 }
    }
}

/// The hits of the given rules, rule by rule in [`Rule::ALL`]'s order, each rule's in the rows' order. `count` tells
/// the tokens of a text.
pub fn check(rows: &[Row], rules: &[Rule], bounds: Bounds, count: &dyn Fn(&str) -> usize) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for rule in Rule::ALL.into_iter().filter(|rule| rules.contains(rule)) {
        verdicts.extend(match rule {
            Rule::Whitespace => whitespace(rows),
            Rule::Duplicates => duplicates(rows),
            Rule::TooShort => too_short(rows, bounds.min_tokens, count),
            Rule::TooLong => too_long(rows, bounds.max_tokens, count),
        });
    }
    verdicts
}

/// The row as a rule would change it; `None` where it changes nothing. Asking again gives the same.
pub fn changed(row: &Row, rule: Rule) -> Option<Row> {
    match rule {
        Rule::Whitespace => tidy(row),
        Rule::Duplicates | Rule::TooShort | Rule::TooLong => None,
    }
}

/// All text of a row: its turns, or its reading text, parted by a blank line.
pub fn row_text(row: &Row) -> String {
    if row.messages.is_empty() {
        return row.text.clone();
    }
    row.messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Message, Origin, Role, RowStatus};

    pub(crate) fn row(id: i64, question: &str, answer: &str) -> Row {
        let message = |role, content: &str| Message { role, content: content.into() };
        let messages = vec![message(Role::User, question), message(Role::Assistant, answer)];
        Row {
            id,
            messages,
            text: String::new(),
            label: None,
            origin: Origin::Mapped,
            document: None,
            passage: None,
            line: None,
            status: RowStatus::Approved,
            split: None,
            metadata: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn only_the_rules_asked_for_are_checked_and_codes_are_those_of_the_json() {
        let rows = [row(1, "a  b c d", "e"), row(2, "a b c d", "e"), row(3, "x", "y")];
        let words = |text: &str| text.split_whitespace().count();
        let all: Vec<_> =
            check(&rows, &Rule::ALL, Bounds::default(), &words).iter().map(|v| (v.rule, v.row, v.action)).collect();
        assert_eq!(
            all,
            [
                (Rule::Whitespace, 1, Action::Change),
                (Rule::Duplicates, 2, Action::Drop),
                (Rule::TooShort, 3, Action::Drop)
            ]
        );
        assert_eq!(check(&rows, &[Rule::TooShort], Bounds::default(), &words).len(), 1);
        for rule in Rule::ALL {
            assert_eq!(serde_json::json!(rule), rule.code());
            assert_eq!(Rule::from_code(rule.code()), Some(rule));
        }
    }
}
