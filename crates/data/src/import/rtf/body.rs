use std::collections::HashMap;

use super::fonts::{Fonts, of_page};
use super::tokens::{Token, Tokens};
use crate::import::flow::Flow;
use crate::import::grid::Table;

/// Groups deeper than this have the properties of the last one that is not.
const MAX_GROUPS: usize = 5000;

/// Starred destinations that hold text of the document all the same: text boxes, notes.
const STARRED: &[&[u8]] = &[b"shpinst", b"shptxt", b"footnote"];

/// Destinations that hold no text of the document.
const SKIPPED: &[&[u8]] = &[
    b"colortbl",
    b"info",
    b"pict",
    b"objdata",
    b"header",
    b"headerl",
    b"headerr",
    b"headerf",
    b"footer",
    b"footerl",
    b"footerr",
    b"footerf",
    b"ftnsep",
    b"ftnsepc",
    b"aftnsep",
    b"annotation",
    b"atnid",
    b"atnauthor",
    b"xe",
    b"tc",
    b"tcn",
    b"txe",
    b"rxe",
    b"nonshppict",
    b"shprslt",
    b"sp",
    b"filetbl",
    b"revtbl",
    b"listtable",
    b"listoverridetable",
    b"fldinst",
    b"themedata",
    b"datastore",
    b"latentstyles",
    b"rsidtbl",
    b"generator",
    b"do",
];

/// What came out of a file.
#[derive(Default)]
pub(super) struct Body {
    pub flow: Flow,
    pub paragraphs: usize,
    /// Whether groups were open at the end.
    pub cut_off: bool,
}

/// Where text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    Body,
    /// The mark of a list item, as older programs are to show it.
    Mark,
    Note,
    Fonts,
    Styles,
    Nowhere,
}

/// What holds until its group ends.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    place: Place,
    font: i32,
    hidden: bool,
    /// How many bytes stand for a character that was given by its number before.
    fallbacks: usize,
    style: i32,
    outline: Option<u8>,
    depth: usize,
    in_table: bool,
}

/// Reads the document in a Rich Text file.
pub(super) fn read(bytes: &[u8]) -> Body {
    let mut reader = Reader { group: Group { fallbacks: 1, ..Group::default() }, ..Reader::default() };
    let mut over = 0usize;
    for token in Tokens::of(bytes) {
        match token {
            Token::Byte(byte) => reader.byte(byte),
            token => {
                reader.decode();
                if matches!(token, Token::Open | Token::Close) {
                    reader.to_skip = 0;
                }
                match token {
                    Token::Open if reader.groups.len() >= MAX_GROUPS => over += 1,
                    Token::Open => reader.groups.push(reader.group),
                    Token::Close if over > 0 => over -= 1,
                    Token::Close => reader.close(),
                    Token::Word(name, number) => reader.word(name, number),
                    Token::Symbol(symbol) => reader.symbol(symbol),
                    Token::Byte(_) => {}
                }
                if !matches!(token, Token::Symbol(b'*')) {
                    reader.starred = false;
                }
            }
        }
    }
    reader.decode();
    let whole = reader.body.paragraphs;
    reader.end_paragraph();
    reader.end_table();
    Body { paragraphs: whole, cut_off: !reader.groups.is_empty(), ..reader.body }
}

#[derive(Default)]
struct Reader {
    body: Body,
    group: Group,
    groups: Vec<Group>,
    fonts: Fonts,
    /// Level of the heading that a style makes.
    headings: HashMap<i32, u8>,
    /// Bytes of text that are not decoded yet, and those still to be passed over.
    pending: Vec<u8>,
    to_skip: usize,
    /// The high half of a character that takes two numbers.
    high: Option<u16>,
    starred: bool,
    text: String,
    mark: String,
    notes: Vec<String>,
    note: String,
    note_count: usize,
    style_name: String,
    table: Table,
    has_rows: bool,
    cells: Vec<String>,
    cell: String,
}

impl Reader {
    fn byte(&mut self, byte: u8) {
        if self.to_skip > 0 {
            self.to_skip -= 1;
        } else {
            self.pending.push(byte);
        }
    }

    /// Bytes become text in the encoding of their font.
    fn decode(&mut self) {
        if !self.pending.is_empty() {
            let bytes = std::mem::take(&mut self.pending);
            let text = self.fonts.encoding(self.group.font).decode_without_bom_handling(&bytes).0;
            self.put(&text);
        }
    }

