use pdf_oxide::document::PdfDocument;
use pdf_oxide::layout::TextSpan;

use crate::import::pdf::{mend, ruled};
use crate::text::is_cjk;

/// A page whose drawing unpacks to more is not read, bytes.
const MAX_DRAWING: usize = 64 << 20;

/// Rows of more runs are not looked at for raised letters.
const MAX_PAIRS: usize = 10_000;

/// Pixels: smaller pictures hold no text.
const LEAST_PICTURE: u32 = 64;
/// A page that is put together from more pictures than this is read from the first of them.
const MAX_PICTURES: usize = 64;

/// Runs farther apart than this are not one line: columns, cells. In font sizes.
const WIDE_GAP: f32 = 1.3;

/// A rectangle on a page, points from the lower left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub left: f32,
    pub right: f32,
    pub bottom: f32,
    pub top: f32,
}

impl Area {
    pub(super) fn width(&self) -> f32 {
        self.right - self.left
    }

    pub(super) fn middle(&self) -> f32 {
        f32::midpoint(self.bottom, self.top)
    }

    /// How far the middle of `other` is from here; 0 inside.
    pub(super) fn distance(&self, other: &Self) -> f32 {
        let (x, y) = (f32::midpoint(other.left, other.right), other.middle());
        (self.left - x).max(x - self.right).max(0.0) + (self.bottom - y).max(y - self.top).max(0.0)
    }

    pub(super) fn around(&self, other: &Self) -> Self {
        Self {
            left: self.left.min(other.left),
            right: self.right.max(other.right),
            bottom: self.bottom.min(other.bottom),
            top: self.top.max(other.top),
        }
    }

    pub(super) fn holds(&self, other: &Self) -> bool {
        let (x, y) = (f32::midpoint(other.left, other.right), other.middle());
        x >= self.left - 1.0 && x <= self.right + 1.0 && y >= self.bottom - 1.0 && y <= self.top + 1.0
    }
}

/// A run of words on one line without a wide gap.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub text: String,
    pub area: Area,
    /// Font size, points.
    pub size: f32,
    pub bold: bool,
    /// The rows of a Markdown table rather than one line.
    pub is_table: bool,
}

/// A page as pieces, in no order that matters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    /// From 1.
    pub number: u32,
    pub bottom: f32,
    pub top: f32,
    pub pieces: Vec<Piece>,
    has_picture: bool,
}

impl Page {
    /// # Errors
    /// The reader's own, and [`pdf_oxide::Error::InvalidPdf`] for a page that unpacks to too much.
    pub(super) fn read(document: &PdfDocument, index: usize) -> Result<Self, pdf_oxide::Error> {
        let drawing = document.get_page_content_data(index).map_or(0, |drawing| drawing.len());
        if drawing > MAX_DRAWING {
            let cause = format!("its drawing unpacks to {} MB", drawing >> 20);
            return Err(pdf_oxide::Error::InvalidPdf(cause));
        }
        let spans = document.extract_spans(index)?;
        let mut runs: Vec<Run> =
            spans.iter().filter(|span| span.rotation_degrees.abs() < 1.0).filter_map(run).collect();
        let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
        let upright: usize = runs.iter().map(|run| letters(run.text)).sum();
        let all: usize = spans.iter().map(|span| letters(&span.text)).sum();
        let mut pieces: Vec<Piece> = Vec::new();
        if upright * 2 < all {
            // A page on its side: in the order its reader gives.
            pieces = sideways(&document.extract_text(index)?);
        } else {
            if !runs.is_empty() {
                pieces = ruled::take(document, index, &spans, &mut runs);
            }
            pieces.extend(self::pieces(&mut runs));
        }
        let has_picture =
            pieces.is_empty() && document.page_image_handles(index).is_ok_and(|images| !images.is_empty());
        let (bottom, top) = match document.get_page_media_box(index) {
            Ok((_, a, _, b)) if (b - a).abs() > 1.0 => (a.min(b), a.max(b)),
            _ => (0.0, pieces.iter().map(|piece| piece.area.top).fold(1.0, f32::max)),
        };
        Ok(Self { number: index as u32 + 1, bottom, top, pieces, has_picture })
    }

