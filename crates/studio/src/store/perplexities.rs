use std::collections::HashMap;

use hone_data::Row;
use rusqlite::params;
use sha2::{Digest, Sha256};

use crate::{Store, StudioError};

/// What tells whether a row still says what was measured: a hash of its words.
pub fn text_hash(row: &Row) -> String {
    let mut hash = Sha256::new();
    for message in &row.messages {
        hash.update(format!("{:?}\n{}\n", message.role, message.content.len()));
        hash.update(message.content.as_bytes());
    }
    hash.update(row.text.as_bytes());
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl Store {
    /// Keeps how much rows surprise a base model: row, [`text_hash`], perplexity.
    ///
    /// # Errors
    /// What the database refuses; nothing is changed then.
    pub fn add_perplexities(&mut self, base: &str, measured: &[(i64, String, f64)]) -> Result<(), StudioError> {
        self.change("keep what was measured", |db| {
            let mut insert = db.prepare_cached(
                "INSERT OR REPLACE INTO perplexities (row, base, text, value) SELECT ?1, ?2, ?3, ?4
                 WHERE EXISTS (SELECT 1 FROM rows WHERE id = ?1)",
            )?;
            for (row, text, value) in measured {
                insert.execute(params![row, base, text, value])?;
            }
            Ok(())
        })
    }

    /// Perplexities of these rows under a base model, of those that say what was measured.
    ///
    /// # Errors
    /// What the database refuses.
    pub fn perplexities(&self, base: &str, rows: &[Row]) -> Result<HashMap<i64, f64>, StudioError> {
        let measured = self.read("read what was measured", |db| {
            let mut statement = db.prepare("SELECT row, text, value FROM perplexities WHERE base = ?1")?;
            let measured = statement.query_map([base], |row| {
                Ok((row.get::<_, i64>(0)?, (row.get::<_, String>(1)?, row.get::<_, f64>(2)?)))
            })?;
            measured.collect::<rusqlite::Result<HashMap<_, _>>>()
        })?;
        let of_row = |row: &Row| {
            let (text, value) = measured.get(&row.id)?;
            (*text == text_hash(row)).then_some((row.id, *value))
        };
        Ok(rows.iter().filter_map(of_row).collect())
    }
}
