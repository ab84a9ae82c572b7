use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::import::{Input, Parsed, decode};
use crate::{Block, BlockKind, Content};

/// Reads Markdown: its text unchanged, cut at its outermost blocks and list items, with headings known as such.
pub(super) fn read(input: &Input) -> Parsed {
    let mut issues = Vec::new();
    match decode::decode(input, &mut issues) {
        Ok(text) => Parsed { content: Content::Text(blocks(&text)), pages: None, issues },
        Err(issue) => Parsed::nothing(issue),
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut starts = starts(text).into_iter().peekable();
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some((_, kind)) = starts.next() {
        let end = starts.peek().map_or(text.len(), |(range, _)| range.start).max(at);
        if end > at {
            blocks.push(Block { kind, text: text[at..end].to_owned(), pages: None });
            at = end;
        }
    }
    if at < text.len() {
        blocks.push(Block { kind: BlockKind::Paragraph, text: text[at..].to_owned(), pages: None });
    }
    blocks
}

/// Where outermost blocks begin, in order, and what they are.
fn starts(text: &str) -> Vec<(Range<usize>, BlockKind)> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS | Options::ENABLE_STRIKETHROUGH;
    let mut starts: Vec<(Range<usize>, BlockKind)> = Vec::new();
    let (mut depth, mut in_list) = (0usize, false);
    let mut heading: Option<(u8, Range<usize>, String)> = None;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        match event {
            Event::Start(tag) => {
                match (&tag, depth) {
                    (Tag::Heading { level, .. }, 0) => heading = Some((*level as u8, range, String::new())),
                    (Tag::List(_), 0) => in_list = true,
                    (Tag::Item, 1) if in_list => starts.push((range, BlockKind::ListItem)),
                    (Tag::Table(_), 0) => starts.push((range, BlockKind::Table)),
                    (Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::MetadataBlock(_), 0) => {
                        starts.push((range, BlockKind::Code));
                    }
                    (_, 0) => starts.push((range, BlockKind::Paragraph)),
                    _ => {}
                }
                depth += 1;
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    in_list = false;
                    if let (TagEnd::Heading(_), Some((level, range, title))) = (tag, heading.take()) {
                        starts.push((range, BlockKind::Heading { level, title }));
                    }
                }
            }
            Event::Text(words) | Event::Code(words) => {
                if let Some((_, _, title)) = &mut heading {
                    title.push_str(&words);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some((_, _, title)) = &mut heading {
                    title.push(' ');
                }
            }
            Event::Rule if depth == 0 => starts.push((range, BlockKind::Paragraph)),
            _ => {}
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::content::document_text;

    #[test]
    fn headings_lists_tables_and_code_are_told_apart_and_the_text_is_kept() {
        let text = "---\ntitle: x\n---\n\n# The *big* `Guide`\n\nWords\nhere.\n\nSub\n---\n\n- one\n- two\n  - inner\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\n# no heading\n```\n";
        let blocks = blocks(text);
        assert_eq!(document_text(&blocks), text);
        let kinds: Vec<_> = blocks.iter().map(|block| block.kind.clone()).collect();
        let heading = |level, title: &str| BlockKind::Heading { level, title: title.into() };
        assert_eq!(
            kinds,
            [
                BlockKind::Code,
                heading(1, "The big Guide"),
                BlockKind::Paragraph,
                heading(2, "Sub"),
                BlockKind::ListItem,
                BlockKind::ListItem,
                BlockKind::Table,
                BlockKind::Code,
            ]
        );
        assert_eq!(blocks[5].text, "- two\n  - inner\n\n");
    }

    proptest! {
        #[test]
        fn blocks_together_are_the_text(text in "[-#>|*`_ \\[\\]()a-z0-9:\n\t~<!中é]{0,120}") {
            prop_assert_eq!(document_text(&blocks(&text)), text);
        }
    }
}