    fn put(&mut self, text: &str) {
        match self.group.place {
            Place::Body if !self.group.hidden => self.text.push_str(text),
            Place::Mark => self.mark.push_str(text),
            Place::Note if !self.group.hidden => self.note.push_str(text),
            Place::Styles => self.style_name.push_str(text),
            _ => {}
        }
    }

    fn close(&mut self) {
        let closed = self.group;
        let Some(outer) = self.groups.pop() else { return };
        self.group = outer;
        if closed.place == Place::Styles {
            let name = std::mem::take(&mut self.style_name).to_lowercase();
            if let Some(level) = heading(name.trim_end_matches(';').trim()).or(closed.outline) {
                self.headings.insert(closed.style, level);
            }
        }
        if closed.place == Place::Note && outer.place != Place::Note {
            let note = std::mem::take(&mut self.note);
            let note = note.split_whitespace().collect::<Vec<_>>().join(" ");
            if !note.is_empty() {
                self.note_count += 1;
                self.put(&format!("[^{}]", self.note_count));
                self.notes.push(format!("[^{}]: {note}", self.note_count));
            }
        }
    }

    fn symbol(&mut self, symbol: u8) {
        match symbol {
            b'*' => self.starred = true,
            b'~' => self.put("\u{A0}"),
            b'_' => self.put("-"),
            b'\n' | b'\r' => self.end_paragraph(),
            _ => {}
        }
    }

    fn word(&mut self, name: &[u8], number: Option<i32>) {
        let on = number != Some(0);
        if self.group.place == Place::Nowhere {
            return;
        }
        if (self.starred && !STARRED.contains(&name)) || SKIPPED.contains(&name) {
            self.group.place = Place::Nowhere;
            return;
        }
        match name {
            b"ansicpg" | b"cpg" => self.fonts.usual = number.and_then(of_page).unwrap_or(self.fonts.usual),
            b"mac" => self.fonts.usual = encoding_rs::MACINTOSH,
            b"fonttbl" => self.group.place = Place::Fonts,
            b"stylesheet" => self.group.place = Place::Styles,
            b"f" => self.group.font = number.unwrap_or(0),
            b"fcharset" if self.group.place == Place::Fonts => self.fonts.set(self.group.font, number.unwrap_or(0)),
            b"u" => self.unicode(number.unwrap_or(0)),
            b"uc" => self.group.fallbacks = usize::try_from(number.unwrap_or(1)).unwrap_or(1).min(16),
            b"v" | b"deleted" => self.group.hidden = on,
            b"plain" => self.group.hidden = false,
            b"s" => self.group.style = number.unwrap_or(0),
            b"outlinelevel" => {
                self.group.outline = number.and_then(|level| u8::try_from(level + 1).ok()).filter(|level| *level <= 9);
            }
            b"ilvl" => self.group.depth = usize::try_from(number.unwrap_or(0)).unwrap_or(0).min(9),
            b"listtext" | b"pntext" => {
                self.mark.clear();
                self.group.place = Place::Mark;
            }
            // A text box stands beside the paragraph that it is anchored in.
            b"shptxt" if !self.text.is_empty() => self.end_paragraph(),
            b"footnote" => self.group.place = Place::Note,
            b"pard" => {
                let Group { style, outline, depth, in_table, .. } = Group::default();
                self.group = Group { style, outline, depth, in_table, ..self.group };
            }
            b"intbl" => self.group.in_table = on,
            b"par" | b"sect" | b"page" if self.group.place == Place::Note => self.put(" "),
            b"par" | b"sect" | b"page" => self.end_paragraph(),
            b"cell" | b"nestcell" => self.end_cell(),
            b"row" | b"nestrow" => self.end_row(),
            _ => self.put(sign(name)),
        }
    }

    /// A character by its number, negative above 32767; what stands for it in programs that do not know it follows.
    fn unicode(&mut self, number: i32) {
        let unit = (number & 0xFFFF) as u16;
        let high = self.high.take();
        if (0xD800..=0xDBFF).contains(&unit) {
            self.high = Some(unit);
        } else {
            let units = high.into_iter().chain([unit]);
            let text: String = char::decode_utf16(units).filter_map(Result::ok).collect();
            self.put(&text);
        }
        self.to_skip = self.group.fallbacks;
    }

