use std::collections::{BTreeMap, BTreeSet, HashSet};

use hone_data::clean::{Action, CleanOptions, Details, Findings, Rule, Verdict};
use hone_data::{Row, RowStatus};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::store::adding::Adding;
use crate::store::intake::insert_row;
use crate::store::{from_json, from_word, to_json, word};
use crate::{Store, StudioError};

/// What a rule does to the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
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
    /// Rows that it makes in the place of left out ones.
    pub made: u64,
    /// Rows over which the user told it to pass.
    pub kept: u64,
    /// The first of its hits, before and after.
    pub verdicts: Vec<Verdict>,
    /// What it saw beside its hits.
    pub details: Details,
    /// With which options; of other rules the defaults.
    pub options: CleanOptions,
}

impl RuleHits {
    /// Sums up what one rule found, showing the first `shown` hits.
    pub fn of(rule: Rule, applied: bool, findings: &Findings, shown: usize) -> Self {
        let of_rule = || findings.verdicts.iter().filter(|verdict| verdict.rule == rule);
        let count = |action| of_rule().filter(|verdict| verdict.action == action).count() as u64;
        Self {
            rule,
            applied,
            changed: count(Action::Change),
            dropped: count(Action::Drop),
            flagged: count(Action::Flag),
            made: if rule == Rule::TooLong { findings.made.len() as u64 } else { 0 },
            kept: 0,
            verdicts: of_rule().take(shown).cloned().collect(),
            details: findings.details.get(&rule).cloned().unwrap_or_default(),
            options: shown_options(&findings.options, rule),
        }
    }
}

/// The options of a rule as they are shown: without what it learned from the rows.
fn shown_options(options: &CleanOptions, rule: Rule) -> CleanOptions {
    let mut options = CleanOptions::default().with_rule(rule, options);
    options.boilerplate.lines.clear();
    options
}

impl Store {
    /// The rows that `rules` are to be checked on: as the other applied rules leave them, without what is left out and
    /// without the rows that these rules made.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn rows_to_clean(&self, rules: &[Rule]) -> Result<Vec<Row>, StudioError> {
        let made = self.read("read the rows", |db| {
            let mut statement = db.prepare("SELECT row, rule FROM row_parts")?;
            let made = statement.query_map([], |row| Ok((row.get(0)?, from_word::<Rule>(1, row.get(1)?)?)))?;
            let made: rusqlite::Result<Vec<(i64, Rule)>> = made.collect();
            Ok(made?.into_iter().filter(|(_, rule)| rules.contains(rule)).map(|(row, _)| row).collect::<HashSet<i64>>())
        })?;
        let rows = self.all_rows(rules)?;
        Ok(rows.into_iter().filter(|row| row.status != RowStatus::Rejected && !made.contains(&row.id)).collect())
    }

    /// Applies rules: what they found takes the place of what they found before. The rows' own text stays as it is.
    ///
    /// # Errors
    /// What the database refuses; nothing is changed then.
    pub fn apply_rules(&mut self, rules: &[Rule], findings: &Findings) -> Result<(), StudioError> {
        self.change("apply cleaning rules", |db| {
            for rule in rules {
                db.execute("DELETE FROM verdicts WHERE rule = ?1", [word(rule)?])?;
            }
            insert_verdicts(db, findings.verdicts.iter().filter(|verdict| rules.contains(&verdict.rule)))?;
            let before = newest_row(db)?;
            if rules.contains(&Rule::TooLong) {
                let mut part = db.prepare("INSERT INTO row_parts (row, rule, parent) VALUES (?1, ?2, ?3)")?;
                let mut drawn =
                    db.prepare("UPDATE rows SET drawn = (SELECT drawn FROM rows WHERE id = ?2) WHERE id = ?1")?;
                let mut adding = Adding::new(db)?;
                for made in &findings.made {
                    let id = insert_row(db, &mut adding, &made.row)?;
                    part.execute(params![id, word(&Rule::TooLong)?, made.parent])?;
                    drawn.execute([id, made.parent])?;
                }
                adding.finish(db)?;
            }
            // Rules that had seen all rows have seen what these were made from.
            let newest = newest_row(db)?;
            db.execute("UPDATE cleanings SET through_row = ?2 WHERE through_row >= ?1", [before, newest])?;
            for rule in rules {
                let options = CleanOptions::default().with_rule(*rule, &findings.options);
                db.execute(
                    "INSERT INTO cleanings (rule, through_row, options, details) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (rule) DO UPDATE
                     SET through_row = excluded.through_row, options = excluded.options, details = excluded.details",
                    params![
                        word(rule)?,
                        newest,
                        to_json(&options)?,
                        to_json(&findings.details.get(rule).cloned().unwrap_or_default())?
                    ],
                )?;
            }
            Ok(())
        })
    }

    /// Takes a rule back: its rows are as they were, and rows that it made are gone. Answers how many it concerned.
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

    /// Tells a rule to pass over a row (`kept`), which is as it was then, or not to any more; the rule finds it again
    /// when it is checked the next time.
    ///
    /// # Errors
    /// [`StudioError::NoSuchRow`], or what the database refuses; nothing is changed then.
    pub fn keep_hit(&mut self, rule: Rule, row: i64, kept: bool) -> Result<(), StudioError> {
        self.change("take a hit back", |db| {
            let there = db.query_row("SELECT 1 FROM rows WHERE id = ?1", [row], |_| Ok(())).optional()?;
            if there.is_none() {
                return Err(StudioError::NoSuchRow { id: row }.into());
            }
            let values = params![row, word(&rule)?];
            if kept {
                db.execute("INSERT OR IGNORE INTO kept_hits (row, rule) VALUES (?1, ?2)", values)?;
                db.execute("DELETE FROM verdicts WHERE row = ?1 AND rule = ?2", values)?;
            } else {
                db.execute("DELETE FROM kept_hits WHERE row = ?1 AND rule = ?2", values)?;
            }
            Ok(())
        })
    }

    /// The hits that were taken back one by one.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn kept_hits(&self) -> Result<BTreeSet<(i64, Rule)>, StudioError> {
        self.read("read the hits that were taken back", |db| {
            let mut statement = db.prepare("SELECT row, rule FROM kept_hits")?;
            let kept = statement.query_map([], |row| Ok((row.get(0)?, from_word(1, row.get(1)?)?)))?;
            kept.collect()
        })
    }

    /// The options of the applied rules; of the others the defaults.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn clean_options(&self) -> Result<CleanOptions, StudioError> {
        self.read("read the cleaning rules", applied_options)
    }

    /// The applied rules with the first `shown` hits of each.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn applied_rules(&self, shown: usize) -> Result<Vec<RuleHits>, StudioError> {
        self.read("read the cleaning rules", |db| {
            let mut kept: BTreeMap<String, u64> = BTreeMap::new();
            let mut counted = db.prepare("SELECT rule, count(*) FROM kept_hits GROUP BY rule")?;
            for entry in counted.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))? {
                let (rule, count) = entry?;
                kept.insert(rule, count);
            }
            let mut applied = Vec::new();
            for rule in Rule::ALL {
                if let Some(mut hits) = applied_rule(db, rule, shown)? {
                    hits.kept = kept.get(rule.code()).copied().unwrap_or(0);
                    applied.push(hits);
                }
            }
            Ok(applied)
        })
    }

    /// Hits of an applied rule, in the rows' order.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn rule_verdicts(&self, rule: Rule, offset: u64, limit: u64) -> Result<Vec<Verdict>, StudioError> {
        self.read("read the hits of a rule", |db| verdicts(db, rule, offset, limit))
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

