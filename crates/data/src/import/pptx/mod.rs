//! PowerPoint files: slide after slide its title, text, lists, tables, diagrams and notes.
//!
//! Left out on purpose: dates, footers and slide numbers, comments, pictures, charts. A slide counts as a page.

mod slide;

use crate::import::flow::Flow;
use crate::import::package::{Package, PartError};
use crate::import::{Format, Input, Parsed, xml};
use crate::issue::IssueList;
use crate::{Content, Issue};

/// Reads a PowerPoint file.
pub(super) fn read(input: &Input) -> Parsed {
    match presentation(input) {
        Ok(parsed) => parsed,
        Err(error) => Parsed::nothing(error.issue(input.name, Format::Pptx)),
    }
}

fn presentation(input: &Input) -> Result<Parsed, PartError> {
    let mut package = Package::open(input)?;
    let main = package.relations("")?.into_iter().find(|relation| relation.is("officeDocument"));
    let main = main.map_or_else(|| "ppt/presentation.xml".to_owned(), |relation| relation.target);
    let text = package.part(&main)?.ok_or(PartError::Missing)?;
    let relations = package.relations(&main)?;
    let slides: Vec<String> = xml::elements(&text, "sldId")
        .filter_map(|slide| {
            let id = slide.related()?;
            relations.iter().find(|relation| relation.id == id).map(|relation| relation.target.clone())
        })
        .take(input.options.max_pages as usize)
        .collect();
    let mut flow = Flow::default();
    let mut issues = IssueList::default();
    let mut number = 0;
    for part in &slides {
        if input.job.check().is_err() {
            break;
        }
        number += 1;
        flow.page = Some(number);
        if let Err(error) = take(&mut package, part, input, number, &mut flow, &mut issues) {
            let place = format!("slide {number}");
            let issue = error.issue(input.name, Format::Pptx);
            issues.push(Issue { kind: crate::IssueKind::Partial, place, ..issue });
        }
    }
    let blocks = flow.finish();
    let mut issues = issues.into_issues();
    if blocks.is_empty() {
        issues.insert(
            0,
            Issue::unreadable(
                "no_text",
                input.name,
                "There is no text on the slides",
                "If they show pictures of text, make it a text with a text recognition program (OCR) first",
            ),
        );
        return Ok(Parsed { content: Content::Nothing, pages: None, issues });
    }
    Ok(Parsed { content: Content::Text(blocks), pages: Some(number), issues })
}

/// One slide with its diagrams and notes.
fn take(
    package: &mut Package,
    part: &str,
    input: &Input,
    number: u32,
    flow: &mut Flow,
    issues: &mut IssueList,
) -> Result<(), PartError> {
    let mut read = |text: &str, is_notes| {
        let slide = slide::read(text, is_notes, input.options.max_depth);
        let place = format!("slide {number}");
        if let Some(cause) = &slide.broken {
            let message = format!("The slide breaks off in the middle: {cause}");
            let hint = "Open it in PowerPoint, save it again, and import that";
            issues.push(Issue::partial("damaged", input.name, &place, message, hint));
        }
        if slide.too_deep {
            let message = "Shapes within shapes go deeper than the limit; what is deeper was left out";
            issues.push(Issue::partial(
                "too_deep",
                input.name,
                &place,
                message,
                "Ungroup the shapes, and import again",
            ));
        }
        slide.put(flow);
    };
    let text = package.part(part)?.ok_or(PartError::Missing)?;
    read(&text, false);
    let relations = package.relations(part)?;
    for relation in relations.iter().filter(|relation| relation.is("diagramData")) {
        read(&package.part(&relation.target)?.unwrap_or_default(), false);
    }
    for relation in relations.iter().filter(|relation| relation.is("notesSlide")) {
        read(&package.part(&relation.target)?.unwrap_or_default(), true);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
