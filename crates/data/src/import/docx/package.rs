use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::Issue;
use crate::import::Input;
use crate::import::docx::xml;

/// A ZIP package in memory; nothing is ever unpacked to the disk.
pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// How many more bytes may be unpacked.
    left: u64,
    limit: u64,
    folder: String,
}

/// Why a part of the package cannot be read.
#[derive(Debug)]
pub(super) enum PartError {
    Damaged(String),
    Protected,
    Bomb(u64),
    NotWord,
}

impl PartError {
    pub(super) fn issue(self, file: &str) -> Issue {
        let again = "Copy or download it again, or open it in Word and save it as new";
        match self {
            Self::Damaged(cause) => {
                let message = format!("This Word document is damaged or was cut off: {cause}");
                Issue::unreadable("damaged", file, message, again)
            }
            Self::Protected => Issue::unreadable(
                "password_protected",
                file,
                "This Word document is protected by a password",
                "Open it in Word, save it without a password, and import that",
            ),
            Self::Bomb(limit) => {
                let message = format!("It unpacks to more than the limit of {} MB", limit >> 20);
                Issue::unreadable("too_large", file, message, "If you trust it, save it as plain text and import that")
            }
            Self::NotWord => Issue::unreadable("damaged", file, "There is no text part in this Word document", again),
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
        Ok(Self { archive, left: limit, limit, folder: "word".to_owned() })
    }

    /// The part that holds the text, found through the package's relations.
    pub(super) fn main(&mut self) -> Result<String, PartError> {
        let relations = self.part("_rels/.rels")?.unwrap_or_default();
        let target = xml::elements(&relations, "Relationship")
            .find(|element| element.get("Type").is_some_and(|kind| kind.ends_with("/officeDocument")))
            .and_then(|element| element.get("Target").map(|target| target.trim_start_matches('/').to_owned()))
            .unwrap_or_else(|| "word/document.xml".to_owned());
        self.folder = target.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
        self.part(&target)?.ok_or(PartError::NotWord)
    }

    /// A part beside the main one, if there is one.
    pub(super) fn beside_main(&mut self, name: &str) -> Result<Option<String>, PartError> {
        let path = if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) };
        self.part(&path)
    }

    fn part(&mut self, name: &str) -> Result<Option<String>, PartError> {
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
}
