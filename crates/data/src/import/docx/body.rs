use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::import::docx::lists::{Counters, Lists};
use crate::import::docx::styles::Styles;
use crate::import::grid::Table;
use crate::import::xml::{self, Element};
use crate::{Block, BlockKind};

/// Elements whose content is no text of the document: deleted text, field codes, old properties, the second of two
/// renderings, drawings' own numbers.
const SKIPPED: &[&str] = &[
    "del",
    "moveFrom",
    "delText",
    "instrText",
    "delInstrText",
    "Fallback",
    "rPrChange",
    "pPrChange",
    "sectPr",
    "tblPrChange",
    "posOffset",
    "sdtPr",
    "annotation",
];

/// What the other parts of the package say.
pub(super) struct Context {
    pub styles: Styles,
    pub lists: Lists,
    pub footnotes: HashMap<String, String>,
    pub endnotes: HashMap<String, String>,
    pub max_depth: usize,
}

/// What came out of a part.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub blocks: Vec<Block>,
    /// Paragraphs read to their end.
    pub paragraphs: usize,
    /// Why the XML broke off.
    pub broken: Option<String>,
    pub too_deep: bool,
}

/// Reads the paragraphs and tables of a part.
pub(super) fn read(xml: &str, context: &Context) -> Body {
    let mut state = State {
        context,
        body: Body::default(),
        paragraphs: Vec::new(),
        tables: Vec::new(),
        counters: Counters::default(),
        notes: 0,
    };
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    let (mut depth, mut skipping, mut in_text) = (0usize, None::<usize>, 0usize);
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                state.body.broken = Some(error.to_string());
                break;
            }
        };
        match event {
            Event::Start(start) => {
                depth += 1;
                let name = start.local_name();
                if skipping.is_none() && SKIPPED.contains(&name.as_ref()) {
                    skipping = Some(depth);
                } else if skipping.is_none() {
                    if state.tables.len() >= context.max_depth || state.paragraphs.len() >= context.max_depth {
                        state.body.too_deep = true;
                        skipping = Some(depth);
                        continue;
                    }
                    in_text += usize::from(name.as_ref() == "t");
                    state.open(&start);
                }
            }
            Event::Empty(start) if skipping.is_none() && !matches!(start.local_name().as_ref(), "t") => {
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
                    state.body.broken = Some("the file ends in the middle".to_owned());
                }
                break;
            }
            _ => {}
        }
    }
    let whole = state.body.paragraphs;
    while !state.paragraphs.is_empty() {
        state.close("p");
    }
    while !state.tables.is_empty() {
        state.close("tbl");
    }
    state.body.paragraphs = whole;
    state.body
}

