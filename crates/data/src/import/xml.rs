//! XML as the readers of packages need it: elements, their attributes, and nothing that a document defines itself.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// The attributes of one element by their names, a prefix left out in asking.
pub(super) struct Element(Vec<(String, String)>);

impl Element {
    pub(super) fn of(start: &BytesStart) -> Self {
        let mut attributes = start.attributes();
        attributes.with_checks(false);
        Self(
            attributes
                .flatten()
                .map(|attribute| {
                    let raw = attribute.value.as_ref();
                    let value = quick_xml::escape::unescape(raw).map_or_else(|_| raw.to_owned(), Cow::into_owned);
                    (attribute.key.as_ref().to_owned(), value)
                })
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let local = |key: &str| key.rsplit(':').next() == Some(name);
        self.0.iter().find(|(key, _)| local(key)).map(|(_, value)| value.as_str())
    }

    /// The part that the element refers to: its `r:id`, beside which it may have an `id` of its own.
    pub(super) fn related(&self) -> Option<&str> {
        self.0.iter().find(|(key, _)| key.ends_with(":id")).map(|(_, value)| value.as_str())
    }
}

/// All elements of one local name, wherever they stand. Ends at the first break in the XML.
pub(super) fn elements<'a>(xml: &'a str, name: &'a str) -> impl Iterator<Item = Element> + 'a {
    let mut reader = Reader::from_str(xml);
    std::iter::from_fn(move || {
        loop {
            match reader.read_event() {
                Ok(Event::Start(start) | Event::Empty(start)) if start.local_name().as_ref() == name => {
                    return Some(Element::of(&start));
                }
                Ok(Event::Eof) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    })
}

/// What `&…;` stands for: one of the five names XML knows, or a number. Anything else stays as it is written, since
/// entities that a document defines itself are not expanded.
pub(super) fn reference(reference: &BytesRef) -> String {
    let written = format!("&{};", &**reference);
    quick_xml::escape::unescape(&written).map(Cow::into_owned).unwrap_or(written)
}
