//! Rows -> token sequences with a loss mask, through the base model's own tokenizer and chat template.

use std::collections::{BTreeMap, BTreeSet};

use hone_data::sequence::{Pack, TokenSequence};
use hone_data::{Role, Row};
use hone_model::{Batch, ChatFormat, ChatMessage, ModelError, Tokenizer};
use sha2::{Digest, Sha256};

use crate::config::TrainOn;
use crate::error::Result;

/// What became of a list of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sequences {
    /// One per row that has something to train on, in the rows' order.
    pub sequences: Vec<TokenSequence>,
    /// Rows of a kind that is not trained on in this run.
    pub other_kind: usize,
    /// Rows that were cut at `max_seq_len`.
    pub truncated: usize,
    /// Tokens that were cut.
    pub cut_tokens: usize,
    /// Rows with nothing to train on, before or after cutting.
    pub empty: usize,
    /// Rows that the chat template refuses, with its reason: number of the row, message.
    pub refused: Vec<(i64, String)>,
}

impl Sequences {
    /// Tokens in all, prompts included.
    pub fn tokens(&self) -> usize {
        self.sequences.iter().map(|sequence| sequence.ids.len()).sum()
    }

    /// Training targets in all.
    pub fn trained_tokens(&self) -> usize {
        self.sequences.iter().map(TokenSequence::trained_tokens).sum()
    }

    /// Length of the longest, tokens.
    pub fn longest(&self) -> usize {
        self.sequences.iter().map(|sequence| sequence.ids.len()).max().unwrap_or(0)
    }
}

/// Decides what `auto` means for these rows: conversations where there are any, else the texts.
pub fn resolve_train_on(asked: TrainOn, rows: &[&Row]) -> TrainOn {
    match asked {
        TrainOn::Auto if rows.iter().any(|row| !row.messages.is_empty()) => TrainOn::Answers,
        TrainOn::Auto => TrainOn::Reading,
        decided => decided,
    }
}

/// The conversation of a row in the words of the chat template; empty for a reading row.
pub fn chat_messages(row: &Row) -> Vec<ChatMessage> {
    let name = |role| match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let message = |message: &hone_data::Message| ChatMessage {
        role: name(message.role).to_owned(),
        content: message.content.clone(),
    };
    row.messages.iter().map(message).collect()
}

