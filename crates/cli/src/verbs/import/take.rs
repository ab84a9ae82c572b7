//! Taking one file in.

use std::io::Read;
use std::path::{Path, PathBuf};

use hone_data::import::{self, Look, LookError, ReadOptions, ReadOutcome};
use hone_data::passages::{self, PassageLength};
use hone_data::{Content, Document, MappedFile, mapping, reading};
use hone_job::fs;
use hone_studio::sources::{self, Keeping};
use hone_studio::store::{Changes, FileMapping, Intake};
use hone_studio::{Project, Store, StudioError};

use super::mapped::Chosen;
use super::{ChangedFile, ImportOutcome, large};
use crate::context::Context;
use crate::failure::{self, Failure, Outcome};
use crate::verbs::base::TokenCount;

/// What every file of an import is read with.
pub struct Taking<'a> {
    /// The project.
    pub project: &'a Project,
    /// Columns that were chosen.
    pub chosen: &'a Chosen,
    /// How long passages are.
    pub passages: PassageLength,
    /// Whether files that are here already are read anew.
    pub anew: bool,
    /// Limits, and what recognises text.
    pub options: &'a ReadOptions,
    /// Tells the tokens of a text.
    pub count: &'a TokenCount,
    /// The job.
    pub context: &'a Context,
    /// Bytes of the files before this one.
    pub done: u64,
    /// Bytes of all files.
    pub total: u64,
}

/// A file to take in.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it is read from.
    pub file: PathBuf,
    /// Where the user has it.
    pub path: String,
    /// Its name.
    pub name: String,
}

impl Source {
    /// A file as the user names it.
    pub fn of(file: &Path) -> Self {
        let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        Self { file: file.to_owned(), path: whole.display().to_string(), name }
    }

    /// Its size, as far as it can be told.
    pub fn bytes(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |metadata| metadata.len())
    }

    /// A document of the project, from its copy there.
    pub fn again(project: &Project, document: &Document) -> Self {
        Self {
            file: sources::path(project, &document.hash, &document.name),
            path: document.path.clone(),
            name: document.name.clone(),
        }
    }
}

/// What a file gave, beside its rows and passages.
pub struct Given {
    pub document: Document,
    pub mapped: Option<MappedFile>,
    /// Whether anything came out.
    pub gave: bool,
}

impl Given {
    /// For the database: the mapping with what is shown of it.
    pub fn mapping(&self) -> Option<FileMapping> {
        self.mapped.as_ref().map(|mapped| FileMapping {
            columns: mapped.columns.clone(),
            mapping: mapped.mapping.clone(),
            sample: mapped.sample.clone(),
            conversations: mapped.conversations,
        })
    }
}

