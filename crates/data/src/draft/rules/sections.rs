//! Questions from headings: what stands under them, and the steps of a numbered list.

use crate::draft::rules::{Title, ended, plain};
use crate::draft::{Draft, DraftKind};
use crate::passages::sentences;

/// Longest answer that a section's opening gives, characters.
const LONGEST: usize = 360;
/// Longest list that becomes one answer, characters.
const LONGEST_LIST: usize = 1600;

/// Headings under which a numbered list is no list of steps.
const CONTENTS: &[&str] = &["contents", "table of contents", "index", "inhalt", "目录", "目次", "索引"];

/// What a section says first: its first sentences under its heading.
pub(super) fn opening(paragraph: &str, title: &Title, chinese: bool) -> Option<Draft> {
    let title = title.words()?;
    if [". . .", ".....", "……"].iter().any(|leader| paragraph.contains(leader)) {
        return None; // a table of contents
    }
    let mut quote = 0;
    for sentence in sentences(paragraph).into_iter().take(2) {
        if quote > 0 && paragraph[..quote + sentence.len()].chars().count() > LONGEST {
            break;
        }
        quote += sentence.len();
    }
    let quote = paragraph[..quote].trim();
    let length = quote.chars().count();
    // What is longer is a list in disguise; what is shorter says nothing.
    if length > 2 * LONGEST || length < if chinese { 8 } else { 20 } {
        return None;
    }
    let question = if chinese {
        format!("关于“{title}”，文档是怎么说的？")
    } else {
        format!("What does the document say about “{title}”?")
    };
    let answer = ended(&one_line(quote, chinese), chinese);
    Some(Draft { kind: DraftKind::Fact, question, answer, quote: quote.to_owned() })
}

/// The steps or points under a heading, in their order.
pub(super) fn steps(list: &str, count: usize, title: &Title, chinese: bool) -> Option<Draft> {
    let title = title.words().filter(|title| !CONTENTS.contains(&title.to_lowercase().as_str()))?;
    if list.chars().count() > LONGEST_LIST {
        return None;
    }
    let question = if chinese {
        format!("“{title}”有哪{count}个步骤或要点？")
    } else {
        format!("What are the {count} steps or points under “{title}”, in order?")
    };
    let lines = list.lines().map(str::trim).filter(|line| !line.is_empty()).map(plain);
    let answer = lines.collect::<Vec<_>>().join("\n");
    Some(Draft { kind: DraftKind::Procedure, question, answer, quote: list.to_owned() })
}

/// The text in one line, as it would be read aloud.
pub(super) fn one_line(text: &str, chinese: bool) -> String {
    let parts: Vec<&str> = text.split_whitespace().collect();
    plain(&parts.join(if chinese && !text.is_ascii() && text.contains('\n') { "" } else { " " }))
}
