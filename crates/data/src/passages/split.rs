use std::rc::Rc;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::passages::sentences;
use crate::text::is_cjk;
use crate::{Block, BlockKind, Passage};

/// How long a passage should be, in tokens of the base model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PassageLength {
    /// From here on a new section begins a new passage.
    pub min: usize,
    /// Never longer, unless a single character is.
    pub max: usize,
}

impl Default for PassageLength {
    fn default() -> Self {
        Self { min: 512, max: 1024 }
    }
}

/// Cuts a document into passages. Their texts together are the document's text: nothing is lost, nothing doubled.
///
/// Whole blocks go in while they fit; once `min` tokens are reached, a heading begins a new passage. A block too long
/// to fit is cut between sentences (tables and code between lines), and a sentence longer than `max` between clauses
/// or words. A heading is not left alone at the end of a passage. `count` tells the tokens of a text.
pub fn split(blocks: &[Block], count: &dyn Fn(&str) -> usize, length: PassageLength) -> Vec<Passage> {
    let max = length.max.max(1);
    let min = length.min.clamp(1, max);
    let mut passages = Vec::new();
    let mut open: Vec<Unit> = Vec::new();
    let mut tokens = 0;
    for unit in units(blocks, count, min, max) {
        let cut = !open.is_empty() && (tokens + unit.tokens > max || (unit.is_heading && tokens >= min));
        if cut {
            let body = open.iter().rposition(|unit| !unit.is_heading).map_or(open.len(), |last| last + 1);
            let headings = open.split_off(body);
            close(&mut passages, &open, count);
            open = headings;
            tokens = open.iter().map(|unit| unit.tokens).sum();
            if tokens + unit.tokens > max && !open.is_empty() {
                close(&mut passages, &open, count);
                open.clear();
                tokens = 0;
            }
        }
        tokens += unit.tokens;
        open.push(unit);
    }
    close(&mut passages, &open, count);
    passages
}

type Path = Rc<Vec<String>>;

struct Unit<'a> {
    text: &'a str,
    tokens: usize,
    pages: Option<(u32, u32)>,
    path: Path,
    is_heading: bool,
}

fn units<'a>(blocks: &'a [Block], count: &dyn Fn(&str) -> usize, min: usize, max: usize) -> Vec<Unit<'a>> {
    // Blocks up to this long always fit into a passage that has not reached `min` yet.
    let whole = (max - min).max(max / 4).max(1);
    let mut units = Vec::new();
    let mut open: Vec<(u8, String)> = Vec::new();
    let mut path = Path::default();
    for block in blocks {
        let is_heading = if let BlockKind::Heading { level, title } = &block.kind {
            open.retain(|(outer, _)| outer < level);
            open.push((*level, title.trim().to_owned()));
            path = Rc::new(open.iter().map(|(_, title)| title.clone()).filter(|title| !title.is_empty()).collect());
            true
        } else {
            false
        };
        let mut push = |text: &'a str, tokens| {
            units.push(Unit { text, tokens, pages: block.pages, path: Rc::clone(&path), is_heading });
        };
        let tokens = count(&block.text);
        if tokens <= whole {
            push(&block.text, tokens);
            continue;
        }
        let parts = match block.kind {
            BlockKind::Table | BlockKind::Code => block.text.split_inclusive('\n').collect(),
            _ => sentences(&block.text),
        };
        for part in parts {
            halve(part, count, max, &mut push);
        }
    }
    units
}

/// Hands on `text`, halved again and again near its middle until each part is at most `max` tokens.
fn halve<'a>(text: &'a str, count: &dyn Fn(&str) -> usize, max: usize, push: &mut dyn FnMut(&'a str, usize)) {
    let tokens = count(text);
    match middle(text) {
        Some(middle) if tokens > max => {
            halve(&text[..middle], count, max, push);
            halve(&text[middle..], count, max, push);
        }
        _ => push(text, tokens),
    }
}

