//! ZIP packages in memory: the office formats and e-books are made of named parts in one.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::Issue;
use crate::import::{Format, Input, xml};

/// A package; nothing is ever unpacked to the disk.
pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// How many more bytes may be unpacked.
    left: u64,
    limit: u64,
}

/// Why a part of the package cannot be read.
#[derive(Debug)]
pub(super) enum PartError {
    Damaged(String),
    Protected,
    Bomb(u64),
    /// The part that every such file has is not there.
    Missing,
}

impl PartError {
    pub(super) fn issue(self, file: &str, format: Format) -> Issue {
        let (title, program) = (format.title(), format.program());
        let again = format!("Copy or download it again, or open it in {program} and save it as new");
        match self {
            Self::Damaged(cause) => {
                Issue::unreadable("damaged", file, format!("This {title} is damaged or was cut off: {cause}"), &again)
            }
            Self::Protected => Issue::unreadable(
                "password_protected",
                file,
                format!("This {title} is protected by a password"),
                &format!("Open it in {program}, save it without a password, and import that"),
            ),
            Self::Bomb(limit) => {
                let message = format!("It unpacks to more than the limit of {} MB", limit >> 20);
                Issue::unreadable("too_large", file, message, "If you trust it, save it as plain text and import that")
            }
            Self::Missing => {
                Issue::unreadable("damaged", file, format!("There is no text part in this {title}"), &again)
            }
        }
    }
}

impl From<ZipError> for PartError {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Self::Protected,
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl<'a> Package<'a> {
    pub(super) fn open(input: &Input<'a>) -> Result<Self, PartError> {
        let archive = ZipArchive::new(Cursor::new(input.bytes))?;
        let limit = input.options.max_unpacked;
        Ok(Self { archive, left: limit, limit })
    }

    /// A part as text, if there is one of this name.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<String>, PartError> {
        let entry = match self.archive.by_name(name) {
            Err(ZipError::FileNotFound) => return Ok(None),
            entry => entry?,
        };
        let mut bytes = Vec::new();
        let read = entry.take(self.left + 1).read_to_end(&mut bytes);
        if bytes.len() as u64 > self.left {
            return Err(PartError::Bomb(self.limit));
        }
        read.map_err(|error| PartError::Damaged(error.to_string()))?;
        self.left -= bytes.len() as u64;
        let encoding = encoding_rs::Encoding::for_bom(&bytes).map_or(encoding_rs::UTF_8, |(encoding, _)| encoding);
        Ok(Some(encoding.decode(&bytes).0.into_owned()))
    }

    /// What a part of an Office Open XML package is related to.
    pub(super) fn relations(&mut self, part: &str) -> Result<Vec<Relation>, PartError> {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let path = if folder.is_empty() { format!("_rels/{name}.rels") } else { format!("{folder}/_rels/{name}.rels") };
        let relations = self.part(&path)?.unwrap_or_default();
        Ok(xml::elements(&relations, "Relationship")
            .map(|element| {
                let of = |name: &str| element.get(name).unwrap_or_default().to_owned();
                Relation { id: of("Id"), kind: of("Type"), target: resolved(folder, &of("Target")) }
            })
            .collect())
    }
}

/// A relation of one part to another.
pub(super) struct Relation {
    pub id: String,
    kind: String,
    /// Path of the other part in the package.
    pub target: String,
}

impl Relation {
    /// Whether it is of the kind whose address ends so.
    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind.rsplit('/').next() == Some(kind)
    }
}

/// The path that a reference in a part of `folder` leads to: `../notes/a.xml` in `slides` is `notes/a.xml`.
pub(super) fn resolved(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            ".." => {
                parts.pop();
            }
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_within_the_package_and_never_lead_out_of_it() {
        assert_eq!(resolved("ppt/slides", "../notesSlides/n1.xml"), "ppt/notesSlides/n1.xml");
        assert_eq!(resolved("ppt", "slides/s1.xml"), "ppt/slides/s1.xml");
        assert_eq!(resolved("ppt", "/word/document.xml"), "word/document.xml");
        assert_eq!(resolved("", "../../etc/passwd"), "etc/passwd");
    }
}
