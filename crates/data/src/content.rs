//! What comes out of a file before it becomes passages or rows: blocks of text, or records.

use crate::Message;

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing came out; the issues say why.
    Nothing,
    /// Running text, in reading order.
    Text(Vec<Block>),
    /// Records with named columns.
    Records(Records),
}

/// What a block of text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockKind {
    /// A heading; it opens a section.
    Heading {
        /// From 1, the outermost.
        level: u8,
        /// Its words, without markup.
        title: String,
    },
    /// Running text.
    Paragraph,
    /// An item of a list, with its mark.
    ListItem,
    /// A Markdown table, one row a line.
    Table,
    /// Program text or anything else whose lines must stay.
    Code,
}

/// One piece of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What it is.
    pub kind: BlockKind,
    /// Its text with the line ends that part it from the next block, so that all blocks together are the document.
    pub text: String,
    /// First and last page it stands on, from 1, where the format has pages.
    pub pages: Option<(u32, u32)>,
}

/// The whole text of a document: its blocks one after the other.
pub fn document_text(blocks: &[Block]) -> String {
    blocks.iter().map(|block| block.text.as_str()).collect()
}

/// Puts a blank line behind the last item of each list and behind tables, where the reader made the line ends.
#[cfg(feature = "import")]
pub(crate) fn part_lists(blocks: &mut [Block]) {
    for at in 0..blocks.len() {
        let ends = match blocks[at].kind {
            BlockKind::ListItem => blocks.get(at + 1).is_none_or(|next| next.kind != BlockKind::ListItem),
            BlockKind::Table => true,
            _ => false,
        };
        if ends && !blocks[at].text.ends_with("\n\n") {
            blocks[at].text.push('\n');
        }
    }
}

/// The records of a structured file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records {
    /// Column names: a table's in its order, those of JSON records as they first come up, each record's by name.
    pub columns: Vec<String>,
    /// The records in file order.
    pub records: Vec<Record>,
}

/// One record of a structured file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// Line it begins on, from 1 (element number, from 1, in a JSON array).
    pub line: u32,
    /// One value a column, empty where the record has none. Never longer than the columns; may be shorter.
    pub values: Vec<String>,
    /// The conversation, where the record carries one itself (`messages`, `conversations`).
    pub messages: Vec<Message>,
}

impl Records {
    /// The position of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

impl Record {
    /// The value in a column, empty where there is none.
    pub fn value(&self, column: usize) -> &str {
        self.values.get(column).map_or("", String::as_str)
    }
}
