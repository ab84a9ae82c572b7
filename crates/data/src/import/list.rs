use std::collections::HashSet;
use std::path::{Path, PathBuf};

use hone_job::fs;

use crate::Issue;
use crate::import::read::file_name;

/// Folders deeper than this below a given one are left out.
const MAX_DEPTH: usize = 64;

/// The files that paths stand for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// Files, each once, a folder's in the order of their names.
    pub files: Vec<PathBuf>,
    /// Paths that are not there and folders that cannot be read.
    pub issues: Vec<Issue>,
}

/// Finds the files to read: each file given, and all files in each folder given and the folders in it. In folders,
/// hidden files are left out, and a folder is entered once, however many links lead to it.
pub fn list(paths: &[PathBuf]) -> Listing {
    let mut walk = Walk::default();
    for path in paths {
        walk.visit(there(path), 0, true);
    }
    if walk.listing.files.is_empty() && walk.listing.issues.is_empty() {
        for path in paths {
            walk.listing.issues.push(Issue::unreadable(
                "empty_folder",
                &file_name(path),
                "There are no files in this folder",
                "Choose a folder that holds documents; hidden files are left out",
            ));
        }
    }
    walk.listing
}

/// A path that leads into a file (an archive) stands for that file.
fn there(path: &Path) -> &Path {
    if path.exists() { path } else { path.ancestors().find(|ancestor| ancestor.is_file()).unwrap_or(path) }
}

#[derive(Default)]
struct Walk {
    listing: Listing,
    seen: HashSet<PathBuf>,
}

impl Walk {
    fn visit(&mut self, path: &Path, depth: usize, given: bool) {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => return self.unreadable(path, &error),
        };
        let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if !self.seen.insert(identity) {
            return;
        }
        if metadata.is_file() {
            self.listing.files.push(path.to_owned());
        } else if metadata.is_dir() && depth < MAX_DEPTH {
            match fs::list_dir(path) {
                Ok(entries) => {
                    for entry in entries.iter().filter(|entry| !is_hidden(entry)) {
                        self.visit(entry, depth + 1, false);
                    }
                }
                Err(error) => self.unreadable(path, &error),
            }
        } else if given {
            self.listing.issues.push(Issue::unreadable(
                "not_a_file",
                &file_name(path),
                "This is neither a file nor a folder",
                "Choose a document or a folder of documents",
            ));
        }
    }

    fn unreadable(&mut self, path: &Path, error: &fs::FsError) {
        let (code, message, hint) = if error.source.kind() == std::io::ErrorKind::NotFound {
            ("not_found", format!("`{}` is not there", path.display()), "Check the path; the file may have been moved")
        } else {
            ("unreadable", error.to_string(), "Allow reading it, or check that the disk is connected")
        };
        self.listing.issues.push(Issue::unreadable(code, &file_name(path), message, hint));
    }
}

/// Dot files, and the notes that systems and office programs leave beside documents.
fn is_hidden(path: &Path) -> bool {
    let name = file_name(path);
    name.starts_with('.') || name.starts_with("~$") || matches!(name.as_str(), "Thumbs.db" | "desktop.ini" | "__MACOSX")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write_atomic(path, b"x").unwrap();
    }

    #[test]
    fn a_folder_is_walked_by_name_without_hidden_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.txt", "a/z.txt", "a/.hidden", ".git/config", "~$open.docx", "ä 文件.md"] {
            write(&dir.path().join(name));
        }
        let listing = list(&[dir.path().to_owned(), dir.path().join("b.txt")]);
        let names: Vec<_> =
            listing.files.iter().map(|file| file.strip_prefix(dir.path()).unwrap().display().to_string()).collect();
        assert_eq!(names, ["a/z.txt", "b.txt", "ä 文件.md"]);
        assert_eq!(listing.issues, []);
    }

    #[cfg(unix)]
    #[test]
    fn a_loop_of_links_ends_and_a_dangling_link_is_named() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("sub/a.txt"));
        std::os::unix::fs::symlink(dir.path(), dir.path().join("sub/loop")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("gone"), dir.path().join("dangling.txt")).unwrap();
        let listing = list(&[dir.path().to_owned()]);
        assert_eq!(listing.files.len(), 1);
        assert_eq!((listing.issues.len(), listing.issues[0].file.as_str()), (1, "dangling.txt"));
    }

    #[test]
    fn a_path_that_is_not_there_and_an_empty_folder_are_issues() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(list(&[dir.path().join("no.pdf")]).issues[0].code, "not_found");
        assert_eq!(list(&[dir.path().to_owned()]).issues[0].code, "empty_folder");
    }
}
