use std::borrow::Cow;

/// Elements without content, and those that the next of their kind ends: they do not nest.
const FLAT: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr", "p",
    "li", "dt", "dd", "tr", "td", "th", "tbody", "thead", "tfoot", "option", "optgroup", "colgroup", "rt", "rp",
    "html", "head", "body", "h1", "h2", "h3", "h4", "h5", "h6",
];

/// Elements whose content is no markup.
const RAW: &[&str] = &["script", "style", "textarea", "title", "xmp", "noframes"];

/// Leaves out the tags of elements that stand deeper than `max_depth` in others, and keeps their text: parsers of pages
/// take time by the square of the depth, and recurse. Answers whether there were any.
pub(in crate::import) fn shallow(html: &str, max_depth: usize) -> (Cow<'_, str>, bool) {
    let mut out = String::new();
    let (mut kept, mut at, mut depth) = (0usize, 0usize, 0usize);
    let mut too_deep = false;
    while let Some(start) = html[at..].find('<').map(|found| at + found) {
        let rest = &html[start + 1..];
        if rest.starts_with("!--") {
            at = rest.find("-->").map_or(html.len(), |end| start + 1 + end + 3);
            continue;
        }
        let is_end = rest.starts_with('/');
        let name = &rest[usize::from(is_end)..];
        let length = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != ':').unwrap_or(name.len());
        let name = name[..length].to_ascii_lowercase();
        let end = tag_end(html, start);
        at = end;
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            at = start + 1;
            continue;
        }
        if RAW.contains(&name.as_str()) && !is_end {
            at = find_end(html, end, &name);
        } else if !FLAT.contains(&name.as_str()) && !html[start..end].ends_with("/>") {
            let deep = depth > max_depth;
            if is_end {
                depth = depth.saturating_sub(1);
            } else {
                depth += 1;
            }
            if deep || depth > max_depth {
                too_deep = true;
                out.push_str(&html[kept..start]);
                kept = end;
            }
        }
    }
    if !too_deep {
        return (Cow::Borrowed(html), false);
    }
    out.push_str(&html[kept..]);
    (Cow::Owned(out), true)
}

/// Where a tag ends: behind its `>`, quotes aside. A tag that never ends goes to the end.
fn tag_end(html: &str, start: usize) -> usize {
    let mut quote = None;
    for (at, byte) in html.bytes().enumerate().skip(start) {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    html.len()
}

/// Where the content of a raw element ends.
fn find_end(html: &str, from: usize, name: &str) -> usize {
    let mut at = from;
    while let Some(found) = html[at..].find("</") {
        at += found + 2;
        if html.as_bytes()[at..].get(..name.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(name.as_bytes())) {
            return at - 2;
        }
    }
    html.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shallow_stays_as_it_is() {
        let html = "<div><p>one<p>two<br><b title=\"a>b\">x</b></div><!-- <div><div><div> --><script>'<div>'</script>";
        assert_eq!(shallow(html, 2), (Cow::Borrowed(html), false));
    }

    #[test]
    fn deeper_tags_go_and_their_text_stays() {
        let (out, deep) = shallow("<div><div>a<div><i>b</i></div>c</div><i>d</i></div>", 2);
        assert_eq!((out.as_ref(), deep), ("<div><div>abc</div><i>d</i></div>", true));
    }

    #[test]
    fn tags_that_never_end_are_gone_through_once() {
        assert!(!shallow(&"<a href=\"".repeat(3), 2).1);
        assert!(!shallow("<script><div><div><div>", 2).1);
    }
}
