use crate::clean::texts::outside_code;

/// The text without signs that say nothing: control signs, signs of private areas (fonts' own pictures), replacement
/// signs of broken encodings, marks that turn the reading direction; leaders of dots become one `…`. Numbers, units,
/// formulas, accents, emoji and fenced code stay.
pub(super) fn without_stray(text: &str) -> String {
    outside_code(text, |text| {
        let kept: String = text.chars().filter(|c| !is_stray(*c)).collect();
        without_leaders(&kept)
    })
}

/// Letters, digits and blanks only, one blank where other signs stood.
pub(super) fn letters_and_digits(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        if c.is_alphanumeric() || is_mark(c) || c.is_whitespace() {
            let spaced = out.chars().next_back().is_none_or(char::is_whitespace) || c.is_whitespace();
            if std::mem::take(&mut gap) && !spaced {
                out.push(' ');
            }
            out.push(c);
        } else {
            gap = true;
        }
    }
    out
}

fn is_stray(c: char) -> bool {
    match u32::from(c) {
        0x09 | 0x0A | 0x0D => false,
        // Controls; the marks that embed and override the reading direction; the private areas; signs that are none.
        0x00..=0x1F
        | 0x7F..=0x9F
        | 0x202A..=0x202E
        | 0x2066..=0x2069
        | 0xE000..=0xF8FF
        | 0xFDD0..=0xFDEF
        | 0xFFF9..=0xFFFD
        | 0xF_0000..=0x10_FFFF => true,
        code => code & 0xFFFE == 0xFFFE,
    }
}

/// Combining marks: part of the letter before them.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// `Dosage . . . . . . 12` and `Dosage......12` become `Dosage … 12`.
fn without_leaders(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['.', '·', '…']) {
        let (before, dots) = rest.split_at(start);
        let length = dots.find(|c| !matches!(c, '.' | '·' | '…' | ' ')).unwrap_or(dots.len());
        let count = dots[..length].chars().filter(|c| *c != ' ').map(|c| if c == '…' { 3 } else { 1 }).sum::<usize>();
        out.push_str(before);
        if count >= 6 {
            out.truncate(out.trim_end_matches(' ').len());
            let (opens, ends) = (out.is_empty() || out.ends_with('\n'), rest.len() == start + length);
            let ends = ends || dots[length..].starts_with('\n');
            out.push_str(if opens { "…" } else { " …" });
            out.push_str(if ends { "" } else { " " });
        } else {
            out.push_str(&dots[..length]);
        }
        rest = &dots[length..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_signs_pictures_of_fonts_and_broken_signs_go() {
        assert_eq!(without_stray("a\u{0}b\u{8}c\u{F0B7}d\u{FFFD}e\u{202E}f\u{1B}[0m"), "abcdef[0m");
        assert_eq!(without_stray("tab\tline\nend"), "tab\tline\nend");
    }

    #[test]
    fn numbers_units_formulas_accents_emoji_and_code_stay() {
        for text in [
            "−3.5 °C ± 0.2 %, 5 µg/m², ½ × 10⁻³ Ω",
            "∑ᵢ xᵢ² ≤ √2·π ∈ ℝ",
            "naïve Ångström façade ł đ ŵ",
            "cafe\u{301}",
            "👩\u{200D}🔬 ✓ → ★",
            "f(x) := {a[i] += 1; /* #$%^&|~ */ }",
            "```\n\u{1B}[31m......\n```",
            "Wait... and etc. and so on…",
            "价格：¥100（含税）《手册》",
            "| a | b |\n|---|---|",
        ] {
            assert_eq!(without_stray(text), text);
        }
    }

    #[test]
    fn leaders_of_dots_become_one_sign() {
        assert_eq!(without_stray("Dosage . . . . . . . 12\nFees........3"), "Dosage … 12\nFees … 3");
        assert_eq!(without_stray("第一章……………12"), "第一章 … 12");
        assert_eq!(without_stray("Name ..........\nx"), "Name …\nx");
    }

    #[test]
    fn the_blunt_form_keeps_letters_digits_and_their_accents_only() {
        assert_eq!(
            letters_and_digits("Take 2.5 mg/kg (max. 10 %)!\nÅ cafe\u{301} 渡轮，九点。"),
            "Take 2 5 mg kg max 10 \nÅ cafe\u{301} 渡轮 九点"
        );
    }
}
