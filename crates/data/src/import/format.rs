use std::io::{Cursor, Read};
use std::path::Path;

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Portable Document Format.
    Pdf,
    /// Word's Office Open XML.
    Docx,
    /// PowerPoint's Office Open XML.
    Pptx,
    /// OpenDocument text.
    Odt,
    /// Rich Text Format.
    Rtf,
    /// E-book.
    Epub,
    /// Web page.
    Html,
    /// Markdown.
    Markdown,
    /// Plain text.
    Text,
    /// Comma- or tab-separated values.
    Csv,
    /// Excel's Office Open XML.
    Xlsx,
    /// Excel's binary format up to 2003.
    Xls,
    /// OpenDocument spreadsheet.
    Ods,
    /// Rows in columns, as data sets are passed on.
    Parquet,
    /// JSON Lines, or a JSON array of records.
    Jsonl,
}

impl Format {
    /// The name used in [`crate::Document::format`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Docx => "docx",
            Self::Pptx => "pptx",
            Self::Odt => "odt",
            Self::Rtf => "rtf",
            Self::Epub => "epub",
            Self::Html => "html",
            Self::Markdown => "markdown",
            Self::Text => "text",
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Xls => "xls",
            Self::Ods => "ods",
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl",
        }
    }

    /// The name for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Pdf => "PDF",
            Self::Docx => "Word document",
            Self::Pptx => "PowerPoint file",
            Self::Odt => "OpenDocument text",
            Self::Rtf => "Rich Text file",
            Self::Epub => "e-book",
            Self::Html => "web page",
            Self::Markdown => "Markdown file",
            Self::Text => "text file",
            Self::Csv => "table",
            Self::Xlsx | Self::Xls => "Excel workbook",
            Self::Ods => "OpenDocument spreadsheet",
            Self::Parquet => "Parquet file",
            Self::Jsonl => "JSON file",
        }
    }

    /// The program that people have for it.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Docx => "Word",
            Self::Pptx => "PowerPoint",
            Self::Xlsx | Self::Xls => "Excel",
            Self::Odt | Self::Ods => "LibreOffice",
            Self::Html => "a browser",
            _ => "the program that made it",
        }
    }

    fn is_packed(self) -> bool {
        matches!(self, Self::Docx | Self::Pptx | Self::Odt | Self::Epub | Self::Xlsx | Self::Ods)
    }

    fn is_binary(self) -> bool {
        self.is_packed() || matches!(self, Self::Pdf | Self::Xls | Self::Parquet)
    }

    fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "pdf" => Self::Pdf,
            "docx" | "docm" | "dotx" => Self::Docx,
            "pptx" | "pptm" | "ppsx" | "potx" => Self::Pptx,
            "odt" | "ott" => Self::Odt,
            "rtf" => Self::Rtf,
            "epub" => Self::Epub,
            "html" | "htm" | "xhtml" => Self::Html,
            "md" | "markdown" | "mdown" | "mkd" => Self::Markdown,
            "txt" | "text" | "log" | "rst" | "adoc" | "org" | "tex" | "" => Self::Text,
            "csv" | "tsv" | "tab" => Self::Csv,
            "xlsx" | "xlsm" => Self::Xlsx,
            "xls" => Self::Xls,
            "ods" | "ots" => Self::Ods,
            "parquet" => Self::Parquet,
            "jsonl" | "ndjson" | "json" => Self::Jsonl,
            _ => return None,
        })
    }
}

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Recognised {
    /// A format that is read; whether the extension said so too.
    Known(Format, bool),
    /// Something known that is not read: its name, and what to do.
    Unsupported(String, &'static str),
    /// An Office file behind a password.
    Protected,
    /// Not a word in it.
    Empty,
}

const SAVE_AS: &str = "Save it as PDF, DOCX, PPTX, XLSX, plain text, CSV or JSONL, and import that";
const UNPACK: &str = "Unpack it and import the folder";
/// What a ZIP file is where none is expected: those that are given are opened before.
const NESTED: &str = "a ZIP file within another";
const SCANNED: &str = "Make it a text with a text recognition program (OCR), and import that";

/// Beginnings of files that are not read: bytes, name, what to do.
const MAGIC: &[(&[u8], &str, &str)] = &[
    (b"\x89PNG", "a picture", SCANNED),
    (b"\xFF\xD8\xFF", "a picture", SCANNED),
    (b"GIF8", "a picture", SCANNED),
    (b"II*\0", "a picture", SCANNED),
    (b"MM\0*", "a picture", SCANNED),
    (b"\x1F\x8B", "a packed file", UNPACK),
    (b"BZh", "a packed file", UNPACK),
    (b"7z\xBC\xAF", "a packed file", UNPACK),
    (b"Rar!", "a packed file", UNPACK),
    (b"\xFD7zXZ", "a packed file", UNPACK),
    (b"(\xB5/\xFD", "a packed file", UNPACK),
    (b"SQLite format 3", "a database", SAVE_AS),
    (b"GGUF", "a model, not a document", "Choose it as base model, or import documents"),
    (b"\x7FELF", "a program", "Choose a document"),
    (b"MZ\x90", "a program", "Choose a document"),
    (b"%!PS", "a PostScript file", SAVE_AS),
];

/// Tells what a file is: by its first bytes, and for text by its extension.
pub(super) fn recognise(path: &Path, bytes: &[u8]) -> Recognised {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let claimed = Format::of_extension(&extension);
    let found = |format| Recognised::Known(format, claimed == Some(format));
    let head = &bytes[..bytes.len().min(1024)];
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Recognised::Empty;
    }
    if head.windows(5).any(|window| window == b"%PDF-") && !head.starts_with(b"PK") {
        return found(Format::Pdf);
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return zipped(bytes, claimed);
    }
    if head.starts_with(b"\xD0\xCF\x11\xE0") {
        return compound(bytes, claimed);
    }
    if head.starts_with(b"PAR1") {
        return found(Format::Parquet);
    }
    if head.starts_with(b"{\\rtf") {
        return found(Format::Rtf);
    }
    if claimed.is_none_or(|format| matches!(format, Format::Xls | Format::Docx)) && is_page(head) {
        return found(Format::Html);
    }
    if let Some((_, name, hint)) = MAGIC.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Recognised::Unsupported((*name).to_owned(), hint);
    }
    match claimed {
        Some(format) if format.is_binary() && looks_like_text(head) => Recognised::Known(Format::Text, false),
        Some(format) => Recognised::Known(format, true),
        None => Recognised::Unsupported(format!("a `.{extension}` file"), SAVE_AS),
    }
}

