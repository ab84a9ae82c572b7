use dom_query::NodeRef;

use crate::Block;
use crate::import::flow::Flow;
use crate::import::grid::Table;

/// Elements whose content nobody reads on the page.
const SKIPPED: &[&str] = &[
    "script",
    "style",
    "head",
    "template",
    "noscript",
    "iframe",
    "object",
    "svg",
    "canvas",
    "select",
    "textarea",
    "button",
    "nav",
    "video",
    "audio",
    "map",
    "dialog",
    "annotation",
    "rt",
    "rp",
];

/// Elements of a page's margins, where they stand outside of an article.
const MARGINS: &[&str] = &["header", "footer", "aside"];

/// Elements that stand in a line of text; all others begin and end one.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img",
    "ins", "kbd", "label", "mark", "math", "q", "ruby", "rb", "s", "samp", "small", "span", "strike", "strong", "sub",
    "sup", "time", "tt", "u", "var", "wbr",
];

/// Elements deeper than this are left out; [`super::shallow`] has cut deeper pages before.
const MAX_DEPTH: usize = 2000;

/// The blocks of an element. `margins` says whether headers, footers and asides outside of an article are left out.
pub(in crate::import) fn blocks(root: &NodeRef, margins: bool) -> Vec<Block> {
    let mut walk = Walk { skips_margins: margins, ..Walk::default() };
    walk.children(root, 0);
    walk.flush();
    walk.flow.finish()
}

#[derive(Default)]
struct Walk {
    flow: Flow,
    skips_margins: bool,
    /// The line of text that is open.
    text: String,
    heading: Option<u8>,
    /// The number of the last item for each open list, `None` where it shows bullets.
    lists: Vec<Option<u32>>,
    /// The mark of the open item until its first text is out.
    mark: Option<String>,
    tables: Vec<Table>,
}

impl Walk {
    fn children(&mut self, node: &NodeRef, depth: usize) {
        for child in node.children_it(false) {
            if child.is_text() {
                self.words(&child.text());
            } else if child.is_element() && depth < MAX_DEPTH {
                self.element(&child, depth + 1);
            }
        }
    }

    fn element(&mut self, node: &NodeRef, depth: usize) {
        let name = node.node_name().unwrap_or_default();
        let name: &str = name.rsplit(':').next().unwrap_or_default();
        if SKIPPED.contains(&name) || is_hidden(node) || (self.skips_margins && MARGINS.contains(&name)) {
            return;
        }
        match name {
            "br" => self.text.push('\n'),
            "pre" => {
                self.flush();
                let text = node.text();
                match self.tables.last_mut() {
                    Some(table) => table.paragraph(text.trim()),
                    None => self.flow.code(text.trim_matches('\n')),
                }
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.flush();
                self.heading = name[1..].parse().ok();
                self.children(node, depth);
                self.flush();
                self.heading = None;
            }
            // The sign beside a heading that leads to itself.
            "a" if self.heading.is_some() && !node.text().chars().any(char::is_alphanumeric) => {}
            "article" | "main" => {
                let skips = std::mem::replace(&mut self.skips_margins, false);
                self.block(node, depth);
                self.skips_margins = skips;
            }
            "ul" | "ol" | "menu" => {
                self.flush();
                let first = node.attr("start").and_then(|start| start.trim().parse::<u32>().ok()).unwrap_or(1);
                self.lists.push((name == "ol").then(|| first.saturating_sub(1)));
                self.block(node, depth);
                self.lists.pop();
            }
            "li" => {
                self.flush();
                self.mark = Some(match self.lists.last_mut() {
                    Some(Some(count)) => {
                        *count = count.saturating_add(1);
                        format!("{count}.")
                    }
                    _ => "-".to_owned(),
                });
                self.block(node, depth);
                self.mark = None;
            }
            "table" => self.table(node, depth),
            "tr" => {
                if let Some(table) = self.tables.last_mut() {
                    table.open_row();
                }
                self.children(node, depth);
            }
            "td" | "th" if !self.tables.is_empty() => self.cell(node, depth),
            _ if INLINE.contains(&name) => self.children(node, depth),
            _ => self.block(node, depth),
        }
    }

    fn block(&mut self, node: &NodeRef, depth: usize) {
        self.flush();
        self.children(node, depth);
        self.flush();
    }

    /// A table of data; one that holds others, or says so, is for the layout and goes unseen.
    fn table(&mut self, node: &NodeRef, depth: usize) {
        let role = node.attr("role").unwrap_or_default();
        let holds_others = node.descendants_it().any(|inner| inner.has_name("table"));
        if &*role == "presentation" || (holds_others && self.tables.is_empty()) {
            let outer = std::mem::take(&mut self.tables);
            self.block(node, depth);
            self.tables = outer;
            return;
        }
        self.flush();
        self.tables.push(Table::default());
        let (lists, mark) = (std::mem::take(&mut self.lists), self.mark.take());
        self.children(node, depth);
        self.flush();
        (self.lists, self.mark) = (lists, mark);
        let Some(table) = self.tables.pop() else { return };
        match self.tables.last_mut() {
            Some(outer) => outer.paragraph(&table.line()),
            None => self.flow.table(table),
        }
    }

    fn cell(&mut self, node: &NodeRef, depth: usize) {
        let span = node.attr("colspan").and_then(|span| span.trim().parse().ok()).unwrap_or(1);
        self.flush();
        if let Some(table) = self.tables.last_mut() {
            table.open_cell();
            table.span(span);
        }
        self.children(node, depth);
        self.flush();
        if let Some(table) = self.tables.last_mut() {
            table.close_cell();
        }
    }

    /// Text of the page: runs of white space are one space.
    fn words(&mut self, text: &str) {
        for c in text.chars() {
            if !matches!(c, ' ' | '\n' | '\r' | '\t' | '\u{C}') {
                self.text.push(c);
            } else if !self.text.is_empty() && !self.text.ends_with([' ', '\n']) {
                self.text.push(' ');
            }
        }
    }

    /// Ends the open line.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let text = text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let mark = self.mark.take();
        if let Some(table) = self.tables.last_mut() {
            if table.in_cell() {
                return table.paragraph(&mark.map_or_else(|| text.to_owned(), |mark| format!("{mark} {text}")));
            }
            // A caption, or what stands where nothing should.
            return self.flow.paragraph(text);
        }
        match (self.heading, self.lists.len()) {
            (Some(level), _) => self.flow.heading(level, text),
            (None, 0) => self.flow.paragraph(text),
            (None, depth) => {
                self.flow.item(depth - 1, mark.as_deref().unwrap_or_default(), text);
                self.mark = mark.map(|_| String::new());
            }
        }
    }
}

fn is_hidden(node: &NodeRef) -> bool {
    if node.has_attr("hidden") {
        return true;
    }
    let style = node.attr("style").unwrap_or_default().to_ascii_lowercase();
    let style: String = style.chars().filter(|c| !c.is_whitespace()).collect();
    style.contains("display:none") || style.contains("visibility:hidden")
}
