//! Structured files: which column is the question, the answer, the context, the label, the part.

mod apply;
mod guess;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Record, Records, Row};

pub use apply::{Applied, Mapper, apply};
pub use guess::guess;

/// Which column plays which part. A column that is not named here is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Mapping {
    /// What the person says.
    pub question: Option<String>,
    /// What the model should say. Without it, the label is the answer.
    pub answer: Option<String>,
    /// Put below the question, where the record has one.
    pub context: Option<String>,
    /// Instructions above the conversation.
    pub system: Option<String>,
    /// A text to read on; only where there is no question.
    pub text: Option<String>,
    /// The class.
    pub label: Option<String>,
    /// `train`, `valid` or `exam` (also `test`, `验证集` ...), kept as given.
    pub split: Option<String>,
    /// Kept beside the row, not trained on: where it came from, who wrote it, when.
    pub metadata: Vec<String>,
}

impl Mapping {
    /// The named columns with the mapping's own word for each.
    pub fn named(&self) -> Vec<(&'static str, &str)> {
        [
            ("question", &self.question),
            ("answer", &self.answer),
            ("context", &self.context),
            ("system", &self.system),
            ("text", &self.text),
            ("label", &self.label),
            ("split", &self.split),
        ]
        .into_iter()
        .filter_map(|(part, column)| column.as_deref().map(|column| (part, column)))
        .chain(self.metadata.iter().map(|column| ("metadata", column.as_str())))
        .collect()
    }

    /// Whether rows can come out: a question with an answer or a label, or a text.
    pub fn is_complete(&self) -> bool {
        self.text.is_some() || (self.question.is_some() && (self.answer.is_some() || self.label.is_some()))
    }
}

/// Records and rows of a file that are shown.
const SHOWN: usize = 5;
/// Characters of a value that are shown.
const SHOWN_CHARACTERS: usize = 160;

/// The values of the first records, one a column, long ones cut: what is shown below the columns' names.
pub fn sample(columns: &[String], records: &[Record]) -> Vec<Vec<String>> {
    let cut = |value: &str| {
        let mut short: String = value.chars().take(SHOWN_CHARACTERS).collect();
        if short.len() < value.len() {
            short.push('…');
        }
        short
    };
    let values = |record: &Record| (0..columns.len()).map(|column| cut(record.value(column))).collect();
    records.iter().take(SHOWN).map(values).collect()
}

/// A structured file with its mapping, as it is shown before the rows are taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MappedFile {
    /// Hash of the document.
    pub document: String,
    /// File name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<String>,
    /// Guessed, or as chosen.
    pub mapping: Mapping,
    /// The values of its first five records, one a column, long ones cut.
    pub sample: Vec<Vec<String>>,
    /// The first five rows that come out.
    pub preview: Vec<Row>,
    /// How many rows come out.
    pub rows: u64,
    /// How many of them are conversations of their own (`messages`), which need no mapping.
    pub conversations: u64,
}

impl MappedFile {
    /// What is shown for a file whose rows were taken by [`apply`].
    pub fn of(document: &str, name: &str, records: &Records, mapping: &Mapping, rows: &[Row]) -> Self {
        Self {
            document: document.to_owned(),
            name: name.to_owned(),
            columns: records.columns.clone(),
            mapping: mapping.clone(),
            sample: sample(&records.columns, &records.records),
            preview: rows.iter().take(SHOWN).cloned().collect(),
            rows: rows.len() as u64,
            conversations: records.records.iter().filter(|record| !record.messages.is_empty()).count() as u64,
        }
    }
}
