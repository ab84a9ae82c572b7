//! The imported files, kept by content hash: `sources/<sha256>.<extension>`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hone_job::fs::{self, FsError};
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
    let keeping = Keeping::begin(project, file, hash)?;
    let (target, fresh) = (keeping.target.clone(), keeping.fresh);
    keeping.finish()?;
    Ok((target, fresh))
}

/// Where the copy of a file that has these bytes lies, or is to lie.
pub fn place(project: &Project, file: &Path, hash: &str) -> PathBuf {
    path(project, hash, &file.file_name().unwrap_or_default().to_string_lossy())
}

/// A file that is copied into the project while it is read, so that what is read is what is kept. A copy that is there
/// already is read instead.
pub struct Keeping {
    source: File,
    file: PathBuf,
    hash: String,
    target: PathBuf,
    /// Whether there is no copy yet.
    fresh: bool,
    copy: Option<fs::Unfinished>,
    sum: Sha256,
}

impl Keeping {
    /// Opens a file whose bytes have this hash.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn begin(project: &Project, file: &Path, hash: &str) -> Result<Self, StudioError> {
        let target = place(project, file, hash);
        let fresh = !target.is_file();
        fs::create_dir_all(&project.sources_dir())?;
        let file = if fresh { file.to_owned() } else { target.clone() };
        let source = fs::open(&file)?;
        Ok(Self { source, file, hash: hash.to_owned(), target, fresh, copy: None, sum: Sha256::new() })
    }

    /// Ends the copy, with what was not read yet.
    ///
    /// # Errors
    /// [`StudioError::SourceChanged`] when the bytes were not (or no longer) those of the hash; what the disk refuses.
    pub fn finish(mut self) -> Result<(), StudioError> {
        if !self.fresh {
            return Ok(());
        }
        let mut buffer = vec![0; 1 << 20];
        while self.some(&mut buffer)? > 0 {}
        let seen = self.sum.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        if seen != self.hash {
            return Err(StudioError::SourceChanged { path: self.file });
        }
        self.copy.map_or(Ok(()), fs::Unfinished::finish)?;
        Ok(())
    }

    fn some(&mut self, buffer: &mut [u8]) -> Result<usize, FsError> {
        let unreadable = |source| FsError { action: "read", path: self.file.clone(), source };
        let count = self.source.read(buffer).map_err(unreadable)?;
        if self.fresh {
            let copy = match &mut self.copy {
                Some(copy) => copy,
                none => none.insert(fs::Unfinished::begin(&self.target)?),
            };
            self.sum.update(&buffer[..count]);
            copy.write(&buffer[..count])?;
        }
        Ok(count)
    }
}

impl Read for Keeping {
    /// The error inside is an [`FsError`]: it may be the copy that failed.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.some(buffer).map_err(|error| io::Error::new(error.source.kind(), error))
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
