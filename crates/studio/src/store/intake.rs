//! Taking a file in: one transaction from its first row to its last, also where it takes the place of an older version.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use hone_data::{Document, Origin, Passage, Row, RowStatus};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::store::adding::{Adding, Batch, Prepared};
use crate::store::search::{Area, Indexer};
use crate::store::tally::tallies;
use crate::store::{FileMapping, to_json, unwritable, word};
use crate::{Store, StudioError};

/// What taking a file in did to the project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Changes {
    /// Passages that were not there before.
    pub passages_added: u64,
    /// Passages that are gone.
    pub passages_removed: u64,
    /// Passages that say the same as before.
    pub passages_kept: u64,
    /// Rows that were not there before.
    pub rows_added: u64,
    /// Rows that are gone.
    pub rows_removed: u64,
    /// Rows that stayed, with what was decided about them.
    pub rows_kept: u64,
    /// Of the kept ones, reviewed rows whose passage is gone: they wait for review again.
    pub back_to_review: u64,
}

impl Changes {
    /// Whether everything is as it was.
    pub fn is_nothing(&self) -> bool {
        self.passages_added + self.passages_removed + self.rows_added + self.rows_removed == 0
    }

    /// Whether the file gave something before.
    pub fn had_something(&self) -> bool {
        self.passages_removed + self.passages_kept + self.rows_removed + self.rows_kept > 0
    }
}

/// An open import of one file. Passages come in their order, then rows in theirs.
pub struct Intake<'a> {
    db: &'a Connection,
    path: &'a std::path::Path,
    hash: &'a str,
    before: Option<Before>,
    rows: Adding,
    passages: Indexer,
    next_passage: i64,
    changes: Changes,
}

/// What the file gave when it was taken in before.
#[derive(Default)]
struct Before {
    hash: String,
    place: i64,
    /// Rows by what they say, the first at the end.
    rows: HashMap<u128, Vec<i64>>,
    /// Rows that were made from a passage, or by hand.
    made: Vec<Made>,
    /// Passages by what they say, the first at the end: number, and position.
    passages: HashMap<u128, Vec<(i64, u32)>>,
    /// New positions of the passages that stayed.
    moved: HashMap<u32, u32>,
}

struct Made {
    id: i64,
    passage: Option<u32>,
    reviewed: bool,
}

impl Store {
    /// Takes a file in: `fill` hands over its passages and rows and answers the document. All of it is stored, or
    /// nothing. With `replaces`, the document of that hash (which may be the same: the file is read anew) makes room:
    /// passages and rows that say the same stay as they are, with their numbers, edits, reviews and verdicts.
    ///
    /// # Errors
    /// What `fill` or the database refuses; everything is as before then.
    pub fn import<E: From<StudioError>>(
        &mut self,
        hash: &str,
        replaces: Option<&str>,
        fill: impl FnOnce(&mut Intake) -> Result<(Document, Option<FileMapping>), E>,
    ) -> Result<Changes, E> {
        let path = self.path.clone();
        let named = |source| StudioError::Database { action: "take a file in", path: path.clone(), source };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(named)?;
        let mut intake = Intake::open(&transaction, &path, hash, replaces).map_err(named)?;
        let (document, mapping) = fill(&mut intake)?;
        let changes = intake.close(&document, mapping.as_ref()).map_err(named)?;
        transaction.commit().map_err(named)?;
        Ok(changes)
    }

    /// The document that a file at `path` would take the place of: an older version from the same place, or the one of
    /// the same name whose file is no longer where it was. `is_gone` tells that of a path.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn older_version(
        &self,
        path: &str,
        name: &str,
        is_gone: impl Fn(&str) -> bool,
    ) -> Result<Option<Document>, StudioError> {
        let documents = self.documents()?;
        let at_its_place = documents.iter().find(|document| document.path == path);
        let mut namesakes = documents.iter().filter(|document| document.name == name);
        let namesake = namesakes.next().filter(|document| namesakes.next().is_none() && is_gone(&document.path));
        Ok(at_its_place.or(namesake).cloned())
    }
}

