use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::styles::Styles;
use crate::import::flow::Flow;
use crate::import::grid::Table;
use crate::import::xml::{self, Element};
use crate::import::{Format, Input, Parsed};
use crate::issue::IssueList;
use crate::{Content, Issue};

/// Elements whose content is no text of the document.
const SKIPPED: &[&str] = &[
    "tracked-changes",
    "table-of-content",
    "alphabetical-index",
    "illustration-index",
    "table-index",
    "object-index",
    "user-index",
    "annotation",
    "sequence-decls",
    "variable-decls",
    "user-field-decls",
    "note-citation",
    "forms",
    "ruby-text",
    "desc",
    "object",
];

/// More spaces in a row are a mistake or an attack.
const MAX_SPACES: usize = 100;

/// Reads an OpenDocument text.
pub(in crate::import) fn read(input: &Input) -> Parsed {
    let (content, more) = match super::open(input, Format::Odt) {
        Ok(parts) => parts,
        Err(issue) => return Parsed::nothing(issue),
    };
    let mut styles = Styles::default();
    styles.add(&more);
    styles.add(&content);
    let mut state = State::new(&styles, input.options.max_depth);
    let broken = state.run(&content);
    let mut issues = IssueList::default();
    if let Some(cause) = broken {
        let place = format!("after paragraph {}", state.paragraphs);
        let message = format!("The document breaks off here: {cause}");
        let hint = "Open it in LibreOffice, save it again, and import that";
        issues.push(Issue::partial("damaged", input.name, &place, message, hint));
    }
    if state.too_deep {
        let message = "Tables or lists within each other go deeper than the limit; what is deeper was left out";
        issues.push(Issue::partial("too_deep", input.name, "", message, "Flatten them, and import the file again"));
    }
    let blocks = state.flow.finish();
    let mut issues = issues.into_issues();
    if blocks.is_empty() {
        let hint = "If it shows pictures of text, make it a text with a text recognition program (OCR) first";
        issues.insert(0, Issue::unreadable("no_text", input.name, "The document holds no text", hint));
        return Parsed { content: Content::Nothing, pages: None, issues };
    }
    Parsed { content: Content::Text(blocks), pages: None, issues }
}

struct List {
    style: String,
    /// The number of the last item, where the list counts.
    count: u32,
}

struct Paragraph {
    text: String,
    level: Option<u8>,
    notes: Vec<String>,
    /// How many hidden spans are open.
    hidden: usize,
    spans: Vec<bool>,
}

struct State<'a> {
    styles: &'a Styles,
    max_depth: usize,
    flow: Flow,
    lists: Vec<List>,
    /// Whether the next paragraph opens an item.
    opens_item: bool,
    tables: Vec<Table>,
    /// Paragraphs that are open: a note or a text box stands inside one and holds others.
    open: Vec<Paragraph>,
    /// The texts of notes that are open, with the number of paragraphs around them.
    notes: Vec<(usize, String)>,
    note_count: usize,
    paragraphs: usize,
    too_deep: bool,
}

impl<'a> State<'a> {
    fn new(styles: &'a Styles, max_depth: usize) -> Self {
        Self {
            styles,
            max_depth,
            flow: Flow::default(),
            lists: Vec::new(),
            opens_item: false,
            tables: Vec::new(),
            open: Vec::new(),
            notes: Vec::new(),
            note_count: 0,
            paragraphs: 0,
            too_deep: false,
        }
    }

