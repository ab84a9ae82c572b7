//! What the page may name. Every command checks its own arguments: the page is code of ours, but what it shows is not.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::ShellError;

/// Longest path, name or reference, bytes.
pub const NAME_MAX: usize = 4096;
/// Longest question to a model, bytes.
pub const PROMPT_MAX: usize = 256 * 1024;
/// Most files or folders in one import.
pub const PATHS_MAX: usize = 10_000;
/// Most rows in one page or one change.
pub const ROWS_MAX: usize = 10_000;

type Result<T> = std::result::Result<T, ShellError>;

fn refuse<T>(name: &'static str, reason: &'static str) -> Result<T> {
    Err(ShellError::BadArgument { name, reason })
}

/// Accepts free text of at most `max` bytes.
///
/// # Errors
/// [`ShellError::BadArgument`] when it is longer or holds a NUL.
pub fn text<'a>(name: &'static str, value: &'a str, max: usize) -> Result<&'a str> {
    match value {
        _ if value.len() > max => refuse(name, "it is too long"),
        _ if value.contains('\0') => refuse(name, "it holds a NUL character"),
        _ => Ok(value),
    }
}

/// Accepts a reference or name that is handed to the worker as a word of its own: not empty, not an option.
///
/// # Errors
/// [`ShellError::BadArgument`].
pub fn word<'a>(name: &'static str, value: &'a str) -> Result<&'a str> {
    match text(name, value, NAME_MAX)? {
        "" => refuse(name, "it is empty"),
        _ if value.starts_with('-') => refuse(name, "it begins with a dash"),
        _ if value.chars().any(char::is_control) => refuse(name, "it holds a control character"),
        _ => Ok(value),
    }
}

/// Accepts the name of a knob, a rule or a code: letters, digits, `_`, `.` and `-` inside.
///
/// # Errors
/// [`ShellError::BadArgument`].
pub fn identifier<'a>(name: &'static str, value: &'a str) -> Result<&'a str> {
    if word(name, value)?.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)) {
        return Ok(value);
    }
    refuse(name, "only letters, digits, `_`, `-` and `.` may stand in it")
}

/// Accepts the id of a run: digits and dashes, as its folder is named.
///
/// # Errors
/// [`ShellError::BadArgument`].
pub fn run_id(value: &str) -> Result<&str> {
    if word("run", value)?.len() <= 32 && value.chars().all(|c| c.is_ascii_digit() || c == '-') {
        return Ok(value);
    }
    refuse("run", "it is not the name of a run")
}

/// Accepts a name that becomes one folder or file: no separators, no parents, nothing hidden.
///
/// # Errors
/// [`ShellError::BadArgument`].
pub fn file_name<'a>(name: &'static str, value: &'a str) -> Result<&'a str> {
    let mut parts = Path::new(word(name, value)?).components();
    let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == value);
    match value {
        _ if !plain || value.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|']) => {
            refuse(name, "it cannot be the name of a folder")
        }
        _ if value.starts_with('.') || value.ends_with(['.', ' ']) => {
            refuse(name, "it may not begin or end with a dot, nor end with a space")
        }
        _ if value.len() > 120 => refuse(name, "it is too long"),
        _ => Ok(value),
    }
}

/// Accepts an absolute path of bearable length.
///
/// # Errors
/// [`ShellError::BadArgument`].
pub fn absolute<'a>(name: &'static str, value: &'a Path) -> Result<&'a Path> {
    let bytes = value.as_os_str().as_encoded_bytes();
    match value {
        _ if bytes.len() > NAME_MAX || bytes.contains(&0) => refuse(name, "it is too long or holds a NUL character"),
        _ if !value.is_absolute() => refuse(name, "it is not a full path"),
        _ => Ok(value),
    }
}

