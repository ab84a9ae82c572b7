use hone_data::draft::{Draft, DraftKind, Grounding};
use hone_data::{Passage, Row};
use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::store::documents::passage;
use crate::store::intake::add_row;
use crate::store::rows::content;
use crate::store::search::PassageHit;
use crate::store::{from_word, word};
use crate::{Store, StudioError};

/// What is known of a drafted row besides the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DraftNote {
    /// The row's number.
    pub row: i64,
    /// What it is about, or how it was made.
    pub kind: DraftKind,
    /// The words of the passage that support it.
    pub quote: String,
    /// Whether they stand there.
    pub grounding: Grounding,
    /// Who wrote it: a model's name, or `rules`.
    pub writer: String,
    /// The row that it was made from.
    pub parent: Option<i64>,
}

/// How drafting from a passage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum DraftedStatus {
    /// Drafts came out.
    Done,
    /// There was nothing to ask.
    Nothing,
    /// No usable answer came, however often it was tried.
    Failed,
}

/// What one writer made of one passage.
#[derive(Debug, Clone, PartialEq)]
pub struct PassageDrafted {
    /// Hash of its document.
    pub document: String,
    /// Its position there.
    pub passage: u32,
    /// Its first page.
    pub page: Option<u32>,
    /// Who wrote.
    pub writer: String,
    /// How it ended.
    pub status: DraftedStatus,
    /// How often the writer was asked.
    pub tries: u32,
    /// Why it failed.
    pub reason: String,
    /// Tokens that the writer read.
    pub prompt_tokens: u64,
    /// Tokens that the writer wrote.
    pub answer_tokens: u64,
    /// Wall time.
    pub seconds: f64,
    /// What it wrote.
    pub drafts: Vec<(Draft, Grounding)>,
}

/// A passage from which nothing usable came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DraftingFailure {
    /// Name of its document.
    pub document: String,
    /// Its position there, from 0.
    pub passage: u32,
    /// Its first page, where there are pages.
    pub page: Option<u32>,
    /// Its heading.
    pub heading: String,
    /// How often it was tried.
    pub tries: u32,
    /// Why it failed the last time.
    pub reason: String,
}

/// How far one writer is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct WriterState {
    /// Who.
    pub writer: String,
    /// Passages from which drafts came.
    pub done: u64,
    /// Passages with nothing to ask.
    pub nothing: u64,
    /// Passages that failed.
    pub failed: u64,
    /// Drafts that it wrote.
    pub drafts: u64,
    /// Those of them whose quote is not in the passage.
    pub not_grounded: u64,
    /// Tokens that it read.
    pub prompt_tokens: u64,
    /// Tokens that it wrote.
    pub answer_tokens: u64,
    /// Time that it took, all passages together.
    pub seconds: f64,
    /// Passages that failed, the first 50.
    pub failures: Vec<DraftingFailure>,
}

/// How far drafting is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DraftingState {
    /// Passages of the project.
    pub passages: u64,
    /// Rows that were written from them, whatever was decided on them since.
    pub drafts: u64,
    /// Each writer that was asked, the one asked last first.
    pub writers: Vec<WriterState>,
}

