use crate::text::is_cjk;

/// Words before a full stop that do not end a sentence.
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "no", "nos", "fig", "figs", "eq", "eqs", "sec", "ch", "vol", "vs", "e.g",
    "i.e", "cf", "approx", "dept", "al", "art", "min", "max", "p", "pp", "ca", "z.b", "bzw", "nr", "abb", "tab",
];

/// Cuts a text into sentences; each keeps the space behind it, so that all together are the text. A blank line ends a
/// sentence too. Abbreviations, initials and decimals do not.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let wide = matches!(c, '。' | '！' | '？' | '；' | '…');
        let narrow = matches!(c, '.' | '!' | '?');
        let blank_line = c == '\n' && text[at + 1..].starts_with('\n');
        if !(wide || narrow || blank_line) {
            continue;
        }
        while chars
            .next_if(|(_, c)| is_closer(*c) || (wide && is_wide_end(*c)) || (narrow && matches!(c, '.' | '!' | '?')))
            .is_some()
        {}
        let spaced = chars.peek().is_none_or(|(_, c)| c.is_whitespace());
        while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let end = chars.peek().map_or(text.len(), |(end, _)| *end);
        let ends = blank_line || wide || (spaced && ends_here(&text[start..at], c, chars.peek().map(|(_, c)| *c)));
        if ends && end < text.len() {
            out.push(&text[start..end]);
            start = end;
        }
    }
    if start < text.len() {
        out.push(&text[start..]);
    }
    out
}

fn is_wide_end(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '；' | '…')
}

fn is_closer(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '”' | '’' | '»' | '」' | '』' | '）' | '】' | '》')
}

fn ends_here(before: &str, mark: char, next: Option<char>) -> bool {
    if next.is_some_and(|next| next.is_lowercase() && !is_cjk(next)) {
        return false;
    }
    if mark != '.' {
        return true;
    }
    let word = before.rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"')).next().unwrap_or_default();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    // `1. Item`: a number that opens a line is a list mark, not a sentence.
    let list_mark =
        !word.is_empty() && word.chars().all(|c| c.is_ascii_digit()) && before.trim_start().len() == word.len();
    !initial && !list_mark && !ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn english_sentences_end_at_marks_but_not_at_abbreviations_or_decimals() {
        let text = "Dr. Smith took 2.5 mg. \"Really?\" he asked. See Fig. 3 (p. 12). J. Doe agreed!  New line";
        assert_eq!(
            sentences(text),
            [
                "Dr. Smith took 2.5 mg. ",
                "\"Really?\" he asked. ",
                "See Fig. 3 (p. 12). ",
                "J. Doe agreed!  ",
                "New line"
            ]
        );
    }

    #[test]
    fn chinese_sentences_end_without_a_space() {
        assert_eq!(
            sentences("他说：“好的。”然后走了！第二句；第三句……完"),
            ["他说：“好的。”", "然后走了！", "第二句；", "第三句……", "完"]
        );
    }

    #[test]
    fn a_blank_line_ends_a_sentence_and_a_list_number_does_not() {
        assert_eq!(sentences("Title\n\n1. First step"), ["Title\n\n", "1. First step"]);
    }

    proptest! {
        #[test]
        fn sentences_together_are_the_text(text in "[a-zA-Z0-9 .!?。！？；\n\"”()é中文]{0,200}") {
            prop_assert_eq!(sentences(&text).concat(), text);
        }
    }
}
