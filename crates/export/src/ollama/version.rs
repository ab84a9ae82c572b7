//! Ollama's version, and what each needs it for.

use std::fmt;

use crate::error::{ExportError, Result};

/// A version of Ollama, e.g. `0.33.0-rc2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    text: String,
    numbers: [u32; 3],
}

impl Version {
    /// From the text that the server gives; a development build (`0.0.0`) counts as the newest.
    pub fn parse(text: &str) -> Self {
        let plain = text.trim().trim_start_matches('v');
        let mut numbers = [0; 3];
        for (number, part) in numbers.iter_mut().zip(plain.split(['.', '-', '+'])) {
            *number = part.parse().unwrap_or(0);
        }
        if numbers == [0; 3] {
            numbers = [u32::MAX; 3];
        }
        Self { text: text.to_owned(), numbers }
    }

    /// Whether it is at least `major.minor.patch`.
    pub fn at_least(&self, needed: [u32; 3]) -> bool {
        self.numbers >= needed
    }

    /// Creating a model from an uploaded file needs 0.5.5.
    ///
    /// # Errors
    /// [`ExportError::TooOld`].
    pub fn can_create(&self) -> Result<()> {
        self.need([0, 5, 5], "0.5.5", "creating a model from a file")
    }

    /// Whether it can say what it renders from messages: 0.11.5.
    pub fn can_render(&self) -> bool {
        self.at_least([0, 11, 5])
    }

    /// A warning for releases with a known hole (CVE-2026-7482).
    pub fn warning(&self) -> Option<String> {
        let old = !self.at_least([0, 17, 1]);
        old.then(|| format!("Ollama {self} has a known security hole (CVE-2026-7482): update it to 0.17.1 or later"))
    }

    fn need(&self, needed: [u32; 3], text: &'static str, purpose: &'static str) -> Result<()> {
        if self.at_least(needed) {
            return Ok(());
        }
        Err(ExportError::TooOld { found: self.text.clone(), needed: text, purpose })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number_and_not_by_letter() {
        assert!(Version::parse("0.11.10").at_least([0, 11, 5]));
        assert!(!Version::parse("0.9.6").at_least([0, 11, 5]));
        assert!(Version::parse("0.33.0-rc2").at_least([0, 33, 0]));
        assert!(Version::parse("0.0.0").can_create().is_ok(), "a build from source");
        let error = Version::parse("0.5.4").can_create().unwrap_err().to_string();
        assert_eq!(error, "Ollama 0.5.4 is too old for creating a model from a file; it needs 0.5.5");
    }
}