impl Store {
    /// The passages that `writer` has still to draft from: those it was not asked about and those where it failed, or
    /// all of them where `again` says so. `documents` narrows to these hashes; empty is all.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn passages_to_draft(
        &self,
        writer: &str,
        documents: &[String],
        again: bool,
    ) -> Result<Vec<PassageHit>, StudioError> {
        let found = self.read("find the passages to draft from", |db| {
            let mut statement = db.prepare(
                "SELECT position, first_page, last_page, heading, text, tokens, document FROM passages p
                 WHERE ?2 OR NOT EXISTS (SELECT 1 FROM drafting d WHERE d.document = p.document AND d.passage = p.position
                    AND d.writer = ?1 AND d.status <> 'failed') ORDER BY p.id",
            )?;
            let hits = statement.query_map(params![writer, again], |row| {
                Ok(PassageHit { document: row.get(6)?, passage: passage(row)? })
            })?;
            hits.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(found.into_iter().filter(|hit| documents.is_empty() || documents.contains(&hit.document)).collect())
    }

    /// Keeps what a writer made of a passage, all of it or nothing. Its earlier drafts of this passage that nobody has
    /// decided on give way; a question that stands among the passage's rows already is not added again. Answers how
    /// many drafts are new.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn add_drafts(&mut self, made: &PassageDrafted) -> Result<u64, StudioError> {
        self.change("keep drafts", |db| {
            db.execute(
                "DELETE FROM rows WHERE status = 'draft' AND edited IS NULL AND document = ?1 AND passage = ?2
                    AND id IN (SELECT row FROM drafts WHERE writer = ?3 AND parent IS NULL)",
                params![made.document, made.passage, made.writer],
            )?;
            let mut added = 0;
            for (draft, grounding) in &made.drafts {
                let row = draft.row(&made.document, made.passage, made.page);
                if !is_asked(db, &row)? {
                    let id = add_row(db, &row)?;
                    add_note(db, id, draft.kind, draft.quote.trim(), *grounding, &made.writer, None)?;
                    added += 1;
                }
            }
            db.execute(
                "INSERT OR REPLACE INTO drafting (document, passage, writer, status, drafts, tries, reason, prompt_tokens, answer_tokens, seconds)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    made.document,
                    made.passage,
                    made.writer,
                    word(&made.status)?,
                    added as i64,
                    made.tries,
                    made.reason,
                    made.prompt_tokens as i64,
                    made.answer_tokens as i64,
                    made.seconds
                ],
            )?;
            Ok(added)
        })
    }

    /// Keeps a row that was made from row `parent`. `None` when that very row is there already.
    ///
    /// # Errors
    /// What the database refuses; nothing is changed then.
    pub fn add_derived(
        &mut self,
        row: &Row,
        kind: DraftKind,
        writer: &str,
        parent: i64,
    ) -> Result<Option<i64>, StudioError> {
        self.change("keep a row made from another", |db| {
            let same = db
                .query_row(
                    "SELECT 1 FROM rows r WHERE r.content = ?1 AND (r.id = ?2 OR r.id IN (SELECT row FROM drafts WHERE parent = ?2))",
                    params![content(row)?, parent],
                    |_| Ok(()),
                )
                .optional()?;
            if same.is_some() {
                return Ok(None);
            }
            let id = add_row(db, row)?;
            add_note(db, id, kind, "", Grounding::NoQuote, writer, Some(parent))?;
            Ok(Some(id))
        })
    }

    /// Takes the parts of the reading rows back, so that passages with questions may go to the exam: an import of
    /// documents alone leaves nothing to examine with. For a project in which nothing was trained yet.
    ///
    /// # Errors
    /// What the database refuses; nothing is changed then.
    pub fn part_anew(&mut self) -> Result<(), StudioError> {
        self.change("part the rows anew", |db| {
            db.execute(
                "UPDATE rows SET split = NULL WHERE split IS NOT NULL AND origin IN ('reading', 'drafted')
                    AND id NOT IN (SELECT row FROM drafts WHERE parent IS NOT NULL)",
                [],
            )?;
            Ok(())
        })
    }

    /// How far drafting is.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn drafting(&self) -> Result<DraftingState, StudioError> {
        self.read("read how far drafting is", |db| {
            let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|count| count as u64);
            let mut statement = db.prepare(
                "SELECT writer, count(*) FILTER (WHERE status = 'done'), count(*) FILTER (WHERE status = 'nothing'),
                    count(*) FILTER (WHERE status = 'failed'), sum(prompt_tokens), sum(answer_tokens), sum(seconds),
                    (SELECT count(*) FROM drafts n WHERE n.writer = d.writer AND n.parent IS NULL),
                    (SELECT count(*) FROM drafts n WHERE n.writer = d.writer AND n.parent IS NULL AND n.grounding = 'missing'),
                    (SELECT max(row) FROM drafts n WHERE n.writer = d.writer) AS newest
                 FROM drafting d GROUP BY writer ORDER BY newest DESC NULLS FIRST, writer",
            )?;
            let writers = statement.query_map([], |row| {
                let count = |column: usize| row.get::<_, i64>(column).map(|count| count as u64);
                Ok(WriterState {
                    writer: row.get(0)?,
                    done: count(1)?,
                    nothing: count(2)?,
                    failed: count(3)?,
                    prompt_tokens: count(4)?,
                    answer_tokens: count(5)?,
                    seconds: row.get(6)?,
                    drafts: count(7)?,
                    not_grounded: count(8)?,
                    failures: Vec::new(),
                })
            })?;
            let mut writers = writers.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut failures = db.prepare(
                "SELECT o.name, d.passage, p.first_page, p.heading, d.tries, d.reason FROM drafting d
                    JOIN documents o ON o.hash = d.document JOIN passages p ON p.document = d.document AND p.position = d.passage
                 WHERE d.writer = ?1 AND d.status = 'failed' ORDER BY p.id LIMIT 50",
            )?;
            for writer in &mut writers {
                let found = failures.query_map([&writer.writer], |row| {
                    Ok(DraftingFailure {
                        document: row.get(0)?,
                        passage: row.get(1)?,
                        page: row.get(2)?,
                        heading: row.get(3)?,
                        tries: row.get(4)?,
                        reason: row.get(5)?,
                    })
                })?;
                writer.failures = found.collect::<rusqlite::Result<_>>()?;
            }
            Ok(DraftingState {
                passages: count("SELECT count(*) FROM passages")?,
                drafts: count("SELECT count(*) FROM drafts")?,
                writers,
            })
        })
    }

    /// What is known of drafted rows, for those of `ids` that are.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn draft_notes(&self, ids: &[i64]) -> Result<Vec<DraftNote>, StudioError> {
        self.read("read what is known of drafts", |db| notes(db, ids))
    }

    /// The passage of a row; `None` for a row without one.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn passage_of(&self, row: &Row) -> Result<Option<Passage>, StudioError> {
        let (Some(document), Some(position)) = (&row.document, row.passage) else { return Ok(None) };
        self.read("read a passage", |db| {
            db.query_row(
                "SELECT position, first_page, last_page, heading, text, tokens FROM passages WHERE document = ?1 AND position = ?2",
                params![document, position],
                passage,
            )
            .optional()
        })
    }
}