impl Taking<'_> {
    /// Takes in one file, or all that an archive holds.
    pub fn take(&self, store: &mut Store, source: &Source, outcome: &mut ImportOutcome) -> Outcome<()> {
        let small_enough = source.bytes() <= self.options.max_bytes;
        let starts_as_archive = small_enough && starts_with(&source.file, b"PK");
        let bytes = if starts_as_archive { fs::read(&source.file).ok() } else { None };
        let archive =
            bytes.as_ref().and_then(|bytes| import::open_archive(Path::new(&source.path), bytes, self.options));
        let Some(archive) = archive else { return self.take_file(store, source, outcome) };
        for entry in archive {
            failure::check(&self.context.job)?;
            match &entry.bytes {
                Err(issue) => outcome.issues.push(issue.clone()),
                Ok(bytes) => self.take_entry(store, source, &entry.name, bytes, outcome)?,
            }
        }
        Ok(())
    }

    /// Takes in a file of an archive: its copy in the project, named by its bytes, is where it is read from.
    fn take_entry(
        &self,
        store: &mut Store,
        archive: &Source,
        name: &str,
        bytes: &[u8],
        outcome: &mut ImportOutcome,
    ) -> Outcome<()> {
        let hash = import::hash(bytes);
        let (file, fresh) = sources::keep_bytes(self.project, name, bytes, &hash)?;
        let within = name.split_once(import::WITHIN).map_or(name, |(_, within)| within);
        let path = format!("{}/{within}", archive.path);
        let source = Source { file: file.clone(), path, name: name.to_owned() };
        let taken = self.take_file(store, &source, outcome);
        let kept = outcome.documents.iter().any(|document| document.hash == hash);
        if fresh && !kept {
            fs::remove_file(&file)?;
        }
        taken
    }

    /// Takes one file in, or says why not.
    fn take_file(&self, store: &mut Store, source: &Source, outcome: &mut ImportOutcome) -> Outcome<()> {
        let look = match import::look(&source.file, &self.context.job) {
            Ok(look) => look,
            Err(LookError::Cancelled) => return Err(Failure::Cancelled),
            Err(LookError::Fs(_)) => return self.refuse(source, outcome),
        };
        let whole = import::open(fs::open(&source.file)?, &source.name, &look).is_none();
        if whole && look.bytes > self.options.max_bytes {
            return self.refuse(source, outcome);
        }
        let same = store.document(&look.hash)?;
        let recognises = self.options.ocr.is_some() && same.as_ref().is_some_and(is_scanned);
        if store.has_document(&look.hash)? && !self.anew && !recognises {
            outcome.unchanged += 1;
            return Ok(());
        }
        let older = match same {
            Some(same) => Some(same),
            None => store.older_version(&source.path, &source.name, is_gone)?,
        };
        self.import(store, source, &look, older.as_ref(), outcome)
    }

    /// Says why a file cannot be read at all.
    fn refuse(&self, source: &Source, outcome: &mut ImportOutcome) -> Outcome<()> {
        let refused = import::read(&source.file, self.options, &self.context.job).map_err(|_| Failure::Cancelled)?;
        outcome.issues.extend(refused.issues);
        Ok(())
    }

    fn import(
        &self,
        store: &mut Store,
        source: &Source,
        look: &Look,
        older: Option<&Document>,
        outcome: &mut ImportOutcome,
    ) -> Outcome<()> {
        let copy = sources::place(self.project, &source.file, &look.hash);
        let fresh = !copy.is_file();
        let discard = || if fresh { fs::remove_file(&copy) } else { Ok(()) };
        let (given, changes) = match self.store(store, source, look, older) {
            Ok(stored) => stored,
            Err(failure) => {
                discard()?;
                return Err(failure);
            }
        };
        if !given.gave {
            discard()?;
        }
        if let Some(mapped) = &given.mapped {
            self.chosen.remember(store, &mapped.columns, &mapped.mapping)?;
        }
        outcome.issues.extend(given.document.issues.iter().cloned());
        let same_bytes = older.is_some_and(|older| older.hash == look.hash);
        if changes.had_something() && same_bytes && changes.is_nothing() {
            outcome.unchanged += 1;
            outcome.mappings.extend(given.mapped);
            return Ok(());
        }
        outcome.passages += changes.passages_added;
        outcome.rows += changes.rows_added;
        outcome.mappings.extend(given.mapped);
        if changes.had_something() {
            let (document, name) = (look.hash.clone(), source.name.clone());
            outcome.changed.push(ChangedFile { document, name, new_bytes: !same_bytes, changes });
            if let Some(older) = older.filter(|_| !same_bytes) {
                fs::remove_file(&sources::path(self.project, &older.hash, &older.name))?;
            }
        }
        if given.gave {
            outcome.documents.push(given.document);
        }
        Ok(())
    }

    fn store(
        &self,
        store: &mut Store,
        source: &Source,
        look: &Look,
        older: Option<&Document>,
    ) -> Outcome<(Given, Changes)> {
        let keeping = Keeping::begin(self.project, &source.file, &look.hash)?;
        if let Some(portions) = import::open(keeping, &source.name, look) {
            return large::store(self, store, source, look, older, portions);
        }
        let (copy, _) = sources::keep(self.project, &source.file, &look.hash)?;
        // From the copy: it does not change while it is read.
        let bytes = fs::read(&copy)?;
        let named = Path::new(&source.path);
        let ReadOutcome { document, content, mut issues } =
            import::read_entry(named, &source.name, &bytes, self.options, &self.context.job)
                .map_err(|_| Failure::Cancelled)?;
        let gave = document.is_some();
        let mut document = document.unwrap_or_else(|| nameless(source, look));
        document.path.clone_from(&source.path);
        let (mut passages, mut rows, mut mapped) = (Vec::new(), Vec::new(), None);
        match &content {
            Content::Nothing => {}
            Content::Text(blocks) => {
                passages = passages::split(blocks, self.count, self.passages);
                rows = reading::rows(&look.hash, &passages);
            }
            Content::Records(records) => {
                let mapping = self.chosen.mapping(records, store)?;
                let applied = mapping::apply(records, &mapping, &look.hash, &source.name);
                mapped = Some(MappedFile::of(&look.hash, &source.name, records, &mapping, &applied.rows));
                issues.extend(applied.issues);
                rows = applied.rows;
            }
        }
        drop(content);
        document.issues = issues;
        let given = Given { document, mapped, gave };
        // A version that cannot be read does not take the place of one that could.
        let kept = if gave { older } else { None };
        let changes = store.import(&look.hash, kept.map(|older| older.hash.as_str()), |intake: &mut Intake| {
            for passage in &passages {
                intake.passage(passage)?;
            }
            for row in &rows {
                intake.row(row)?;
            }
            Ok::<_, StudioError>((given.document.clone(), given.mapping()))
        })?;
        Ok((given, changes))
    }
}

/// Whether pages of a document hold pictures of text.
fn is_scanned(document: &Document) -> bool {
    document.issues.iter().any(|issue| issue.code == "pdf_without_text")
}

fn starts_with(file: &Path, magic: &[u8]) -> bool {
    let mut head = Vec::new();
    fs::open(file).is_ok_and(|file| file.take(magic.len() as u64).read_to_end(&mut head).is_ok()) && head == magic
}

/// Whether the file of a document is no longer where it was. What lies inside another file (an archive) is there as
/// long as that one is.
fn is_gone(path: &str) -> bool {
    let path = Path::new(path);
    let first_there = path.ancestors().find(|ancestor| ancestor.exists());
    !path.exists() && first_there.is_none_or(Path::is_dir)
}

/// A file that gave nothing: it stands in the list with its issues, and is read anew when it is imported again.
fn nameless(source: &Source, look: &Look) -> Document {
    let extension = Path::new(&source.name).extension().unwrap_or_default();
    Document {
        hash: look.hash.clone(),
        name: source.name.clone(),
        path: source.path.clone(),
        format: extension.to_string_lossy().to_lowercase(),
        bytes: look.bytes,
        pages: None,
        characters: 0,
        issues: Vec::new(),
    }
}
