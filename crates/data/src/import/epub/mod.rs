//! E-books (EPUB): their chapters in the order of reading.
//!
//! Left out on purpose: covers without words, pictures, and the table of contents, whose titles name chapters that have none.

mod contents;

use std::borrow::Cow;

use dom_query::Document;

use crate::import::flow::Flow;
use crate::import::package::{Package, PartError, resolved};
use crate::import::{Format, Input, Parsed, html, xml};
use crate::issue::IssueList;
use crate::{BlockKind, Content, Issue, IssueKind};

/// The kinds of encryption that hide fonts only.
const FONTS_ONLY: &[&str] = &["http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"];

/// Reads an e-book.
pub(super) fn read(input: &Input) -> Parsed {
    match book(input) {
        Ok(parsed) => parsed,
        Err(PartError::Protected) => Parsed::nothing(Issue::unreadable(
            "password_protected",
            input.name,
            "This e-book is locked to the program or device that it was bought for",
            "Import a copy without copy protection, if you have the right to one",
        )),
        Err(error) => Parsed::nothing(error.issue(input.name, Format::Epub)),
    }
}

fn book(input: &Input) -> Result<Parsed, PartError> {
    let mut package = Package::open(input)?;
    let container = package.part("META-INF/container.xml")?.ok_or(PartError::Missing)?;
    let encryption = package.part("META-INF/encryption.xml")?.unwrap_or_default();
    if xml::elements(&encryption, "EncryptionMethod")
        .any(|method| method.get("Algorithm").is_some_and(|kind| !FONTS_ONLY.contains(&kind)))
    {
        return Err(PartError::Protected);
    }
    let root = xml::elements(&container, "rootfile").find_map(|file| file.get("full-path").map(str::to_owned));
    let root = root.ok_or(PartError::Missing)?;
    let description = package.part(&root)?.ok_or(PartError::Missing)?;
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    let book = contents::Book::read(&description, folder);
    let titles = book.titles(&mut package);
    let mut flow = Flow::default();
    let mut issues = IssueList::default();
    for chapter in book.chapters.iter().take(input.options.max_pages as usize) {
        if input.job.check().is_err() {
            break;
        }
        let page = match package.part(chapter) {
            Ok(page) => page.unwrap_or_default(),
            Err(error @ PartError::Bomb(_)) => return Err(error),
            Err(error) => {
                let issue = error.issue(input.name, Format::Epub);
                issues.push(Issue { kind: IssueKind::Partial, place: format!("chapter {chapter}"), ..issue });
                continue;
            }
        };
        let page = unfolded(&page);
        let (page, too_deep) = html::shallow(&page, input.options.max_depth);
        if too_deep {
            let message = "Elements within each other go deeper than the limit; deeper ones were read as plain text";
            let place = format!("chapter {chapter}");
            issues.push(Issue::partial("too_deep", input.name, &place, message, "Check the text of this chapter"));
        }
        let page = Document::from(page.as_ref());
        let body = page.select_single("body");
        let blocks = body.nodes().first().map(|body| html::blocks(body, false)).unwrap_or_default();
        let has_heading = blocks.iter().any(|block| matches!(block.kind, BlockKind::Heading { .. }));
        if let (false, false, Some(title)) = (blocks.is_empty(), has_heading, titles.get(chapter)) {
            flow.heading(1, title);
        }
        flow.extend(blocks);
    }
    let blocks = flow.finish();
    let mut issues = issues.into_issues();
    if blocks.is_empty() {
        let hint = "If its pages are pictures, make it a text with a text recognition program (OCR) first";
        issues.insert(0, Issue::unreadable("no_text", input.name, "The e-book holds no text", hint));
        return Ok(Parsed { content: Content::Nothing, pages: None, issues });
    }
    Ok(Parsed { content: Content::Text(blocks), pages: None, issues })
}

/// Chapters are XHTML, in which `<title/>` is whole; to a parser of pages it opens a title that goes on to the end.
fn unfolded(page: &str) -> Cow<'_, str> {
    const VOID: &[&str] = &[
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
    ];
    let mut out = String::new();
    let mut kept = 0;
    for (slash, _) in page.match_indices("/>") {
        let Some(start) = page[kept..slash].rfind('<').map(|at| kept + at) else { continue };
        let name = &page[start + 1..slash];
        let name = &name[..name.find(|c: char| c.is_whitespace()).unwrap_or(name.len())];
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if is_name && !VOID.contains(&name.to_ascii_lowercase().as_str()) && !name.contains(':') {
            out.push_str(&page[kept..slash]);
            out.push_str(&format!("></{name}>"));
            kept = slash + 2;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(page);
    }
    out.push_str(&page[kept..]);
    Cow::Owned(out)
}

/// The path of a chapter from a reference, which may be percent-encoded and lead into the middle of it.
fn path(folder: &str, reference: &str) -> String {
    let plain = reference.split('#').next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(plain.len());
    let mut rest = plain.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let hex = |byte: u8| char::from(byte).to_digit(16);
        match (first, more) {
            (b'%', [a, b, behind @ ..]) if hex(*a).is_some() && hex(*b).is_some() => {
                bytes.push((hex(*a).unwrap_or(0) * 16 + hex(*b).unwrap_or(0)) as u8);
                rest = behind;
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    resolved(folder, &String::from_utf8_lossy(&bytes))
}

#[cfg(test)]
mod tests;