impl<'a> Intake<'a> {
    fn open(
        db: &'a Connection,
        path: &'a std::path::Path,
        hash: &'a str,
        replaces: Option<&str>,
    ) -> rusqlite::Result<Self> {
        let before = replaces.map(|old| Before::read(db, old)).transpose()?.flatten();
        // Rows and passages point at their document, so that it has to be there first; the rest is told at the end.
        db.execute(
            "INSERT INTO documents (hash, name, path, format, bytes, characters, issues) VALUES (?1, '', '', '', 0, 0, '[]')
             ON CONFLICT DO NOTHING",
            [hash],
        )?;
        // A passage's number is never used twice: the index would speak of the one before.
        let newest_passage: i64 = db.query_row(
            "SELECT max((SELECT coalesce(max(id), 0) FROM passages),
                (SELECT coalesce(max(last), 0) FROM search_blocks WHERE area = ?1))",
            [Area::Passages as i64],
            |row| row.get(0),
        )?;
        Ok(Self {
            db,
            path,
            hash,
            before,
            rows: Adding::new(db)?,
            passages: Indexer::new(db, Area::Passages, newest_passage)?,
            next_passage: newest_passage + 1,
            changes: Changes::default(),
        })
    }

    /// Stores the next passage.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn passage(&mut self, passage: &Passage) -> Result<(), StudioError> {
        self.put_passage(passage).map_err(|source| self.named("add a passage", source))
    }

    fn put_passage(&mut self, passage: &Passage) -> rusqlite::Result<()> {
        let (first, last) = passage.pages.unzip();
        if let Some((id, position)) = self.before.as_mut().and_then(|before| take(&mut before.passages, &passage.text))
        {
            self.db
                .prepare_cached(
                    "UPDATE passages SET document = ?2, position = ?3, first_page = ?4, last_page = ?5, heading = ?6,
                        tokens = ?7 WHERE id = ?1",
                )?
                .execute(params![id, self.hash, passage.index, first, last, passage.heading, passage.tokens])?;
            if let Some(before) = &mut self.before {
                before.moved.insert(position, passage.index);
            }
            self.changes.passages_kept += 1;
            return Ok(());
        }
        let id = self.next_passage;
        self.next_passage += 1;
        self.db
            .prepare_cached(
                "INSERT INTO passages (id, document, position, first_page, last_page, heading, text, tokens)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                id,
                self.hash,
                passage.index,
                first,
                last,
                passage.heading,
                passage.text,
                passage.tokens
            ])?;
        self.passages.add(self.db, id, [passage.text.as_str()])?;
        self.changes.passages_added += 1;
        Ok(())
    }

    /// Stores the next row.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn row(&mut self, row: &Row) -> Result<(), StudioError> {
        prepared(row, false)
            .and_then(|prepared| self.put_row(prepared))
            .map_err(|source| self.named("add a row", source))
    }

    fn put_row(&mut self, prepared: Prepared) -> rusqlite::Result<()> {
        let Some(prepared) = self.fresh(prepared)? else { return Ok(()) };
        self.rows.add(self.db, prepared)?;
        self.changes.rows_added += 1;
        Ok(())
    }

    /// Stores the next rows, which are ready for it.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn batch(&mut self, batch: Batch) -> Result<(), StudioError> {
        self.put_batch(batch).map_err(|source| self.named("add rows", source))
    }

    fn put_batch(&mut self, batch: Batch) -> rusqlite::Result<()> {
        let first = self.rows.next();
        for prepared in batch.rows {
            if let Some(prepared) = self.fresh(prepared)? {
                self.rows.add_unindexed(self.db, prepared)?;
                self.changes.rows_added += 1;
            }
        }
        // Where rows stayed as they were, the bits of their texts stand there too: a stretch more is read, none is lost.
        self.rows.index(self.db, first, batch.texts)
    }

    /// The row, if it was not there before; else the one that was there stays.
    fn fresh(&mut self, prepared: Prepared) -> rusqlite::Result<Option<Prepared>> {
        let Some(id) = self.before.as_mut().and_then(|before| take(&mut before.rows, &prepared.content)) else {
            return Ok(Some(prepared));
        };
        let row = &prepared.row;
        self.db
            .prepare_cached("UPDATE rows SET document = ?2, passage = ?3, line = ?4, metadata = ?5 WHERE id = ?1")?
            .execute(params![id, row.document, row.passage, row.line, prepared.metadata])?;
        self.changes.rows_kept += 1;
        Ok(None)
    }

    fn close(mut self, document: &Document, mapping: Option<&FileMapping>) -> rusqlite::Result<Changes> {
        self.rows.finish(self.db)?;
        self.passages.close(self.db)?;
        let before = self.before.take();
        if let Some(before) = &before {
            self.clear(before)?;
            self.move_parts(before)?;
            self.move_drafting(before)?;
        }
        self.db.execute(
            "UPDATE documents SET name = ?2, path = ?3, format = ?4, bytes = ?5, pages = ?6, characters = ?7, issues = ?8,
                mapping = ?9 WHERE hash = ?1",
            params![
                self.hash,
                document.name,
                document.path,
                document.format,
                document.bytes as i64,
                document.pages,
                document.characters as i64,
                to_json(&document.issues)?,
                mapping.map(to_json).transpose()?
            ],
        )?;
        // Versions of this file that could not be read are of no more interest.
        self.db.execute(
            "DELETE FROM documents WHERE path = ?1 AND path <> '' AND hash <> ?2
                AND NOT EXISTS (SELECT 1 FROM passages WHERE document = documents.hash)
                AND NOT EXISTS (SELECT 1 FROM tallies WHERE document = documents.hash AND count > 0)",
            params![document.path, self.hash],
        )?;
        if let Some(before) = before.filter(|before| before.hash != self.hash) {
            self.db.execute("DELETE FROM documents WHERE hash = ?1", [&before.hash])?;
            self.db.execute("UPDATE documents SET rowid = ?2 WHERE hash = ?1", params![self.hash, before.place])?;
        }
        Ok(self.changes)
    }

    /// Takes out what the file does not give any more.
    fn clear(&mut self, before: &Before) -> rusqlite::Result<()> {
        for id in before.rows.values().flatten() {
            self.remove_row(*id)?;
            self.changes.rows_removed += 1;
        }
        for (id, _) in before.passages.values().flatten() {
            self.db.prepare_cached("DELETE FROM passages WHERE id = ?1")?.execute([id])?;
            self.changes.passages_removed += 1;
        }
        for made in &before.made {
            let passage = made.passage.and_then(|passage| before.moved.get(&passage));
            if made.passage.is_some() && passage.is_none() && !made.reviewed {
                self.remove_row(made.id)?;
                self.changes.rows_removed += 1;
                continue;
            }
            self.db
                .prepare_cached("UPDATE rows SET document = ?2, passage = ?3 WHERE id = ?1")?
                .execute(params![made.id, self.hash, passage])?;
            self.changes.rows_kept += 1;
            if made.passage.is_some() && passage.is_none() {
                self.db
                    .prepare_cached("UPDATE rows SET status = ?2 WHERE id = ?1")?
                    .execute(params![made.id, word(&RowStatus::Draft)?])?;
                self.changes.back_to_review += 1;
            }
        }
        Ok(())
    }

    /// Takes a row out, with the rows that a rule made in its place.
    fn remove_row(&self, id: i64) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("DELETE FROM rows WHERE id IN (SELECT row FROM row_parts WHERE parent = ?1)")?
            .execute([id])?;
        self.db.prepare_cached("DELETE FROM rows WHERE id = ?1")?.execute([id])?;
        Ok(())
    }

    /// Rows that a rule made in the place of others follow them; they went with those that are gone.
    fn move_parts(&self, before: &Before) -> rusqlite::Result<()> {
        self.db.execute(
            "UPDATE rows SET document = parent.document, passage = parent.passage, line = parent.line,
                metadata = parent.metadata
             FROM row_parts JOIN rows AS parent ON parent.id = row_parts.parent
             WHERE rows.id = row_parts.row AND rows.document = ?1",
            [&before.hash],
        )?;
        Ok(())
    }

    /// How far drafting was follows its passages.
    fn move_drafting(&self, before: &Before) -> rusqlite::Result<()> {
        const REST: &str = "writer, status, drafts, tries, reason, prompt_tokens, answer_tokens, seconds";
        self.db.execute_batch(&format!(
            "CREATE TEMP TABLE IF NOT EXISTS moved (was INTEGER PRIMARY KEY, now INTEGER NOT NULL);
             CREATE TEMP TABLE IF NOT EXISTS drafted AS SELECT passage, {REST} FROM main.drafting WHERE FALSE;
             DELETE FROM temp.moved; DELETE FROM temp.drafted;"
        ))?;
        let mut insert = self.db.prepare("INSERT INTO temp.moved (was, now) VALUES (?1, ?2)")?;
        for (was, now) in &before.moved {
            insert.execute([was, now])?;
        }
        self.db.execute(
            &format!("INSERT INTO temp.drafted SELECT now, {REST} FROM drafting JOIN temp.moved ON was = passage WHERE document = ?1"),
            [&before.hash],
        )?;
        self.db.execute("DELETE FROM drafting WHERE document = ?1", [&before.hash])?;
        self.db.execute(
            &format!("INSERT OR REPLACE INTO drafting (document, passage, {REST}) SELECT ?1, passage, {REST} FROM temp.drafted"),
            [self.hash],
        )?;
        Ok(())
    }

    fn named(&self, action: &'static str, source: rusqlite::Error) -> StudioError {
        StudioError::Database { action, path: self.path.to_owned(), source }
    }
}

