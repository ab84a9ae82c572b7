use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// With fewer rows a model learns those rows rather than what they have in common.
const FEW_ROWS: u64 = 50;
/// With fewer tokens facts are met too seldom to stick.
const FEW_TOKENS: u64 = 100_000;

/// Whether there is enough to learn from. Rules of thumb: how well a training went only its exam tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Enough {
    /// Nothing to learn from.
    Nothing,
    /// Fewer than 50 rows.
    FewRows,
    /// Fewer than 100,000 tokens.
    FewTokens,
    /// More than that.
    Enough,
}

impl Enough {
    /// Judges what is trained on: rows, and their tokens with the questions.
    pub fn of(rows: u64, tokens: u64) -> Self {
        match (rows, tokens) {
            (0, _) => Self::Nothing,
            (..FEW_ROWS, _) => Self::FewRows,
            (_, ..FEW_TOKENS) => Self::FewTokens,
            _ => Self::Enough,
        }
    }

    /// What to expect, one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Nothing => "There is nothing to learn from yet.",
            Self::FewRows => {
                "Fewer than 50 rows: expect the tone and the form of the answers, and these rows by heart, but little about anything \
                 else."
            }
            Self::FewTokens => {
                "Less than 100,000 tokens: expect the form of the answers and facts that stand here several times; facts that stand \
                 here once are often missed."
            }
            Self::Enough => "Enough to learn from; how well, the exam will tell.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_rows_and_a_hundred_thousand_tokens_are_the_marks() {
        let told =
            [(0, 0), (49, 1_000_000), (50, 99_999), (50, 100_000)].map(|(rows, tokens)| Enough::of(rows, tokens));
        assert_eq!(told, [Enough::Nothing, Enough::FewRows, Enough::FewTokens, Enough::Enough]);
    }
}
