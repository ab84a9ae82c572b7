//! ZIP files of documents: their entries, read by name in memory one after the other. Nothing is unpacked to the disk.

use std::io::{Cursor, Read};
use std::path::Path;

use zip::ZipArchive;

use crate::Issue;
use crate::import::read::file_name;
use crate::import::{ReadOptions, format};

/// Between the name of an archive and that of an entry in it.
pub const WITHIN: &str = " › ";

/// Further entries are left out.
const MAX_ENTRIES: usize = 20_000;
/// Names are cut behind this many characters.
const MAX_NAME: usize = 200;

const UNPACK: &str = "Unpack it, and import the folder";

/// The files in a ZIP file, with what is wrong with it.
pub struct Archive<'a> {
    name: String,
    zip: ZipArchive<Cursor<&'a [u8]>>,
    next: usize,
    /// How many more bytes may be unpacked.
    left: u64,
    max_entry: u64,
}

/// One file in an archive.
#[derive(Debug)]
pub struct Entry {
    /// `archive.zip › folder/file.txt`: what the user knows it by. Never a path to write to.
    pub name: String,
    /// Its bytes, or why there are none.
    pub bytes: Result<Vec<u8>, Issue>,
}

/// Opens a file as an archive, if it is a ZIP file and not a document that is made of one.
pub fn open<'a>(path: &Path, bytes: &'a [u8], options: &ReadOptions) -> Option<Archive<'a>> {
    if !format::is_archive(path, bytes) {
        return None;
    }
    let zip = ZipArchive::new(Cursor::new(bytes)).ok()?;
    Some(Archive { name: file_name(path), zip, next: 0, left: options.max_bytes, max_entry: options.max_unpacked })
}

impl Archive<'_> {
    /// How many entries there are, folders among them.
    pub fn entries(&self) -> usize {
        self.zip.len()
    }

    /// The place of the entry that comes next, from 0.
    pub fn position(&self) -> usize {
        self.next
    }
}

impl Iterator for Archive<'_> {
    type Item = Entry;

    /// The next file. Folders and what systems leave beside files are passed over.
    fn next(&mut self) -> Option<Entry> {
        while self.next < self.zip.len() {
            let at = self.next;
            self.next += 1;
            let whole = |issue| Some(Entry { name: self.name.clone(), bytes: Err(issue) });
            if at >= MAX_ENTRIES {
                self.next = self.zip.len();
                let message =
                    format!("It holds {} files; those after the first {MAX_ENTRIES} were left out", self.zip.len());
                return whole(Issue::partial("too_many_files", &self.name, "", message, "Split it into smaller ones"));
            }
            let listed = self.zip.name_for_index(at).and_then(Result::ok).map(|name| shown(name.as_bytes()));
            let (name, bytes) = match self.zip.by_index(at) {
                Ok(entry) => {
                    let name = shown(entry.name_raw());
                    if entry.is_dir() || is_left_behind(&name) {
                        continue;
                    }
                    let name = format!("{}{WITHIN}{name}", self.name);
                    let bytes = if entry.is_symlink() {
                        Err(link(&name))
                    } else {
                        unpacked(entry, &name, &mut self.left, self.max_entry)
                    };
                    (name, bytes)
                }
                Err(error) => {
                    let listed = listed.unwrap_or_else(|| format!("entry {}", at + 1));
                    let name = format!("{}{WITHIN}{listed}", self.name);
                    let issue = damaged(&name, &error.to_string());
                    (name, Err(issue))
                }
            };
            if bytes.as_ref().is_err_and(|issue| issue.code == "too_large") && self.left == 0 {
                self.next = self.zip.len();
            }
            return Some(Entry { name, bytes });
        }
        None
    }
}

fn unpacked(entry: impl Read, name: &str, left: &mut u64, max_entry: u64) -> Result<Vec<u8>, Issue> {
    let limit = max_entry.min(*left);
    let mut bytes = Vec::new();
    let read = entry.take(limit + 1).read_to_end(&mut bytes);
    let length = bytes.len() as u64;
    *left = left.saturating_sub(length);
    if length > limit {
        let message = if limit < max_entry {
            "The archive unpacks to more than the limit, so this file and those behind it were left out".to_owned()
        } else {
            format!("It unpacks to more than the limit of {} MB", limit >> 20)
        };
        return Err(Issue::unreadable("too_large", name, message, UNPACK));
    }
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(damaged(name, &error.to_string())),
    }
}

