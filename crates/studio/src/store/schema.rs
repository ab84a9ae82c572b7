use rusqlite::Connection;

use crate::store::Failure;
use crate::{Store, StudioError};

/// `Hone` in ASCII: tells other programs (and `file`) whose database this is.
const APPLICATION: i64 = 0x486f_6e65;

/// Size of a page, bytes.
const PAGE_BYTES: i64 = 16_384;

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
    "
    -- How the columns of a structured file were understood, as it is shown.
    ALTER TABLE documents ADD COLUMN mapping TEXT;
    CREATE INDEX documents_by_path ON documents (path);

    -- Files with the same columns are mapped as the user mapped the last one.
    CREATE TABLE mappings (columns TEXT PRIMARY KEY, mapping TEXT NOT NULL) STRICT, WITHOUT ROWID;

    -- Values of columns that are kept beside the row: an object of texts.
    ALTER TABLE rows ADD COLUMN metadata TEXT;
    CREATE INDEX rows_edited ON rows (id) WHERE edited IS NOT NULL;

    -- Whether any rule leaves the row out, so that nobody has to look into the verdicts to count.
    ALTER TABLE rows ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
    UPDATE rows SET dropped = 1 WHERE id IN (SELECT row FROM verdicts WHERE action = 'drop');
    CREATE TRIGGER verdict_drops AFTER INSERT ON verdicts WHEN new.action = 'drop' BEGIN
        UPDATE rows SET dropped = 1 WHERE id = new.row;
    END;
    CREATE TRIGGER verdict_gone AFTER DELETE ON verdicts WHEN old.action = 'drop' BEGIN
        UPDATE rows SET dropped = EXISTS (SELECT 1 FROM verdicts WHERE row = old.row AND action = 'drop') WHERE id = old.row;
    END;

    -- How many rows of each kind there are among each 1024 numbers: totals and the start of any page without a look at
    -- the rows before it.
    CREATE TABLE tallies (
        block INTEGER NOT NULL,
        document TEXT NOT NULL,
        origin TEXT NOT NULL,
        split TEXT NOT NULL,
        status TEXT NOT NULL,
        dropped INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (block, document, origin, split, status, dropped)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO tallies SELECT id >> 10, coalesce(document, ''), origin, coalesce(split, ''), status, dropped, count(*)
        FROM rows GROUP BY 1, 2, 3, 4, 5, 6;
    CREATE TRIGGER row_tallied AFTER INSERT ON rows BEGIN
        INSERT INTO tallies VALUES
            (new.id >> 10, coalesce(new.document, ''), new.origin, coalesce(new.split, ''), new.status, new.dropped, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER row_retallied AFTER UPDATE OF document, origin, split, status, dropped ON rows BEGIN
        UPDATE tallies SET count = count - 1 WHERE block = old.id >> 10 AND document = coalesce(old.document, '')
            AND origin = old.origin AND split = coalesce(old.split, '') AND status = old.status AND dropped = old.dropped;
        INSERT INTO tallies VALUES
            (new.id >> 10, coalesce(new.document, ''), new.origin, coalesce(new.split, ''), new.status, new.dropped, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER row_untallied AFTER DELETE ON rows BEGIN
        UPDATE tallies SET count = count - 1 WHERE block = old.id >> 10 AND document = coalesce(old.document, '')
            AND origin = old.origin AND split = coalesce(old.split, '') AND status = old.status AND dropped = old.dropped;
        DELETE FROM tallies WHERE block = old.id >> 10 AND document = coalesce(old.document, '') AND count = 0;
    END;

    -- The search index: see `search/`. Area 0 are the rows, 1 the passages.
    DROP TRIGGER passage_gone;
    DROP TRIGGER row_gone;
    DROP TABLE row_search;
    DROP TABLE passage_search;
    CREATE TABLE search_blocks (
        area INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        signature BLOB NOT NULL,
        PRIMARY KEY (area, first)
    ) STRICT;
    CREATE TABLE search_sheaves (
        area INTEGER NOT NULL,
        first INTEGER NOT NULL,
        ranges BLOB NOT NULL,
        PRIMARY KEY (area, first)
    ) STRICT;
    CREATE TABLE search_slices (
        area INTEGER NOT NULL,
        sheaf INTEGER NOT NULL,
        slice INTEGER NOT NULL,
        bits BLOB NOT NULL,
        PRIMARY KEY (area, sheaf, slice)
    ) STRICT, WITHOUT ROWID;
    ",
    "
    -- With which options a rule was applied, and what it saw beside its hits.
    ALTER TABLE cleanings ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE cleanings ADD COLUMN details TEXT NOT NULL DEFAULT '{}';

    -- Rows that a rule made in the place of another; they go when its verdict goes.
    CREATE TABLE row_parts (
        row INTEGER PRIMARY KEY REFERENCES rows (id) ON DELETE CASCADE,
        rule TEXT NOT NULL,
        parent INTEGER NOT NULL REFERENCES rows (id) ON DELETE CASCADE
    ) STRICT;
    CREATE INDEX row_parts_by_parent ON row_parts (parent, rule);
    CREATE TRIGGER verdict_parts AFTER DELETE ON verdicts WHEN old.action = 'drop' BEGIN
        DELETE FROM rows WHERE id IN (SELECT row FROM row_parts WHERE parent = old.row AND rule = old.rule);
    END;

    -- Hits that the user took back one by one: the rule passes over these rows.
    CREATE TABLE kept_hits (
        row INTEGER NOT NULL REFERENCES rows (id) ON DELETE CASCADE,
        rule TEXT NOT NULL,
        PRIMARY KEY (row, rule)
    ) STRICT, WITHOUT ROWID;

    -- How much a row surprises a base model; `text` is the hash of what was measured.
    CREATE TABLE perplexities (
        row INTEGER NOT NULL REFERENCES rows (id) ON DELETE CASCADE,
        base TEXT NOT NULL,
        text TEXT NOT NULL,
        value REAL NOT NULL,
        PRIMARY KEY (row, base)
    ) STRICT, WITHOUT ROWID;

    -- Whether Hone drew the row's part, or the source or the user gave it.
    ALTER TABLE rows ADD COLUMN drawn INTEGER NOT NULL DEFAULT 0;
    ",
    "
    -- Added rows are counted by the store, many at once, which is cheaper than a trigger for each.
    DROP TRIGGER row_tallied;
    -- The tallies say where the rows of a document or of an origin are. What is asked of a passage's rows, of which a
    -- structured file has none, is asked here.
    DROP INDEX rows_by_document;
    DROP INDEX rows_by_origin;
    CREATE INDEX rows_by_passage ON rows (document, passage) WHERE passage IS NOT NULL;
    -- With a rowid: a table without one gives each of these a page of its own, three quarters of it empty.
    CREATE TABLE search_slices_dense (
        area INTEGER NOT NULL,
        sheaf INTEGER NOT NULL,
        slice INTEGER NOT NULL,
        bits BLOB NOT NULL,
        PRIMARY KEY (area, sheaf, slice)
    ) STRICT;
    INSERT INTO search_slices_dense SELECT * FROM search_slices;
    DROP TABLE search_slices;
    ALTER TABLE search_slices_dense RENAME TO search_slices;
    ",
    "
    -- How a slice is packed: see `search/index.rs`.
    ALTER TABLE search_slices ADD COLUMN form INTEGER NOT NULL DEFAULT 0;
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
        self.read("set up the project's database", |db| {
            // Only a database without pages takes it. Large pages are fewer calls of the system in an import.
            db.pragma_update(None, "page_size", PAGE_BYTES)?;
            db.pragma_update(None, "journal_mode", "WAL")
        })?;
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
