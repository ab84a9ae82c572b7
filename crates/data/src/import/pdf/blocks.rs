//! Lines in reading order -> headings, paragraphs, list items and tables.

use std::collections::BTreeMap;

use crate::import::pdf::layout::Line;
use crate::import::pdf::mend::Words;
use crate::{Block, BlockKind, content};

/// Sizes above the body's that make levels of headings; smaller ones share the last.
const MAX_LEVELS: usize = 5;

/// The blocks of a document, its pages' lines given in reading order with their page numbers. A paragraph that goes on
/// over the page goes on here.
pub(super) fn blocks(pages: &[(u32, Vec<Line>)]) -> Vec<Block> {
    let style = Style::of(pages);
    let mut words = Words::default();
    pages.iter().flat_map(|(_, lines)| lines).for_each(|line| words.add(&line.text));
    let mut open: Option<Open> = None;
    let mut blocks = Vec::new();
    for (page, lines) in pages {
        for line in lines {
            let kind = style.kind(line);
            match &mut open {
                Some(open) if open.takes(line, kind, *page, &style) => {
                    words.append(&mut open.text, &line.text);
                    open.last = line.clone();
                    open.pages.1 = *page;
                }
                _ => {
                    blocks.extend(open.take().map(|open| open.close(&style)));
                    open = Some(Open {
                        kind,
                        text: line.text.clone(),
                        pages: (*page, *page),
                        first: line.clone(),
                        last: line.clone(),
                    });
                }
            }
        }
    }
    blocks.extend(open.map(|open| open.close(&style)));
    content::part_lists(&mut blocks);
    blocks
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Larger than the body; the size in tenths of a point.
    Large(u32),
    /// As large as the body, and bold.
    Bold,
    Body,
    Item,
    Table,
}

struct Open {
    kind: Kind,
    text: String,
    pages: (u32, u32),
    first: Line,
    last: Line,
}

impl Open {
    /// Whether the line goes on with this block.
    fn takes(&self, line: &Line, kind: Kind, page: u32, style: &Style) -> bool {
        let same = match (self.kind, kind) {
            (Kind::Large(a), Kind::Large(b)) => a == b,
            (Kind::Body | Kind::Item, Kind::Body) | (Kind::Bold, Kind::Bold) => {
                (self.last.size - line.size).abs() < 0.08 * line.size
            }
            // A bold line within running text.
            (Kind::Body | Kind::Item, Kind::Bold) => !self.ends_short() && !self.ends_sentence(),
            _ => false,
        };
        if !same {
            return false;
        }
        let step = self.last.area.bottom - line.area.bottom;
        if page != self.pages.1 || step <= 0.0 {
            // The next page or column: on with a sentence that has not ended.
            let goes_on =
                line.text.chars().next().is_some_and(|c| c.is_lowercase() || (c.is_alphabetic() && !c.is_uppercase()));
            return matches!(self.kind, Kind::Body | Kind::Item)
                && !self.ends_sentence()
                && (goes_on || self.text.ends_with('-'));
        }
        if step > style.leading * line.size * 1.28 {
            return false;
        }
        if matches!(self.kind, Kind::Body) {
            let indent = line.area.left - self.last.area.left;
            let is_indented =
                indent > 0.8 * line.size && indent < 5.0 * line.size && self.first.area.left >= self.last.area.left;
            return !(self.ends_sentence() && (self.ends_short() || is_indented));
        }
        true
    }

    fn ends_short(&self) -> bool {
        self.last.area.right < self.last.column_right - 4.0 * self.last.size
    }

    fn ends_sentence(&self) -> bool {
        self.text
            .trim_end_matches(['"', '”', '’', ')', '）', '」'])
            .ends_with(['.', '!', '?', ':', ';', '。', '！', '？', '：', '；'])
    }

    fn close(self, style: &Style) -> Block {
        let title = || self.text.trim().to_owned();
        let few = self.text.chars().count() <= 200;
        let kind = match self.kind {
            Kind::Table => BlockKind::Table,
            Kind::Item => BlockKind::ListItem,
            Kind::Large(size) if few => BlockKind::Heading { level: style.level(size), title: title() },
            Kind::Bold if self.text.chars().count() <= 90 && !self.ends_sentence() => {
                BlockKind::Heading { level: style.levels.len() as u8 + 1, title: title() }
            }
            _ => BlockKind::Paragraph,
        };
        let end = match kind {
            BlockKind::Table | BlockKind::ListItem => "\n",
            _ => "\n\n",
        };
        Block { kind, text: format!("{}{end}", self.text), pages: Some(self.pages) }
    }
}

/// What is usual in a document.
struct Style {
    /// Font size of most letters, points.
    body: f32,
    /// Usual distance of lines, in font sizes.
    leading: f32,
    /// Sizes of headings, tenths of a point, largest first.
    levels: Vec<u32>,
}

