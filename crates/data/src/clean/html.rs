use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::clean::texts::outside_code;

/// Passes after which a text that still changes is left as it was: nobody writes entities of entities of entities.
const PASSES: usize = 8;

/// The tags of HTML that people find left over in texts; others (`<T>`, `<name>`) mean something else.
const NAMES: &str = "a|abbr|article|aside|b|big|blockquote|body|br|button|caption|center|cite|code|col|colgroup|dd|del|div|dl|dt|em|\
    figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|kbd|label|li|link|main|mark|meta|nav|ol|\
    option|p|picture|pre|q|s|samp|section|select|small|source|span|strike|strong|sub|sup|table|tbody|td|textarea|tfoot|th|thead|\
    title|tr|tt|u|ul|var|video|wbr";

fn regex(pattern: &str) -> Regex {
    // Every pattern is a constant of this file and a test compiles them all.
    #[allow(clippy::expect_used)]
    Regex::new(pattern).expect("a constant pattern")
}

static HIDDEN: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?is)<!--.*?-->|<script\b[^<>]*>.*?</script\s*>|<style\b[^<>]*>.*?</style\s*>|<!doctype\b[^<>]*>")
});
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r#"(?i)<(/?)({NAMES})((?:\s+[a-z][-a-z0-9:]*(?:\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+))?)*)\s*(/?)>"#
    ))
});
static ENTITY: LazyLock<Regex> =
    LazyLock::new(|| regex(r"&(?:amp;)*(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z]{2,8}));"));

/// The text without tags, comments and scripts, and with entities spelt out. Only tags of HTML that are closed, empty or
/// have attributes count; fenced code, text in backticks and the marks of chat templates stay.
pub(super) fn without_html(text: &str) -> String {
    if !text.contains(['<', '&']) {
        return text.to_owned();
    }
    outside_code(text, |text| {
        let mut now = text.to_owned();
        for _ in 0..PASSES {
            let next = outside_backticks(&now, pass);
            if next == now {
                return now;
            }
            now = next;
        }
        text.to_owned()
    })
}

fn outside_backticks(text: &str, change: impl Fn(&str) -> String) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len() < 3 {
        return change(text);
    }
    let last = parts.len() - 1;
    let mut out = String::with_capacity(text.len());
    for (at, part) in parts.into_iter().enumerate() {
        if at > 0 {
            out.push('`');
        }
        // An odd backtick at the end opens nothing.
        let quoted = at % 2 == 1 && at != last;
        out += &if quoted { part.to_owned() } else { change(part) };
    }
    out
}

fn pass(text: &str) -> String {
    let text = HIDDEN.replace_all(text, "");
    let closed: Vec<String> =
        TAG.captures_iter(&text).filter(|tag| !tag[1].is_empty()).map(|tag| tag[2].to_ascii_lowercase()).collect();
    let text = TAG.replace_all(&text, |tag: &Captures| {
        let name = tag[2].to_ascii_lowercase();
        let empty = matches!(name.as_str(), "br" | "hr" | "img" | "wbr" | "input" | "link" | "meta" | "col" | "source");
        let meant = !tag[1].is_empty() || empty || !tag[3].is_empty() || !tag[4].is_empty() || closed.contains(&name);
        match name.as_str() {
            _ if !meant => tag[0].to_owned(),
            "td" | "th" if !tag[1].is_empty() => " ".to_owned(),
            "br" | "p" | "div" | "li" | "tr" | "table" | "ul" | "ol" | "section" | "article" | "blockquote" | "pre"
            | "hr" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => "\n".to_owned(),
            _ => String::new(),
        }
    });
    let text = ENTITY.replace_all(&text, |entity: &Captures| spelt(entity).unwrap_or_else(|| entity[0].to_owned()));
    text.into_owned()
}

fn spelt(entity: &Captures) -> Option<String> {
    let number = |group: usize, radix| entity.get(group).map(|digits| u32::from_str_radix(digits.as_str(), radix));
    if let Some(code) = number(1, 10).or(number(2, 16)) {
        let c = char::from_u32(code.ok()?)?;
        return (!c.is_control() || c == '\n' || c == '\t').then(|| c.to_string());
    }
    let word = match entity.get(3)?.as_str() {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        "nbsp" | "ensp" | "emsp" | "thinsp" => " ",
        "ndash" => "–",
        "mdash" => "—",
        "hellip" => "…",
        "lsquo" => "‘",
        "rsquo" => "’",
        "ldquo" => "“",
        "rdquo" => "”",
        "laquo" => "«",
        "raquo" => "»",
        "copy" => "©",
        "reg" => "®",
        "trade" => "™",
        "deg" => "°",
        "plusmn" => "±",
        "times" => "×",
        "divide" => "÷",
        "micro" => "µ",
        "middot" => "·",
        "bull" => "•",
        "euro" => "€",
        "pound" => "£",
        "yen" => "¥",
        "sect" => "§",
        "frac12" => "½",
        "sup2" => "²",
        "sup3" => "³",
        "le" => "≤",
        "ge" => "≥",
        "ne" => "≠",
        "auml" => "ä",
        "ouml" => "ö",
        "uuml" => "ü",
        "Auml" => "Ä",
        "Ouml" => "Ö",
        "Uuml" => "Ü",
        "szlig" => "ß",
        "eacute" => "é",
        "egrave" => "è",
        "agrave" => "à",
        "ccedil" => "ç",
        "ntilde" => "ñ",
        "shy" | "zwnj" | "zwj" => "",
        _ => return None,
    };
    Some(word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_paragraphs_become_lines_and_entities_are_spelt_out() {
        assert_eq!(
            without_html("<p class=\"x\">Take <b>two</b> &amp; rest&nbsp;well.</p>"),
            "\nTake two & rest well.\n"
        );
        assert_eq!(without_html("one<br>two<br/>three"), "one\ntwo\nthree");
        assert_eq!(without_html("5&nbsp;&micro;g &lt; 6 &#181;g, 3&#xB0;"), "5 µg < 6 µg, 3°");
        assert_eq!(without_html("a<!-- note -->b<script>alert(1)</script>c<style>p{}</style>"), "abc");
        assert_eq!(without_html("&amp;amp;amp; and &amp;lt;"), "& and <");
    }

    #[test]
    fn comparisons_generics_code_and_marks_of_templates_stay() {
        for text in [
            "a < b and c > d",
            "Vec<i> is odd, Vec<T> and Map<String, u8> are not",
            "write `<b>bold</b>` and `&amp;`",
            "```html\n<p>Hi &amp; bye</p>\n```",
            "<start_of_turn>user\nhi<|im_end|></s>x",
            "AT&T; R&D; x&y",
            "the tag <b> opens bold",
            "if (a<b && c>d)",
            "&unknown; &#xD800; &#0;",
        ] {
            assert_eq!(
                without_html(text),
                if text.contains("</s>") { "<start_of_turn>user\nhi<|im_end|>x" } else { text }
            );
        }
    }

    #[test]
    fn a_second_time_changes_nothing_more_however_deep_the_entities_lie() {
        for text in ["&lt;b&gt;bold&lt;/b&gt;", "&<b></b>lt;p&gt;x</p>", "&&amp;lt;amp;lt;i&gt;</i>", "`<b>`</b>`"] {
            let once = without_html(text);
            assert_eq!(without_html(&once), once, "{text}");
        }
    }
}
