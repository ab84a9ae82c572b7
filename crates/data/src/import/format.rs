use std::io::Cursor;
use std::path::Path;

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Portable Document Format.
    Pdf,
    /// Word's Office Open XML.
    Docx,
    /// Markdown.
    Markdown,
    /// Plain text.
    Text,
    /// Comma- or tab-separated values.
    Csv,
    /// Excel's Office Open XML.
    Xlsx,
    /// JSON Lines, or a JSON array of records.
    Jsonl,
}

impl Format {
    /// The name used in [`crate::Document::format`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Docx => "docx",
            Self::Markdown => "markdown",
            Self::Text => "text",
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Jsonl => "jsonl",
        }
    }

    /// The name for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Pdf => "PDF",
            Self::Docx => "Word document",
            Self::Markdown => "Markdown file",
            Self::Text => "text file",
            Self::Csv => "table",
            Self::Xlsx => "Excel workbook",
            Self::Jsonl => "JSON file",
        }
    }

    fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "pdf" => Self::Pdf,
            "docx" | "docm" => Self::Docx,
            "md" | "markdown" | "mdown" | "mkd" => Self::Markdown,
            "txt" | "text" | "log" | "rst" | "adoc" | "org" | "tex" | "" => Self::Text,
            "csv" | "tsv" | "tab" => Self::Csv,
            "xlsx" | "xlsm" => Self::Xlsx,
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

const SAVE_AS: &str = "Save it as PDF, DOCX, XLSX, Markdown, plain text, CSV or JSONL, and import that";
const UNPACK: &str = "Unpack it and import the folder";
const SCANNED: &str = "Make it a text with a text recognition program (OCR), and import that";

/// Beginnings of files that are not read: bytes, name, what to do.
const MAGIC: &[(&[u8], &str, &str)] = &[
    (b"{\\rtf", "a Rich Text file", SAVE_AS),
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
    (b"PAR1", "a Parquet file", SAVE_AS),
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
        return match claimed {
            Some(Format::Docx | Format::Xlsx) => Recognised::Protected,
            _ => Recognised::Unsupported("an old Office file".to_owned(), SAVE_AS),
        };
    }
    if let Some((_, name, hint)) = MAGIC.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Recognised::Unsupported((*name).to_owned(), hint);
    }
    match claimed {
        Some(Format::Pdf | Format::Docx | Format::Xlsx) if looks_like_text(head) => {
            Recognised::Known(Format::Text, false)
        }
        Some(format) => Recognised::Known(format, true),
        None => Recognised::Unsupported(format!("a `.{extension}` file"), SAVE_AS),
    }
}

fn zipped(bytes: &[u8], claimed: Option<Format>) -> Recognised {
    let found = |format| Recognised::Known(format, claimed == Some(format));
    let office = claimed.filter(|format| matches!(format, Format::Docx | Format::Xlsx));
    let Ok(archive) = zip::ZipArchive::new(Cursor::new(bytes)) else {
        // Cut off or damaged: the format's own reader names it better.
        return office.map_or_else(|| Recognised::Unsupported("a damaged packed file".to_owned(), UNPACK), found);
    };
    let has = |name: &str| archive.index_for_name(name).is_some();
    if has("word/document.xml") {
        found(Format::Docx)
    } else if has("xl/workbook.xml") {
        found(Format::Xlsx)
    } else if has("ppt/presentation.xml") {
        Recognised::Unsupported("a PowerPoint file".to_owned(), SAVE_AS)
    } else if let Some(format) = office {
        found(format)
    } else if has("META-INF/container.xml") {
        Recognised::Unsupported("an e-book".to_owned(), SAVE_AS)
    } else if has("content.xml") {
        Recognised::Unsupported("an OpenDocument file".to_owned(), SAVE_AS)
    } else {
        Recognised::Unsupported("a ZIP file".to_owned(), UNPACK)
    }
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
        check("a.txt", b" \n\t", Recognised::Empty);
    }

    #[test]
    fn what_is_not_read_is_named() {
        for (name, bytes, word) in [
            ("a.txt", &b"\x89PNG\r\n"[..], "picture"),
            ("a.md", b"\x1F\x8B\x08", "packed"),
            ("a.doc", b"\xD0\xCF\x11\xE0", "old Office"),
            ("a.xyz", b"words", ".xyz"),
            ("model.gguf", b"GGUF\x03", "model"),
        ] {
            let Recognised::Unsupported(what, hint) = recognise(Path::new(name), bytes) else { panic!("{name}") };
            assert!(what.contains(word) && !hint.is_empty(), "{name}: {what}");
        }
    }
}
