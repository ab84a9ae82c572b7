use std::collections::HashSet;

use crate::clean::texts::outside_code;

/// First parts of words that are written with a hyphen within a line too.
const WITH_HYPHEN: &[&str] = &[
    "all", "anti", "bi", "co", "cross", "e", "ex", "first", "follow", "full", "half", "high", "large", "left", "long",
    "low", "mid", "mini", "multi", "non", "off", "on", "one", "post", "pre", "quasi", "re", "real", "right", "second",
    "self", "semi", "short", "small", "so", "sub", "three", "two", "up", "well",
];

/// The text with words joined that a hyphen at a line end broke in two, and without soft hyphens. The hyphen stays
/// where the word has one of its own: the text writes it so elsewhere, or its first part usually has one.
pub(super) fn joined(text: &str) -> String {
    outside_code(text, |text| {
        let text = text.replace('\u{AD}', "");
        if !text.contains("-\n") && !text.contains("\u{2010}\n") { text } else { joined_lines(&text) }
    })
}

fn joined_lines(text: &str) -> String {
    let words: HashSet<String> = text
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '.' | ';' | ':' | '(' | ')' | '!' | '?' | '"'))
        .filter(|word| word.contains('-') && !word.ends_with('-'))
        .map(str::to_lowercase)
        .collect();
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let first: String = line.trim_start_matches([' ', '\t']).chars().take_while(|c| c.is_alphabetic()).collect();
        if let Some(before) = broken(&out).filter(|_| first.chars().next().is_some_and(char::is_lowercase)) {
            let hyphened = words.contains(&format!("{before}-{first}").to_lowercase());
            out.truncate(out.trim_end_matches('\n').len());
            if !hyphened && !WITH_HYPHEN.contains(&before.to_lowercase().as_str()) {
                out.pop();
            }
            out.push_str(line.trim_start_matches([' ', '\t']));
        } else {
            out.push_str(line);
        }
    }
    out
}

/// The broken word at the end of the text: letters and a hyphen at one line end.
fn broken(text: &str) -> Option<String> {
    let line = text.strip_suffix('\n').filter(|line| !line.ends_with('\n'))?;
    let line = line.strip_suffix(['-', '\u{2010}'])?;
    let letters = line.chars().rev().take_while(|c| c.is_alphabetic()).collect::<Vec<_>>();
    let word: String = letters.into_iter().rev().collect();
    let bounded = line[..line.len() - word.len()].chars().next_back().is_none_or(|c| !c.is_ascii_digit() && c != '-');
    (word.chars().count() >= 2 && bounded && word.chars().next_back().is_some_and(char::is_lowercase)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_broken_at_the_line_end_is_joined() {
        assert_eq!(joined("the treat-\nment of pa-\n  tients"), "the treatment of patients");
        assert_eq!(joined("Arbeits\u{AD}zeit, Ver-\ntrag"), "Arbeitszeit, Vertrag");
        assert_eq!(joined("mainte\u{2010}\nnance"), "maintenance");
    }

    #[test]
    fn a_hyphen_that_belongs_to_the_word_stays() {
        assert_eq!(joined("a well-\nknown drug"), "a well-known drug");
        assert_eq!(joined("the door-\nstep; see door-step"), "the door-step; see door-step");
    }

    #[test]
    fn lists_ranges_names_paragraphs_and_code_stay() {
        for text in [
            "- a\n- b",
            "pages 3-\n5",
            "Meyer-\nSchulz",
            "first -\nsecond",
            "end-\n\nnext",
            "```\na = foo-\nbar\n```",
            "x-ray-\nunit",
        ] {
            assert_eq!(joined(text), text);
        }
    }
}
