//! Blocks as readers of marked-up formats make them: one place for the line ends that part them.

use crate::import::grid::Table;
use crate::{Block, BlockKind, content};

/// A document while it is read.
#[derive(Debug, Default)]
pub(super) struct Flow {
    blocks: Vec<Block>,
    /// The page (slide) that is read, from 1.
    pub page: Option<u32>,
}

impl Flow {
    /// A heading; an empty one is none.
    pub(super) fn heading(&mut self, level: u8, text: &str) {
        let title = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !title.is_empty() {
            let kind = BlockKind::Heading { level: level.clamp(1, 9), title: title.clone() };
            self.push(kind, &title, "\n\n");
        }
    }

    /// Running text.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.push(BlockKind::Paragraph, text.trim_end(), "\n\n");
    }

    /// An item of a list: its mark (`-`, `3.`; may be empty) and how deep its list stands in others, from 0.
    pub(super) fn item(&mut self, depth: usize, mark: &str, text: &str) {
        let (indent, gap) = ("  ".repeat(depth.min(9)), if mark.is_empty() { "" } else { " " });
        if !text.trim().is_empty() {
            self.push(BlockKind::ListItem, &format!("{indent}{mark}{gap}{}", text.trim()), "\n");
        }
    }

    /// Text whose lines must stay.
    pub(super) fn code(&mut self, text: &str) {
        self.push(BlockKind::Code, text.trim_end(), "\n\n");
    }

    /// A table; one of a single column becomes its paragraphs.
    pub(super) fn table(&mut self, table: Table) {
        let cells = table.cells();
        match table.markdown() {
            Some(text) => self.push(BlockKind::Table, &text, ""),
            None => cells.iter().for_each(|cell| self.paragraph(cell)),
        }
    }

    /// Blocks of another document, behind these.
    pub(super) fn extend(&mut self, blocks: Vec<Block>) {
        self.blocks.extend(blocks);
    }

    /// The blocks, lists parted from what follows them.
    pub(super) fn finish(mut self) -> Vec<Block> {
        content::part_lists(&mut self.blocks);
        self.blocks
    }

    fn push(&mut self, kind: BlockKind, text: &str, end: &str) {
        if !text.trim().is_empty() {
            let pages = self.page.map(|page| (page, page));
            self.blocks.push(Block { kind, text: format!("{text}{end}"), pages });
        }
    }
}