/// Accepts the paths of one import.
///
/// # Errors
/// [`ShellError::BadArgument`].
pub fn paths(value: &[PathBuf]) -> Result<&[PathBuf]> {
    match value.len() {
        0 => return refuse("paths", "there is none"),
        count if count > PATHS_MAX => return refuse("paths", "there are too many at once"),
        _ => {}
    }
    value.iter().try_for_each(|path| absolute("paths", path).map(drop))?;
    Ok(value)
}

/// The project folders this window has opened. A command may touch no other.
#[derive(Default)]
pub struct OpenProjects(Mutex<HashSet<PathBuf>>);

impl OpenProjects {
    /// Remembers a project that was opened, and returns its folder with links resolved.
    ///
    /// # Errors
    /// [`ShellError::ProjectNotOpen`] when the folder is not there.
    pub fn add(&self, dir: &Path) -> Result<PathBuf> {
        let real =
            absolute("dir", dir)?.canonicalize().map_err(|_| ShellError::ProjectNotOpen { path: dir.to_owned() })?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(real.clone());
        Ok(real)
    }

    /// The folder of an opened project, links resolved.
    ///
    /// # Errors
    /// [`ShellError::ProjectNotOpen`].
    pub fn get(&self, dir: &Path) -> Result<PathBuf> {
        let closed = || ShellError::ProjectNotOpen { path: dir.to_owned() };
        let real = absolute("dir", dir)?.canonicalize().map_err(|_| closed())?;
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&real);
        if open { Ok(real) } else { Err(closed()) }
    }

    /// Accepts a path that exists inside one of the opened projects, links resolved.
    ///
    /// # Errors
    /// [`ShellError::OutsideProject`].
    pub fn inside(&self, path: &Path) -> Result<PathBuf> {
        let outside = || ShellError::OutsideProject { path: path.to_owned() };
        let real = absolute("path", path)?.canonicalize().map_err(|_| outside())?;
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.iter().any(|project| real.starts_with(project)) { Ok(real) } else { Err(outside()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_their_folder_are_refused() {
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "C:", "/etc", ".hidden", "x.", "-x", "a\0b", "a\nb", "x "] {
            assert!(file_name("name", name).is_err(), "{name:?} was accepted");
        }
        for name in ["Lindenhof handbook", "手册", "v1.2", "a-b_c"] {
            assert!(file_name("name", name).is_ok(), "{name:?} was refused");
        }
    }

    #[test]
    fn a_run_is_named_by_digits_and_dashes_alone() {
        assert!(run_id("20261124-150000-2").is_ok());
        for id in ["", "-1", "..", "2026/1", "20261124-150000 --force", "x"] {
            assert!(run_id(id).is_err(), "{id:?} was accepted");
        }
    }

    #[test]
    fn only_opened_projects_and_what_lies_in_them_can_be_named() {
        let opened = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let open = OpenProjects::default();
        assert!(open.get(opened.path()).is_err(), "not opened yet");
        open.add(opened.path()).unwrap();
        assert!(open.get(opened.path()).is_ok());
        assert!(open.get(&opened.path().join("..")).is_err(), "the folder above");
        assert!(open.inside(other.path()).is_err());
        assert!(open.inside(&opened.path().join("runs/../..")).is_err());
        assert!(open.inside(opened.path()).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_project_is_outside() {
        let opened = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let open = OpenProjects::default();
        open.add(opened.path()).unwrap();
        std::os::unix::fs::symlink(other.path(), opened.path().join("exports")).unwrap();
        assert!(open.inside(&opened.path().join("exports")).is_err());
    }

    #[test]
    fn an_import_takes_full_paths_in_bearable_number() {
        assert!(paths(&[]).is_err());
        assert!(paths(&["handbook.pdf".into()]).is_err(), "a relative path");
        assert!(paths(&["/tmp/handbook.pdf".into()]).is_ok());
        assert!(paths(&vec![PathBuf::from("/tmp/x"); PATHS_MAX + 1]).is_err());
    }
}
