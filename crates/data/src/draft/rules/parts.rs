//! A passage's text cut into headings, tables, steps, lists and paragraphs.

/// A piece of a passage.
pub(super) enum Part<'a> {
    /// A heading, without its marks.
    Heading(&'a str),
    /// A table of Markdown.
    Table(Table<'a>),
    /// A numbered list.
    Steps {
        /// All of it as it stands.
        text: &'a str,
        /// Its items.
        items: Vec<&'a str>,
    },
    /// A list with bullets: its items without them.
    List(Vec<&'a str>),
    /// Running text.
    Paragraph(&'a str),
}

/// A table of Markdown.
pub(super) struct Table<'a> {
    /// The cells of its first line.
    pub head: Vec<&'a str>,
    /// The other lines: as they stand, and their cells.
    pub rows: Vec<(&'a str, Vec<&'a str>)>,
}

/// What one line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Blank,
    Heading,
    Table,
    Step,
    Item,
    Words,
}

/// Cuts a passage's text into its parts, in order.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let kinds: Vec<Line> = (0..lines.len()).map(|at| kind(&lines, at)).collect();
    let offset = |line: usize| lines[..line].iter().map(|line| line.len()).sum::<usize>();
    let mut parts = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let kind = kinds[at];
        // A list's item may go on in a line of words; blank lines between items do not end a list.
        let mut end = at + 1;
        while end < lines.len() {
            let next = kinds[end];
            let list = matches!(kind, Line::Step | Line::Item);
            let over_blank = list && next == Line::Blank && kinds.get(end + 1) == Some(&kind);
            if next == kind && kind != Line::Heading
                || over_blank
                || (list && next == Line::Words && kinds[end - 1] != Line::Blank)
            {
                end += 1;
            } else {
                break;
            }
        }
        let whole = text[offset(at)..offset(end)].trim();
        match kind {
            Line::Blank => {}
            Line::Heading => parts.push(Part::Heading(whole.trim_start_matches('#').trim())),
            Line::Table => parts.extend(table(&lines[at..end])),
            Line::Step => {
                let items = items(&lines[at..end], &kinds[at..end], kind);
                parts.push(if items.len() > 1 { Part::Steps { text: whole, items } } else { Part::Paragraph(whole) });
            }
            Line::Item => parts.push(Part::List(items(&lines[at..end], &kinds[at..end], kind))),
            Line::Words => parts.push(Part::Paragraph(whole)),
        }
        at = end;
    }
    parts
}

fn kind(lines: &[&str], at: usize) -> Line {
    let line = lines[at].trim();
    if line.is_empty() {
        Line::Blank
    } else if line.starts_with('|') && line.len() > 1 && line.ends_with('|') {
        Line::Table
    } else if line.starts_with('#') {
        Line::Heading
    } else if after_number(line).is_some() && (!alone(lines, at) || numbered_around(lines, at)) {
        Line::Step
    } else if after_bullet(line).is_some() {
        Line::Item
    } else if looks_like_heading(lines, at) {
        Line::Heading
    } else {
        Line::Words
    }
}

/// Whether blank lines, or nothing, stand right before and behind.
fn alone(lines: &[&str], at: usize) -> bool {
    let blank = |line: Option<&&str>| line.is_none_or(|line| line.trim().is_empty());
    blank(at.checked_sub(1).and_then(|before| lines.get(before))) && blank(lines.get(at + 1))
}

/// Whether a numbered line stands before or behind the blank line around this one: then both are items of a list.
fn numbered_around(lines: &[&str], at: usize) -> bool {
    let around = [at.checked_sub(2).and_then(|before| lines.get(before)), lines.get(at + 2)];
    around.into_iter().flatten().any(|line| after_number(line.trim()).is_some())
}

/// A short line by itself, without an end, above more text: documents from PDF and Word carry headings so.
fn looks_like_heading(lines: &[&str], at: usize) -> bool {
    let line = lines[at].trim();
    let short = line.chars().count() <= 70;
    let open = !line.ends_with(['.', '!', '?', ':', ';', ',', '。', '！', '？', '：', '；', '，', '、', '|']);
    let more = lines[at + 1..].iter().any(|line| !line.trim().is_empty());
    let named = line.chars().any(char::is_alphabetic) && !line.contains(". . .");
    short && open && more && named && alone(lines, at)
}

/// The words behind `3. `, `3) ` or `3、`.
fn after_number(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.len() == line.len() || line.len() - rest.len() > 3 {
        return None;
    }
    let words = rest.strip_prefix("、").or_else(|| rest.strip_prefix(". ")).or_else(|| rest.strip_prefix(") "))?;
    Some(words.trim())
}

fn after_bullet(line: &str) -> Option<&str> {
    ["- ", "* ", "+ ", "• ", "– "].into_iter().find_map(|bullet| line.strip_prefix(bullet)).map(str::trim)
}

fn items<'a>(lines: &[&'a str], kinds: &[Line], kind: Line) -> Vec<&'a str> {
    let opens = lines.iter().zip(kinds).filter(|(_, found)| **found == kind).map(|(line, _)| line.trim());
    opens.filter_map(|line| if kind == Line::Step { after_number(line) } else { after_bullet(line) }).collect()
}

/// A table with a line of dashes under its head and at least one more line.
fn table<'a>(lines: &[&'a str]) -> Option<Part<'a>> {
    let dashes = |line: &str| line.contains("---") && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '));
    let [head, rule, rows @ ..] = lines else { return None };
    if !dashes(rule.trim()) || rows.is_empty() {
        return None;
    }
    let rows = rows.iter().map(|line| (line.trim(), cells(line))).collect();
    Some(Part::Table(Table { head: cells(head), rows }))
}

fn cells(line: &str) -> Vec<&str> {
    let line = line.trim();
    let inside = line.strip_prefix('|').unwrap_or(line);
    inside.strip_suffix('|').unwrap_or(inside).split('|').map(str::trim).collect()
}
