//! A large structured file: read, mapped and stored in portions, on two threads: one makes rows and what the search index
//! needs of them, the other stores them.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use hone_data::import::{Look, Portions};
use hone_data::mapping::{self, Mapper};
use hone_data::split::{Drawn, SplitShares};
use hone_data::{Document, Issue, MappedFile, Record, Records, Row};
use hone_job::Job;
use hone_job::fs::FsError;
use hone_studio::sources::Keeping;
use hone_studio::store::{Batch, Changes, Intake};
use hone_studio::{Store, StudioError};

use super::take::{Given, Source, Taking};
use crate::failure::{Failure, Outcome};

/// Batches of rows that wait for the database at most, each about forty kilobytes of text.
const WAITING: usize = 96;
/// Rows that are shown with the mapping.
const SHOWN: usize = 5;

/// Stores what is in the file.
pub fn store(
    taking: &Taking,
    store: &mut Store,
    source: &Source,
    look: &Look,
    older: Option<&Document>,
    mut portions: Portions<Keeping>,
) -> Outcome<(Given, Changes)> {
    let first = portions.portion().map_err(|error| unreadable(source, error))?;
    let begin = Records { columns: portions.columns().to_vec(), records: first };
    let mapping = taking.chosen.mapping(&begin, store)?;
    let sample = mapping::sample(&begin.columns, &begin.records);
    let reading = Reading {
        mapper: Mapper::new(&mapping, &look.hash, &source.name),
        drawn: store.drawn()?,
        seed: taking.project.file().split_seed,
        shares: taking.project.shares(),
        job: &taking.context.job,
        portions,
        done: taking.done,
        total: taking.total,
        read: Read::default(),
    };

    let mut given = None;
    let changes = std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let reader = scope.spawn(move || reading.run(begin.records, &sender));
        store.import(&look.hash, older.map(|older| older.hash.as_str()), |intake: &mut Intake| {
            let (rows, preview) = take(receiver, intake)?;
            let read = match reader.join() {
                Ok(Ok(read)) => read,
                Ok(Err(Stopped::Cancelled)) => return Err(Failure::Cancelled),
                Ok(Err(Stopped::Unreadable(error))) => return Err(unreadable(source, error).into()),
                Ok(Err(Stopped::NotKept(error))) => return Err(error.into()),
                Err(_) => return Err(unreadable(source, std::io::Error::other("its reader stopped")).into()),
            };
            let document = Document {
                hash: look.hash.clone(),
                name: source.name.clone(),
                path: source.path.clone(),
                format: read.format.to_owned(),
                bytes: look.bytes,
                pages: None,
                characters: read.characters,
                issues: read.issues,
            };
            let mapped = MappedFile {
                document: look.hash.clone(),
                name: source.name.clone(),
                columns: read.columns,
                mapping: mapping.clone(),
                sample,
                preview,
                rows,
                conversations: read.conversations,
            };
            let all = given.insert(Given { document, mapped: Some(mapped), gave: read.records > 0 });
            Ok::<_, Failure>((all.document.clone(), all.mapping()))
        })
    })?;
    given.map(|given| (given, changes)).ok_or(Failure::Cancelled)
}

/// What reading met with: the file, or its copy in the project.
fn unreadable(source: &Source, error: std::io::Error) -> FsError {
    error.downcast().unwrap_or_else(|source_error| FsError {
        action: "read",
        path: source.file.clone(),
        source: source_error,
    })
}

/// Stores the rows as they come; answers how many there were, and the first.
fn take(receiver: Receiver<Batch>, intake: &mut Intake) -> Result<(u64, Vec<Row>), StudioError> {
    let mut count = 0;
    let mut first = Vec::new();
    for batch in receiver {
        count += batch.rows().len() as u64;
        first.extend(batch.rows().take(SHOWN - first.len()).cloned());
        intake.batch(batch)?;
    }
    Ok((count, first))
}

/// Why reading stopped before the end.
enum Stopped {
    Unreadable(std::io::Error),
    NotKept(StudioError),
    Cancelled,
}

impl From<serde_json::Error> for Stopped {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.into())
    }
}

/// What is known at the end.
#[derive(Default)]
struct Read {
    columns: Vec<String>,
    format: &'static str,
    characters: u64,
    records: u64,
    conversations: u64,
    issues: Vec<Issue>,
}

/// The work of the reading thread.
struct Reading<'a> {
    portions: Portions<Keeping>,
    mapper: Mapper<'a>,
    drawn: Drawn,
    seed: u64,
    shares: SplitShares,
    job: &'a Job,
    done: u64,
    total: u64,
    read: Read,
}

impl Reading<'_> {
    fn run(mut self, first: Vec<Record>, sender: &SyncSender<Batch>) -> Result<Read, Stopped> {
        let mut records = first;
        let mut open = Batch::new();
        while !records.is_empty() {
            self.job.check().map_err(|_| Stopped::Cancelled)?;
            self.rows(&records, &mut open, sender)?;
            self.job.progress(self.done + self.portions.read(), self.total, "bytes");
            records = self.portions.portion().map_err(Stopped::Unreadable)?;
        }
        send(sender, open)?;
        let columns = self.portions.columns().to_vec();
        let format = self.portions.format();
        let (mut issues, keeping) = self.portions.finish();
        // The copy is there before the database speaks of it.
        keeping.finish().map_err(Stopped::NotKept)?;
        issues.extend(self.mapper.finish(&columns));
        Ok(Read { columns, format, issues, ..self.read })
    }

    /// Makes rows of records; those of a full batch go to the database.
    fn rows(&mut self, records: &[Record], open: &mut Batch, sender: &SyncSender<Batch>) -> Result<(), Stopped> {
        for record in records {
            let turns = record.messages.iter().map(|message| &message.content);
            let characters: usize = record.values.iter().chain(turns).map(|text| text.chars().count()).sum();
            self.read.characters += characters as u64;
            self.read.conversations += u64::from(!record.messages.is_empty());
        }
        self.read.records += records.len() as u64;
        let Self { mapper, drawn, portions, seed, shares, .. } = self;
        let mut stored = Ok(());
        mapper.take(portions.columns(), records, |mut row| {
            let free = row.split.is_none();
            row.split = Some(drawn.part(&row, *seed, *shares));
            if stored.is_ok() {
                stored = batched(row, free, open, sender);
            }
        });
        stored
    }
}

/// Adds a row to the open batch; a full one goes to the database.
fn batched(row: Row, free: bool, open: &mut Batch, sender: &SyncSender<Batch>) -> Result<(), Stopped> {
    if open.is_full() {
        send(sender, std::mem::replace(open, Batch::new()))?;
    }
    Ok(open.add(row, free)?)
}

/// Where the database gave up, its reason is what counts.
fn send(sender: &SyncSender<Batch>, batch: Batch) -> Result<(), Stopped> {
    sender.send(batch).map_err(|_| Stopped::Cancelled)
}