fn zipped(bytes: &[u8], claimed: Option<Format>) -> Recognised {
    let found = |format| Recognised::Known(format, claimed == Some(format));
    let packed = claimed.filter(|format| format.is_packed());
    let Ok(archive) = zip::ZipArchive::new(Cursor::new(bytes)) else {
        // Cut off or damaged: the format's own reader names it better.
        return packed.map_or_else(|| Recognised::Unsupported("a damaged packed file".to_owned(), UNPACK), found);
    };
    let has = |name: &str| archive.index_for_name(name).is_some();
    if has("word/document.xml") {
        found(Format::Docx)
    } else if has("xl/workbook.xml") {
        found(Format::Xlsx)
    } else if has("ppt/presentation.xml") {
        found(Format::Pptx)
    } else if has("META-INF/container.xml") {
        found(Format::Epub)
    } else if has("content.xml") {
        opendocument(archive, claimed)
    } else if let Some(format) = packed {
        found(format)
    } else {
        Recognised::Unsupported(NESTED.to_owned(), UNPACK)
    }
}

/// Whether a file is a ZIP of files rather than a document that is made of parts.
pub(super) fn is_archive(path: &Path, bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK") && matches!(recognise(path, bytes), Recognised::Unsupported(what, _) if what == NESTED)
}

