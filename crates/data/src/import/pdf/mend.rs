use std::collections::HashSet;

use crate::text::is_cjk;

/// One line: ligatures spelt out, no spaces between Chinese characters, no leaders of dots.
pub(super) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'ﬀ' => out.push_str("ff"),
            'ﬁ' => out.push_str("fi"),
            'ﬂ' => out.push_str("fl"),
            'ﬃ' => out.push_str("ffi"),
            'ﬄ' => out.push_str("ffl"),
            'ﬅ' | 'ﬆ' => out.push_str("st"),
            '\u{200B}' | '\u{FEFF}' | '\0' => {}
            c if c.is_whitespace() => out.push(' '),
            c => out.push(c),
        }
    }
    without_leaders(&without_cjk_spaces(&out)).trim().to_owned()
}

fn without_cjk_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != ' ' {
            out.push(c);
            continue;
        }
        while chars.next_if_eq(&' ').is_some() {}
        let between = out.chars().next_back().is_some_and(is_cjk) && chars.peek().copied().is_some_and(is_cjk);
        if !between {
            out.push(' ');
        }
    }
    out
}

/// `Dosage . . . . . . 12` and `Dosage......12` -> `Dosage 12`.
fn without_leaders(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('.') {
        let (before, dots) = rest.split_at(start);
        let length = dots.find(|c| c != '.' && c != ' ').unwrap_or(dots.len());
        let count = dots[..length].matches('.').count();
        out.push_str(before);
        if count >= 5 {
            out.truncate(out.trim_end().len());
            out.push(' ');
        } else {
            out.push_str(&dots[..length]);
        }
        rest = &dots[length..];
    }
    out + rest
}

/// The document's own words, to tell a hyphen of the line end from one of the word.
#[derive(Debug, Default)]
pub(super) struct Words(HashSet<String>);

impl Words {
    pub(super) fn add(&mut self, line: &str) {
        for word in line.split_whitespace() {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            if word.len() > 3 {
                self.0.insert(word.to_lowercase());
            }
        }
    }

    /// Puts a line behind the text of its paragraph.
    pub(super) fn append(&self, text: &mut String, next: &str) {
        let (Some(last), Some(first)) = (text.chars().next_back(), next.chars().next()) else {
            text.push_str(next);
            return;
        };
        let before = text.chars().rev().nth(1);
        let hyphen = matches!(last, '-' | '\u{AD}' | '\u{2010}') && before.is_some_and(char::is_alphabetic);
        let capitals =
            before.is_some_and(char::is_uppercase) && next.chars().take(2).filter(|c| c.is_uppercase()).count() == 2;
        if hyphen && (first.is_lowercase() || capitals) {
            let head_start = text.rfind(char::is_whitespace).map_or(0, |at| at + 1);
            let head = text[head_start..].trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            let tail = next.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
            let whole = format!("{}{tail}", head.trim_end_matches(['-', '\u{AD}', '\u{2010}']));
            let compound = format!("{}{tail}", head.replace(['\u{AD}', '\u{2010}'], "-"));
            if last == '\u{AD}' || self.0.contains(&whole) || !self.0.contains(&compound) {
                text.pop();
            }
        } else if !(is_cjk(last) && is_cjk(first) || last == '-' && before.is_some_and(char::is_alphanumeric)) {
            text.push(' ');
        }
        text.push_str(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ligatures_chinese_spaces_and_leaders_are_mended() {
        assert_eq!(line("e\u{FB03}cient \u{FB01}sh"), "efficient fish");
        assert_eq!(line("本 章 由 OpenAI 编 写 ， 好"), "本章由 OpenAI 编写，好");
        assert_eq!(line("Dosage . . . . . . . 12"), "Dosage 12");
        assert_eq!(line("Wait... what? 1.2.3.4"), "Wait... what? 1.2.3.4");
    }

    #[test]
    fn a_hyphen_at_the_line_end_goes_unless_the_document_writes_the_word_with_it() {
        let mut words = Words::default();
        words.add("a well-known fact (cooperative)");
        let join = |head: &str, tail: &str| {
            let mut text = head.to_owned();
            words.append(&mut text, tail);
            text
        };
        assert_eq!(join("the coop-", "erative grew"), "the cooperative grew");
        assert_eq!(join("some unheard-", "of thing"), "some unheardof thing");
        assert_eq!(join("a well-", "known fact"), "a well-known fact");
        assert_eq!(join("from 3-", "4 days"), "from 3-4 days");
        assert_eq!(join("the Baden-", "Powell house"), "the Baden-Powell house");
        assert_eq!(join("an ELE-", "MENT of"), "an ELEMENT of");
        assert_eq!(join("one", "two"), "one two");
        assert_eq!(join("本章", "由"), "本章由");
        assert_eq!(join("soft\u{AD}", "ly"), "softly");
    }
}
