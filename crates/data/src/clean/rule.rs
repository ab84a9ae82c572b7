use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Rule {
    /// Tags and entities left over from web pages.
    Html,
    /// Control signs, unreadable signs, leaders of dots.
    Characters,
    /// Full-width letters and digits, ligatures, accents in two pieces.
    Width,
    /// Words that a line end broke in two.
    Hyphenation,
    /// Runs of spaces, blanks at line ends, invisible and no-break spaces.
    Whitespace,
    /// Lines that stand in several documents.
    Boilerplate,
    /// E-mail addresses, telephone numbers, numbers of identity papers, accounts and cards, network addresses.
    Personal,
    /// Rows that say the same as an earlier one.
    Duplicates,
    /// Rows that say nearly the same as an earlier one.
    NearDuplicates,
    /// Rows of very few tokens.
    TooShort,
    /// Rows in another language than the chosen ones.
    Language,
    /// Rows of labels that stand far more often than others.
    Balance,
    /// Rows that surprise the base model too much.
    Perplexity,
    /// Rows of more tokens than fit.
    TooLong,
    /// One question with different answers.
    Contradictions,
    /// Exam questions that are also trained on.
    Leaks,
}

impl Rule {
    /// All rules, in the order in which they are checked and applied: what mends comes first, so that the others see
    /// mended text; what makes new rows comes after what leaves rows out.
    pub const ALL: [Self; 16] = [
        Self::Html,
        Self::Characters,
        Self::Width,
        Self::Hyphenation,
        Self::Whitespace,
        Self::Boilerplate,
        Self::Personal,
        Self::Duplicates,
        Self::NearDuplicates,
        Self::TooShort,
        Self::Language,
        Self::Balance,
        Self::Perplexity,
        Self::TooLong,
        Self::Contradictions,
        Self::Leaks,
    ];

    /// The stable code, as in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Characters => "characters",
            Self::Width => "width",
            Self::Hyphenation => "hyphenation",
            Self::Whitespace => "whitespace",
            Self::Boilerplate => "boilerplate",
            Self::Personal => "personal",
            Self::Duplicates => "duplicates",
            Self::NearDuplicates => "near_duplicates",
            Self::TooShort => "too_short",
            Self::Language => "language",
            Self::Balance => "balance",
            Self::Perplexity => "perplexity",
            Self::TooLong => "too_long",
            Self::Contradictions => "contradictions",
            Self::Leaks => "leaks",
        }
    }

    /// The rule with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.code() == code)
    }

    /// Whether the rule is applied when nobody chose rules. The others lose something that may be wanted, so they only
    /// show their hits until somebody decides: `personal` may take out the telephone number that is to be learned,
    /// `language` errs on short rows, `balance` and `perplexity` leave out good rows by the dozen.
    pub fn by_default(self) -> bool {
        !matches!(self, Self::Personal | Self::Language | Self::Balance | Self::Perplexity)
    }
}
