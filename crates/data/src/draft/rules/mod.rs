//! Questions drafted without any model: from headings, definitions, tables and numbered steps, in English and Chinese.
//!
//! Fewer and plainer than a model's, but nothing is invented: every answer is made of the passage's own words, and its
//! quote stands there. Not here: refusals, since a rule cannot know what a document does not say.

mod definitions;
mod parts;
mod sections;
mod tables;

use std::collections::HashSet;

use crate::draft::{Draft, DraftSettings, is_chinese};
use crate::text::normalised;
use parts::{Part, parts};

/// The writer's name, as it is kept with the drafts.
pub const NAME: &str = "rules";

/// Drafts from one passage, at most `per_passage`, spread over the passage, of the kinds asked for. `heading` is the
/// passage's own path of headings.
pub fn draft(heading: &str, text: &str, settings: &DraftSettings) -> Vec<Draft> {
    let chinese = is_chinese(text);
    let mut found = Vec::new();
    let mut title = Title::of(heading.rsplit(" > ").next().unwrap_or_default());
    let parts = parts(text);
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Heading(words) => title = Title::of(words),
            Part::Table(table) => found.extend(tables::drafts(table, &title, chinese)),
            Part::Steps { text, items } => found.extend(sections::steps(text, items.len(), &title, chinese)),
            Part::List(items) => {
                found.extend(items.iter().filter_map(|item| definitions::labelled(item, &title, chinese)));
            }
            Part::Paragraph(words) => {
                let first = at == 0 || matches!(parts[at - 1], Part::Heading(_));
                found.extend(first.then(|| sections::opening(words, &title, chinese)).flatten());
                found.extend(definitions::defined(words, chinese));
            }
        }
    }
    let mut asked = HashSet::new();
    found.retain(|draft| settings.kinds.contains(&draft.kind) && asked.insert(normalised(&draft.question)));
    spread(found, settings.per_passage)
}

/// The words of a heading, without its number.
struct Title(String);

impl Title {
    fn of(heading: &str) -> Self {
        let words = heading.trim();
        let number = words.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let words = if number.len() < words.len() && number.starts_with(char::is_whitespace) { number } else { words };
        Self(plain(words))
    }

    fn words(&self) -> Option<&str> {
        let is_name = (2..=80).contains(&self.0.chars().count()) && self.0.chars().any(char::is_alphabetic);
        is_name.then_some(self.0.as_str())
    }
}

/// Text without the marks of Markdown's emphasis.
fn plain(text: &str) -> String {
    text.trim().replace("**", "").replace(['*', '`'], "").trim().to_owned()
}

/// Text that reads on behind other words: its first letter small, unless the first word is a name, a number or an
/// abbreviation, which nobody can tell for sure; so only articles and a few common words are made small.
fn lowered(text: &str) -> String {
    const SMALL: [&str; 8] = ["The", "A", "An", "Each", "Every", "All", "Any", "No"];
    match text.split_once(' ') {
        Some((first, rest)) if SMALL.contains(&first) => format!("{} {rest}", first.to_lowercase()),
        _ => text.to_owned(),
    }
}

/// Puts a full stop behind text that has no end.
fn ended(text: &str, chinese: bool) -> String {
    let text = text.trim();
    let open = !text.ends_with(['.', '!', '?', '。', '！', '？', '…']);
    match (open, chinese) {
        (false, _) => text.to_owned(),
        (true, true) => format!("{text}。"),
        (true, false) => format!("{text}."),
    }
}

/// At most `most` of them, evenly spread.
fn spread(drafts: Vec<Draft>, most: usize) -> Vec<Draft> {
    let count = drafts.len();
    if count <= most {
        return drafts;
    }
    let mut kept = drafts.into_iter().enumerate();
    let mut out = Vec::with_capacity(most);
    for n in 0..most {
        let wanted = n * count / most;
        out.extend(kept.find(|(at, _)| *at == wanted).map(|(_, draft)| draft));
    }
    out
}

#[cfg(test)]
mod tests;
