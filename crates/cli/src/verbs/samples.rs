//! The sample documents, inside the program.

use std::path::{Path, PathBuf};

use hone_job::fs::{self, FsError};

macro_rules! samples {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../samples/", $path)))),*]
    };
}

/// Path and bytes of each.
const SAMPLES: &[(&str, &[u8])] = samples![
    "chapters/01-the-cooperative.md",
    "chapters/02-vessels.md",
    "chapters/03-timetable.md",
    "chapters/04-fares.md",
    "chapters/05-freight.md",
    "chapters/06-weather.md",
    "chapters/07-crew.md",
    "chapters/08-safety.md",
    "chapters/09-engineering.md",
    "chapters/10-fuel-and-environment.md",
    "chapters/11-terminals.md",
    "chapters/12-fenholm-light.md",
    "chapters/13-members.md",
    "chapters/14-staff.md",
    "chapters/15-radio-and-computers.md",
    "chapters/16-chinese-guide.md",
    "handbook.docx",
    "handbook.pdf",
    "questions.csv",
];

/// Writes the sample documents into a folder, leaving alone those that are there.
///
/// # Errors
/// What the disk refuses.
pub fn write(folder: &Path) -> Result<Vec<PathBuf>, FsError> {
    fs::create_dir_all(&folder.join("chapters"))?;
    let mut paths = Vec::new();
    for (name, bytes) in SAMPLES {
        let path = folder.join(name);
        if !path.is_file() {
            fs::write_atomic(&path, bytes)?;
        }
        paths.push(path);
    }
    Ok(paths)
}