/// Which OpenDocument file it is: what it says of itself first, or else what its name says.
fn opendocument(mut archive: zip::ZipArchive<Cursor<&[u8]>>, claimed: Option<Format>) -> Recognised {
    let mut kind = String::new();
    if let Ok(entry) = archive.by_name("mimetype") {
        // Whatever is no text gives no kind.
        entry.take(200).read_to_string(&mut kind).ok();
    }
    let kind = kind.trim().rsplit('.').next().unwrap_or_default().trim_end_matches("-template");
    let format = match kind {
        "text" => Format::Odt,
        "spreadsheet" => Format::Ods,
        "" => claimed.filter(|format| *format == Format::Ods).unwrap_or(Format::Odt),
        other => return Recognised::Unsupported(format!("an OpenDocument {other}"), SAVE_AS),
    };
    Recognised::Known(format, claimed == Some(format))
}

/// A compound file: an old Office document, or a new one that is encrypted.
fn compound(bytes: &[u8], claimed: Option<Format>) -> Recognised {
    let found = |format| Recognised::Known(format, claimed == Some(format));
    let Ok(file) = cfb::CompoundFile::open(Cursor::new(bytes)) else {
        return match claimed {
            Some(Format::Docx | Format::Xlsx | Format::Pptx) => Recognised::Protected,
            Some(Format::Xls) => found(Format::Xls),
            _ => Recognised::Unsupported("a damaged Office file".to_owned(), SAVE_AS),
        };
    };
    if file.is_stream("EncryptedPackage") {
        Recognised::Protected
    } else if ["Workbook", "Book", "WORKBOOK", "BOOK"].iter().any(|name| file.is_stream(name)) {
        found(Format::Xls)
    } else if file.is_stream("WordDocument") {
        Recognised::Unsupported(
            "a Word document of the time before 2007".to_owned(),
            "Save it as DOCX, and import that",
        )
    } else if file.is_stream("PowerPoint Document") {
        let what = "a PowerPoint file of the time before 2007";
        Recognised::Unsupported(what.to_owned(), "Save it as PPTX, and import that")
    } else {
        Recognised::Unsupported("an old Office file".to_owned(), SAVE_AS)
    }
}

/// Whether it begins as a web page does. Programs write tables for Excel in this way and call them `.xls`.
fn is_page(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head).trim_start_matches('\u{FEFF}').trim_start().to_ascii_lowercase();
    head.starts_with("<!doctype html") || head.starts_with("<html")
}

fn looks_like_text(head: &[u8]) -> bool {
    head.iter().all(|byte| *byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, bytes: &[u8], expected: Recognised) {
        assert_eq!(recognise(Path::new(name), bytes), expected, "{name}");
    }

    #[test]
    fn bytes_say_more_than_the_extension() {
        check("a.pdf", b"%PDF-1.7\n", Recognised::Known(Format::Pdf, true));
        check("a.txt", b"\n\n%PDF-1.4\n", Recognised::Known(Format::Pdf, false));
        check("a.pdf", b"Just words.", Recognised::Known(Format::Text, false));
        check("A.CSV", b"a,b\n", Recognised::Known(Format::Csv, true));
        check("README", b"words", Recognised::Known(Format::Text, true));
        check("a.docx", b"\xD0\xCF\x11\xE0\xA1\xB1", Recognised::Protected);
        check("a.doc", b"{\\rtf1 x}", Recognised::Known(Format::Rtf, false));
        check("a.xls", b"<html><table>", Recognised::Known(Format::Html, false));
        check("a.txt", b"<html> is a tag\n", Recognised::Known(Format::Text, true));
        check("a.pptx", b"Just words.", Recognised::Known(Format::Text, false));
        check("a.txt", b" \n\t", Recognised::Empty);
    }

    #[test]
    fn what_is_not_read_is_named() {
        for (name, bytes, word) in [
            ("a.txt", &b"\x89PNG\r\n"[..], "picture"),
            ("a.md", b"\x1F\x8B\x08", "packed"),
            ("a.doc", b"\xD0\xCF\x11\xE0", "damaged Office"),
            ("a.xyz", b"words", ".xyz"),
            ("model.gguf", b"GGUF\x03", "model"),
        ] {
            let Recognised::Unsupported(what, hint) = recognise(Path::new(name), bytes) else { panic!("{name}") };
            assert!(what.contains(word) && !hint.is_empty(), "{name}: {what}");
        }
    }
}
