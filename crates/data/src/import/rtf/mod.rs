//! Rich Text Format: paragraphs, headings, lists, tables and notes.
//!
//! Left out on purpose: headers, footers, comments, deleted and hidden text, pictures, field codes.

mod body;
mod fonts;
mod tokens;

use crate::import::{Input, Parsed};
use crate::{Content, Issue};

/// Reads a Rich Text file.
pub(super) fn read(input: &Input) -> Parsed {
    let body = body::read(input.bytes);
    let mut issues = Vec::new();
    if body.cut_off {
        let message = "The file ends in the middle of the document";
        let hint = "Copy or download it again, or open it in its program and save it as new";
        issues.push(Issue::partial(
            "damaged",
            input.name,
            &format!("after paragraph {}", body.paragraphs),
            message,
            hint,
        ));
    }
    let blocks = body.flow.finish();
    if blocks.is_empty() {
        let hint = "If it shows pictures of text, make it a text with a text recognition program (OCR) first";
        issues.insert(0, Issue::unreadable("no_text", input.name, "The document holds no text", hint));
        return Parsed { content: Content::Nothing, pages: None, issues };
    }
    Parsed { content: Content::Text(blocks), pages: None, issues }
}

#[cfg(test)]
mod tests;