impl Before {
    fn read(db: &Connection, hash: &str) -> rusqlite::Result<Option<Self>> {
        let place = db.query_row("SELECT rowid FROM documents WHERE hash = ?1", [hash], |row| row.get(0)).optional()?;
        let Some(place) = place else { return Ok(None) };
        let mut before = Self { hash: hash.to_owned(), place, ..Self::default() };
        let (mapped, reading) = (word(&Origin::Mapped)?, word(&Origin::Reading)?);
        let mut statement = db.prepare(
            "SELECT id, content, passage, origin, status <> ?2 OR edited IS NOT NULL FROM rows
             WHERE document = ?1 AND id BETWEEN ?3 AND ?4 AND id NOT IN (SELECT row FROM row_parts) ORDER BY id DESC",
        )?;
        let draft = word(&RowStatus::Draft)?;
        for tally in tallies(db, "document = ?1", &[hash.to_owned()])?.into_iter().rev() {
            let (first, last) = tally.range();
            let mut rows = statement.query(params![hash, draft, first, last])?;
            while let Some(row) = rows.next()? {
                let origin = row.get_ref(3)?.as_str()?;
                if origin == mapped || origin == reading {
                    before.rows.entry(key(row.get_ref(1)?.as_str()?)).or_default().push(row.get(0)?);
                } else {
                    before.made.push(Made { id: row.get(0)?, passage: row.get(2)?, reviewed: row.get(4)? });
                }
            }
        }
        let mut statement =
            db.prepare("SELECT id, text, position FROM passages WHERE document = ?1 ORDER BY position DESC")?;
        let mut rows = statement.query([hash])?;
        while let Some(row) = rows.next()? {
            before.passages.entry(key(row.get_ref(1)?.as_str()?)).or_default().push((row.get(0)?, row.get(2)?));
        }
        // Their places may be wanted by others of the same document.
        db.execute("UPDATE passages SET position = -1 - position WHERE document = ?1", [hash])?;
        Ok(Some(before))
    }
}

/// Takes the first of those that say the same.
fn take<T>(held: &mut HashMap<u128, Vec<T>>, text: &str) -> Option<T> {
    let key = key(text);
    let found = held.get_mut(&key)?;
    let first = found.pop();
    if found.is_empty() {
        held.remove(&key);
    }
    first
}

/// 128 bits of a text: among a million texts two agree by chance once in 10^26 times.
fn key(text: &str) -> u128 {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        text.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// Stores one row in a change of its own; answers its number.
pub(super) fn add_row(db: &Connection, row: &Row) -> rusqlite::Result<i64> {
    let mut adding = Adding::new(db)?;
    let id = adding.add(db, prepared(row, false)?)?;
    adding.finish(db)?;
    Ok(id)
}

/// Stores a row at once, for those whose number is needed for more; answers it.
pub(super) fn insert_row(db: &Connection, adding: &mut Adding, row: &Row) -> rusqlite::Result<i64> {
    let id = adding.add(db, prepared(row, false)?)?;
    adding.settle(db)?;
    Ok(id)
}

/// A row for the database.
pub(super) fn prepared(row: &Row, drawn: bool) -> rusqlite::Result<Prepared> {
    Prepared::of(row.clone(), drawn).map_err(unwritable)
}
