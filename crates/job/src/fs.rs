#![allow(clippy::disallowed_methods)] // the one module that may

//! The only place that touches `std::fs`: every error names its path, every write is atomic.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{ErrorCode, Explain};

/// An I/O failure with the path and what was being done.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`: {source}", path.display())]
pub struct FsError {
    /// What was tried: `read`, `write`, `create folder` ...
    pub action: &'static str,
    /// Where.
    pub path: PathBuf,
    /// The operating system's answer.
    pub source: io::Error,
}

impl FsError {
    fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}

impl Explain for FsError {
    fn code(&self) -> ErrorCode {
        match self.source.kind() {
            io::ErrorKind::NotFound => ErrorCode::NotFound,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorCode::NoPermission,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::NoSpace,
            _ => ErrorCode::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self.code() {
            ErrorCode::NotFound => "Check the path; the file may have been moved or renamed",
            ErrorCode::NoPermission => "Allow access to it, or choose another folder",
            ErrorCode::NoSpace => "Free some space on this disk and try again; nothing that was there is lost",
            _ => "Check that the disk is connected and the file is not open elsewhere",
        };
        Some(text.to_owned())
    }
}

type Result<T> = std::result::Result<T, FsError>;

/// Reads a whole file.
///
/// # Errors
/// [`FsError`] naming `path`.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(FsError::at("read", path))
}

/// Reads a whole file as UTF-8.
///
/// # Errors
/// [`FsError`] naming `path`, also when it is not UTF-8.
pub fn read_to_string(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(FsError::at("read", path))
}

/// Opens a file for reading.
///
/// # Errors
/// [`FsError`] naming `path`.
pub fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(FsError::at("open", path))
}

/// Creates a folder and its parents.
///
/// # Errors
/// [`FsError`] naming `path`.
pub fn create_dir_all(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(FsError::at("create folder", path))
}

/// Size and kind of what lies at `path`.
///
/// # Errors
/// [`FsError`] naming `path`.
pub fn metadata(path: &Path) -> Result<std::fs::Metadata> {
    std::fs::metadata(path).map_err(FsError::at("look at", path))
}

/// The entries of a folder, sorted by name.
///
/// # Errors
/// [`FsError`] naming `path`.
pub fn list_dir(path: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>())
        .map_err(FsError::at("list", path))?;
    entries.sort();
    Ok(entries)
}

/// Removes a file if it is there.
///
/// # Errors
/// [`FsError`] naming `path`.
pub fn remove_file(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FsError::at("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Removes a folder and everything in it, if it is there.
///
/// # Errors
/// [`FsError`] naming `path`.
pub fn remove_dir_all(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FsError::at("remove folder", path)(error)),
        _ => Ok(()),
    }
}

/// Renames a file or folder and makes the rename durable.
///
/// # Errors
/// [`FsError`] naming `to`.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(FsError::at("rename to", to))?;
    sync_parent(to)
}

/// Opens `path` for appending, creating it.
///
/// # Errors
/// [`FsError`] naming `path`.
pub fn append(path: &Path) -> Result<File> {
    File::options().create(true).append(true).open(path).map_err(FsError::at("append to", path))
}

/// Writes a file so that at every moment either the old or the new content is there, whole:
/// a temporary file beside the target, synced, renamed over it, the folder synced.
///
/// # Errors
/// [`FsError`] naming `path`; the old content is untouched.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomic_with(path, |writer| writer.write_all(bytes))
}

/// As [`write_atomic`], for content that is streamed by `fill`.
///
/// # Errors
/// [`FsError`] naming `path`; the old content is untouched.
pub fn write_atomic_with(path: &Path, fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> Result<()> {
    let temporary = beside(path)?;
    let mut writer = BufWriter::with_capacity(1 << 20, temporary.as_file());
    fill(&mut writer).and_then(|()| writer.flush()).map_err(FsError::at("write", path))?;
    drop(writer);
    put(temporary, path)
}

/// As [`write_atomic`], for content that comes bit by bit: what is not finished is gone when it is dropped.
pub struct Unfinished {
    temporary: NamedTempFile,
    path: PathBuf,
}

impl Unfinished {
    /// Begins a file at `path`.
    ///
    /// # Errors
    /// [`FsError`] naming `path`.
    pub fn begin(path: &Path) -> Result<Self> {
        Ok(Self { temporary: beside(path)?, path: path.to_owned() })
    }

    /// Writes more of it.
    ///
    /// # Errors
    /// [`FsError`] naming the path.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.temporary.write_all(bytes).map_err(FsError::at("write", &self.path))
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// [`FsError`] naming the path; what was there before is untouched.
    pub fn finish(self) -> Result<()> {
        put(self.temporary, &self.path)
    }
}

fn beside(path: &Path) -> Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".hone-").tempfile_in(parent(path)).map_err(FsError::at("write", path))
}

fn put(temporary: NamedTempFile, path: &Path) -> Result<()> {
    let at = || FsError::at("write", path);
    temporary.as_file().sync_all().map_err(at())?;
    temporary.persist(path).map_err(|error| error.error).map_err(at())?;
    sync_parent(path)
}

/// Writes a value as pretty JSON, atomically.
///
/// # Errors
/// [`FsError`] naming `path`.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| FsError::at("write", path)(error.into()))?;
    write_atomic(path, &bytes)
}

/// Reads a value from JSON.
///
/// # Errors
/// [`FsError`] naming `path`, also when the JSON does not fit.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&read(path)?).map_err(|error| FsError::at("read", path)(error.into()))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn sync_parent(path: &Path) -> Result<()> {
    let folder = parent(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(FsError::at("write", folder))
}

#[cfg(not(unix))]
fn sync_parent(_path: &Path) -> Result<()> {
    Ok(())
}