    /// A page that shows a picture and holds no text.
    pub(super) fn is_empty_picture(&self) -> bool {
        self.pieces.is_empty() && self.has_picture
    }

    /// The pictures on the page from top to bottom, as PNG. Marks and rulings are no pictures to read.
    ///
    /// # Errors
    /// The reader's own.
    pub(super) fn pictures(document: &PdfDocument, index: usize) -> Result<Vec<Vec<u8>>, pdf_oxide::Error> {
        let mut pictures = document.extract_images(index)?;
        pictures.retain(|picture| picture.width().min(picture.height()) >= LEAST_PICTURE);
        let top = |picture: &pdf_oxide::extractors::PdfImage| picture.bbox().map_or(0.0, |area| area.y + area.height);
        pictures.sort_by(|a, b| top(b).total_cmp(&top(a)));
        pictures.iter().take(MAX_PICTURES).map(pdf_oxide::extractors::PdfImage::to_png_bytes).collect()
    }

    /// Takes what was recognised on a scanned page: lines below each other in the order in which they are read, whatever
    /// columns they stood in, a gap between paragraphs.
    pub(super) fn set_recognised(&mut self, paragraphs: Vec<Vec<String>>) {
        let mut top = self.top - 40.0;
        for lines in paragraphs {
            let count = lines.len();
            for (at, line) in lines.into_iter().enumerate() {
                // The last line of a paragraph need not be full.
                let right = if at + 1 == count && count > 1 { 300.0 } else { 500.0 };
                let area = Area { left: 70.0, right, bottom: top - 10.0, top };
                let text = mend::line(&line);
                if !text.is_empty() {
                    self.pieces.push(Piece { text, area, size: 10.0, bold: false, is_table: false });
                }
                top -= 12.0;
            }
            top -= 12.0;
        }
        self.bottom = self.bottom.min(top);
    }

    #[cfg(test)]
    pub(super) fn of(number: u32, pieces: Vec<Piece>) -> Self {
        Self { number, bottom: 0.0, top: 842.0, pieces, has_picture: false }
    }
}

/// A sign that belongs to the word before it: `, and` but not `.deb`.
fn is_mark(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next().is_some_and(|c| matches!(c, ',' | '.' | ';' | ':' | ')' | '’'));
    first && chars.next().is_none_or(|next| !next.is_alphanumeric())
}

/// Lines of a text without places, put below each other.
fn sideways(text: &str) -> Vec<Piece> {
    let place = |at: usize| {
        let top = 800.0 - 12.0 * at as f32;
        Area { left: 70.0, right: 500.0, bottom: top - 10.0, top }
    };
    let piece =
        |(at, line)| Piece { text: mend::line(line), area: place(at), size: 10.0, bold: false, is_table: false };
    text.lines().enumerate().map(piece).filter(|piece: &Piece| !piece.text.is_empty()).collect()
}

pub(super) fn area(rect: &pdf_oxide::geometry::Rect) -> Area {
    Area { left: rect.x, right: rect.x + rect.width, bottom: rect.y, top: rect.y + rect.height }
}

/// One run of text in one font, as the file draws it.
pub(super) struct Run<'a> {
    text: &'a str,
    pub area: Area,
    size: f32,
    bold: bool,
}

fn run(span: &TextSpan) -> Option<Run<'_>> {
    let area = area(&span.bbox);
    let sane = [area.left, area.right, area.bottom, area.top].iter().all(|side| side.is_finite());
    let size = span.font_size.abs();
    let size = if size.is_finite() && size > 0.5 { size } else { (area.top - area.bottom).max(1.0) };
    let drawn = sane && !span.text.trim().is_empty();
    drawn.then(|| Run { text: &span.text, area, size, bold: span.font_weight.is_bold() })
}

