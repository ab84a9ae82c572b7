//! Word documents: their paragraphs, headings, lists, tables and notes, read from the XML inside the package.
//!
//! Left out on purpose: headers, footers, comments, deleted and hidden text, tables of contents, pictures.

mod body;
mod lists;
mod styles;

use crate::import::package::{Package, PartError, resolved};
use crate::import::{Format, Input, Parsed};
use crate::issue::IssueList;
use crate::{Content, Issue, content};

/// Reads a Word document.
pub(super) fn read(input: &Input) -> Parsed {
    let unreadable = |error: PartError| Parsed::nothing(error.issue(input.name, Format::Docx));
    let mut package = match Package::open(input) {
        Ok(package) => package,
        Err(error) => return unreadable(error),
    };
    let (main, folder) = match main(&mut package) {
        Ok(main) => main,
        Err(error) => return unreadable(error),
    };
    let mut issues = IssueList::default();
    let mut side = |name: &str| match package.part(&resolved(&folder, name)) {
        Ok(part) => part.unwrap_or_default(),
        Err(error) => {
            let issue = error.issue(input.name, Format::Docx);
            issues.push(Issue { kind: crate::IssueKind::Partial, place: name.to_owned(), ..issue });
            String::new()
        }
    };
    let (styles, numbering, footnotes, endnotes) =
        (side("styles.xml"), side("numbering.xml"), side("footnotes.xml"), side("endnotes.xml"));
    let context = body::Context {
        styles: styles::Styles::read(&styles),
        lists: lists::Lists::read(&numbering),
        footnotes: body::notes(&footnotes, "footnote", input.options.max_depth),
        endnotes: body::notes(&endnotes, "endnote", input.options.max_depth),
        max_depth: input.options.max_depth,
    };
    let mut read = body::read(&main, &context);
    content::part_lists(&mut read.blocks);
    if let Some(cause) = &read.broken {
        issues.push(Issue::partial(
            "damaged",
            input.name,
            &format!("after paragraph {}", read.paragraphs),
            format!("The document breaks off here: {cause}"),
            "Open it in Word, save it again, and import that",
        ));
    }
    if read.too_deep {
        issues.push(Issue::partial(
            "too_deep",
            input.name,
            "",
            "Tables within tables go deeper than the limit; what is deeper was left out",
            "Flatten the tables, and import the file again",
        ));
    }
    let mut issues = issues.into_issues();
    if read.blocks.iter().all(|block| block.text.trim().is_empty()) {
        issues.insert(
            0,
            Issue::unreadable(
                "no_text",
                input.name,
                "The document holds no text",
                "If it shows pictures of text, make it a text with a text recognition program (OCR) first",
            ),
        );
        return Parsed { content: Content::Nothing, pages: None, issues };
    }
    Parsed { content: Content::Text(read.blocks), pages: None, issues }
}

/// The part that holds the text, found through the package's relations, and the folder that it stands in.
fn main(package: &mut Package) -> Result<(String, String), PartError> {
    let target = package.relations("")?.into_iter().find(|relation| relation.is("officeDocument"));
    let target = target.map_or_else(|| "word/document.xml".to_owned(), |relation| relation.target);
    let folder = target.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    Ok((package.part(&target)?.ok_or(PartError::Missing)?, folder))
}

#[cfg(test)]
mod tests;