impl Style {
    fn of(pages: &[(u32, Vec<Line>)]) -> Self {
        let mut letters: BTreeMap<u32, usize> = BTreeMap::new();
        let mut steps: Vec<f32> = Vec::new();
        for (_, lines) in pages {
            for line in lines.iter().filter(|line| !line.is_table) {
                *letters.entry(tenths(line.size)).or_default() += line.text.chars().count();
            }
            for pair in lines.windows(2).filter(|pair| !pair[0].is_table && !pair[1].is_table) {
                let step = (pair[0].area.bottom - pair[1].area.bottom) / pair[1].size;
                if (0.8..2.2).contains(&step) && (pair[0].size - pair[1].size).abs() < 0.5 {
                    steps.push(step);
                }
            }
        }
        let body = letters.iter().max_by_key(|(_, count)| **count).map_or(100, |(size, _)| *size);
        steps.sort_by(f32::total_cmp);
        let mut levels: Vec<u32> =
            letters.keys().rev().copied().filter(|size| *size as f32 > body as f32 * 1.11).collect();
        // Sizes closer than half a point are one.
        levels.dedup_by(|smaller, larger| *larger - *smaller < 5);
        levels.truncate(MAX_LEVELS);
        Self { body: body as f32 / 10.0, leading: steps.get(steps.len() / 2).copied().unwrap_or(1.3), levels }
    }

    fn kind(&self, line: &Line) -> Kind {
        let letters = line.text.chars().filter(|c| c.is_alphabetic()).count();
        if line.is_table {
            Kind::Table
        } else if line.size > self.body * 1.11 && letters > 0 {
            Kind::Large(tenths(line.size))
        } else if is_item(&line.text) {
            Kind::Item
        } else if line.bold && line.size > self.body * 0.95 && letters > 1 {
            Kind::Bold
        } else {
            Kind::Body
        }
    }

    fn level(&self, size: u32) -> u8 {
        let level =
            self.levels.iter().position(|level| size + 5 > *level).unwrap_or(self.levels.len().saturating_sub(1));
        level as u8 + 1
    }
}

fn tenths(size: f32) -> u32 {
    (size * 10.0).round().clamp(0.0, 1e6) as u32
}

/// Whether a line opens a list item: a bullet, `1.`, `a)`, `(iv)`, `（一）`.
fn is_item(text: &str) -> bool {
    let mut chars = text.chars();
    match chars.next() {
        Some('•' | '◦' | '▪' | '‣' | '●' | '○' | '■' | '–' | '—' | '*' | '\u{F0B7}') => {
            chars.next().is_some_and(char::is_whitespace)
        }
        Some('-') => chars.next() == Some(' '),
        Some('（') => text.chars().take(5).any(|c| c == '）'),
        Some(first) if first.is_alphanumeric() || first == '(' => {
            let mark = text.split_whitespace().next().unwrap_or_default();
            let bare = mark.trim_start_matches('(').trim_end_matches([')', '.']);
            let short = bare.len() <= 3
                && (bare.chars().all(|c| c.is_ascii_digit())
                    || bare.len() == 1
                    || bare.chars().all(|c| "ivx".contains(c)));
            let closed = mark.ends_with(')') || (mark.ends_with('.') && bare.chars().all(|c| c.is_ascii_digit()));
            short && !bare.is_empty() && closed && text.len() > mark.len()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::pdf::page::Area;

    fn line(text: &str, top: f32, size: f32) -> Line {
        let area = Area { left: 70.0, right: 520.0, bottom: top - size, top };
        Line { text: text.into(), area, size, bold: false, is_table: false, column_right: 520.0 }
    }

    fn check(pages: &[(u32, Vec<Line>)], expected: &[(&str, &str, (u32, u32))]) {
        let found: Vec<_> = blocks(pages)
            .iter()
            .map(|block| {
                let kind = match &block.kind {
                    BlockKind::Heading { level, .. } => format!("h{level}"),
                    other => format!("{other:?}"),
                };
                (kind, block.text.trim().to_owned(), block.pages.unwrap())
            })
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(kind, text, pages)| ((*kind).to_owned(), (*text).to_owned(), *pages)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn larger_lines_are_headings_and_close_lines_one_paragraph() {
        let page = vec![
            line("1. The ship", 800.0, 18.0),
            line("1.1 Her deck", 770.0, 13.0),
            line("The deck is long and it can be seen from", 750.0, 10.0),
            line("the shore.", 737.0, 10.0),
            line("Another thought on a new para-", 710.0, 10.0),
            line("graph of its own.", 697.0, 10.0),
        ];
        check(
            &[(1, page)],
            &[
                ("h1", "1. The ship", (1, 1)),
                ("h2", "1.1 Her deck", (1, 1)),
                ("Paragraph", "The deck is long and it can be seen from the shore.", (1, 1)),
                ("Paragraph", "Another thought on a new paragraph of its own.", (1, 1)),
            ],
        );
    }

    #[test]
    fn a_sentence_goes_on_over_the_page() {
        let first = vec![line("One sentence that is long enough to", 100.0, 10.0)];
        let second = vec![line("end on the next page.", 800.0, 10.0), line("New start", 770.0, 10.0)];
        check(
            &[(3, first), (4, second)],
            &[
                ("Paragraph", "One sentence that is long enough to end on the next page.", (3, 4)),
                ("Paragraph", "New start", (4, 4)),
            ],
        );
    }

    #[test]
    fn list_items_stand_apart() {
        let page = vec![
            line("Bring:", 800.0, 10.0),
            line("• a coat that is warm enough for a", 787.0, 10.0),
            line("night outside", 774.0, 10.0),
            line("• a lamp", 761.0, 10.0),
            line("2. In the end", 748.0, 10.0),
        ];
        check(
            &[(1, page)],
            &[
                ("Paragraph", "Bring:", (1, 1)),
                ("ListItem", "• a coat that is warm enough for a night outside", (1, 1)),
                ("ListItem", "• a lamp", (1, 1)),
                ("ListItem", "2. In the end", (1, 1)),
            ],
        );
    }
}