pub(super) fn notes(db: &rusqlite::Connection, ids: &[i64]) -> rusqlite::Result<Vec<DraftNote>> {
    let mut statement =
        db.prepare_cached("SELECT row, kind, quote, grounding, writer, parent FROM drafts WHERE row = ?1")?;
    let mut notes = Vec::new();
    for id in ids {
        let note = statement.query_row([id], |row| {
            Ok(DraftNote {
                row: row.get(0)?,
                kind: from_word(1, row.get(1)?)?,
                quote: row.get(2)?,
                grounding: from_word(3, row.get(3)?)?,
                writer: row.get(4)?,
                parent: row.get(5)?,
            })
        });
        notes.extend(note.optional()?);
    }
    Ok(notes)
}

/// Whether one of the passage's rows asks this already.
fn is_asked(db: &Transaction, row: &Row) -> rusqlite::Result<bool> {
    let question = row.messages.first().map_or("", |message| message.content.as_str());
    db.query_row(
        "SELECT EXISTS (SELECT 1 FROM rows WHERE document = ?1 AND passage = ?2
            AND lower(json_extract(coalesce(edited, content), '$.messages[0].content')) = lower(?3))",
        params![row.document, row.passage, question],
        |row| row.get(0),
    )
}

fn add_note(
    db: &Transaction,
    row: i64,
    kind: DraftKind,
    quote: &str,
    grounding: Grounding,
    writer: &str,
    parent: Option<i64>,
) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO drafts (row, kind, quote, grounding, writer, parent) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![row, word(&kind)?, quote, word(&grounding)?, writer, parent],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
