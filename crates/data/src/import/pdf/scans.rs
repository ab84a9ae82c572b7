use hone_job::Cancelled;
use pdf_oxide::document::PdfDocument;

use crate::Issue;
use crate::import::Input;
use crate::import::ocr::{self, NoText, Recogniser};
use crate::import::pdf::page::Page;
use crate::issue::IssueList;

/// Recognition that is less sure than this should be looked at, percent.
const UNSURE: f64 = 80.0;

/// What was recognised on the scanned pages of a document.
#[derive(Debug, Default)]
pub(super) struct Scans {
    pages: Vec<u32>,
    words: usize,
    sureness: f64,
}

impl Scans {
    /// Recognises the text of a scanned page. A page that cannot be recognised stays one without text, and is named.
    ///
    /// # Errors
    /// [`Cancelled`] when the job was asked to stop.
    pub(super) fn recognise(
        &mut self,
        document: &PdfDocument,
        page: &mut Page,
        recogniser: &Recogniser,
        input: &Input,
        issues: &mut IssueList,
    ) -> Result<(), Cancelled> {
        let mut paragraphs = Vec::new();
        let pictures = Page::pictures(document, page.number as usize - 1).map_err(|error| error.to_string());
        let mut cause = pictures.as_ref().err().cloned();
        for picture in pictures.unwrap_or_default() {
            match ocr::recognise(recogniser, picture, input.job) {
                Ok(found) => {
                    self.words += found.words;
                    self.sureness += found.sureness;
                    paragraphs.extend(found.paragraphs);
                }
                Err(NoText::Cancelled) => return Err(Cancelled),
                Err(NoText::Failed(said)) => cause = Some(said),
            }
        }
        if let Some(cause) = cause {
            let message = format!("The text of this page could not be recognised: {cause}");
            let hint = "Check that Tesseract has the language of the document, and import it again";
            issues.push(Issue::partial("not_recognised", input.name, &format!("page {}", page.number), message, hint));
        }
        if !paragraphs.is_empty() {
            self.pages.push(page.number);
            page.set_recognised(paragraphs);
        }
        Ok(())
    }

    /// Says on which pages the text was recognised, and how sure that is.
    pub(super) fn remark(&self, file: &str) -> Option<Issue> {
        if self.pages.is_empty() {
            return None;
        }
        let sure = self.sureness / self.words.max(1) as f64;
        let count = self.pages.len();
        let pages = if count == 1 { "1 page".to_owned() } else { format!("{count} pages") };
        let message = format!("The text of {pages} was recognised from pictures, {sure:.0} % sure on average");
        let hint = if sure < UNSURE {
            "Read it through: a scan of 300 dots an inch or more is recognised better"
        } else {
            "Look through the passages for misread words"
        };
        Some(Issue::remark("recognised", file, &super::ranges(&self.pages), message, hint))
    }
}
