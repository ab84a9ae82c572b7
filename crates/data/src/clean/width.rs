use unicode_normalization::UnicodeNormalization;

use crate::clean::texts::outside_code;
use crate::text::{half_width, is_cjk_letter};

/// The text with full-width letters and digits in their usual width, half-width kana in theirs, ligatures spelt out and
/// accents joined to their letters (NFC). Punctuation stays full width in lines that hold Chinese, Japanese or Korean
/// letters. With `nfkc` everything else is normalised to NFKC too.
pub(super) fn usual_width(text: &str, nfkc: bool) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    outside_code(text, |text| text.split_inclusive('\n').map(|line| line_in_usual_width(line, nfkc)).collect())
}

fn line_in_usual_width(line: &str, nfkc: bool) -> String {
    if line.is_ascii() {
        return line.to_owned();
    }
    let keep_signs = line.chars().any(is_cjk_letter);
    let mut out = String::with_capacity(line.len());
    let mut part = String::new();
    for c in line.chars() {
        if keep_signs && is_kept_sign(c) {
            normalise(&mut part, &mut out, nfkc);
            out.push(c);
        } else {
            widen(c, &mut part);
        }
    }
    normalise(&mut part, &mut out, nfkc);
    out
}

fn normalise(part: &mut String, out: &mut String, nfkc: bool) {
    if nfkc {
        out.extend(part.nfkc());
    } else {
        out.extend(part.nfc());
    }
    part.clear();
}

/// Signs that Chinese, Japanese and Korean text writes full width. Letters and digits are not among them.
fn is_kept_sign(c: char) -> bool {
    let full = matches!(u32::from(c), 0xFF01..=0xFF5E | 0xFFE0..=0xFFE6);
    (full && !half_width(c).is_ascii_alphanumeric())
        || matches!(c, '\u{3000}'..='\u{303F}' | '…' | '‥' | '︰' | '℃' | '№')
}

fn widen(c: char, out: &mut String) {
    match u32::from(c) {
        0xFF01..=0xFF5E => out.push(half_width(c)),
        // Half-width kana and hangul, full-width currency signs, ligatures: as NFKC has them.
        0xFF61..=0xFFDC | 0xFFE0..=0xFFEE | 0xFB00..=0xFB06 => out.extend(std::iter::once(c).nfkc()),
        0x3000 => out.push(' '),
        _ => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_letters_and_digits_become_half_width_and_chinese_punctuation_stays() {
        assert_eq!(
            usual_width("型号ＡＢＣ－１２３，价格：１００元（含税）！", false),
            "型号ABC－123，价格：100元（含税）！"
        );
        assert_eq!(usual_width("Ｍｏｄｅｌ：ＡＢＣ！\n价格！", false), "Model:ABC!\n价格！");
        assert_eq!(usual_width("ﾃｽﾄ ガ", false), "テスト ガ");
    }

    #[test]
    fn ligatures_are_spelt_out_and_accents_joined() {
        assert_eq!(usual_width("the ﬁrst oﬃce, cafe\u{301}", false), "the first office, café");
    }

    #[test]
    fn powers_fractions_and_units_stay_unless_all_of_nfkc_is_asked_for() {
        let text = "5 m² ½ cup ™ Ω ① ㎏";
        assert_eq!(usual_width(text, false), "5 m² ½ cup ™ Ω ① ㎏");
        // As Python has it: unicodedata.normalize("NFKC", text)
        assert_eq!(usual_width(text, true), "5 m2 1⁄2 cup TM Ω 1 kg");
        assert_eq!(usual_width("温度３℃，湿度。", true), "温度3℃，湿度。");
    }

    #[test]
    fn fenced_code_stays() {
        assert_eq!(usual_width("```\nＡ\n```", true), "```\nＡ\n```");
    }
}
