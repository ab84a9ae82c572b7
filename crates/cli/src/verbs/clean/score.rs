//! How much each row surprises the base model: its perplexity, measured once and kept.

use std::collections::{BTreeMap, HashMap};

use hone_data::Row;
use hone_data::sequence::{TokenSequence, batches};
use hone_model::Decoder;
use hone_studio::store::text_hash;
use hone_studio::{Project, Store};
use hone_train::config::TrainOn;
use hone_train::sequences;

use crate::context::Context;
use crate::failure::{Outcome, check};
use crate::verbs::base;

/// Longest beginning of a row that is measured, tokens.
const LONGEST: usize = 1024;
/// Tokens that pass through the model at once.
const AT_ONCE: usize = 2048;
/// Rows of which the longest are measured together: little work is lost when it is stopped.
const PORTION: usize = 64;
/// What stands for a perplexity beyond all numbers.
const ENDLESS: f64 = 1e12;

/// The perplexities of the rows, of what they teach: the answers of a conversation given its questions, every word of a
/// text. What is not known yet is measured and kept, portion by portion, so that it goes on where it was stopped.
pub fn perplexities(
    project: &Project,
    store: &mut Store,
    rows: &[Row],
    context: &Context,
) -> Outcome<HashMap<i64, f64>> {
    let reference = &project.file().base;
    let mut known = store.perplexities(reference, rows)?;
    let missing: Vec<&Row> = rows.iter().filter(|row| !known.contains_key(&row.id)).collect();
    if missing.is_empty() {
        return Ok(known);
    }
    let base = base::open(reference)?;
    context.job.stage("load");
    let decoder = Decoder::load(&base.file, &context.job)?;
    context.job.stage("score");
    for (at, portion) in missing.chunks(PORTION).enumerate() {
        check(&context.job)?;
        context.job.progress((at * PORTION) as u64, missing.len() as u64, "rows");
        let made = sequences::sequences(portion, &base.tokenizer, &base.chat, TrainOn::All, LONGEST)?;
        let values = measure(&decoder, &made.sequences, context)?;
        let measured: Vec<(i64, String, f64)> =
            portion.iter().filter_map(|row| Some((row.id, text_hash(row), *values.get(&row.id)?))).collect();
        store.add_perplexities(reference, &measured)?;
        known.extend(values);
    }
    context.job.progress(missing.len() as u64, missing.len() as u64, "rows");
    Ok(known)
}

fn measure(decoder: &Decoder, sequences: &[TokenSequence], context: &Context) -> Outcome<HashMap<i64, f64>> {
    let order: Vec<usize> = (0..sequences.len()).collect();
    let mut values = HashMap::new();
    for pack in batches(sequences, &order, sequences.len(), AT_ONCE).iter().flatten() {
        check(&context.job)?;
        let nats = decoder.token_losses(None, &sequences::batch(pack, &BTreeMap::new()))?;
        let mut rest = &nats[..];
        let ends = pack.starts.iter().skip(1).copied().chain([pack.ids.len()]);
        for ((row, start), end) in pack.rows.iter().zip(&pack.starts).zip(ends) {
            let learned = pack.trained[*start..end].iter().filter(|trained| **trained).count();
            let (own, others) = rest.split_at(learned.min(rest.len()));
            rest = others;
            if learned > 0 {
                let perplexity = (own.iter().sum::<f64>() / learned as f64).exp();
                values.insert(*row, if perplexity.is_finite() { perplexity.min(ENDLESS) } else { ENDLESS });
            }
        }
    }
    Ok(values)
}
