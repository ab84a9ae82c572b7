use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::import::xml::Element;

/// How a document marks its list items.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Abstract list and depth -> format (`bullet`, `decimal` ...) and first number.
    levels: HashMap<(String, u8), (String, u32)>,
    /// List -> abstract list.
    of: HashMap<String, String>,
}

/// The numbers reached so far.
#[derive(Debug, Default)]
pub(super) struct Counters(HashMap<String, Vec<u32>>);

impl Lists {
    pub(super) fn read(xml: &str) -> Self {
        let mut lists = Self::default();
        let (mut shape, mut depth, mut list) = (String::new(), 0u8, String::new());
        let mut reader = Reader::from_str(xml);
        while let Ok(event) = reader.read_event() {
            match event {
                Event::Start(start) | Event::Empty(start) => {
                    let element = Element::of(&start);
                    let value = element.get("val").unwrap_or_default().to_owned();
                    match start.local_name().as_ref() {
                        "abstractNum" => element.get("abstractNumId").unwrap_or_default().clone_into(&mut shape),
                        "lvl" => depth = element.get("ilvl").and_then(|level| level.parse().ok()).unwrap_or(0),
                        "numFmt" => lists.level(&shape, depth).0 = value,
                        "start" => lists.level(&shape, depth).1 = value.parse().unwrap_or(1),
                        "num" => element.get("numId").unwrap_or_default().clone_into(&mut list),
                        "abstractNumId" => {
                            lists.of.insert(list.clone(), value);
                        }
                        _ => {}
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        lists
    }

    fn level(&mut self, shape: &str, depth: u8) -> &mut (String, u32) {
        self.levels.entry((shape.to_owned(), depth)).or_insert_with(|| ("decimal".to_owned(), 1))
    }

    /// The mark of the next item of a list, indented by its depth: `- `, `3. `. Empty where the list shows none.
    pub(super) fn mark(&self, list: &str, depth: u8, counters: &mut Counters) -> String {
        let shape = self.of.get(list);
        let level = shape.and_then(|shape| self.levels.get(&(shape.clone(), depth)));
        let (format, first) = level.map_or(("bullet", 1), |(format, first)| (format.as_str(), *first));
        let indent = "  ".repeat(usize::from(depth.min(9)));
        if format == "none" {
            return String::new();
        }
        if format == "bullet" {
            return format!("{indent}- ");
        }
        let counts = counters.0.entry(shape.cloned().unwrap_or_default()).or_default();
        counts.truncate(usize::from(depth) + 1);
        counts.resize(usize::from(depth) + 1, u32::MAX);
        let count = &mut counts[usize::from(depth)];
        *count = if *count == u32::MAX { first } else { count.saturating_add(1) };
        format!("{indent}{count}. ")
    }
}
