use rusqlite::Connection;

use crate::store::Failure;
use crate::{Store, StudioError};

/// `Hone` in ASCII: tells other programs (and `file`) whose database this is.
const APPLICATION: i64 = 0x486f_6e65;

/// One step a layout; the number of steps taken is the database's `user_version`. Steps are never changed once
/// released: a new layout is a new step.
const STEPS: &[&str] = &[
    "
    CREATE TABLE documents (
        hash TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        path TEXT NOT NULL,
        format TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        pages INTEGER,
        characters INTEGER NOT NULL,
        issues TEXT NOT NULL
    ) STRICT;

    CREATE TABLE passages (
        id INTEGER PRIMARY KEY,
        document TEXT NOT NULL REFERENCES documents (hash) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        first_page INTEGER,
        last_page INTEGER,
        heading TEXT NOT NULL,
        text TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        UNIQUE (document, position)
    ) STRICT;

    -- `content` is what came in and is never overwritten; `edited` is what the user made of it.
    CREATE TABLE rows (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        content TEXT NOT NULL,
        edited TEXT,
        label TEXT,
        origin TEXT NOT NULL,
        document TEXT REFERENCES documents (hash) ON DELETE CASCADE,
        passage INTEGER,
        line INTEGER,
        status TEXT NOT NULL,
        split TEXT
    ) STRICT;
    CREATE INDEX rows_by_document ON rows (document);

    CREATE TABLE verdicts (
        row INTEGER NOT NULL REFERENCES rows (id) ON DELETE CASCADE,
        rule TEXT NOT NULL,
        action TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        related INTEGER REFERENCES rows (id) ON DELETE CASCADE,
        PRIMARY KEY (row, rule)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX verdicts_by_rule ON verdicts (rule, row);
    CREATE INDEX verdicts_by_related ON verdicts (related);

    -- A rule that was applied, and up to which row.
    CREATE TABLE cleanings (
        rule TEXT PRIMARY KEY,
        through_row INTEGER NOT NULL
    ) STRICT;

    -- Three-letter pieces: finds parts of words, and words in languages without spaces.
    CREATE VIRTUAL TABLE row_search USING fts5 (body, tokenize = 'trigram');
    CREATE VIRTUAL TABLE passage_search USING fts5 (body, tokenize = 'trigram');
    CREATE TRIGGER passage_gone AFTER DELETE ON passages BEGIN
        DELETE FROM passage_search WHERE rowid = old.id;
    END;
    CREATE TRIGGER row_gone AFTER DELETE ON rows BEGIN
        DELETE FROM row_search WHERE rowid = old.id;
    END;
    ",
    "
    -- What is known of a drafted row besides the row.
    CREATE TABLE drafts (
        row INTEGER PRIMARY KEY REFERENCES rows (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        quote TEXT NOT NULL,
        grounding TEXT NOT NULL,
        writer TEXT NOT NULL,
        parent INTEGER REFERENCES rows (id) ON DELETE SET NULL
    ) STRICT;
    CREATE INDEX drafts_by_parent ON drafts (parent);

    -- How far each writer is: one entry for each passage that it was asked about.
    CREATE TABLE drafting (
        document TEXT NOT NULL REFERENCES documents (hash) ON DELETE CASCADE,
        passage INTEGER NOT NULL,
        writer TEXT NOT NULL,
        status TEXT NOT NULL,
        drafts INTEGER NOT NULL,
        tries INTEGER NOT NULL,
        reason TEXT NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        answer_tokens INTEGER NOT NULL,
        seconds REAL NOT NULL,
        PRIMARY KEY (document, passage, writer)
    ) STRICT, WITHOUT ROWID;

    -- What was decided, newest last, so that it can be taken back: one by one (`single`) or many at once.
    CREATE TABLE decisions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        single INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE decided (
        decision INTEGER NOT NULL REFERENCES decisions (id) ON DELETE CASCADE,
        row INTEGER NOT NULL REFERENCES rows (id) ON DELETE CASCADE,
        before TEXT NOT NULL,
        PRIMARY KEY (decision, row)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX decided_by_row ON decided (row);
    CREATE INDEX rows_by_origin ON rows (origin, status);
    ",
];

impl Store {
    pub(super) fn migrate(&mut self) -> Result<(), StudioError> {
        let known = STEPS.len() as i64;
        let found = self.read("read the project's database", version)?;
        if found > known {
            return Err(StudioError::NewerSchema { path: self.path.clone(), found, known });
        }
        if found == known {
            return Ok(());
        }
        self.read("set up the project's database", |db| db.pragma_update(None, "journal_mode", "WAL"))?;
        self.change("set up the project's database", |db| {
            // Asked again inside the transaction: another process may have been faster.
            let found = version(db)?.clamp(0, known);
            for step in &STEPS[found as usize..] {
                db.execute_batch(step)?;
            }
            db.pragma_update(None, "application_id", APPLICATION)?;
            db.pragma_update(None, "user_version", known)?;
            Ok::<_, Failure>(())
        })
    }
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}
