use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::import::sheet::{Row, Sheets};
use crate::import::xml::{self, Element};
use crate::import::{Format, Input, Parsed};

/// Cells that a file may fill by saying that others are repeated; beyond, each stands once.
const MAX_REPEATED: usize = 1_000_000;
/// What is repeated more often than this is a format of the sheet, not its content.
const MAX_TIMES: usize = 1000;

/// Reads an OpenDocument spreadsheet. Cells come one after the other and empty ones cost nothing, however many the file declares.
pub(in crate::import) fn read(input: &Input) -> Parsed {
    let content = match super::open(input, Format::Ods) {
        Ok((content, _)) => content,
        Err(issue) => return Parsed::nothing(issue),
    };
    let mut sheets = Sheets::new(input.name);
    let mut reader = Reader::from_str(&content);
    reader.config_mut().check_end_names = false;
    let mut state = State::default();
    let (mut depth, mut skipping, mut tables) = (0usize, None::<usize>, 0usize);
    let broken = loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => break Some(error.to_string()),
        };
        match event {
            Event::Start(start) => {
                depth += 1;
                let name = start.local_name();
                if skipping.is_none() && matches!(name.as_ref(), "annotation" | "tracked-changes" | "shapes" | "frame")
                {
                    skipping = Some(depth);
                } else if skipping.is_none() {
                    tables += usize::from(name.as_ref() == "table");
                    // A table within a cell belongs to the cell.
                    if tables < 2 {
                        state.open(&start);
                    }
                }
            }
            Event::Empty(start) if skipping.is_none() && tables < 2 => {
                state.open(&start);
                state.close(start.local_name().as_ref());
            }
            Event::End(end) => {
                let name = end.local_name();
                if skipping.is_none() {
                    if tables < 2 && name.as_ref() == "table" {
                        sheets.add(&std::mem::take(&mut state.name), std::mem::take(&mut state.rows));
                        state.line = 0;
                    } else if tables < 2 {
                        state.close(name.as_ref());
                    }
                    tables = tables.saturating_sub(usize::from(name.as_ref() == "table"));
                }
                skipping = skipping.filter(|opened| *opened != depth);
                depth = depth.saturating_sub(1);
            }
            Event::Text(text) if skipping.is_none() => state.text(&text.xml10_content()),
            Event::CData(text) if skipping.is_none() => state.text(&text.xml10_content()),
            Event::GeneralRef(reference) if skipping.is_none() => state.text(&xml::reference(&reference)),
            Event::Eof => break (depth > 0).then(|| "the file ends in the middle".to_owned()),
            _ => {}
        }
    };
    if let Some(cause) = broken {
        let name = std::mem::take(&mut state.name);
        sheets.damaged(&name, &cause);
        sheets.add(&name, state.rows);
    }
    sheets.finish()
}

#[derive(Default)]
struct State {
    name: String,
    rows: Vec<Row>,
    /// Number of the row that is open, from 1.
    line: u32,
    column: usize,
    cells: Vec<(usize, String)>,
    /// How often the open row and the open cell stand there.
    rows_repeated: u32,
    cells_repeated: usize,
    /// What the open cell says, and what its value is where that says more.
    text: String,
    value: Option<String>,
    in_paragraph: bool,
    /// Cells filled by repetition so far.
    filled: usize,
}

impl State {
    fn open(&mut self, start: &BytesStart) {
        let element = Element::of(start);
        let count = |name: &str| element.get(name).and_then(|count| count.parse::<u32>().ok()).unwrap_or(1).max(1);
        match start.local_name().as_ref() {
            "table" => element.get("name").unwrap_or_default().clone_into(&mut self.name),
            "table-row" => {
                self.rows_repeated = count("number-rows-repeated");
                self.column = 0;
                self.cells.clear();
            }
            "table-cell" | "covered-table-cell" => {
                self.cells_repeated = count("number-columns-repeated") as usize;
                self.text.clear();
                self.value = match element.get("value-type") {
                    // As in other workbooks: `7` rather than `7.0`.
                    Some("float") => element.get("value").map(|value| {
                        value.parse::<f64>().map_or_else(|_| value.to_owned(), |number| number.to_string())
                    }),
                    Some("date") => element.get("date-value").map(moment),
                    Some("boolean") => element.get("boolean-value").map(str::to_owned),
                    _ => None,
                };
            }
            "p" => {
                if !self.text.is_empty() {
                    self.text.push('\n');
                }
                self.in_paragraph = true;
            }
            "s" => self.text(" "),
            "tab" => self.text("\t"),
            "line-break" => self.text("\n"),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.in_paragraph {
            self.text.push_str(text);
        }
    }

    /// How often what takes `cells` cells may stand there, of the `repeated` times that the file asks for.
    fn allowed(&mut self, repeated: usize, cells: usize) -> usize {
        let more = (repeated - 1).saturating_mul(cells);
        if repeated > MAX_TIMES || more > MAX_REPEATED - self.filled {
            return 1;
        }
        self.filled += more;
        repeated
    }

    fn close(&mut self, name: &str) {
        match name {
            "p" => self.in_paragraph = false,
            "table-cell" | "covered-table-cell" => {
                let text = self.value.take().unwrap_or_else(|| std::mem::take(&mut self.text));
                if !text.trim().is_empty() {
                    for at in 0..self.allowed(self.cells_repeated, 1) {
                        self.cells.push((self.column.saturating_add(at), text.clone()));
                    }
                }
                self.column = self.column.saturating_add(self.cells_repeated);
            }
            "table-row" => {
                if !self.cells.is_empty() {
                    for at in 0..self.allowed(self.rows_repeated as usize, self.cells.len()) {
                        let line = self.line.saturating_add(at as u32 + 1);
                        self.rows.push(Row { line, cells: self.cells.clone() });
                    }
                }
                self.line = self.line.saturating_add(self.rows_repeated);
            }
            _ => {}
        }
    }
}

/// `2026-11-25T18:00:00` as people write it.
fn moment(value: &str) -> String {
    match value.split_once('T') {
        Some((date, "00:00:00")) => date.to_owned(),
        Some((date, time)) => format!("{date} {}", time.get(..5).unwrap_or(time)),
        None => value.to_owned(),
    }
}