/// Runs on one line without a wide gap between them become one piece.
pub(super) fn pieces(runs: &mut Vec<Run>) -> Vec<Piece> {
    runs.sort_by(|a, b| b.area.middle().total_cmp(&a.area.middle()));
    let mut rows: Vec<Vec<Run>> = Vec::new();
    for run in runs.drain(..) {
        match rows.last_mut() {
            Some(row) if same_line(&row[0], &run) => row.push(run),
            _ => rows.push(vec![run]),
        }
    }
    let mut pieces = Vec::new();
    for mut row in with_raised(rows) {
        row.sort_by(|a, b| a.area.left.total_cmp(&b.area.left));
        let mut open: Vec<Run> = Vec::new();
        for run in row {
            if open.last().is_some_and(|last| run.area.left - last.area.right > WIDE_GAP * run.size.max(last.size)) {
                pieces.extend(joined(&open));
                open.clear();
            }
            open.push(run);
        }
        pieces.extend(joined(&open));
    }
    pieces
}

/// Puts raised and lowered letters into the line that they belong to: the highest of them may have begun a row that the
/// lowest are too far from. A row stands where its longest run does.
fn with_raised(rows: Vec<Vec<Run<'_>>>) -> Vec<Vec<Run<'_>>> {
    let longest = |row: &[Run]| -> Option<(Area, f32)> {
        let run = row.iter().max_by(|a, b| a.area.width().total_cmp(&b.area.width()))?;
        Some((run.area, run.size))
    };
    let apart = |a: &[Run], b: &[Run]| {
        let overlaps = |a: &Run, b: &Run| a.area.left < b.area.right - 0.5 && b.area.left < a.area.right - 0.5;
        a.len() * b.len() <= MAX_PAIRS && !a.iter().any(|a| b.iter().any(|b| overlaps(a, b)))
    };
    let mut joined: Vec<Vec<Run>> = Vec::new();
    for row in rows {
        match (joined.last_mut(), longest(&row)) {
            (Some(above), Some((area, size)))
                if longest(above).is_some_and(|(other, larger)| {
                    (other.middle() - area.middle()).abs() < 0.45 * size.max(larger)
                }) && apart(above, &row) =>
            {
                above.extend(row);
            }
            _ => joined.push(row),
        }
    }
    joined
}

fn same_line(a: &Run, b: &Run) -> bool {
    (a.area.middle() - b.area.middle()).abs() < 0.45 * a.size.max(b.size)
}

/// Runs of one line, with a space where there is a gap: a change of font is not one.
fn joined(runs: &[Run]) -> Option<Piece> {
    let right_to_left = |c: char| matches!(u32::from(c), 0x590..=0x8FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFC);
    let area = runs.iter().map(|run| run.area).reduce(|a, b| a.around(&b))?;
    let letters = |run: &Run| run.text.chars().count() as f32;
    let all: f32 = runs.iter().map(letters).sum();
    let size = runs.iter().map(|run| run.size * letters(run)).sum::<f32>() / all.max(1.0);
    let bold: f32 = runs.iter().filter(|run| run.bold).map(letters).sum();
    let mut text = String::new();
    let (mut end, mut before) = (f32::NAN, f32::NAN);
    let backwards = runs.iter().filter(|run| run.text.chars().any(right_to_left)).count() * 2 > runs.len();
    let ordered: Vec<&Run> = if backwards { runs.iter().rev().collect() } else { runs.iter().collect() };
    for run in ordered {
        let gap = if backwards { end - run.area.right } else { run.area.left - end } / size;
        if let (Some(last), Some(first)) = (text.chars().next_back(), run.text.chars().next()) {
            let least = if is_cjk(last) && is_cjk(first) {
                0.4
            } else if is_cjk(last) || is_cjk(first) {
                // Between a character and a Latin word a quarter of a letter is left where there is a space at all.
                if last.is_alphanumeric() && first.is_alphanumeric() { 0.15 } else { 0.4 }
            } else if is_mark(run.text) || matches!(last, '(' | '“') {
                0.2
            } else {
                0.1
            };
            // The raised number of a footnote and the note.
            let raised = run.size > 1.2 * before && text.chars().all(char::is_numeric);
            if (gap > least || raised) && !last.is_whitespace() && !first.is_whitespace() {
                text.push(' ');
            }
        }
        text.push_str(run.text);
        end = if backwards { run.area.left } else { run.area.right };
        before = run.size;
    }
    let text = mend::line(&text);
    (!text.is_empty()).then_some(Piece { text, area, size, bold: bold * 2.0 > all, is_table: false })
}
