//! The words of the data path: document, passage, row, message. Plain values, no behaviour beyond themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A file that was read, as it stands in the project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Document {
    /// SHA-256 of the file's bytes, lower-case hex: its identity and its name in `sources/`.
    pub hash: String,
    /// File name as the user knows it.
    pub name: String,
    /// Where it was when imported.
    pub path: String,
    /// `pdf`, `docx`, `markdown`, `text`, `csv` or `jsonl`.
    pub format: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Pages, where the format has them.
    pub pages: Option<u32>,
    /// Characters of text that came out.
    pub characters: u64,
    /// What was noticed while reading.
    pub issues: Vec<Issue>,
}

/// How bad an issue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum IssueKind {
    /// The file gave nothing.
    Unreadable,
    /// A part of the file was left out.
    Partial,
    /// Worth a look; nothing was left out.
    Remark,
}

/// Something noticed while reading a file: which file, where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Issue {
    /// How bad.
    pub kind: IssueKind,
    /// Stable code, e.g. `pdf_without_text`.
    pub code: String,
    /// The file's name.
    pub file: String,
    /// Where in it: `page 3`, `line 17, column answer`. Empty for the whole file.
    pub place: String,
    /// What is wrong, one sentence.
    pub message: String,
    /// What the user can do, one sentence.
    pub hint: String,
}

/// A stretch of a document that fits a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Passage {
    /// Position in its document, from 0.
    pub index: u32,
    /// First and last page, from 1; absent where the format has no pages.
    pub pages: Option<(u32, u32)>,
    /// `Chapter 3 > Dosage`; empty at the top.
    pub heading: String,
    /// The text, unchanged.
    pub text: String,
    /// Length in tokens of the base model.
    pub tokens: u32,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Role {
    /// Instructions that stand above the conversation.
    System,
    /// The person.
    User,
    /// The model; what it says is trained.
    Assistant,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Message {
    /// Who.
    pub role: Role,
    /// What.
    pub content: String,
}

/// Where a row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Origin {
    /// The text of a passage, to be read on.
    Reading,
    /// A record of a structured file.
    Mapped,
    /// Written from a passage, waiting for review.
    Drafted,
    /// Written by the user.
    Manual,
}

/// Whether a row may be trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum RowStatus {
    /// Waits for review.
    Draft,
    /// In.
    Approved,
    /// Out.
    Rejected,
}

/// Which part of the data a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Split {
    /// Trained on.
    Train,
    /// Measured during training.
    Valid,
    /// Kept for the exam.
    Exam,
}

/// A training example: a conversation, or a text to read (`messages` empty).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Row {
    /// Number in the project's database; 0 before it is stored.
    pub id: i64,
    /// The conversation; empty for a reading row.
    pub messages: Vec<Message>,
    /// The text of a reading row; empty for a conversation.
    pub text: String,
    /// Class label, where the source has one.
    pub label: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// Hash of its document.
    pub document: Option<String>,
    /// Index of its passage in that document.
    pub passage: Option<u32>,
    /// Line of a structured file, from 1, or the first page of the passage.
    pub line: Option<u32>,
    /// Whether it may be trained on.
    pub status: RowStatus,
    /// Its part, once assigned or given by the source.
    pub split: Option<Split>,
    /// Values of the source that are kept beside it and not trained on, by column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[ts(optional, as = "Option<BTreeMap<String, String>>")]
    pub metadata: BTreeMap<String, String>,
}
