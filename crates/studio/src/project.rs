//! The project folder: plain, documented, movable.
//!
//! ```text
//! <project>/project.toml     name, schema version, base model, language
//! <project>/hone.db          documents, passages, rows, verdicts, full-text index
//! <project>/sources/         the imported files, by content hash
//! <project>/runs/<id>/       one training
//! <project>/exports/<name>/  one export
//! ```

use std::path::{Path, PathBuf};

use hone_data::passages::PassageLength;
use hone_data::split::SplitShares;
use hone_job::fs;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Store, StudioError};

/// The newest layout of a project folder that this Hone knows.
pub const SCHEMA: i64 = 1;
const FILE: &str = "project.toml";
const DATABASE: &str = "hone.db";
const FOLDERS: [&str; 3] = ["sources", "runs", "exports"];

/// What `project.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ProjectFile {
    /// Version of the folder's layout.
    pub schema: i64,
    /// As the user calls it.
    pub name: String,
    /// Reference of the base model.
    pub base: String,
    /// Language of the documents, `en` or `zh`.
    pub language: String,
    /// Draws which rows are measured and which are kept for the exam.
    #[serde(default = "split_seed")]
    pub split_seed: u64,
    /// Percent of the rows that are measured during training.
    #[serde(default = "ten")]
    pub valid_percent: u8,
    /// Percent of the conversations that are kept for the exam.
    #[serde(default = "ten")]
    pub exam_percent: u8,
    /// How long passages are, in tokens of the base model.
    #[serde(default)]
    pub passages: PassageLength,
}

fn split_seed() -> u64 {
    42
}

fn ten() -> u8 {
    10
}

impl ProjectFile {
    /// A project of the newest layout.
    pub fn new(name: impl Into<String>, base: impl Into<String>, language: impl Into<String>) -> Self {
        Self {
            schema: SCHEMA,
            name: name.into(),
            base: base.into(),
            language: language.into(),
            split_seed: split_seed(),
            valid_percent: ten(),
            exam_percent: ten(),
            passages: PassageLength::default(),
        }
    }
}

/// An opened project.
#[derive(Debug, Clone)]
pub struct Project {
    dir: PathBuf,
    file: ProjectFile,
}

impl Project {
    /// Makes a project in a new or empty folder. `project.toml` is written last: what was cut off before is no project
    /// and can be made again.
    ///
    /// # Errors
    /// [`StudioError::NotEmpty`], [`StudioError::AlreadyProject`], or what the disk refuses.
    pub fn create(dir: &Path, file: ProjectFile) -> Result<Self, StudioError> {
        let dir = &absolute(dir)?;
        if is_project(dir) {
            return Err(StudioError::AlreadyProject { dir: dir.clone() });
        }
        fs::create_dir_all(dir)?;
        if fs::list_dir(dir)?.iter().any(|entry| !is_ours(entry)) {
            return Err(StudioError::NotEmpty { dir: dir.clone() });
        }
        for folder in FOLDERS {
            fs::create_dir_all(&dir.join(folder))?;
        }
        Store::open(&dir.join(DATABASE))?;
        let project = Self { dir: dir.clone(), file };
        project.write()?;
        Ok(project)
    }

    /// Opens a project, bringing its database to the newest layout.
    ///
    /// # Errors
    /// [`StudioError::NotAProject`], [`StudioError::NewerSchema`], [`StudioError::BadProjectFile`], or what the disk
    /// refuses.
    pub fn open(dir: &Path) -> Result<Self, StudioError> {
        let dir = absolute(dir)?;
        if !is_project(&dir) {
            return Err(StudioError::NotAProject { dir });
        }
        let path = dir.join(FILE);
        let file = parse(&path, &fs::read_to_string(&path)?)?;
        let project = Self { dir, file };
        project.store()?;
        Ok(project)
    }

    /// The project's folder, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How much goes where.
    pub fn shares(&self) -> SplitShares {
        let share = |percent: u8| f64::from(percent.min(50)) / 100.0;
        SplitShares { valid: share(self.file.valid_percent), exam: share(self.file.exam_percent) }
    }

    /// What `project.toml` says.
    pub fn file(&self) -> &ProjectFile {
        &self.file
    }

    /// A connection to the project's database.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn store(&self) -> Result<Store, StudioError> {
        Store::open(&self.dir.join(DATABASE))
    }

    /// The folder of the trainings.
    pub fn runs_dir(&self) -> PathBuf {
        self.dir.join("runs")
    }

    /// The folder of the imported files.
    pub fn sources_dir(&self) -> PathBuf {
        self.dir.join("sources")
    }

    /// The folder of the exports.
    pub fn exports_dir(&self) -> PathBuf {
        self.dir.join("exports")
    }

    /// Changes the base model.
    ///
    /// # Errors
    /// What the disk refuses; the old one stays then.
    pub fn set_base(&mut self, base: &str) -> Result<(), StudioError> {
        let before = std::mem::replace(&mut self.file.base, base.to_owned());
        self.write().inspect_err(|_| self.file.base = before)
    }

    /// Changes how long the passages of the next imports are.
    ///
    /// # Errors
    /// What the disk refuses; the old length stays then.
    pub fn set_passages(&mut self, length: PassageLength) -> Result<(), StudioError> {
        let before = std::mem::replace(&mut self.file.passages, length);
        self.write().inspect_err(|_| self.file.passages = before)
    }

    /// Changes how the rows are parted from now on.
    ///
    /// # Errors
    /// What the disk refuses; all is as before then.
    pub fn set_split(&mut self, seed: u64, valid_percent: u8, exam_percent: u8) -> Result<(), StudioError> {
        let before = self.file.clone();
        (self.file.split_seed, self.file.valid_percent, self.file.exam_percent) = (seed, valid_percent, exam_percent);
        self.write().inspect_err(|_| self.file = before)
    }

    fn write(&self) -> Result<(), StudioError> {
        let path = self.dir.join(FILE);
        let text = toml::to_string(&self.file)
            .map_err(|error| StudioError::BadProjectFile { path: path.clone(), message: error.to_string() })?;
        let text = format!("# A Hone project. The folder can be moved and copied as a whole.\n{text}");
        Ok(fs::write_atomic(&path, text.as_bytes())?)
    }
}

/// Whether a project lies in this folder.
pub fn is_project(dir: &Path) -> bool {
    dir.join(FILE).is_file()
}

fn parse(path: &Path, text: &str) -> Result<ProjectFile, StudioError> {
    let bad = |error: toml::de::Error| StudioError::BadProjectFile {
        path: path.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    };
    // The version comes first: a newer layout may have fields that mean nothing here.
    let table: toml::Table = text.parse().map_err(bad)?;
    if let Some(found) = table.get("schema").and_then(toml::Value::as_integer).filter(|found| *found > SCHEMA) {
        return Err(StudioError::NewerSchema { path: path.to_owned(), found, known: SCHEMA });
    }
    toml::from_str(text).map_err(bad)
}

fn is_ours(entry: &Path) -> bool {
    let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let empty_folder = || fs::list_dir(entry).is_ok_and(|entries| entries.is_empty());
    name.starts_with(DATABASE) || (FOLDERS.contains(&name) && empty_folder())
}

fn absolute(dir: &Path) -> Result<PathBuf, StudioError> {
    std::path::absolute(dir)
        .map_err(|source| StudioError::Fs(fs::FsError { action: "look at", path: dir.to_owned(), source }))
}