fn damaged(name: &str, cause: &str) -> Issue {
    if cause.to_lowercase().contains("password") {
        let message = "This file in the archive is protected by a password";
        return Issue::unreadable("password_protected", name, message, UNPACK);
    }
    let message = format!("This file in the archive is damaged or was cut off: {cause}");
    Issue::unreadable("damaged", name, message, "Copy or download the archive again")
}

fn link(name: &str) -> Issue {
    let message = "This is no file but a link to one, so it was left out";
    Issue::unreadable("not_a_file", name, message, "Add the file itself to the archive")
}

/// An entry's name as it may be shown: in its own encoding, without characters that hide or turn what stands there.
fn shown(raw: &[u8]) -> String {
    let name = if let Ok(name) = std::str::from_utf8(raw) {
        name.to_owned()
    } else {
        let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
        detector.feed(raw, true);
        let encoding = detector.guess(None, chardetng::Utf8Detection::Deny);
        encoding.decode_without_bom_handling(raw).0.into_owned()
    };
    let hides = |c: char| {
        c.is_control() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    let name: String = name.chars().filter(|c| !hides(*c)).collect();
    let count = name.chars().count();
    // The end tells the format.
    if count > MAX_NAME { format!("…{}", name.chars().skip(count - MAX_NAME).collect::<String>()) } else { name }
}

fn is_left_behind(name: &str) -> bool {
    let hidden = |part: &str| (part.starts_with('.') && part != "..") || part.starts_with("~$");
    name.split(['/', '\\']).any(|part| hidden(part) || matches!(part, "__MACOSX" | "Thumbs.db" | "desktop.ini"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn read(bytes: &[u8], options: &ReadOptions) -> Vec<(String, String)> {
        let archive = open(Path::new("/x/a.zip"), bytes, options).unwrap();
        archive
            .map(|entry| {
                let said =
                    entry.bytes.map_or_else(|issue| issue.code, |bytes| String::from_utf8_lossy(&bytes).into_owned());
                (entry.name, said)
            })
            .collect()
    }

    fn check(bytes: &[u8], options: &ReadOptions, expected: &[(&str, &str)]) {
        let found = read(bytes, options);
        let found: Vec<_> = found.iter().map(|(name, said)| (name.as_str(), said.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn files_come_by_name_and_what_systems_leave_beside_them_does_not() {
        let bytes = archive(&[("b/码头.txt", b"lamp"), ("__MACOSX/b", b"x"), (".DS_Store", b"x"), ("a.md", b"# A")]);
        check(&bytes, &ReadOptions::default(), &[("a.zip › b/码头.txt", "lamp"), ("a.zip › a.md", "# A")]);
    }

    #[test]
    fn hostile_names_are_shown_and_lead_nowhere() {
        let bytes = archive(&[("../../etc/passwd.txt", b"x"), ("C:\\a\u{202E}txt.exe", b"y"), ("/abs.txt", b"z")]);
        let names: Vec<String> = read(&bytes, &ReadOptions::default()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a.zip › ../../etc/passwd.txt", "a.zip › C:\\atxt.exe", "a.zip › /abs.txt"]);
    }

    #[test]
    fn a_bomb_costs_its_entry_and_many_cost_the_rest() {
        let zeros = vec![0u8; 3 << 20];
        let bytes = archive(&[
            ("small.txt", b"x"),
            ("bomb.txt", &zeros),
            ("after.txt", b"y"),
            ("again.txt", &zeros),
            ("last.txt", b"z"),
        ]);
        let entry = ReadOptions { max_unpacked: 2 << 20, max_bytes: 1 << 30, ..ReadOptions::default() };
        check(
            &bytes,
            &entry,
            &[
                ("a.zip › small.txt", "x"),
                ("a.zip › bomb.txt", "too_large"),
                ("a.zip › after.txt", "y"),
                ("a.zip › again.txt", "too_large"),
                ("a.zip › last.txt", "z"),
            ],
        );
        let whole = ReadOptions { max_bytes: (2 << 20) + 2, ..entry };
        check(&bytes, &whole, &[("a.zip › small.txt", "x"), ("a.zip › bomb.txt", "too_large")]);
    }

    #[test]
    fn a_document_that_is_a_package_is_no_archive() {
        let bytes = archive(&[("word/document.xml", b"x")]);
        assert!(open(Path::new("a.zip"), &bytes, &ReadOptions::default()).is_none());
        assert!(open(Path::new("a.txt"), b"PK, as they say", &ReadOptions::default()).is_none());
    }
}
