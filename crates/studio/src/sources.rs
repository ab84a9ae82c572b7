//! The imported files, kept by content hash: `sources/<sha256>.<extension>`.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use hone_job::fs;
use sha2::{Digest, Sha256};

use crate::{Project, StudioError};

/// Where the file of a document lies. The extension stays, so that other programs open it.
pub fn path(project: &Project, hash: &str, name: &str) -> PathBuf {
    let extension = Path::new(name).extension().and_then(|end| end.to_str());
    let plain = |end: &&str| end.len() <= 8 && end.chars().all(|c| c.is_ascii_alphanumeric());
    let name = match extension.filter(plain) {
        Some(end) => format!("{hash}.{}", end.to_lowercase()),
        None => hash.to_owned(),
    };
    project.sources_dir().join(name)
}

/// Copies a file into the project; answers where it lies, and whether it was not there before.
///
/// # Errors
/// [`StudioError::SourceChanged`] when its bytes are not (or no longer) those of `hash`; what the disk refuses.
pub fn keep(project: &Project, file: &Path, hash: &str) -> Result<(PathBuf, bool), StudioError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let target = path(project, hash, &name);
    if target.is_file() {
        return Ok((target, false));
    }
    fs::create_dir_all(&project.sources_dir())?;
    let mut source = fs::open(file)?;
    let mut seen = String::new();
    let copied = fs::write_atomic_with(&target, |writer| {
        seen = copy(&mut source, writer)?;
        if seen == hash { Ok(()) } else { Err(io::Error::other("changed")) }
    });
    match copied {
        Ok(()) => Ok((target, true)),
        Err(_) if !seen.is_empty() && seen != hash => Err(StudioError::SourceChanged { path: file.to_owned() }),
        Err(error) => Err(error.into()),
    }
}

/// Writes a file into the project that has no path of its own: one from an archive. As [`keep`].
///
/// # Errors
/// What the disk refuses.
pub fn keep_bytes(project: &Project, name: &str, bytes: &[u8], hash: &str) -> Result<(PathBuf, bool), StudioError> {
    let target = path(project, hash, name);
    if target.is_file() {
        return Ok((target, false));
    }
    fs::create_dir_all(&project.sources_dir())?;
    fs::write_atomic(&target, bytes)?;
    Ok((target, true))
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<String> {
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(sum.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")));
        }
        sum.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
    }
}
