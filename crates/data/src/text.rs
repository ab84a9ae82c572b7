//! Small questions about characters that several parts ask.

/// Whether a character belongs to Chinese, Japanese or Korean writing, punctuation included: no spaces between these.
pub(crate) fn is_cjk(c: char) -> bool {
    matches!(u32::from(c),
        0x2E80..=0x2FDF      // radicals
        | 0x3000..=0x303F    // punctuation
        | 0x3040..=0x30FF    // kana
        | 0x3100..=0x312F    // bopomofo
        | 0x31C0..=0x31FF
        | 0x3200..=0x33FF
        | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE4F
        | 0xFF01..=0xFF0F | 0xFF1A..=0xFF20 | 0xFF3B..=0xFF40 | 0xFF5B..=0xFF65 // full-width punctuation
        | 0x20000..=0x3FFFD)
}

/// The form in which two texts count as the same: full width folded to half width, lower case, letters and digits
/// only, one space between words.
pub(crate) fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars().map(half_width).flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            if gap && !out.is_empty() {
                out.push(' ');
            }
            gap = false;
            out.push(c);
        } else {
            gap = true;
        }
    }
    if out.is_empty() { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { out }
}

/// The text with full width folded to half width and every run of blanks as one space: what is left differs in what
/// is said, not in how it is laid out.
pub(crate) fn folded(text: &str) -> String {
    let text: String = text.chars().filter(|c| !is_invisible(*c)).map(half_width).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that show nothing and join nothing. Joiners (U+200C, U+200D) are not among them: emoji and several
/// scripts need them.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{2060}' | '\u{FEFF}')
}

/// Whether a character is a letter of Chinese, Japanese or Korean writing.
pub(crate) fn is_cjk_letter(c: char) -> bool {
    matches!(u32::from(c),
        0x3005..=0x3007      // repetition and zero
        | 0x3041..=0x30FF    // kana
        | 0x3105..=0x312F    // bopomofo
        | 0x31F0..=0x31FF
        | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF
        | 0xAC00..=0xD7AF    // hangul
        | 0xF900..=0xFAFF
        | 0xFF66..=0xFF9F    // half-width kana
        | 0x20000..=0x3FFFD)
}

/// The half-width form of a full-width character of ASCII.
pub(crate) fn half_width(c: char) -> char {
    match u32::from(c) {
        0xFF01..=0xFF5E => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_width_spaces_and_punctuation_do_not_make_texts_different() {
        assert_eq!(normalised("  What is  ＡＢＣ-12?\n"), normalised("what is abc 12"));
        assert_eq!(normalised("什么是剂量？"), normalised("什么是剂量"));
        assert_ne!(normalised("version 1.2"), normalised("version 12"));
        assert_ne!(normalised("?!"), normalised("..."), "texts of signs alone keep them");
    }
}