/// The best place to cut within the middle half: behind a clause, else behind a space or between characters of
/// Chinese, else anywhere. `None` when there is only one character.
fn middle(text: &str) -> Option<usize> {
    let centre = text.len() / 2;
    let (mut best, mut best_rank) = (None, (u8::MAX, usize::MAX));
    let mut previous = None;
    for (at, c) in text.char_indices() {
        if let Some(before) = previous {
            let far = at.abs_diff(centre);
            let near = far <= text.len() / 4;
            let rank = match (before, c) {
                (',' | ';' | ':', c) if near && c.is_whitespace() => 0,
                ('，' | '、' | '：' | '\n', _) if near => 0,
                (b, c) if near && b.is_whitespace() && !c.is_whitespace() => 1,
                (b, c) if near && is_cjk(b) && is_cjk(c) => 2,
                _ => 3,
            };
            if (rank, far) < best_rank {
                (best, best_rank) = (Some(at), (rank, far));
            }
        }
        previous = Some(c);
    }
    best
}

fn close(passages: &mut Vec<Passage>, units: &[Unit], count: &dyn Fn(&str) -> usize) {
    if units.is_empty() {
        return;
    }
    let text: String = units.iter().map(|unit| unit.text).collect();
    let pages =
        units.iter().filter_map(|unit| unit.pages).reduce(|(first, last), (from, to)| (first.min(from), last.max(to)));
    passages.push(Passage {
        index: passages.len() as u32,
        pages,
        heading: heading(units),
        tokens: count(&text) as u32,
        text,
    });
}

