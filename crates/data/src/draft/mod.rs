//! Questions and answers drafted from passages: what a model is asked, what its answer must look like, whether the
//! quote stands in the passage, and a drafter that needs no model. Values in, values out; who writes is not known here.

mod derive;
mod ground;
mod parse;
mod prompt;
pub mod rules;
mod synonyms;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::text::is_cjk;
use crate::{Message, Origin, Role, Row, RowStatus};

pub use derive::{back_prompt, pair_schema, paraphrase_prompt, parse_pair, parse_text, text_schema, there_prompt};
pub use ground::{Grounding, grounding, locate};
pub use parse::{Unusable, parse};
pub use prompt::{Prompt, prompt, schema};
pub use synonyms::{Synonyms, WordListError, bundled};

/// What a drafted row is about, or how it was made from another row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum DraftKind {
    /// Who, what, when, where, how much.
    Fact,
    /// How something is done, step by step.
    Procedure,
    /// What a word means here.
    Definition,
    /// How two things differ or agree.
    Comparison,
    /// Something that the document does not say; the answer says so.
    Refusal,
    /// An approved row in other words, by a model.
    Paraphrase,
    /// An approved row with words changed for others of the same meaning.
    Synonyms,
    /// An approved row put into another language and back, by a model.
    BackTranslation,
}

impl DraftKind {
    /// The kinds of question that can be asked for.
    pub const ASKED: [Self; 5] = [Self::Fact, Self::Procedure, Self::Definition, Self::Comparison, Self::Refusal];

    /// The stable code, as in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Fact => "fact",
            Self::Procedure => "procedure",
            Self::Definition => "definition",
            Self::Comparison => "comparison",
            Self::Refusal => "refusal",
            Self::Paraphrase => "paraphrase",
            Self::Synonyms => "synonyms",
            Self::BackTranslation => "back_translation",
        }
    }
}

/// A question with its answer and the words of the passage that support it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// What it is about.
    pub kind: DraftKind,
    /// What the person asks.
    pub question: String,
    /// What the model should answer.
    pub answer: String,
    /// The supporting words, as they stand in the passage; empty for a refusal.
    pub quote: String,
}

impl Draft {
    /// The draft as a row that waits for review. `document` is the passage's document, `passage` its position and
    /// `page` its first page.
    pub fn row(&self, document: &str, passage: u32, page: Option<u32>) -> Row {
        let message = |role, content: &str| Message { role, content: content.trim().to_owned() };
        Row {
            id: 0,
            messages: vec![message(Role::User, &self.question), message(Role::Assistant, &self.answer)],
            text: String::new(),
            label: None,
            origin: Origin::Drafted,
            document: Some(document.to_owned()),
            passage: Some(passage),
            line: page,
            status: RowStatus::Draft,
            split: None,
            metadata: std::collections::BTreeMap::new(),
        }
    }
}

/// What is asked of a drafting model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftSettings {
    /// Kinds of question.
    pub kinds: Vec<DraftKind>,
    /// Most questions a passage.
    pub per_passage: usize,
    /// Language of questions and answers; `None` is the passage's own.
    pub language: Option<String>,
    /// How the answers should sound; empty leaves it to the model.
    pub tone: String,
    /// Further instructions for the model.
    pub system: String,
}

impl Default for DraftSettings {
    fn default() -> Self {
        Self {
            kinds: vec![DraftKind::Fact, DraftKind::Procedure, DraftKind::Definition, DraftKind::Refusal],
            per_passage: 3,
            language: None,
            tone: String::new(),
            system: String::new(),
        }
    }
}

/// Whether a text is mostly written in Chinese characters (or Japanese or Korean ones).
pub fn is_chinese(text: &str) -> bool {
    let (mut cjk, mut letters) = (0_usize, 0_usize);
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        letters += 1;
        cjk += usize::from(is_cjk(c));
    }
    // A Chinese word is about two characters, a Latin one about five letters.
    cjk * 3 > letters
}

/// Whether a passage holds enough to ask about: at least one sentence's worth of letters.
pub fn is_worth_asking(text: &str) -> bool {
    let weight: usize = text.chars().filter(|c| c.is_alphanumeric()).map(|c| if is_cjk(c) { 3 } else { 1 }).sum();
    weight >= 24
}
