use std::collections::HashSet;

use hone_data::split::{self, Drawn, SplitShares};
use hone_data::{Role, Row, Split};
use rusqlite::params;

use crate::store::rows::content;
use crate::store::word;
use crate::{Store, StudioError};

/// From so many rows on each is given its part on its own.
const MANY: u64 = 50_000;

impl Store {
    /// Changes the words, the label, the part and the status of a row. What came in stays beside it and comes back
    /// when the row is edited back to it. What rules said about the row before no longer holds.
    ///
    /// # Errors
    /// [`StudioError::NoSuchRow`], [`StudioError::EmptyRow`], or what the database refuses; nothing is changed then.
    pub fn edit(&mut self, id: i64, row: &Row) -> Result<(), StudioError> {
        check(id, row)?;
        self.change("change a row", |db| {
            let content = content(row)?;
            let split = row.split.as_ref().map(word).transpose()?;
            let changed = db.execute(
                "UPDATE rows SET edited = nullif(?2, content), label = ?3, status = ?4, split = ?5,
                    drawn = CASE WHEN split IS ?5 THEN drawn ELSE 0 END WHERE id = ?1",
                params![id, content, row.label, word(&row.status)?, split],
            )?;
            if changed == 0 {
                return Err(StudioError::NoSuchRow { id }.into());
            }
            db.execute("DELETE FROM verdicts WHERE row = ?1", [id])?;
            Ok(())
        })
    }

    /// [`Store::assign_splits`] where there are too many rows to hold at once.
    fn draw_splits(&mut self, seed: u64, shares: SplitShares) -> Result<(), StudioError> {
        let mut drawn = self.drawn()?;
        let mut parts = Vec::new();
        self.each_row_without_split(|row| parts.push((row.id, drawn.part(&row, seed, shares))))?;
        self.change("part the rows", |db| {
            let mut statement = db.prepare("UPDATE rows SET split = ?2, drawn = 1 WHERE id = ?1 AND split IS NULL")?;
            for (id, part) in parts {
                statement.execute(params![id, word(&part)?])?;
            }
            Ok(())
        })
    }

    /// Draws the parts anew of all rows whose part was drawn; parts that the source or the user gave stay.
    ///
    /// # Errors
    /// What the database refuses; nothing is changed then.
    pub fn redraw_splits(&mut self, seed: u64, shares: SplitShares) -> Result<(), StudioError> {
        let free = self.read("read the rows' parts", |db| {
            let mut statement = db.prepare("SELECT id FROM rows WHERE drawn = 1 OR split IS NULL")?;
            let free = statement.query_map([], |row| row.get(0))?;
            free.collect::<rusqlite::Result<HashSet<i64>>>()
        })?;
        let parts = if self.row_counts()?.total > MANY {
            self.parts_one_by_one(&free, seed, shares)?
        } else {
            let mut rows = self.all_rows(&[])?;
            for row in rows.iter_mut().filter(|row| free.contains(&row.id)) {
                row.split = None;
            }
            let parts = split::assign(&rows, seed, shares);
            rows.iter().zip(parts).filter(|(row, _)| row.split.is_none()).map(|(row, part)| (row.id, part)).collect()
        };
        self.change("part the rows anew", |db| {
            let mut statement = db.prepare("UPDATE rows SET split = ?2, drawn = 1 WHERE id = ?1")?;
            for (id, part) in parts {
                statement.execute(params![id, word(&part)?])?;
            }
            Ok(())
        })
    }

    /// The parts of the rows in `free` where there are too many rows to hold at once; the others keep theirs.
    fn parts_one_by_one(
        &self,
        free: &HashSet<i64>,
        seed: u64,
        shares: SplitShares,
    ) -> Result<Vec<(i64, Split)>, StudioError> {
        let mut drawn = Drawn::default();
        self.each_row(|row| {
            if !free.contains(&row.id) {
                drawn.hold(&row);
            }
        })?;
        let mut parts = Vec::with_capacity(free.len());
        self.each_row(|row| {
            if free.contains(&row.id) {
                let row = Row { split: None, ..row };
                parts.push((row.id, drawn.part(&row, seed, shares)));
            }
        })?;
        Ok(parts)
    }

    fn has_unassigned(&self) -> Result<bool, StudioError> {
        self.read("count the rows", |db| {
            db.query_row("SELECT EXISTS (SELECT 1 FROM tallies WHERE split = '' AND count > 0)", [], |row| row.get(0))
        })
    }

    /// The parts that rows have already, by their questions: for rows that are drawn one by one.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn drawn(&self) -> Result<Drawn, StudioError> {
        let mut drawn = Drawn::default();
        self.each_row(|row| drawn.hold(&row))?;
        Ok(drawn)
    }

    /// Gives every row without a part one; those that have one keep it.
    ///
    /// # Errors
    /// What the database refuses; nothing is changed then.
    pub fn assign_splits(&mut self, seed: u64, shares: SplitShares) -> Result<(), StudioError> {
        if !self.has_unassigned()? {
            return Ok(());
        }
        if self.row_counts()?.total > MANY {
            return self.draw_splits(seed, shares);
        }
        let rows = self.all_rows(&[])?;
        let parts = split::assign(&rows, seed, shares);
        self.change("part the rows", |db| {
            let mut statement = db.prepare("UPDATE rows SET split = ?2, drawn = 1 WHERE id = ?1 AND split IS NULL")?;
            for (row, part) in rows.iter().zip(&parts).filter(|(row, _)| row.split.is_none()) {
                statement.execute(params![row.id, word(part)?])?;
            }
            Ok(())
        })
    }
}

fn check(id: i64, row: &Row) -> Result<(), StudioError> {
    let empty = |what| Err(StudioError::EmptyRow { id, what });
    if row.messages.is_empty() {
        return if row.text.trim().is_empty() { empty("no text") } else { Ok(()) };
    }
    if !row.messages.iter().any(|message| message.role == Role::Assistant) {
        return empty("no answer to learn");
    }
    if row.messages.iter().any(|message| message.content.trim().is_empty()) {
        return empty("an empty turn");
    }
    Ok(())
}
