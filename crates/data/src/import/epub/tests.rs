use std::io::{Cursor, Write};

use hone_job::Job;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::content::document_text;
use crate::import::ReadOptions;

fn package(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let container = "<container><rootfiles><rootfile full-path=\"OPS/book.opf\"/></rootfiles></container>";
    for (name, text) in [("META-INF/container.xml", container)].iter().chain(parts) {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn parse(bytes: &[u8]) -> Parsed {
    read(&Input { name: "t.epub", bytes, options: &ReadOptions::default(), job: &Job::silent() })
}

const BOOK: &str = r#"<package><manifest>
<item id="n" href="toc.ncx" media-type="application/x-dtbncx+xml"/>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="text/second.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="text/first%20one.xhtml" media-type="application/xhtml+xml"/>
<item id="c" href="cover.png" media-type="image/png"/>
</manifest><spine toc="n"><itemref idref="nav"/><itemref idref="a"/><itemref idref="b"/><itemref idref="a"/><itemref idref="c"/></spine></package>"#;
const NCX: &str = r#"<ncx><navMap><navPoint><navLabel><text>Out &amp; back</text></navLabel><content src="text/first%20one.xhtml#p1"/></navPoint></navMap></ncx>"#;

#[test]
fn chapters_come_in_the_order_of_reading_each_once_and_unnamed_ones_get_their_title_from_the_contents() {
    let first = "<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"><head><title/></head>\
                 <body><a id=\"p1\"/><p>She left.</p></body></html>";
    let second = "<html><body><h1>Home</h1><div/><p>She came back.</p></body></html>";
    let parsed = parse(&package(&[
        ("OPS/book.opf", BOOK),
        ("OPS/toc.ncx", NCX),
        ("OPS/nav.xhtml", "<html><body><nav><ol><li><a href=\"text/second.xhtml\">Home</a></ol></nav></body></html>"),
        ("OPS/text/second.xhtml", second),
        ("OPS/text/first one.xhtml", first),
    ]));
    assert_eq!(parsed.issues, []);
    let Content::Text(blocks) = parsed.content else { panic!() };
    assert_eq!(document_text(&blocks), "Out & back\n\nShe left.\n\nHome\n\nShe came back.\n\n");
}

#[test]
fn a_locked_book_and_one_without_words_are_named() {
    let lock = "<encryption><EncryptedData><EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#aes128-cbc\"/></EncryptedData></encryption>";
    let locked = package(&[("META-INF/encryption.xml", lock), ("OPS/book.opf", BOOK)]);
    assert_eq!(parse(&locked).issues[0].code, "password_protected");
    assert_eq!(parse(&package(&[("OPS/book.opf", BOOK)])).issues[0].code, "no_text");
    assert_eq!(parse(&package(&[])).issues[0].code, "damaged");
}
