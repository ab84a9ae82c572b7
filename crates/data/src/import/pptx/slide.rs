use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::import::flow::Flow;
use crate::import::grid::Table;
use crate::import::xml::{self, Element};

/// Elements whose content is no text of the slide: the second of two renderings, old properties.
const SKIPPED: &[&str] = &["Fallback", "extLst", "timing", "transition"];

/// What stands on one slide (or notes page, or in one diagram), in the order of its shapes.
#[derive(Debug, Default)]
pub(super) struct Slide {
    title: Option<(u8, String)>,
    parts: Vec<Part>,
    /// Why the XML broke off.
    pub broken: Option<String>,
    pub too_deep: bool,
}

#[derive(Debug)]
enum Part {
    Paragraph(String),
    Item { depth: usize, mark: String, text: String },
    Table(Table),
}

impl Slide {
    /// Puts what the slide says behind what is there, the title first wherever its shape stands.
    pub(super) fn put(self, flow: &mut Flow) {
        if let Some((level, title)) = &self.title {
            flow.heading(*level, title);
        }
        let mut numbers: Vec<u32> = Vec::new();
        for part in self.parts {
            match part {
                Part::Item { depth, mark, text } if mark == "#" => {
                    numbers.resize(depth + 1, 0);
                    numbers[depth] += 1;
                    flow.item(depth, &format!("{}.", numbers[depth]), &text);
                }
                Part::Item { depth, mark, text } => {
                    numbers.truncate(depth);
                    flow.item(depth, &mark, &text);
                }
                Part::Paragraph(text) => {
                    numbers.clear();
                    flow.paragraph(&text);
                }
                Part::Table(table) => {
                    numbers.clear();
                    flow.table(table);
                }
            }
        }
    }
}

/// What a shape is for, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The title of the whole, or of this slide.
    Title(u8),
    /// The text of the layout, whose paragraphs are items unless they say otherwise.
    Body,
    /// Any other box.
    Box,
    /// Dates, footers, numbers.
    Nowhere,
}

/// Reads a slide; of a notes page, the notes alone.
pub(super) fn read(xml: &str, is_notes: bool, max_depth: usize) -> Slide {
    let mut state = State {
        slide: Slide::default(),
        is_notes,
        place: if is_notes { Place::Nowhere } else { Place::Box },
        table: None,
        paragraph: None,
    };
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    let (mut depth, mut skipping, mut in_text) = (0usize, None::<usize>, 0usize);
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                state.slide.broken = Some(error.to_string());
                break;
            }
        };
        match event {
            Event::Start(start) => {
                depth += 1;
                let name = start.local_name();
                if skipping.is_none() && SKIPPED.contains(&name.as_ref()) {
                    skipping = Some(depth);
                } else if skipping.is_none() && depth > max_depth {
                    state.slide.too_deep = true;
                    skipping = Some(depth);
                } else if skipping.is_none() {
                    in_text += usize::from(name.as_ref() == "t");
                    state.open(&start);
                }
            }
            Event::Empty(start) if skipping.is_none() => {
                state.open(&start);
                state.close(start.local_name().as_ref());
            }
            Event::End(end) => {
                if skipping.is_none() {
                    in_text = in_text.saturating_sub(usize::from(end.local_name().as_ref() == "t"));
                    state.close(end.local_name().as_ref());
                }
                skipping = skipping.filter(|opened| *opened != depth);
                depth = depth.saturating_sub(1);
            }
            Event::Text(text) if in_text > 0 && skipping.is_none() => state.text(&text.xml10_content()),
            Event::CData(text) if in_text > 0 && skipping.is_none() => state.text(&text.xml10_content()),
            Event::GeneralRef(reference) if in_text > 0 && skipping.is_none() => {
                state.text(&xml::reference(&reference));
            }
            Event::Eof => {
                if depth > 0 {
                    state.slide.broken = Some("the file ends in the middle".to_owned());
                }
                break;
            }
            _ => {}
        }
    }
    state.close("p");
    state.close("tbl");
    state.slide
}

