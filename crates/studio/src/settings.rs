//! What Hone remembers about this user, outside any project: settings and the projects opened last.
//! The folder they lie in comes in as an argument.

use std::path::{Path, PathBuf};

use hone_job::{ErrorCode, Explain, fs};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{StudioError, project};

const SETTINGS: &str = "settings.json";
const RECENT: &str = "recent.json";
const REMEMBERED: usize = 12;

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Theme {
    /// As the desktop has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The user's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export)]
pub struct Settings {
    /// `en`, `zh`, or absent: as the desktop has it.
    pub language: Option<String>,
    /// Light or dark.
    pub theme: Theme,
}

/// A project that was opened before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RecentProject {
    /// Its folder.
    pub dir: String,
    /// Its name.
    pub name: String,
    /// When it was opened last, RFC 3339.
    pub opened_at: String,
}

/// Reads the settings; what is missing or unreadable has its default.
///
/// # Errors
/// When the file is there but may not be read.
pub fn read(config_dir: &Path) -> Result<Settings, StudioError> {
    read_or_default(&config_dir.join(SETTINGS))
}

/// Writes the settings.
///
/// # Errors
/// What the disk refuses; the old ones stay then.
pub fn write(config_dir: &Path, settings: &Settings) -> Result<(), StudioError> {
    fs::create_dir_all(config_dir)?;
    Ok(fs::write_json(&config_dir.join(SETTINGS), settings)?)
}

/// The projects opened last, newest first; those that are no longer there are left out.
///
/// # Errors
/// When the list is there but may not be read.
pub fn recent(config_dir: &Path) -> Result<Vec<RecentProject>, StudioError> {
    let mut list: Vec<RecentProject> = read_or_default(&config_dir.join(RECENT))?;
    list.retain(|entry| project::is_project(&PathBuf::from(&entry.dir)));
    Ok(list)
}

/// Puts a project on top of the list.
///
/// # Errors
/// What the disk refuses; the old list stays then.
pub fn remember(config_dir: &Path, opened: &project::Project, now: &str) -> Result<(), StudioError> {
    let dir = opened.dir().to_string_lossy().into_owned();
    let mut list: Vec<RecentProject> = read_or_default(&config_dir.join(RECENT))?;
    list.retain(|entry| entry.dir != dir);
    list.insert(0, RecentProject { dir, name: opened.file().name.clone(), opened_at: now.to_owned() });
    list.truncate(REMEMBERED);
    fs::create_dir_all(config_dir)?;
    Ok(fs::write_json(&config_dir.join(RECENT), &list)?)
}

fn read_or_default<T: Default + serde::de::DeserializeOwned>(path: &Path) -> Result<T, StudioError> {
    match fs::read_json(path) {
        Ok(value) => Ok(value),
        // A list of conveniences is not worth refusing to start for.
        Err(error) if error.code() != ErrorCode::NoPermission => Ok(T::default()),
        Err(error) => Err(error.into()),
    }
}