/// Turns rows into sequences of at most `max_seq_len` tokens. Rows that cannot be used are counted, not failed on.
///
/// # Errors
/// When the tokenizer fails, other than by refusing one conversation.
pub fn sequences(
    rows: &[&Row],
    tokenizer: &Tokenizer,
    format: &ChatFormat,
    train_on: TrainOn,
    max_seq_len: usize,
) -> Result<Sequences> {
    let train_on = resolve_train_on(train_on, rows);
    let mut made = Sequences::default();
    for row in rows {
        let conversation = !row.messages.is_empty();
        if matches!((train_on, conversation), (TrainOn::Answers, false) | (TrainOn::Reading, true)) {
            made.other_kind += 1;
            continue;
        }
        let encoded = if conversation {
            format.encode(tokenizer, &chat_messages(row))
        } else {
            format.encode_text(tokenizer, &row.text)
        };
        let encoded = match encoded {
            Ok(encoded) => encoded,
            Err(error @ (ModelError::Conversation { .. } | ModelError::Template { .. })) => {
                made.refused.push((row.id, error.to_string()));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let mut sequence = TokenSequence { row: row.id, ids: encoded.ids, trained: encoded.trained };
        let cut = sequence.truncate(max_seq_len);
        made.truncated += usize::from(cut > 0);
        made.cut_tokens += cut;
        if sequence.trained_tokens() == 0 {
            made.empty += 1;
        } else {
            made.sequences.push(sequence);
        }
    }
    Ok(made)
}

/// What each row counts so that all labels count the same in all: rows over labels over rows of its label, as scikit-learn's
/// `class_weight="balanced"`. Rows without a label count 1 and are not in the answer.
pub fn balanced_weights(rows: &[&Row], used: &[TokenSequence]) -> BTreeMap<i64, f32> {
    let used: BTreeSet<i64> = used.iter().map(|sequence| sequence.row).collect();
    let labelled =
        || rows.iter().filter(|row| used.contains(&row.id)).filter_map(|row| Some((row.id, row.label.as_ref()?)));
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for (_, label) in labelled() {
        *counts.entry(label).or_default() += 1;
    }
    let share = labelled().count() as f64 / counts.len().max(1) as f64;
    labelled().map(|(row, label)| (row, (share / counts[label] as f64) as f32)).collect()
}

/// SHA-256 over the sequences in order and what their rows count, lower-case hex: a run goes on only with exactly these.
pub fn fingerprint(parts: &[&[TokenSequence]], weights: &BTreeMap<i64, f32>) -> String {
    let mut hash = Sha256::new();
    for (row, weight) in weights {
        hash.update(row.to_le_bytes());
        hash.update(weight.to_le_bytes());
    }
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        for sequence in *part {
            hash.update(sequence.row.to_le_bytes());
            hash.update((sequence.ids.len() as u64).to_le_bytes());
            for (id, trained) in sequence.ids.iter().zip(&sequence.trained) {
                hash.update(id.to_le_bytes());
                hash.update([u8::from(*trained)]);
            }
        }
    }
    hex(&hash.finalize())
}

/// What the engine takes for a pack: labels as Transformers writes them, not shifted, -100 where nothing is trained. A row
/// that is not in `weights` counts 1.
pub fn batch(pack: &Pack, weights: &BTreeMap<i64, f32>) -> Batch {
    let label = |(id, trained): (&u32, &bool)| if *trained { i64::from(*id) } else { -100 };
    Batch {
        ids: pack.ids.clone(),
        labels: pack.ids.iter().zip(&pack.trained).map(label).collect(),
        starts: pack.starts.clone(),
        weights: if weights.is_empty() {
            Vec::new()
        } else {
            pack.rows.iter().map(|row| weights.get(row).copied().unwrap_or(1.0)).collect()
        },
    }
}

/// Bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(row: i64, ids: &[u32], trained: &[bool]) -> TokenSequence {
        TokenSequence { row, ids: ids.to_vec(), trained: trained.to_vec() }
    }

    #[test]
    fn labels_stand_where_their_tokens_stand_and_nowhere_else() {
        let pack = Pack::of(&[
            sequence(1, &[2, 10, 11], &[false, false, true]),
            sequence(2, &[2, 12, 13], &[true, true, true]),
        ]);
        let batch = batch(&pack, &BTreeMap::from([(2, 0.5)]));
        assert_eq!(batch.weights, [1.0, 0.5]);
        assert_eq!(batch.ids, [2, 10, 11, 2, 12, 13]);
        // The first token of a sequence has nothing before it that could predict it.
        assert_eq!(batch.labels, [-100, -100, 11, -100, 12, 13]);
        assert_eq!(batch.starts, [0, 3]);
    }

    #[test]
    fn the_fingerprint_sees_every_token_the_mask_the_order_and_the_part() {
        let one = sequence(1, &[2, 3], &[false, true]);
        let two = sequence(2, &[2, 4], &[false, true]);
        let none = BTreeMap::new();
        let base = fingerprint(&[&[one.clone(), two.clone()], &[]], &none);
        let changed = [
            fingerprint(&[&[one.clone(), two.clone()], &[]], &BTreeMap::from([(1, 2.0)])),
            fingerprint(&[std::slice::from_ref(&one), std::slice::from_ref(&two)], &none),
            fingerprint(&[&[two.clone(), one.clone()], &[]], &none),
            fingerprint(&[&[one.clone(), sequence(2, &[2, 5], &[false, true])], &[]], &none),
            fingerprint(&[&[one.clone(), sequence(2, &[2, 4], &[true, true])], &[]], &none),
        ];
        assert!(changed.iter().all(|other| *other != base));
        assert_eq!(base, fingerprint(&[&[one, two], &[]], &none));
    }

    #[test]
    fn balanced_labels_count_the_same_in_all_and_rows_without_one_count_1() {
        let row = |id: i64, label: Option<&str>| Row {
            id,
            messages: Vec::new(),
            text: "text".to_owned(),
            label: label.map(str::to_owned),
            origin: hone_data::Origin::Manual,
            document: None,
            passage: None,
            line: None,
            status: hone_data::RowStatus::Approved,
            split: None,
            metadata: BTreeMap::new(),
        };
        let rows = [
            row(1, Some("a")),
            row(2, Some("b")),
            row(3, Some("a")),
            row(4, None),
            row(5, Some("a")),
            row(6, Some("b")),
        ];
        // Row 6 is not trained on.
        let used: Vec<TokenSequence> = (1..=5).map(|row| sequence(row, &[2, 3], &[false, true])).collect();
        let weights = balanced_weights(&rows.iter().collect::<Vec<_>>(), &used);
        // Four labelled rows, two labels: 4 / (2 * 3) and 4 / (2 * 1).
        let expected = BTreeMap::from([(1, 2.0 / 3.0), (2, 2.0), (3, 2.0 / 3.0), (5, 2.0 / 3.0)]);
        assert_eq!(weights, expected);
    }
}
