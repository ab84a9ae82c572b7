use std::borrow::Cow;

use crate::text::{is_cjk_letter, is_invisible};

/// The text with runs of spaces as one, no blanks at line ends, at most one blank line, plain spaces for no-break ones
/// and no invisible characters; Chinese written with a space between all its characters loses them. Indentation stays,
/// and so does everything between lines of three backticks.
pub(super) fn tidy_text(text: &str) -> String {
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
    without_spaced_characters(out)
}

/// `安 全 手 册` -> `安全手册`: four characters or more, each alone, as some readers of PDF write them. Words of several
/// characters with a space between are left as they are.
fn without_spaced_characters(line: String) -> String {
    if !line.contains(' ') || !line.chars().any(is_cjk_letter) {
        return line;
    }
    let words: Vec<&str> = line.split(' ').collect();
    let single: Vec<bool> = words
        .iter()
        .map(|word| {
            let mut chars = word.chars();
            chars.next().is_some_and(is_cjk_letter) && chars.all(|c| crate::text::is_cjk(c) && !is_cjk_letter(c))
        })
        .collect();
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    while at < words.len() {
        let run = single[at..].iter().take_while(|single| **single).count();
        if at > 0 {
            out.push(' ');
        }
        if run >= 4 {
            out += &words[at..at + run].concat();
            at += run;
        } else {
            out += words[at];
            at += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn chinese_with_a_space_behind_every_character_loses_the_spaces() {
        assert_eq!(tidy_text("安 全 手 册， 第 一 章 ABC"), "安全手册，第一章 ABC");
        assert_eq!(tidy_text("张三 李四 王五 赵六"), "张三 李四 王五 赵六");
        assert_eq!(tidy_text("是 否 | 男 女"), "是 否 | 男 女");
    }

    #[test]
    fn tidying_twice_changes_nothing_more() {
        let once = tidy_text("  a  b \n\n\n\nd 安 全 手 册 x");
        assert_eq!(tidy_text(&once), once);
    }
}
