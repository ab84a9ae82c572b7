//! Web pages: their main content, without menus, margins, scripts and the addresses behind links.
//!
//! What the main content of a page without a `main` element is, is foreign code's judgement (`dom_smoothie`); what it
//! would leave out too much of is read as a whole. E-books share the walk from elements to blocks.

mod blocks;
mod shallow;

use std::collections::HashMap;

use dom_query::Document;
use dom_smoothie::{Config, Readability};
use encoding_rs::Encoding;

use crate::content::document_text;
use crate::import::{Input, Parsed, decode};
use crate::{Block, BlockKind, Content, Issue};

pub(super) use blocks::blocks;
pub(super) use shallow::shallow;

/// Pages with more elements than this are read as a whole.
const MAX_ELEMENTS: usize = 50_000;
/// Main content that holds a smaller share of the page's text than this was not found.
const LEAST_SHARE: f64 = 0.4;

/// Reads a web page.
pub(super) fn read(input: &Input) -> Parsed {
    let mut issues = Vec::new();
    let text = match decode::decode_declared(input, declared(input.bytes), &mut issues) {
        Ok(text) => text,
        Err(issue) => return Parsed::nothing(issue),
    };
    let (text, too_deep) = shallow(&text, input.options.max_depth);
    if too_deep {
        let message = "Elements within each other go deeper than the limit; deeper ones were read as plain text";
        issues.push(Issue::partial(
            "too_deep",
            input.name,
            "",
            message,
            "Save the page as plain text, and import that",
        ));
    }
    let page = Document::from(text.as_ref());
    let (mut blocks, title) = main_content(page, input.name, &mut issues);
    if blocks.is_empty() {
        let hint = "If the page is filled by a script, save it from the browser as PDF, and import that";
        issues.insert(0, Issue::unreadable("no_text", input.name, "The page holds no text", hint));
        return Parsed { content: Content::Nothing, pages: None, issues };
    }
    let has_title = blocks.iter().any(|block| match (&block.kind, &title) {
        (BlockKind::Heading { level: 1, .. }, _) => true,
        (BlockKind::Heading { title, .. }, Some(of_page)) => title == of_page,
        _ => false,
    });
    if let (false, Some(title)) = (has_title, title) {
        let text = format!("{title}\n\n");
        blocks.insert(0, Block { kind: BlockKind::Heading { level: 1, title }, text, pages: None });
    }
    Parsed { content: Content::Text(blocks), pages: None, issues }
}

/// The blocks of the main content, and the title of the page.
fn main_content(page: Document, name: &str, issues: &mut Vec<Issue>) -> (Vec<Block>, Option<String>) {
    let main = page.select_single("main, [role=main]");
    let main = main.nodes().first().map(|main| blocks(main, false)).filter(|blocks| !blocks.is_empty());
    let whole = page.select_single("body").nodes().first().map(|body| blocks(body, true)).unwrap_or_default();
    let config = Config { max_elements_to_parse: MAX_ELEMENTS, disable_json_ld: true, ..Config::default() };
    let Ok(mut readability) = Readability::with_document(page, None, Some(config)) else { return (whole, None) };
    let title = readability.get_article_title().split_whitespace().collect::<Vec<_>>().join(" ");
    let title = (!title.is_empty()).then(|| without_site(&title, &whole));
    if let Some(main) = main {
        return (main, title);
    }
    let Ok(article) = readability.parse() else { return (whole, title) };
    let article = Document::from(article.content);
    let mut article = article.select_single("body").nodes().first().map(|body| blocks(body, false)).unwrap_or_default();
    with_levels_of(&whole, &mut article);
    let length = |blocks: &[Block]| document_text(blocks).chars().filter(|c| c.is_alphanumeric()).count() as f64;
    let share = length(&article) / length(&whole).max(1.0);
    if share < LEAST_SHARE {
        return (whole, title);
    }
    if share < 0.95 {
        let left_out = 100.0 * (1.0 - share);
        let message = format!("{left_out:.0} % of the page's text was taken for menus and margins and left out");
        let hint = "If something is missing, save the part you need as plain text or PDF, and import that";
        issues.push(Issue::remark("main_content", name, "", message, hint));
    }
    (article, title)
}

/// Gives headings the levels that they have on the page: finding the main content makes every first level a second.
fn with_levels_of(page: &[Block], blocks: &mut [Block]) {
    let levels: HashMap<&str, u8> = page
        .iter()
        .filter_map(|block| match &block.kind {
            BlockKind::Heading { level, title } => Some((title.as_str(), *level)),
            _ => None,
        })
        .collect();
    for block in blocks {
        if let BlockKind::Heading { level, title } = &mut block.kind {
            *level = levels.get(title.as_str()).copied().unwrap_or(*level);
        }
    }
}

/// The title of a page without the name of its site: as a heading of the page has it.
fn without_site(title: &str, blocks: &[Block]) -> String {
    let headings = blocks.iter().filter_map(|block| match &block.kind {
        BlockKind::Heading { title, .. } => Some(title.as_str()),
        _ => None,
    });
    headings.filter(|heading| title.contains(heading)).max_by_key(|heading| heading.len()).unwrap_or(title).to_owned()
}

/// The encoding that a page says it is in, within its first kilobyte.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let at = head.find("charset=")? + "charset=".len();
    let rest = head[at..].trim_start_matches(['"', '\'', ' ']);
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_')).unwrap_or(rest.len());
    Encoding::for_label(&rest.as_bytes()[..end])
}

#[cfg(test)]
mod tests;
