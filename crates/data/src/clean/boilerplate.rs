use std::collections::{HashMap, HashSet};

use crate::clean::texts::outside_code;
use crate::text::normalised;
use crate::{Origin, Row};

/// Shorter lines are never boilerplate, longer ones never are either, characters.
const LENGTH: std::ops::RangeInclusive<usize> = 6..=300;

/// The lines of reading rows that stand in at least `documents` documents, as they are compared: numbers do not count,
/// so that `Page 3 of 12` is the same line on every page. In order.
pub(super) fn repeated_lines(rows: &[Row], documents: u32) -> Vec<String> {
    let mut seen: HashMap<String, HashSet<&str>> = HashMap::new();
    for row in rows.iter().filter(|row| row.origin == Origin::Reading) {
        let Some(document) = row.document.as_deref() else { continue };
        let mut fenced = false;
        for line in row.text.lines() {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            if let (false, false, Some(key)) = (fence, fenced, key(line)) {
                seen.entry(key).or_default().insert(document);
            }
        }
    }
    let enough = documents.max(2) as usize;
    let mut lines: Vec<String> =
        seen.into_iter().filter(|(_, documents)| documents.len() >= enough).map(|(line, _)| line).collect();
    lines.sort_unstable();
    lines
}

/// The text without the lines that [`repeated_lines`] found; fenced code stays.
pub(super) fn without_lines(text: &str, lines: &[String]) -> String {
    outside_code(text, |text| {
        let repeated = |line: &str| key(line).is_some_and(|key| lines.binary_search(&key).is_ok());
        if !text.lines().any(repeated) {
            return text.to_owned();
        }
        text.split_inclusive('\n').filter(|line| !repeated(line)).collect::<String>()
    })
}

/// A line as it is compared; `None` for lines that are never boilerplate: headings, items and rows of tables repeat for
/// good reasons.
fn key(line: &str) -> Option<String> {
    let line = line.trim();
    let marked = line.starts_with(['#', '|', '-', '*', '+', '>']) || line.starts_with("```");
    if marked || !LENGTH.contains(&line.chars().count()) || !line.chars().any(char::is_alphabetic) {
        return None;
    }
    let mut key = String::new();
    for c in normalised(line).chars() {
        let c = if c.is_numeric() { '0' } else { c };
        if c != '0' || !key.ends_with('0') {
            key.push(c);
        }
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::tests::reading;

    #[test]
    fn a_line_of_three_documents_is_boilerplate_whatever_its_page_number() {
        let rows = [
            reading(1, "a", "Lindenhof Clinic, page 3\nWash your hands."),
            reading(2, "b", "LINDENHOF CLINIC, page 14\nWash the table."),
            reading(3, "c", "Lindenhof clinic · page 5\nWash your hands."),
            reading(4, "c", "Wash your hands."),
        ];
        assert_eq!(repeated_lines(&rows, 3), ["lindenhof clinic page 0"]);
        assert_eq!(repeated_lines(&rows, 2), ["lindenhof clinic page 0", "wash your hands"]);
        let lines = repeated_lines(&rows, 3);
        assert_eq!(without_lines(&rows[1].text, &lines), "Wash the table.");
        assert_eq!(without_lines("Nothing here.", &lines), "Nothing here.");
    }

    #[test]
    fn headings_lists_tables_code_and_short_lines_repeat_for_good_reasons() {
        let text = "# Overview\n- Monday to Friday\n| Name | Dose |\nYes.\n```\nuse strict;\n```";
        let rows = [reading(1, "a", text), reading(2, "b", text), reading(3, "c", text)];
        assert!(repeated_lines(&rows, 3).is_empty());
    }
}
