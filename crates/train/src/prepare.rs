//! Before anything is loaded: the base model's file, the rows as sequences, the plan.

use std::collections::BTreeMap;
use std::path::Path;

use hone_data::{Row, Split};
use hone_hardware::Machine;
use hone_job::Job;
use hone_model::{ChatFormat, DecoderConfig, ModelFile, Tokenizer, arch};

use crate::error::Result;
use crate::plan::Circumstances;
use crate::samples::Question;
use crate::sequences::{Sequences, balanced_weights, resolve_train_on, sequences};
use crate::{Plan, Request, RunConfig};

/// What a run is made from.
pub(crate) struct Material {
    pub(crate) gguf: ModelFile,
    pub(crate) shape: DecoderConfig,
    pub(crate) train: Sequences,
    pub(crate) valid: Sequences,
    /// What the tokens of a training row count; rows that are not in it count 1.
    pub(crate) weights: BTreeMap<i64, f32>,
    pub(crate) question: Option<Question>,
}

/// Opens the base model and turns the rows into sequences.
pub(crate) fn material(request: &Request<'_>, config: &RunConfig, job: &Job) -> Result<Material> {
    job.stage("tokenise");
    let gguf = ModelFile::open(Path::new(&request.base.path))?;
    let shape = arch::read_config(&gguf)?;
    let tokenizer = Tokenizer::from_gguf(&gguf)?;
    let format = ChatFormat::from_gguf(&gguf, &tokenizer)?;
    let of = |split| request.rows.iter().filter(|row| row.split == Some(split)).collect::<Vec<&Row>>();
    let (train, valid) = (of(Split::Train), of(Split::Valid));
    let train_on = resolve_train_on(config.train_on, &train);
    let made = |rows: &[&Row]| sequences(rows, &tokenizer, &format, train_on, config.max_seq_len as usize);
    let (train_made, valid_made) = (made(&train)?, made(&valid)?);
    job.check()?;
    let weights = if config.balance_labels { balanced_weights(&train, &train_made.sequences) } else { BTreeMap::new() };
    let question = Question::choose(&valid, &train, tokenizer, &format);
    Ok(Material { gguf, shape, train: train_made, valid: valid_made, weights, question })
}

/// The plan for this material on this machine.
pub(crate) fn resolve(request: &Request<'_>, config: &RunConfig, material: &Material) -> Result<Plan> {
    let machine = Machine::read(request.runs);
    // On a card it is the card's memory that counts. Also where a worker without cards refuses one.
    let memory_available = config.device.memory()?.map_or(machine.memory_available, |card| card.free);
    Plan::resolve(
        config,
        &Circumstances {
            base: &request.base.reference,
            decoder: &material.shape,
            file_bytes: material.gguf.file_bytes(),
            train: &material.train,
            valid: &material.valid,
            memory_available,
            disk_free: machine.disk_free,
            product_rate: hone_model::product_rate(),
        },
    )
}
