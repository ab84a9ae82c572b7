use hone_data::clean::{Action, Rule, Verdict};
use hone_data::{Row, RowStatus};
use rusqlite::params;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::store::{from_word, word};
use crate::{Store, StudioError};

/// What a rule does to the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RuleHits {
    /// Which rule.
    pub rule: Rule,
    /// Whether it is applied; else this is a preview.
    pub applied: bool,
    /// Rows that it changes.
    pub changed: u64,
    /// Rows that it leaves out.
    pub dropped: u64,
    /// Rows that it only points at.
    pub flagged: u64,
    /// The first of its hits, before and after.
    pub verdicts: Vec<Verdict>,
}

impl RuleHits {
    /// Sums up the verdicts of one rule, showing the first `shown`.
    pub fn of(rule: Rule, applied: bool, verdicts: &[Verdict], shown: usize) -> Self {
        let of_rule = || verdicts.iter().filter(|verdict| verdict.rule == rule);
        let count = |action| of_rule().filter(|verdict| verdict.action == action).count() as u64;
        Self {
            rule,
            applied,
            changed: count(Action::Change),
            dropped: count(Action::Drop),
            flagged: count(Action::Flag),
            verdicts: of_rule().take(shown).cloned().collect(),
        }
    }
}

impl Store {
    /// The rows that `rules` are to be checked on: as the other applied rules leave them, without what is left out.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn rows_to_clean(&self, rules: &[Rule]) -> Result<Vec<Row>, StudioError> {
        let rows = self.all_rows(rules)?;
        Ok(rows.into_iter().filter(|row| row.status != RowStatus::Rejected).collect())
    }

    /// Applies rules: their verdicts take the place of those they gave before. The rows' own text stays as it is.
    ///
    /// # Errors
    /// What the database refuses; nothing is changed then.
    pub fn apply_rules(&mut self, rules: &[Rule], verdicts: &[Verdict]) -> Result<(), StudioError> {
        self.change("apply cleaning rules", |db| {
            for rule in rules {
                db.execute("DELETE FROM verdicts WHERE rule = ?1", [word(rule)?])?;
                db.execute(
                    "INSERT INTO cleanings (rule, through_row) VALUES (?1, (SELECT coalesce(max(id), 0) FROM rows))
                     ON CONFLICT (rule) DO UPDATE SET through_row = excluded.through_row",
                    [word(rule)?],
                )?;
            }
            let mut insert = db.prepare(
                "INSERT INTO verdicts (row, rule, action, before, after, related) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for verdict in verdicts.iter().filter(|verdict| rules.contains(&verdict.rule)) {
                insert.execute(params![
                    verdict.row,
                    word(&verdict.rule)?,
                    word(&verdict.action)?,
                    verdict.before,
                    verdict.after,
                    verdict.related
                ])?;
            }
            Ok(())
        })
    }

    /// Takes a rule back: its rows are as they were. Answers how many it concerned.
    ///
    /// # Errors
    /// What the database refuses; nothing is changed then.
    pub fn undo_rule(&mut self, rule: Rule) -> Result<u64, StudioError> {
        self.change("undo a cleaning rule", |db| {
            let count = db.execute("DELETE FROM verdicts WHERE rule = ?1", [word(&rule)?])?;
            db.execute("DELETE FROM cleanings WHERE rule = ?1", [word(&rule)?])?;
            Ok(count as u64)
        })
    }

    /// The applied rules with the first `shown` hits of each.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn applied_rules(&self, shown: usize) -> Result<Vec<RuleHits>, StudioError> {
        self.read("read the cleaning rules", |db| {
            let mut applied = Vec::new();
            for rule in Rule::ALL {
                let name = word(&rule)?;
                if !db
                    .query_row("SELECT EXISTS (SELECT 1 FROM cleanings WHERE rule = ?1)", [&name], |row| row.get(0))?
                {
                    continue;
                }
                let mut statement = db.prepare(
                    "SELECT row, action, before, after, related FROM verdicts WHERE rule = ?1 ORDER BY row LIMIT ?2",
                )?;
                let verdicts = statement.query_map(params![name, shown as i64], |row| {
                    Ok(Verdict {
                        row: row.get(0)?,
                        rule,
                        action: from_word(1, row.get(1)?)?,
                        before: row.get(2)?,
                        after: row.get(3)?,
                        related: row.get(4)?,
                    })
                })?;
                let mut hits = RuleHits::of(rule, true, &[], 0);
                hits.verdicts = verdicts.collect::<rusqlite::Result<_>>()?;
                (hits.changed, hits.dropped, hits.flagged) = db.query_row(
                    "SELECT count(*) FILTER (WHERE action = 'change'), count(*) FILTER (WHERE action = 'drop'),
                        count(*) FILTER (WHERE action = 'flag') FROM verdicts WHERE rule = ?1",
                    [&name],
                    |row| {
                        Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64))
                    },
                )?;
                applied.push(hits);
            }
            Ok(applied)
        })
    }

    /// Whether rules were applied and no row came in since.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn is_clean(&self) -> Result<bool, StudioError> {
        self.read("read the cleaning rules", |db| {
            db.query_row(
                "SELECT count(*) > 0 AND min(through_row) >= (SELECT coalesce(max(id), 0) FROM rows) FROM cleanings",
                [],
                |row| Ok(row.get::<_, Option<bool>>(0)?.unwrap_or_default()),
            )
        })
    }
}
