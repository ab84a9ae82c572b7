use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::import::xml::Element;

/// Styles may be based on each other in a circle.
const MAX_CHAIN: usize = 16;

/// What the styles of a document say about structure.
#[derive(Debug, Default)]
pub(super) struct Styles(HashMap<String, Style>);

#[derive(Debug, Default)]
struct Style {
    name: String,
    based_on: String,
    /// From 0.
    outline: Option<u8>,
    list: Option<(String, u8)>,
}

impl Styles {
    pub(super) fn read(xml: &str) -> Self {
        let mut styles = HashMap::new();
        let mut open: Option<(String, Style)> = None;
        let mut reader = Reader::from_str(xml);
        while let Ok(event) = reader.read_event() {
            match event {
                Event::Start(start) | Event::Empty(start) => {
                    let element = Element::of(&start);
                    let value = element.get("val").unwrap_or_default();
                    match (start.local_name().as_ref(), &mut open) {
                        ("style", _) => {
                            let id = element.get("styleId").unwrap_or_default().to_owned();
                            open.replace((id, Style::default())).into_iter().for_each(|(id, style)| {
                                styles.insert(id, style);
                            });
                        }
                        ("name", Some((_, style))) => style.name = value.to_lowercase(),
                        ("basedOn", Some((_, style))) => value.clone_into(&mut style.based_on),
                        ("outlineLvl", Some((_, style))) => style.outline = value.parse().ok(),
                        ("numId", Some((_, style))) => {
                            let level = style.list.take().map_or(0, |(_, level)| level);
                            style.list = Some((value.to_owned(), level));
                        }
                        ("ilvl", Some((_, style))) => {
                            let id = style.list.take().map_or(String::new(), |(id, _)| id);
                            style.list = Some((id, value.parse().unwrap_or(0)));
                        }
                        _ => {}
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        styles.extend(open);
        Self(styles)
    }

    fn chain<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Style> {
        let mut next = Some(id);
        std::iter::from_fn(move || {
            let style = self.0.get(next?)?;
            next = (!style.based_on.is_empty()).then_some(style.based_on.as_str());
            Some(style)
        })
        .take(MAX_CHAIN)
    }

    /// The level of a heading in this style, from 1; `None` for running text.
    pub(super) fn heading(&self, id: &str) -> Option<u8> {
        // A document may lack the style that its paragraphs name.
        let unknown = (!self.0.contains_key(id)).then(|| numbered(&id.to_lowercase(), &["heading"])).flatten();
        self.chain(id)
            .find_map(|style| {
                numbered(&style.name, &["heading", "标题", "überschrift", "titre", "título"])
                    .or_else(|| matches!(style.name.as_str(), "title" | "标题").then_some(1))
                    .or_else(|| style.outline.filter(|level| *level < 9).map(|level| level + 1))
            })
            .or(unknown)
    }

    /// Whether this is a line of a table of contents.
    pub(super) fn is_contents(&self, id: &str) -> bool {
        self.chain(id).any(|style| numbered(&style.name, &["toc"]).is_some())
    }

    /// The list that paragraphs of this style belong to, and the depth in it.
    pub(super) fn list(&self, id: &str) -> Option<(String, u8)> {
        self.chain(id).find_map(|style| style.list.clone()).filter(|(id, _)| !id.is_empty())
    }

    /// A style that is a list by its name alone.
    pub(super) fn is_list(&self, id: &str) -> bool {
        self.chain(id).any(|style| style.name.starts_with("list bullet") || style.name.starts_with("list number"))
    }
}

fn numbered(name: &str, words: &[&str]) -> Option<u8> {
    words.iter().find_map(|word| name.strip_prefix(word)?.trim().parse().ok()).filter(|level| (1..=9).contains(level))
}
