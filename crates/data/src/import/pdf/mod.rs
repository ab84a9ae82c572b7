//! PDF: pages -> lines with their place and size -> reading order -> headings, paragraphs, lists and tables.
//!
//! The text is foreign code's work (`pdf_oxide`); the order of columns, the joining of lines and what is left out
//! (running headers, footers, page numbers) are decided here.

mod blocks;
mod furniture;
mod layout;
mod mend;
mod page;
mod ruled;
mod scans;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use hone_job::Cancelled;
use pdf_oxide::document::PdfDocument;
use pdf_oxide::object::Object;

use crate::content::Content;
use crate::import::{Input, Parsed};
use crate::issue::IssueList;
use crate::{Block, Issue};

use page::Page;

/// No page takes fewer bytes of a file, however well it is packed.
const BYTES_PER_PAGE: usize = 16;
/// After this many pages in a row that cannot be read, the others are left out.
const MAX_FAILURES: usize = 40;

const SAVE_AGAIN: &str = "Open it in a PDF viewer, print it into a new PDF, and import that";
const RECOGNISE: &str = "Open it in the list and have its pictures read as text (`hone import --ocr`); the program Tesseract must be installed";

/// Reads a PDF page by page. Pages that cannot be read, and scanned pages without text, are named. `done` counts the
/// pages behind it.
///
/// # Errors
/// [`Cancelled`] when the job was asked to stop between two pages.
pub(super) fn read(input: &Input, done: &AtomicU32) -> Result<Parsed, Cancelled> {
    let (document, count) = match open(input) {
        Ok(opened) => opened,
        Err(issue) => return Ok(Parsed::nothing(issue)),
    };
    let mut issues = IssueList::default();
    let possible = input.bytes.len() / BYTES_PER_PAGE + 1;
    let taken = count.min(input.options.max_pages as usize).min(possible);
    if count > possible {
        let message = format!("The file claims {count} pages, more than it can hold");
        issues.push(Issue::partial("damaged", input.name, "", message, SAVE_AGAIN));
    } else if taken < count {
        let message = format!("The file has {count} pages; those after page {taken} were left out");
        issues.push(Issue::partial("too_many_pages", input.name, "", message, "Split it into smaller files"));
    }
    let started = Instant::now();
    let mut pages = Vec::new();
    let mut failures = 0;
    let mut scans = scans::Scans::default();
    for number in 0..taken {
        input.job.check()?;
        done.store(number as u32, Ordering::Relaxed);
        if started.elapsed().as_secs() >= input.options.max_seconds {
            let message = format!("Reading took too long, so the pages after page {number} of {count} were left out");
            issues.push(Issue::partial("too_slow", input.name, "", message, SAVE_AGAIN));
            break;
        }
        let read = catch_unwind(AssertUnwindSafe(|| Page::read(&document, number)));
        let cause = match read {
            Ok(Ok(mut page)) => {
                if page.is_empty_picture()
                    && let Some(recogniser) = &input.options.ocr
                {
                    scans.recognise(&document, &mut page, recogniser, input, &mut issues)?;
                }
                pages.push(page);
                failures = 0;
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its reader stopped".to_owned(),
        };
        let message = format!("This page could not be read: {cause}");
        issues.push(Issue::partial("damaged_page", input.name, &format!("page {}", number + 1), message, SAVE_AGAIN));
        failures += 1;
        if failures == MAX_FAILURES && number + 1 < taken {
            let message = format!(
                "{failures} pages in a row could not be read, so those after page {} were left out",
                number + 1
            );
            issues.push(Issue::partial("damaged", input.name, "", message, SAVE_AGAIN));
            break;
        }
    }
    issues.extend(scans.remark(input.name));
    let blocks = text(&mut pages);
    let pictures = pages.iter().any(Page::is_empty_picture);
    let mut first = None;
    if blocks.is_empty() && !pictures && pages.len() < taken {
        let message = format!("Not one of {taken} pages could be read");
        first = Some(Issue::unreadable("damaged", input.name, message, SAVE_AGAIN));
    } else if blocks.is_empty() {
        first = scanned(input.name, &pages, true);
    } else {
        issues.extend(scanned(input.name, &pages, false));
        issues.extend(garbled(input.name, &blocks));
    }
    let issues = first.into_iter().chain(issues.into_issues()).collect();
    let content = if blocks.is_empty() { Content::Nothing } else { Content::Text(blocks) };
    Ok(Parsed { content, pages: Some(taken as u32), issues })
}

fn open(input: &Input) -> Result<(PdfDocument, usize), Issue> {
    let protected = || {
        Issue::unreadable(
            "password_protected",
            input.name,
            "This PDF can be opened with its password only",
            "Open it in a PDF viewer with its password, print it into a new PDF, and import that",
        )
    };
    let damaged = |cause: String| {
        let message = format!("This PDF is damaged or was cut off: {cause}");
        Issue::unreadable(
            "damaged",
            input.name,
            message,
            "Copy or download it again, or open it in a PDF viewer and save it as new",
        )
    };
    let document = PdfDocument::from_bytes(input.bytes.to_vec()).map_err(|error| match error {
        pdf_oxide::Error::EncryptedPdf => protected(),
        error => damaged(error.to_string()),
    })?;
    if document.is_encrypted() && !document.is_authenticated() {
        return Err(protected());
    }
    if runs_in_a_circle(&document) {
        return Err(damaged("its list of pages runs in a circle".to_owned()));
    }
    match document.page_count() {
        Ok(0) => Err(damaged("it has no pages".to_owned())),
        Ok(count) => Ok((document, count)),
        Err(pdf_oxide::Error::EncryptedPdf) => Err(protected()),
        Err(error) => Err(damaged(error.to_string())),
    }
}

/// Whether the tree of pages leads back to itself: `pdf_oxide` 0.3.78 walks such a tree again and again.
fn runs_in_a_circle(document: &PdfDocument) -> bool {
    let root = document.catalog().ok().and_then(|catalog| catalog.as_dict()?.get("Pages")?.as_reference());
    let (mut open, mut seen): (Vec<_>, HashSet<_>) = (root.into_iter().collect(), HashSet::new());
    while let Some(node) = open.pop() {
        if !seen.insert(node) {
            return true;
        }
        let kids = document.load_object(node).ok().and_then(|node| match node.as_dict()?.get("Kids")? {
            Object::Reference(list) => document.load_object(*list).ok()?.as_array().cloned(),
            list => list.as_array().cloned(),
        });
        open.extend(kids.into_iter().flatten().filter_map(|kid| kid.as_reference()));
    }
    false
}

/// Pages into blocks: what repeats on the pages' edges goes, lines are ordered, joined and named.
fn text(pages: &mut [Page]) -> Vec<Block> {
    furniture::remove(pages);
    let ordered: Vec<(u32, Vec<layout::Line>)> =
        pages.iter().map(|page| (page.number, layout::in_reading_order(page))).collect();
    blocks::blocks(&ordered)
}

/// The issue of pages that are pictures. A blank page among others is nothing to name.
fn scanned(file: &str, pages: &[Page], nothing: bool) -> Option<Issue> {
    let without = pages.iter().filter(|page| page.is_empty_picture()).count();
    let without = if nothing { pages.len() } else { without };
    if without == 0 {
        return None;
    }
    let share = 100.0 * without as f64 / pages.len() as f64;
    let message = format!("{without} of {} pages ({share:.0} %) hold no text; they look scanned", pages.len());
    Some(if nothing {
        Issue::unreadable("pdf_without_text", file, message, RECOGNISE)
    } else {
        let numbers: Vec<u32> = pages.iter().filter(|page| page.is_empty_picture()).map(|page| page.number).collect();
        Issue::partial("pdf_without_text", file, &ranges(&numbers), message, RECOGNISE)
    })
}

/// The issue of a text whose letters the file does not name: they come out as signs without meaning.
fn garbled(file: &str, blocks: &[Block]) -> Option<Issue> {
    let is_garbled = |c: char| matches!(u32::from(c), 0xFFFD | 0xE000..=0xF8FF | 0..=8 | 0xE..=0x1F);
    let (mut bad, mut all) = (0usize, 0usize);
    for c in blocks.iter().flat_map(|block| block.text.chars()).filter(|c| !c.is_whitespace()) {
        all += 1;
        bad += usize::from(is_garbled(c));
    }
    (bad * 50 > all).then(|| {
        let message = format!(
            "{:.0} % of the letters cannot be told, since the file does not name them",
            100.0 * bad as f64 / all as f64
        );
        Issue::partial("garbled_text", file, "", message, RECOGNISE)
    })
}

/// `page 3`, `pages 1–4, 7 and 9 more`.
fn ranges(numbers: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let shown = runs.iter().take(6);
    let text: Vec<_> = shown.map(|(a, b)| if a == b { a.to_string() } else { format!("{a}–{b}") }).collect();
    let more: u32 = runs.iter().skip(6).map(|(a, b)| b - a + 1).sum();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} {}{more}", if numbers.len() == 1 { "page" } else { "pages" }, text.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_numbers_are_told_as_ranges() {
        assert_eq!(ranges(&[3]), "page 3");
        assert_eq!(ranges(&[1, 2, 3, 7]), "pages 1–3, 7");
        assert_eq!(ranges(&[1, 3, 5, 7, 9, 11, 13, 14]), "pages 1, 3, 5, 7, 9, 11 and 2 more");
    }
}
