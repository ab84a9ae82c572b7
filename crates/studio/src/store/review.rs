use hone_data::{Origin, RowStatus};
use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::store::pages::matching;
use crate::store::rows::{DROPPED, RowFilter};
use crate::store::{Failure, from_word, to_json, word};
use crate::{Store, StudioError};

/// Share of the drafts that a person reads before the rest may be approved at once, per cent.
const SAMPLE: u64 = 5;

/// How far the review of drafts is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ReviewState {
    /// Drafts that wait.
    pub waiting: u64,
    /// Drafts that were approved.
    pub approved: u64,
    /// Drafts that were rejected.
    pub rejected: u64,
    /// Drafts decided on one by one.
    pub read: u64,
    /// How many have to be before the rest may be approved at once.
    pub wanted: u64,
}

/// What a decision on several rows did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Decided {
    /// The rows that are changed.
    pub ids: Vec<i64>,
    /// What they are now; absent where a decision was taken back and they differ.
    pub status: Option<RowStatus>,
}

impl Store {
    /// Puts rows in or out, or back to review, each of them named: they count as read. What was decided can be taken
    /// back with [`Store::undo_decision`].
    ///
    /// # Errors
    /// [`StudioError::NoSuchRow`] when one of them is not there, or what the database refuses; nothing is changed then.
    pub fn set_status(&mut self, ids: &[i64], status: RowStatus) -> Result<(), StudioError> {
        self.change("change rows", |db| decide(db, ids, status, true))
    }

    /// Puts in or out all rows of a filter that wait for review. Approving at once asks for a sample first: of the
    /// drafts of that filter at least one in twenty has to be decided on one by one, unless `unread` waives that.
    ///
    /// # Errors
    /// [`StudioError::SampleFirst`], or what the database refuses; nothing is changed then.
    pub fn set_status_where(
        &mut self,
        filter: &RowFilter,
        status: RowStatus,
        unread: bool,
    ) -> Result<Decided, StudioError> {
        let review = self.review(filter)?;
        if status == RowStatus::Approved && !unread && review.read < review.wanted {
            return Err(StudioError::SampleFirst { read: review.read, wanted: review.wanted });
        }
        let waiting = RowFilter { status: Some(RowStatus::Draft), ..filter.clone() };
        self.change("change rows", |db| {
            let ids = matching(db, &waiting)?;
            if !ids.is_empty() {
                decide(db, &ids, status, false)?;
            }
            Ok(Decided { ids, status: Some(status) })
        })
    }

    /// Takes the last decision back: its rows are as they were before it. `None` when there is none.
    ///
    /// # Errors
    /// What the database refuses; nothing is changed then.
    pub fn undo_decision(&mut self) -> Result<Option<Decided>, StudioError> {
        self.change("take a decision back", |db| {
            let last: Option<i64> = db
                .query_row("SELECT max(id) FROM decisions WHERE id IN (SELECT decision FROM decided)", [], |row| {
                    row.get(0)
                })
                .optional()?
                .flatten();
            let Some(last) = last else { return Ok(None) };
            let mut statement = db.prepare("SELECT row, before FROM decided WHERE decision = ?1 ORDER BY row")?;
            let rows = statement
                .query_map([last], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?
                .collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
            let mut put_back = db.prepare("UPDATE rows SET status = ?2 WHERE id = ?1")?;
            for (id, before) in &rows {
                put_back.execute(params![id, before])?;
            }
            db.execute("DELETE FROM decisions WHERE id = ?1", [last])?;
            let same = rows.windows(2).all(|pair| pair[0].1 == pair[1].1);
            let status = rows.first().filter(|_| same).map(|(_, before)| from_word(1, before.clone())).transpose()?;
            Ok(Some(Decided { ids: rows.into_iter().map(|(id, _)| id).collect(), status }))
        })
    }

    /// How far the review of the drafts of a filter is; its status does not count.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn review(&self, filter: &RowFilter) -> Result<ReviewState, StudioError> {
        // Only drafts count.
        if filter.origin.is_some_and(|origin| origin != Origin::Drafted) {
            return Ok(ReviewState::default());
        }
        let filter = RowFilter { status: None, origin: Some(Origin::Drafted), ..filter.clone() };
        self.read("count the drafts", |db| {
            let ids = to_json(&matching(db, &filter)?)?;
            let sql = format!(
                "SELECT count(*) FILTER (WHERE status = 'draft' AND NOT dropped), count(*) FILTER (WHERE status = 'approved' AND NOT dropped),
                    count(*) FILTER (WHERE status = 'rejected' OR dropped), count(*) FILTER (WHERE read)
                 FROM (SELECT r.status, {DROPPED} AS dropped, EXISTS (SELECT 1 FROM decided c JOIN decisions d ON d.id = c.decision
                        WHERE c.row = r.id AND d.single) AS read
                    FROM rows r WHERE r.id IN (SELECT value FROM json_each(?1)) AND r.origin = 'drafted')"
            );
            db.query_row(&sql, [ids], |row| {
                let count = |column: usize| row.get::<_, i64>(column).map(|count| count as u64);
                let (waiting, approved, rejected) = (count(0)?, count(1)?, count(2)?);
                let wanted = ((waiting + approved + rejected) * SAMPLE).div_ceil(100);
                Ok(ReviewState { waiting, approved, rejected, read: count(3)?, wanted })
            })
        })
    }
}

/// Changes rows and keeps how they were; `single` tells whether each of them was named.
fn decide(db: &Transaction, ids: &[i64], status: RowStatus, single: bool) -> Result<(), Failure> {
    db.execute("INSERT INTO decisions (single) VALUES (?1)", [single])?;
    let decision = db.last_insert_rowid();
    let mut before = db.prepare(&format!(
        "INSERT OR IGNORE INTO decided (decision, row, before)
         SELECT ?1, r.id, CASE WHEN {DROPPED} THEN 'rejected' ELSE r.status END FROM rows r WHERE r.id = ?2"
    ))?;
    let mut change = db.prepare("UPDATE rows SET status = ?2 WHERE id = ?1")?;
    // What the user puts in is in, whatever a rule said.
    let mut keep = db.prepare("DELETE FROM verdicts WHERE row = ?1 AND action = 'drop'")?;
    let word = word(&status)?;
    for id in ids {
        before.execute(params![decision, id])?;
        if change.execute(params![id, word])? == 0 {
            return Err(StudioError::NoSuchRow { id: *id }.into());
        }
        if status == RowStatus::Approved {
            keep.execute([id])?;
        }
    }
    Ok(())
}