/// The texts of footnotes or endnotes by their ids.
pub(super) fn notes(xml: &str, element: &str, max_depth: usize) -> HashMap<String, String> {
    let mut notes = HashMap::new();
    let context = Context {
        styles: Styles::default(),
        lists: Lists::default(),
        footnotes: HashMap::new(),
        endnotes: HashMap::new(),
        max_depth,
    };
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(start) if start.local_name().as_ref() == element => {
                let attributes = Element::of(&start);
                // Separators are notes of the layout, not of the author.
                let of_layout = attributes.get("type").is_some_and(|kind| kind != "normal");
                let name = start.name().as_ref().to_owned();
                let rest = &xml[reader.buffer_position() as usize..];
                let Some(end) = rest.find(&format!("</{name}>")) else { break };
                if let (false, Some(id)) = (of_layout, attributes.get("id")) {
                    let text: String =
                        read(&rest[..end], &context).blocks.iter().map(|block| block.text.as_str()).collect();
                    notes.insert(id.to_owned(), text.split_whitespace().collect::<Vec<_>>().join(" "));
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    notes
}

#[derive(Default)]
struct Paragraph {
    text: String,
    style: String,
    list: Option<(String, u8)>,
    outline: Option<u8>,
    notes: Vec<String>,
    /// The run that is open is hidden.
    hidden: bool,
}

struct State<'a> {
    context: &'a Context,
    body: Body,
    /// The open paragraph, and those around it: a text box stands inside a paragraph and holds others.
    paragraphs: Vec<Paragraph>,
    tables: Vec<Table>,
    counters: Counters,
    notes: usize,
}

impl State<'_> {
    fn text(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut().filter(|paragraph| !paragraph.hidden) {
            paragraph.text.push_str(text);
        }
    }

    fn open(&mut self, start: &BytesStart) {
        let name = start.local_name();
        let name = name.as_ref();
        match name {
            "p" => return self.paragraphs.push(Paragraph::default()),
            "tbl" => return self.tables.push(Table::default()),
            "tab" | "ptab" => return self.text("\t"),
            "br" | "cr" => return self.text("\n"),
            "noBreakHyphen" => return self.text("-"),
            _ => {}
        }
        if let Some(table) = self.tables.last_mut() {
            match name {
                "tr" => table.open_row(),
                "tc" => table.open_cell(),
                "gridSpan" => table.span(value(start).parse().unwrap_or(1)),
                _ => {}
            }
        }
        if matches!(name, "footnoteReference" | "endnoteReference") {
            return self.note(name, &Element::of(start));
        }
        let Some(paragraph) = self.paragraphs.last_mut() else { return };
        match name {
            "r" => paragraph.hidden = false,
            "vanish" => paragraph.hidden = !matches!(value(start).as_str(), "0" | "false"),
            "pStyle" => paragraph.style = value(start),
            "outlineLvl" => paragraph.outline = value(start).parse().ok(),
            "ilvl" => {
                let list = paragraph.list.take().map_or(String::new(), |(list, _)| list);
                paragraph.list = Some((list, value(start).parse().unwrap_or(0)));
            }
            "numId" => {
                let depth = paragraph.list.take().map_or(0, |(_, depth)| depth);
                paragraph.list = Some((value(start), depth));
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "p" => {
                if let Some(paragraph) = self.paragraphs.pop() {
                    self.paragraph(paragraph);
                }
            }
            "tc" => {
                if let Some(table) = self.tables.last_mut() {
                    table.close_cell();
                }
            }
            "tbl" => {
                if let Some(table) = self.tables.pop() {
                    self.table(table);
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, name: &str, element: &Element) {
        let notes = if name == "footnoteReference" { &self.context.footnotes } else { &self.context.endnotes };
        let text = element.get("id").and_then(|id| notes.get(id)).filter(|text| !text.is_empty());
        if let (Some(text), Some(paragraph)) = (text, self.paragraphs.last_mut()) {
            self.notes += 1;
            paragraph.text.push_str(&format!("[^{}]", self.notes));
            paragraph.notes.push(format!("[^{}]: {text}", self.notes));
        }
    }

    fn paragraph(&mut self, paragraph: Paragraph) {
        self.body.paragraphs += 1;
        let text = paragraph.text.trim_end();
        let styles = &self.context.styles;
        if text.trim().is_empty() || styles.is_contents(&paragraph.style) {
            return;
        }
        if let Some(table) = self.tables.last_mut() {
            table.paragraph(text.trim());
            paragraph.notes.iter().for_each(|note| table.paragraph(note));
            return;
        }
        let level = paragraph
            .outline
            .filter(|level| *level < 9)
            .map(|level| level + 1)
            .or_else(|| styles.heading(&paragraph.style));
        let list = paragraph
            .list
            .filter(|(id, _)| !id.is_empty())
            .or_else(|| styles.list(&paragraph.style))
            .filter(|(id, _)| id != "0");
        if let Some(level) = level {
            let title = text.split_whitespace().collect::<Vec<_>>().join(" ");
            self.push(BlockKind::Heading { level, title }, text.trim_start(), "\n\n");
        } else if let Some((list, depth)) = list {
            let mark = self.context.lists.mark(&list, depth, &mut self.counters);
            self.push(BlockKind::ListItem, &format!("{mark}{}", text.trim_start()), "\n");
        } else if styles.is_list(&paragraph.style) {
            self.push(BlockKind::ListItem, &format!("- {}", text.trim_start()), "\n");
        } else {
            self.push(BlockKind::Paragraph, text, "\n\n");
        }
        for note in paragraph.notes {
            self.push(BlockKind::Paragraph, &note, "\n\n");
        }
    }

    fn table(&mut self, table: Table) {
        if let Some(outer) = self.tables.last_mut() {
            outer.paragraph(&table.line());
            return;
        }
        let cells = table.cells();
        match table.markdown() {
            Some(text) => self.push(BlockKind::Table, &text, ""),
            None => cells.iter().for_each(|cell| self.push(BlockKind::Paragraph, cell, "\n\n")),
        }
    }

    fn push(&mut self, kind: BlockKind, text: &str, end: &str) {
        self.body.blocks.push(Block { kind, text: format!("{text}{end}"), pages: None });
    }
}

fn value(start: &BytesStart) -> String {
    Element::of(start).get("val").unwrap_or_default().to_owned()
}
