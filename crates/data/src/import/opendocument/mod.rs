//! OpenDocument as LibreOffice writes it: texts (`.odt`) and spreadsheets (`.ods`).
//!
//! Left out on purpose: headers and footers, comments, tracked deletions, indexes, pictures.

mod sheet;
mod styles;
mod text;

use crate::import::package::{Package, PartError};
use crate::import::{Format, Input, xml};

pub(super) use sheet::read as read_sheet;
pub(super) use text::read as read_text;

/// The part that holds the content, and the one with the styles.
fn open(input: &Input, format: Format) -> Result<(String, String), crate::Issue> {
    let parts = || -> Result<(String, String), PartError> {
        let mut package = Package::open(input)?;
        let manifest = package.part("META-INF/manifest.xml")?.unwrap_or_default();
        if xml::elements(&manifest, "encryption-data").next().is_some() {
            return Err(PartError::Protected);
        }
        let content = package.part("content.xml")?.ok_or(PartError::Missing)?;
        // Without its styles a text is read all the same.
        Ok((content, package.part("styles.xml").ok().flatten().unwrap_or_default()))
    };
    parts().map_err(|error| error.issue(input.name, format))
}

#[cfg(test)]
mod tests;
