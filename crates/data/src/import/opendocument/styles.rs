use std::collections::{HashMap, HashSet};

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::import::xml::Element;

/// Styles may be based on each other in a circle.
const MAX_CHAIN: usize = 16;

/// What the styles of a document say about structure.
#[derive(Debug, Default)]
pub(super) struct Styles {
    parents: HashMap<String, String>,
    /// List style and level, from 1, that count rather than show a bullet: the first number.
    numbered: HashMap<(String, u8), u32>,
    hidden: HashSet<String>,
}

impl Styles {
    /// Adds the styles of a part.
    pub(super) fn add(&mut self, xml: &str) {
        let mut reader = Reader::from_str(xml);
        reader.config_mut().check_end_names = false;
        let (mut style, mut list) = (String::new(), String::new());
        while let Ok(event) = reader.read_event() {
            match event {
                Event::Start(start) | Event::Empty(start) => {
                    let element = Element::of(&start);
                    let of = |name: &str| element.get(name).unwrap_or_default().to_owned();
                    match start.local_name().as_ref() {
                        "style" => {
                            style = of("name");
                            self.parents.insert(style.clone(), of("parent-style-name"));
                        }
                        "text-properties" if element.get("display") == Some("none") => {
                            self.hidden.insert(style.clone());
                        }
                        "list-style" => list = of("name"),
                        "list-level-style-number" => {
                            let level = of("level").parse().unwrap_or(1);
                            if !of("num-format").is_empty() {
                                let first = of("start-value").parse().unwrap_or(1);
                                self.numbered.insert((list.clone(), level), first);
                            }
                        }
                        "body" => break,
                        _ => {}
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
    }

    /// The level of a heading that a paragraph's style makes of it: the title of the document has no level of its own.
    pub(super) fn heading(&self, style: &str) -> Option<u8> {
        let mut name = style;
        for _ in 0..MAX_CHAIN {
            if name == "Title" {
                return Some(1);
            }
            name = self.parents.get(name).filter(|parent| !parent.is_empty())?;
        }
        None
    }

    /// The first number of a list level, from 1; `None` where it shows bullets.
    pub(super) fn first_number(&self, list: &str, level: u8) -> Option<u32> {
        self.numbered.get(&(list.to_owned(), level)).copied()
    }

    /// Whether text in this style is not shown.
    pub(super) fn is_hidden(&self, style: &str) -> bool {
        self.hidden.contains(style)
    }
}