    /// Reads the content to its end; answers why it broke off, if it did.
    fn run(&mut self, content: &str) -> Option<String> {
        let mut reader = Reader::from_str(content);
        reader.config_mut().check_end_names = false;
        let (mut depth, mut skipping, mut in_body) = (0usize, None::<usize>, false);
        let broken = loop {
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(error) => break Some(error.to_string()),
            };
            match event {
                Event::Start(start) => {
                    depth += 1;
                    let name = start.local_name();
                    in_body |= name.as_ref() == "body";
                    let too_deep = depth > self.max_depth;
                    self.too_deep |= too_deep && skipping.is_none() && in_body;
                    if skipping.is_none() && (too_deep || SKIPPED.contains(&name.as_ref())) {
                        skipping = Some(depth);
                    } else if skipping.is_none() && in_body {
                        self.open(&start);
                    }
                }
                Event::Empty(start)
                    if skipping.is_none() && in_body && !SKIPPED.contains(&start.local_name().as_ref()) =>
                {
                    self.open(&start);
                    self.close(start.local_name().as_ref());
                }
                Event::End(end) => {
                    if skipping.is_none() && in_body {
                        self.close(end.local_name().as_ref());
                    }
                    skipping = skipping.filter(|opened| *opened != depth);
                    depth = depth.saturating_sub(1);
                }
                Event::Text(text) if skipping.is_none() => self.text(&text.xml10_content()),
                Event::CData(text) if skipping.is_none() => self.text(&text.xml10_content()),
                Event::GeneralRef(reference) if skipping.is_none() => self.text(&xml::reference(&reference)),
                Event::Eof => break (depth > 0).then(|| "the file ends in the middle".to_owned()),
                _ => {}
            }
        };
        let whole = self.paragraphs;
        while !self.open.is_empty() {
            self.close("p");
        }
        while !self.tables.is_empty() {
            self.close("table");
        }
        self.paragraphs = whole;
        broken
    }

    /// White space of the file is one space, as the format says; wider gaps are elements of their own.
    fn text(&mut self, text: &str) {
        let Some(paragraph) = self.open.last_mut().filter(|paragraph| paragraph.hidden == 0) else { return };
        for c in text.chars() {
            if !matches!(c, ' ' | '\n' | '\r' | '\t') {
                paragraph.text.push(c);
            } else if !paragraph.text.ends_with([' ', '\n']) {
                paragraph.text.push(' ');
            }
        }
    }

    fn push(&mut self, text: &str) {
        if let Some(paragraph) = self.open.last_mut().filter(|paragraph| paragraph.hidden == 0) {
            paragraph.text.push_str(text);
        }
    }

    fn open(&mut self, start: &BytesStart) {
        let name = start.local_name();
        let element = Element::of(start);
        let style = element.get("style-name").unwrap_or_default();
        match name.as_ref() {
            "p" | "h" => {
                let level = if name.as_ref() == "h" {
                    Some(element.get("outline-level").and_then(|level| level.parse().ok()).unwrap_or(1))
                } else {
                    self.styles.heading(style)
                };
                let hidden = usize::from(self.styles.is_hidden(style));
                self.open.push(Paragraph { text: String::new(), level, notes: Vec::new(), hidden, spans: Vec::new() });
            }
            "span" => {
                let hides = self.styles.is_hidden(style);
                if let Some(paragraph) = self.open.last_mut() {
                    paragraph.hidden += usize::from(hides);
                    paragraph.spans.push(hides);
                }
            }
            "s" => {
                let count = element.get("c").and_then(|count| count.parse().ok()).unwrap_or(1).min(MAX_SPACES);
                self.push(&" ".repeat(count));
            }
            "tab" => self.push("\t"),
            "line-break" => self.push("\n"),
            "list" => {
                let outer = self.lists.last().map_or(String::new(), |list| list.style.clone());
                let style = if style.is_empty() { outer } else { style.to_owned() };
                let first = self.styles.first_number(&style, self.lists.len() as u8 + 1).unwrap_or(1);
                self.lists.push(List { style, count: first.saturating_sub(1) });
            }
            "list-item" => {
                self.opens_item = true;
                let value = element.get("start-value").and_then(|value| value.parse().ok());
                if let Some(list) = self.lists.last_mut() {
                    list.count = value.unwrap_or(list.count.saturating_add(1));
                }
            }
            "list-header" => self.opens_item = false,
            "table" => self.tables.push(Table::default()),
            "table-row" => self.in_table(Table::open_row),
            "table-cell" | "covered-table-cell" => {
                let repeated = element.get("number-columns-repeated").and_then(|count| count.parse().ok()).unwrap_or(1);
                self.in_table(|table| {
                    table.open_cell();
                    table.span(repeated);
                });
            }
            "note-body" => self.notes.push((self.open.len(), String::new())),
            _ => {}
        }
    }

    fn in_table(&mut self, change: impl FnOnce(&mut Table)) {
        if let Some(table) = self.tables.last_mut() {
            change(table);
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "p" | "h" => {
                if let Some(paragraph) = self.open.pop() {
                    self.paragraph(paragraph);
                }
            }
            "span" => {
                if let Some(paragraph) = self.open.last_mut() {
                    paragraph.hidden -= usize::from(paragraph.spans.pop() == Some(true)).min(paragraph.hidden);
                }
            }
            "list" => {
                self.lists.pop();
            }
            "table-cell" | "covered-table-cell" => self.in_table(Table::close_cell),
            "table" => {
                if let Some(table) = self.tables.pop() {
                    match self.tables.last_mut() {
                        Some(outer) => outer.paragraph(&table.line()),
                        None => self.flow.table(table),
                    }
                }
            }
            "note-body" => self.close_note(),
            _ => {}
        }
    }

    fn close_note(&mut self) {
        let Some((_, text)) = self.notes.pop() else { return };
        let text = text.trim();
        if let (false, Some(paragraph)) = (text.is_empty(), self.open.last_mut()) {
            self.note_count += 1;
            paragraph.text.push_str(&format!("[^{}]", self.note_count));
            paragraph.notes.push(format!("[^{}]: {text}", self.note_count));
        }
    }

    fn paragraph(&mut self, paragraph: Paragraph) {
        self.paragraphs += 1;
        let text = paragraph.text.trim();
        if let Some((_, note)) = self.notes.last_mut().filter(|(around, _)| *around <= self.open.len()) {
            note.push_str(&format!("{} ", text.split_whitespace().collect::<Vec<_>>().join(" ")));
            return;
        }
        if let Some(table) = self.tables.last_mut() {
            table.paragraph(text);
            for note in &paragraph.notes {
                table.paragraph(note);
            }
            return;
        }
        if let Some(level) = paragraph.level {
            self.flow.heading(level, text);
        } else if let Some(list) = self.lists.last() {
            let depth = self.lists.len() - 1;
            let counts = self.styles.first_number(&list.style, depth as u8 + 1).is_some();
            // A further paragraph of an item has no mark of its own.
            let mark = match (std::mem::take(&mut self.opens_item), counts) {
                (false, _) => String::new(),
                (true, true) => format!("{}.", list.count),
                (true, false) => "-".to_owned(),
            };
            self.flow.item(depth, &mark, text);
        } else {
            self.flow.paragraph(text);
        }
        for note in &paragraph.notes {
            self.flow.paragraph(note);
        }
    }
}