#[derive(Default)]
struct Paragraph {
    text: String,
    depth: usize,
    /// The mark it asks for; `None` leaves it to the place.
    mark: Option<&'static str>,
}

struct State {
    slide: Slide,
    is_notes: bool,
    place: Place,
    table: Option<Table>,
    paragraph: Option<Paragraph>,
}

impl State {
    fn text(&mut self, text: &str) {
        if let Some(paragraph) = &mut self.paragraph {
            paragraph.text.push_str(text);
        }
    }

    fn open(&mut self, start: &BytesStart) {
        match start.local_name().as_ref() {
            // A shape that is no placeholder; what kind it is comes within it.
            "sp" | "graphicFrame" | "pt" => self.place = if self.is_notes { Place::Nowhere } else { Place::Box },
            "ph" => self.place = placed(Element::of(start).get("type").unwrap_or("obj"), self.is_notes),
            "tbl" => self.table = Some(Table::default()),
            "tr" => self.in_table(Table::open_row),
            "tc" => {
                let span = Element::of(start).get("gridSpan").and_then(|span| span.parse().ok()).unwrap_or(1);
                self.in_table(|table| {
                    table.open_cell();
                    table.span(span);
                });
            }
            "p" => self.paragraph = Some(Paragraph::default()),
            "pPr" => {
                let level = Element::of(start).get("lvl").and_then(|level| level.parse().ok()).unwrap_or(0);
                self.in_paragraph(|paragraph| paragraph.depth = level);
            }
            "buNone" => self.in_paragraph(|paragraph| paragraph.mark = Some("")),
            "buChar" | "buBlip" => self.in_paragraph(|paragraph| paragraph.mark = Some("-")),
            "buAutoNum" => self.in_paragraph(|paragraph| paragraph.mark = Some("#")),
            "br" => self.text("\n"),
            "tab" => self.text("\t"),
            _ => {}
        }
    }

    fn in_table(&mut self, change: impl FnOnce(&mut Table)) {
        if let Some(table) = &mut self.table {
            change(table);
        }
    }

    fn in_paragraph(&mut self, change: impl FnOnce(&mut Paragraph)) {
        if let Some(paragraph) = &mut self.paragraph {
            change(paragraph);
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "p" => {
                if let Some(paragraph) = self.paragraph.take() {
                    self.paragraph(paragraph);
                }
            }
            "tc" => {
                if let Some(table) = &mut self.table {
                    table.close_cell();
                }
            }
            "tbl" => {
                if let Some(table) = self.table.take() {
                    self.slide.parts.push(Part::Table(table));
                }
            }
            _ => {}
        }
    }

    fn paragraph(&mut self, paragraph: Paragraph) {
        let text = paragraph.text.trim();
        if text.is_empty() {
            return;
        }
        if let Some(table) = &mut self.table {
            return table.paragraph(text);
        }
        match (self.place, paragraph.mark) {
            (Place::Nowhere, _) => {}
            (Place::Title(level), _) => match &mut self.slide.title {
                Some((_, title)) => *title = format!("{title} {text}"),
                title => *title = Some((level, text.to_owned())),
            },
            (Place::Body, None) if !self.is_notes => self.item(paragraph.depth, "-", text),
            (_, Some(mark)) if !mark.is_empty() => self.item(paragraph.depth, mark, text),
            _ => self.slide.parts.push(Part::Paragraph(text.to_owned())),
        }
    }

    fn item(&mut self, depth: usize, mark: &str, text: &str) {
        let (mark, text) = (mark.to_owned(), text.to_owned());
        self.slide.parts.push(Part::Item { depth: depth.min(8), mark, text });
    }
}

fn placed(kind: &str, is_notes: bool) -> Place {
    match kind {
        "body" if is_notes => Place::Box,
        _ if is_notes => Place::Nowhere,
        "ctrTitle" => Place::Title(1),
        "title" => Place::Title(2),
        "dt" | "ftr" | "hdr" | "sldNum" | "sldImg" => Place::Nowhere,
        "subTitle" => Place::Box,
        _ => Place::Body,
    }
}