fn newest_row(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("SELECT coalesce(max(id), 0) FROM rows", [], |row| row.get(0))
}

fn insert_verdicts<'a>(db: &Transaction, verdicts: impl Iterator<Item = &'a Verdict>) -> rusqlite::Result<()> {
    let mut insert =
        db.prepare("INSERT INTO verdicts (row, rule, action, before, after, related) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for verdict in verdicts {
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
}

/// The options of the applied rules; of the others the defaults.
pub(super) fn applied_options(db: &Connection) -> rusqlite::Result<CleanOptions> {
    let mut options = CleanOptions::default();
    let mut statement = db.prepare_cached("SELECT rule, options FROM cleanings")?;
    let applied = statement.query_map([], |row| {
        Ok((from_word(0, row.get(0)?)?, from_json::<CleanOptions>(1, &row.get::<_, String>(1)?)?))
    })?;
    for entry in applied {
        let (rule, theirs) = entry?;
        options = options.with_rule(rule, &theirs);
    }
    Ok(options)
}

fn applied_rule(db: &Connection, rule: Rule, shown: usize) -> rusqlite::Result<Option<RuleHits>> {
    let name = word(&rule)?;
    let stored = db
        .query_row("SELECT options, details FROM cleanings WHERE rule = ?1", [&name], |row| {
            Ok((from_json(0, &row.get::<_, String>(0)?)?, row.get::<_, String>(1)?))
        })
        .optional()?;
    let Some((options, details)) = stored else { return Ok(None) };
    let details = if details == "{}" { Details::default() } else { from_json(1, &details)? };
    let mut hits = RuleHits::of(rule, true, &Findings { options, ..Findings::default() }, 0);
    hits.details = details;
    hits.verdicts = verdicts(db, rule, 0, shown as u64)?;
    let count = |row: &rusqlite::Row, column: usize| row.get::<_, i64>(column).map(|count| count as u64);
    (hits.changed, hits.dropped, hits.flagged) = db.query_row(
        "SELECT count(*) FILTER (WHERE action = 'change'), count(*) FILTER (WHERE action = 'drop'),
            count(*) FILTER (WHERE action = 'flag') FROM verdicts WHERE rule = ?1",
        [&name],
        |row| Ok((count(row, 0)?, count(row, 1)?, count(row, 2)?)),
    )?;
    hits.made = db.query_row("SELECT count(*) FROM row_parts WHERE rule = ?1", [&name], |row| count(row, 0))?;
    Ok(Some(hits))
}

fn verdicts(db: &Connection, rule: Rule, offset: u64, limit: u64) -> rusqlite::Result<Vec<Verdict>> {
    let mut statement = db.prepare_cached(
        "SELECT row, action, before, after, related FROM verdicts WHERE rule = ?1 ORDER BY row LIMIT ?2 OFFSET ?3",
    )?;
    let verdicts = statement.query_map(params![word(&rule)?, limit as i64, offset as i64], |row| {
        Ok(Verdict {
            row: row.get(0)?,
            rule,
            action: from_word(1, row.get(1)?)?,
            before: row.get(2)?,
            after: row.get(3)?,
            related: row.get(4)?,
        })
    })?;
    verdicts.collect()
}
