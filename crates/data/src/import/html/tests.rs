use hone_job::Job;

use super::*;
use crate::import::ReadOptions;

fn parse(html: &str) -> Parsed {
    read(&Input { name: "t.html", bytes: html.as_bytes(), options: &ReadOptions::default(), job: &Job::silent() })
}

fn check(html: &str, expected: &str) {
    let parsed = parse(html);
    assert_eq!(parsed.issues, []);
    let Content::Text(blocks) = parsed.content else { panic!() };
    assert_eq!(document_text(&blocks), expected);
}

#[test]
fn headings_lists_tables_and_code_of_the_main_element_are_read_and_the_rest_left_out() {
    check(
        "<!DOCTYPE html><title>Pumps - The Yard</title><nav><a href=/>Home</a></nav><script>var a = '<p>no</p>';</script>\
         <header>The Yard</header><main><h2>Pumps<a href='#pumps'>¶</a></h2><p>Drain the <a href=x>pump</a> &amp; close\n it.\
         <p>Then:<ol start=3><li>Lift<ul><li>by hand</ul><li><p>Turn</p><p>twice</p></ol>\
         <table><caption>Sizes</caption><tr><th>Part<th>mm<tr><td>Bolt<td>8<br>10</table>\
         <pre>a  b\n  c</pre><div hidden>not shown</div></main><footer>© 2026</footer>",
        "Pumps\n\nDrain the pump & close it.\n\nThen:\n\n3. Lift\n  - by hand\n4. Turn\ntwice\n\nSizes\n\n\
         | Part | mm |\n|---|---|\n| Bolt | 8<br>10 |\n\na  b\n  c\n\n",
    );
}

#[test]
fn tables_for_the_layout_go_unseen_and_a_table_in_a_cell_is_one_line() {
    check(
        "<h1>A</h1><table><tr><td>Left<td><table><tr><td>x<td>y<tr><td>1<td>2</table></table>",
        "A\n\nLeft\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n",
    );
}

#[test]
fn menus_and_margins_of_a_page_without_main_element_are_left_out_and_told() {
    let paragraph =
        "The lamp on the pier burns from dusk to dawn, and whoever passes it at night looks up for a while. ";
    let article: String = (0..8).map(|at| format!("<p>{at}. {}</p>", paragraph.repeat(3))).collect();
    let links: String = (0..40).map(|at| format!("<li><a href=/{at}>Another page number {at}</a></li>")).collect();
    let page = format!(
        "<title>The lamp | The Pier Paper</title><body><div class=sidebar><ul>{links}</ul></div>\
         <div class=content><h1>The lamp</h1>{article}</div><div class=footer>All rights reserved</div>"
    );
    let parsed = parse(&page);
    let Content::Text(blocks) = parsed.content else { panic!("{:?}", parsed.issues) };
    let text = document_text(&blocks);
    assert!(text.starts_with("The lamp\n\n0. The lamp on the pier"), "{}", &text[..80]);
    assert!(text.contains("7. The lamp") && !text.contains("Another page") && !text.contains("All rights"), "{text}");
    assert_eq!(parsed.issues.iter().map(|issue| issue.code.as_str()).collect::<Vec<_>>(), ["main_content"]);
}

#[test]
fn a_page_says_its_encoding_and_is_believed_where_it_can_be() {
    let page = "<meta charset=big5><h1>碼頭</h1><p>碼頭上的燈</p>";
    let (bytes, ..) = encoding_rs::BIG5.encode(page);
    let parsed = read(&Input { name: "t.html", bytes: &bytes, options: &ReadOptions::default(), job: &Job::silent() });
    let Content::Text(blocks) = parsed.content else { panic!("{:?}", parsed.issues) };
    assert_eq!(document_text(&blocks), "碼頭\n\n碼頭上的燈\n\n");
    assert_eq!(parsed.issues[0].code, "encoding");
    // Saved anew as UTF-8 by a program that left the old word standing.
    check(page, "碼頭\n\n碼頭上的燈\n\n");
}

#[test]
fn a_hundred_thousand_elements_in_each_other_keep_their_text() {
    let page = format!("<h1>Top</h1>{}<p>deep down{}", "<div>".repeat(100_000), "</div>".repeat(100_000));
    let parsed = parse(&page);
    assert_eq!(parsed.issues[0].code, "too_deep");
    let Content::Text(blocks) = parsed.content else { panic!() };
    assert_eq!(document_text(&blocks), "Top\n\ndeep down\n\n");
}

#[test]
fn a_page_without_words_is_an_issue() {
    assert_eq!(parse("<html><body><script>fill()</script></body></html>").issues[0].code, "no_text");
}
