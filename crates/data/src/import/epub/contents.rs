use std::collections::HashMap;

use dom_query::Document;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::path;
use crate::import::package::Package;
use crate::import::xml;

/// What an e-book says of its parts.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Paths of the chapters in the order of reading, each once.
    pub chapters: Vec<String>,
    /// The table of contents of EPUB 3, and of EPUB 2.
    navigation: Option<String>,
    ncx: Option<String>,
}

impl Book {
    /// Reads the package description; its paths begin in `folder`.
    pub(super) fn read(description: &str, folder: &str) -> Self {
        let mut parts: HashMap<String, String> = HashMap::new();
        let mut book = Self::default();
        for item in xml::elements(description, "item") {
            let of = |name: &str| item.get(name).unwrap_or_default();
            let path = path(folder, of("href"));
            match of("media-type") {
                "application/x-dtbncx+xml" => book.ncx = Some(path),
                _ if of("properties").split_whitespace().any(|property| property == "nav") => {
                    book.navigation = Some(path);
                }
                "application/xhtml+xml" | "text/html" | "application/xml" | "text/x-oeb1-document" => {
                    parts.insert(of("id").to_owned(), path);
                }
                _ => {}
            }
        }
        for item in xml::elements(description, "itemref") {
            if let Some(path) = item.get("idref").and_then(|id| parts.remove(id)) {
                book.chapters.push(path);
            }
        }
        book
    }

    /// The titles of chapters by their paths, from the table of contents.
    pub(super) fn titles(&self, package: &mut Package) -> HashMap<String, String> {
        let mut part = |path: &str| package.part(path).ok().flatten().unwrap_or_default();
        let folder = |path: &str| path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
        let mut titles = HashMap::new();
        if let Some(navigation) = &self.navigation {
            let page = Document::from(part(navigation));
            for link in page.select("nav a").nodes() {
                let target = path(&folder(navigation), &link.attr("href").unwrap_or_default());
                titles.entry(target).or_insert_with(|| link.text().trim().to_owned());
            }
        }
        if let Some(ncx) = &self.ncx {
            points(&part(ncx), &folder(ncx), &mut titles);
        }
        titles
    }
}

/// The points of a table of contents of EPUB 2: a label, and where it leads.
fn points(ncx: &str, folder: &str, titles: &mut HashMap<String, String>) {
    let mut reader = Reader::from_str(ncx);
    reader.config_mut().check_end_names = false;
    let (mut label, mut in_text) = (String::new(), false);
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(start) | Event::Empty(start) => match start.local_name().as_ref() {
                "navPoint" => label.clear(),
                "text" => {
                    in_text = true;
                    label.clear();
                }
                "content" => {
                    let target = xml::Element::of(&start).get("src").map(|target| path(folder, target));
                    if let Some(target) = target.filter(|_| !label.trim().is_empty()) {
                        titles.entry(target).or_insert_with(|| label.trim().to_owned());
                    }
                }
                _ => {}
            },
            Event::End(end) if end.local_name().as_ref() == "text" => in_text = false,
            Event::Text(text) if in_text => label.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) if in_text => label.push_str(&xml::reference(&reference)),
            Event::Eof => break,
            _ => {}
        }
    }
}