    fn end_paragraph(&mut self) {
        self.body.paragraphs += 1;
        let (text, mark) = (std::mem::take(&mut self.text), std::mem::take(&mut self.mark));
        let text = text.trim();
        let (mark, text) = match self::mark(&mark) {
            mark if mark.is_empty() => typed_mark(text),
            mark => (mark, text),
        };
        if self.group.in_table {
            let notes = std::mem::take(&mut self.notes);
            let text = if mark.is_empty() || text.is_empty() { text.to_owned() } else { format!("{mark} {text}") };
            for line in std::iter::once(text).chain(notes).filter(|line| !line.is_empty()) {
                if !self.cell.is_empty() {
                    self.cell.push('\n');
                }
                self.cell.push_str(&line);
            }
            return;
        }
        self.end_table();
        let level = self.group.outline.or_else(|| self.headings.get(&self.group.style).copied());
        match level {
            Some(level) => {
                let number = if mark == "-" { String::new() } else { format!("{mark} ") };
                self.body.flow.heading(level, &format!("{number}{text}"));
            }
            None if !mark.is_empty() => self.body.flow.item(self.group.depth, &mark, text),
            None => self.body.flow.paragraph(text),
        }
        for note in std::mem::take(&mut self.notes) {
            self.body.flow.paragraph(&note);
        }
    }

    fn end_cell(&mut self) {
        let in_table = std::mem::replace(&mut self.group.in_table, true);
        self.end_paragraph();
        self.group.in_table = in_table;
        self.cells.push(std::mem::take(&mut self.cell));
    }

    fn end_row(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        self.table.open_row();
        self.has_rows = true;
        for cell in cells {
            self.table.open_cell();
            self.table.paragraph(&cell);
            self.table.close_cell();
        }
    }

    fn end_table(&mut self) {
        if !self.cells.is_empty() || !self.cell.is_empty() {
            self.cells.push(std::mem::take(&mut self.cell));
            self.end_row();
        }
        if std::mem::take(&mut self.has_rows) {
            self.body.flow.table(std::mem::take(&mut self.table));
        }
    }
}

/// A mark as it is written here: `-` for bullets of any shape, numbers as they are.
fn mark(text: &str) -> String {
    let text = text.trim();
    let counts = text.chars().any(|c| c.is_alphanumeric() && c != 'o') || (text.len() > 1 && text.contains('o'));
    if text.is_empty() {
        String::new()
    } else if counts {
        text.to_owned()
    } else {
        "-".to_owned()
    }
}

/// The mark that is typed before a paragraph, parted from it by a tab.
fn typed_mark(text: &str) -> (String, &str) {
    let typed = |before: &str| {
        let bare = before.trim_end_matches(['.', ')']);
        let counted = bare.len() < before.len() && bare.len() <= 3 && bare.chars().all(char::is_alphanumeric);
        matches!(before, "•" | "·" | "-" | "–" | "o" | "▪" | "\u{F0B7}") || (counted && !bare.is_empty())
    };
    match text.split_once('\t').map(|(before, rest)| (before.trim(), rest.trim())) {
        Some((before, rest)) if typed(before) => (mark(before), rest),
        _ => (String::new(), text),
    }
}

fn heading(name: &str) -> Option<u8> {
    let words = ["heading ", "标题 ", "überschrift ", "titre ", "título "];
    let level = words.iter().find_map(|word| name.strip_prefix(word)?.trim().parse().ok());
    level.filter(|level| (1..=9).contains(level)).or_else(|| (name == "title").then_some(1))
}

/// Characters that have control words of their own.
fn sign(name: &[u8]) -> &'static str {
    match name {
        b"tab" => "\t",
        b"line" | b"softline" | b"lbr" => "\n",
        b"emdash" => "—",
        b"endash" => "–",
        b"lquote" => "‘",
        b"rquote" => "’",
        b"ldblquote" => "“",
        b"rdblquote" => "”",
        b"bullet" => "•",
        b"emspace" | b"enspace" | b"qmspace" => " ",
        b"zwj" => "\u{200D}",
        b"zwnj" => "\u{200C}",
        _ => "",
    }
}
