use crate::import::{Input, Parsed, decode};
use crate::{Block, BlockKind, Content};

/// Reads plain text: paragraphs parted by blank lines, the text unchanged but for its line ends.
pub(super) fn read(input: &Input) -> Parsed {
    let mut issues = Vec::new();
    match decode::decode(input, &mut issues) {
        Ok(text) => Parsed { content: Content::Text(paragraphs(&text)), pages: None, issues },
        Err(issue) => Parsed::nothing(issue),
    }
}

/// Cuts a text behind blank lines; the pieces together are the text.
pub(super) fn paragraphs(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut start, mut at, mut blank) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        let is_blank = line.trim().is_empty();
        if blank && !is_blank && !text[start..at].trim().is_empty() {
            blocks.push(paragraph(&text[start..at]));
            start = at;
        }
        blank = is_blank;
        at += line.len();
    }
    if start < text.len() {
        blocks.push(paragraph(&text[start..]));
    }
    blocks
}

fn paragraph(text: &str) -> Block {
    Block { kind: BlockKind::Paragraph, text: text.to_owned(), pages: None }
}