/// What the sections of a passage have in common; the first one's path where that is nothing.
fn heading(units: &[Unit]) -> String {
    let mut bodies = units.iter().filter(|unit| !unit.is_heading).peekable();
    let first = bodies.peek().copied().unwrap_or(&units[0]);
    let common = bodies.fold(first.path.len(), |common, unit| {
        first.path.iter().zip(unit.path.iter()).take(common).take_while(|(a, b)| a == b).count()
    });
    let shown = if common == 0 { &first.path[..] } else { &first.path[..common] };
    shown.join(" > ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::content::document_text;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn heading(level: u8, title: &str) -> Block {
        Block { kind: BlockKind::Heading { level, title: title.into() }, text: format!("{title}\n\n"), pages: None }
    }

    fn block(kind: BlockKind, text: &str) -> Block {
        Block { kind, text: text.into(), pages: None }
    }

    fn sentence(words: usize, name: &str) -> String {
        format!("{} end. ", vec![name; words - 1].join(" "))
    }

    fn length(min: usize, max: usize) -> PassageLength {
        PassageLength { min, max }
    }

    #[test]
    fn a_heading_begins_a_passage_once_the_last_is_long_enough() {
        let blocks = [
            heading(1, "Guide"),
            heading(2, "One"),
            block(BlockKind::Paragraph, &sentence(30, "A")),
            heading(2, "Two"),
            block(BlockKind::Paragraph, &sentence(30, "B")),
        ];
        let passages = split(&blocks, &words, length(20, 100));
        assert_eq!(passages.len(), 2);
        assert_eq!(passages[0].heading, "Guide > One");
        assert_eq!(passages[1].heading, "Guide > Two");
        assert!(passages[1].text.starts_with("Two"));
        assert_eq!(passages[0].tokens, 32);
    }

    #[test]
    fn short_sections_share_a_passage_under_what_they_have_in_common() {
        let blocks = [
            heading(1, "Guide"),
            heading(2, "One"),
            block(BlockKind::Paragraph, &sentence(5, "A")),
            heading(2, "Two"),
            block(BlockKind::Paragraph, &sentence(5, "B")),
        ];
        let passages = split(&blocks, &words, length(50, 100));
        assert_eq!((passages.len(), passages[0].heading.as_str()), (1, "Guide"));
    }

    #[test]
    fn a_long_paragraph_is_cut_between_sentences_only() {
        let text: String = (0..40).map(|_| sentence(9, "word")).collect();
        let passages = split(&[block(BlockKind::Paragraph, &text)], &words, length(50, 100));
        assert!(passages.len() >= 4);
        for passage in &passages {
            assert!(passage.text.ends_with("end. ") && passage.text.starts_with("word"), "{}", passage.text);
            assert!(passage.tokens <= 100);
        }
        assert!(passages[0].tokens >= 50);
    }

    #[test]
    fn a_long_table_is_cut_between_rows_only() {
        let text: String = (0..60).map(|row| format!("| row {row} | a. B | c |\n")).collect();
        for passage in split(&[block(BlockKind::Table, &text)], &words, length(40, 80)) {
            assert!(passage.text.starts_with("| row") && passage.text.ends_with("|\n"), "{}", passage.text);
        }
    }

    #[test]
    fn a_heading_is_not_left_at_the_end_of_a_passage() {
        let blocks = [
            block(BlockKind::Paragraph, &sentence(40, "A")),
            heading(1, "Next"),
            block(BlockKind::Paragraph, &sentence(45, "B")),
        ];
        let passages = split(&blocks, &words, length(45, 60));
        assert_eq!(passages.len(), 2);
        assert!(passages[1].text.starts_with("Next"));
    }

    #[test]
    fn pages_are_those_of_the_first_and_last_block() {
        let on = |page, text: &str| Block { pages: Some(page), ..block(BlockKind::Paragraph, text) };
        let passages = split(&[on((3, 3), "One.\n\n"), on((3, 5), "Two.\n\n")], &words, length(5, 10));
        assert_eq!(passages[0].pages, Some((3, 5)));
    }

    #[test]
    fn one_endless_word_is_cut_rather_than_too_long() {
        let chars = |text: &str| text.chars().count();
        let blocks = [block(BlockKind::Paragraph, &"x".repeat(1000))];
        let passages = split(&blocks, &chars, length(16, 64));
        assert!(passages.iter().all(|passage| passage.tokens <= 64));
        assert_eq!(passages.iter().map(|passage| passage.tokens).sum::<u32>(), 1000);
    }

    fn any_block() -> impl Strategy<Value = Block> {
        let kind = prop_oneof![
            (1u8..5, "[A-Z][a-z]{0,8}").prop_map(|(level, title)| BlockKind::Heading { level, title }),
            Just(BlockKind::Paragraph),
            Just(BlockKind::ListItem),
            Just(BlockKind::Table),
            Just(BlockKind::Code),
        ];
        (kind, "[a-zA-Z ,.!?\n|中文。，é]{0,400}", prop::option::of(1u32..9)).prop_map(|(kind, text, page)| Block {
            kind,
            text,
            pages: page.map(|page| (page, page)),
        })
    }

    proptest! {
        #[test]
        fn the_joined_passages_are_the_document(
            blocks in prop::collection::vec(any_block(), 0..20), max in 1usize..80, share in 0.0f64..1.0, by_words in any::<bool>(),
        ) {
            let chars = |text: &str| text.chars().count();
            let count: &dyn Fn(&str) -> usize = if by_words { &words } else { &chars };
            let passages = split(&blocks, count, length((max as f64 * share) as usize, max));
            let joined: String = passages.iter().map(|passage| passage.text.as_str()).collect();
            prop_assert_eq!(joined, document_text(&blocks));
            for (at, passage) in passages.iter().enumerate() {
                prop_assert_eq!(passage.index as usize, at);
                prop_assert!(passage.tokens as usize <= max, "{} > {}", passage.tokens, max);
            }
        }

        #[test]
        fn no_sentence_and_no_row_of_a_table_is_cut_unless_it_is_too_long_itself(
            blocks in prop::collection::vec(any_block(), 0..12), max in 8usize..80,
        ) {
            let chars = |text: &str| text.chars().count();
            // Every place where a cut is allowed: the beginning, and behind blocks, rows and sentences; with the units before them.
            let mut allowed = std::collections::BTreeMap::from([(0, 0)]);
            let mut at = 0;
            for block in &blocks {
                let parts = match block.kind {
                    BlockKind::Table | BlockKind::Code => block.text.split_inclusive('\n').collect(),
                    _ => sentences(&block.text),
                };
                for part in parts {
                    at += part.len();
                    allowed.insert(at, chars(part));
                }
            }
            let mut cut = 0;
            for passage in split(&blocks, &chars, length(max / 2, max)) {
                cut += passage.text.len();
                if !allowed.contains_key(&cut) {
                    let longest = allowed.range(cut..).next().map_or(0, |(_, length)| *length);
                    prop_assert!(longest > max, "cut inside a unit of {longest} of at most {max}");
                }
            }
        }
    }
}
