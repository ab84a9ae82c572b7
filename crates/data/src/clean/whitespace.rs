use std::borrow::Cow;

use crate::Row;
use crate::clean::{Action, Rule, Verdict, row_text};
use crate::text::is_invisible;

/// Hits of the rule `whitespace`: rows that [`tidy`] would change.
pub fn whitespace(rows: &[Row]) -> Vec<Verdict> {
    rows.iter()
        .filter_map(|row| {
            let tidied = tidy(row)?;
            Some(Verdict {
                row: row.id,
                rule: Rule::Whitespace,
                action: Action::Change,
                before: row_text(row),
                after: row_text(&tidied),
                related: None,
            })
        })
        .collect()
}

/// The row with runs of spaces as one, no blanks at line ends, at most one blank line, plain spaces for no-break ones
/// and no invisible characters. Indentation stays, and so does everything between lines of three backticks. `None`
/// where there is nothing to do.
pub fn tidy(row: &Row) -> Option<Row> {
    let mut tidied = row.clone();
    tidied.text = tidy_text(&row.text);
    for message in &mut tidied.messages {
        message.content = tidy_text(&message.content);
    }
    (tidied != *row).then_some(tidied)
}

fn tidy_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut fenced, mut blank_lines) = (false, 0);
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        let line = if fenced && !fence { Cow::Borrowed(line) } else { Cow::Owned(tidy_line(line)) };
        fenced ^= fence;
        blank_lines = if line.is_empty() && !fenced { blank_lines + 1 } else { 0 };
        if blank_lines <= 1 {
            out.push_str(&line);
            out.push('\n');
        }
    }
    // Indentation of the first line belongs to it only where more lines follow in the same way.
    out.trim_end().trim_start_matches('\n').to_owned()
}

fn tidy_line(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let (mut indenting, mut gap) = (true, false);
    for c in line.chars().filter(|c| !is_invisible(*c)) {
        let c = if matches!(c, '\u{A0}' | '\u{2007}' | '\u{202F}') { ' ' } else { c };
        if matches!(c, ' ' | '\t') && !indenting {
            gap = true;
            continue;
        }
        indenting &= matches!(c, ' ' | '\t');
        if std::mem::take(&mut gap) {
            out.push(' ');
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::tests::row;

    #[test]
    fn runs_no_break_spaces_and_line_ends_are_tidied() {
        assert_eq!(tidy_text("a  b\u{A0}c \r\n\n\n\n d\t\te\u{200B}f  \n"), "a b c\n\n d ef");
        assert_eq!(tidy_text("10\u{202F}000 mg"), "10 000 mg");
    }

    #[test]
    fn indentation_fenced_code_and_joined_emoji_stay() {
        let code = "Use:\n\n```\nx  =  1   \n\n\n    y\n```\n- a\n    - b";
        assert_eq!(tidy_text(code), code);
        assert_eq!(tidy_text("👩\u{200D}🔬"), "👩\u{200D}🔬");
    }

    #[test]
    fn a_tidy_row_is_no_hit_and_tidying_twice_changes_nothing_more() {
        assert!(whitespace(&[row(1, "fine", "fine\n\nindeed")]).is_empty());
        let once = tidy(&row(1, " a  b ", "c\n\n\n\nd")).unwrap();
        assert_eq!(tidy(&once), None);
    }

    #[test]
    fn a_hit_shows_before_and_after() {
        let hits = whitespace(&[row(9, "a  b", "c")]);
        assert_eq!((hits[0].row, hits[0].before.as_str(), hits[0].after.as_str()), (9, "a  b\n\nc", "a b\n\nc"));
    }
}
