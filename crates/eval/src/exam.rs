//! The exam itself, in the order in which it is sat.

use std::ops::ControlFlow;
use std::time::Instant;

use hone_data::{Message, Role, Row};
use hone_job::Job;
use hone_model::{Adapter, Batch, ChatFormat, ChatMessage, Decoder, Encoded, GenerateOptions, Tokenizer};

use crate::error::{EvalError, Result};
use crate::guard;
use crate::report::{Answer, EvalReport, ForgettingReport, LossReport, RecallReport, ScoreReport};
use crate::score::{states_fact, token_f1};
use crate::statistics::{self, Pair};

/// Who sits the exam.
pub struct Examinee<'a> {
    /// The frozen base model.
    pub decoder: &'a Decoder,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The form of a conversation that the training used.
    pub chat: &'a ChatFormat,
    /// What was learned.
    pub adapter: &'a Adapter,
    /// What it is compared with; `None` is the base model.
    pub against: Option<&'a Adapter>,
}

/// What is asked, and how much.
pub struct ExamOptions {
    /// Name of the run.
    pub run: String,
    /// Reference of the base model.
    pub base: String,
    /// Name of what it is compared with.
    pub against: String,
    /// Rows kept for the exam.
    pub exam: Vec<Row>,
    /// Rows that were trained on, for the recall check.
    pub studied: Vec<Row>,
    /// Rows longer than this are cut, tokens.
    pub max_seq_len: usize,
    /// Longest answer, tokens.
    pub max_answer_tokens: usize,
}

/// Prompts that are answered together.
const PROMPTS_AT_ONCE: usize = 16;

/// Examines a run.
///
/// # Errors
/// [`EvalError::NoQuestions`] when `options.exam` is empty; what the model says otherwise.
pub fn examine(examinee: &Examinee<'_>, options: &ExamOptions, job: &Job) -> Result<EvalReport> {
    if options.exam.is_empty() {
        return Err(EvalError::NoQuestions);
    }
    let start = Instant::now();

    job.stage("held_out_loss");
    let sequences: Vec<Encoded> =
        options.exam.iter().map(|row| encode(examinee, row, options.max_seq_len)).collect::<Result<_>>()?;
    let losses = losses(examinee, &sequences, job)?;

    job.stage("answers");
    let answers = answers(examinee, &options.exam, options, job)?;

    job.stage("recall");
    let recalled = answers_of_studied(examinee, options, job)?;

    job.stage("forgetting");
    let texts: Vec<Encoded> = guard::TEXTS
        .iter()
        .map(|text| examinee.chat.encode_text(examinee.tokenizer, text))
        .collect::<std::result::Result<_, _>>()?;
    let forgotten = self::losses(examinee, &texts, job)?;

    Ok(EvalReport {
        run: options.run.clone(),
        base: options.base.clone(),
        against: options.against.clone(),
        held_out: held_out(&losses),
        f1: score(&answers, |answer| (answer.f1_before, answer.f1_after)),
        facts: score(&answers, |answer| (f64::from(answer.fact_before), f64::from(answer.fact_after))),
        answers,
        recall: recalled,
        forgetting: forgetting(&forgotten),
        seconds: start.elapsed().as_secs_f64(),
    })
}

fn encode(examinee: &Examinee<'_>, row: &Row, max_seq_len: usize) -> Result<Encoded> {
    let mut encoded = if row.messages.is_empty() {
        examinee.chat.encode_text(examinee.tokenizer, &row.text)?
    } else {
        examinee.chat.encode(examinee.tokenizer, &conversation(&row.messages))?
    };
    encoded.ids.truncate(max_seq_len);
    encoded.trained.truncate(max_seq_len);
    Ok(encoded)
}

fn conversation(messages: &[Message]) -> Vec<ChatMessage> {
    let role = |role| match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    messages
        .iter()
        .map(|message| ChatMessage { role: role(message.role).to_owned(), content: message.content.clone() })
        .collect()
}

/// Nats before and after with the number of trained tokens, per sequence; sequences with nothing to predict are left out.
fn losses(examinee: &Examinee<'_>, sequences: &[Encoded], job: &Job) -> Result<Vec<Pair>> {
    let mut pairs = Vec::with_capacity(sequences.len());
    for (done, sequence) in sequences.iter().enumerate() {
        job.check()?;
        job.progress(done as u64, sequences.len() as u64, "rows");
        let label = |at: usize| if at > 0 && sequence.trained[at] { i64::from(sequence.ids[at]) } else { -100 };
        let mut batch = Batch::default();
        batch.push(&sequence.ids, &(0..sequence.ids.len()).map(label).collect::<Vec<i64>>());
        if batch.labels.iter().all(|label| *label == -100) {
            continue;
        }
        let before = examinee.decoder.loss(examinee.against, &batch)?;
        let after = examinee.decoder.loss(Some(examinee.adapter), &batch)?;
        pairs.push(Pair { before: before.nats, after: after.nats, weight: after.tokens as f64 });
    }
    Ok(pairs)
}

/// A row as a question: everything up to the last thing the assistant says, and that.
fn question(row: &Row) -> Option<(&[Message], &str, &str)> {
    let (last, prompt) = row.messages.split_last()?;
    let asked = prompt.iter().rev().find(|message| message.role == Role::User)?;
    (last.role == Role::Assistant).then_some((prompt, &asked.content, &last.content))
}

fn answers(examinee: &Examinee<'_>, rows: &[Row], options: &ExamOptions, job: &Job) -> Result<Vec<Answer>> {
    let questions: Vec<_> = rows.iter().filter_map(|row| question(row).map(|parts| (row.id, parts))).collect();
    let mut answers = Vec::with_capacity(questions.len());
    for group in questions.chunks(PROMPTS_AT_ONCE) {
        job.progress(answers.len() as u64, questions.len() as u64, "questions");
        let prompts: Vec<Vec<u32>> = group
            .iter()
            .map(|(_, (prompt, _, _))| examinee.chat.encode_prompt(examinee.tokenizer, &conversation(prompt)))
            .collect::<std::result::Result<_, _>>()?;
        let before = say(examinee, examinee.against, &prompts, options, job)?;
        let after = say(examinee, Some(examinee.adapter), &prompts, options, job)?;
        for (((row, (_, asked, expected)), before), after) in group.iter().zip(before).zip(after) {
            answers.push(Answer {
                row: *row,
                question: (*asked).to_owned(),
                expected: (*expected).to_owned(),
                f1_before: token_f1(&before, expected),
                f1_after: token_f1(&after, expected),
                fact_before: states_fact(asked, expected, &before),
                fact_after: states_fact(asked, expected, &after),
                before,
                after,
            });
        }
    }
    Ok(answers)
}

fn say(
    examinee: &Examinee<'_>,
    adapter: Option<&Adapter>,
    prompts: &[Vec<u32>],
    options: &ExamOptions,
    job: &Job,
) -> Result<Vec<String>> {
    job.check()?;
    let stops = examinee.chat.stop_ids.clone();
    let generate = GenerateOptions { max_tokens: options.max_answer_tokens, stop_ids: stops, ..Default::default() };
    let mut go_on = |_prompt: usize, _token: u32| {
        if job.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let said = examinee.decoder.generate(adapter, prompts, &generate, &mut go_on)?;
    job.check()?;
    Ok(said
        .iter()
        .map(|ids| {
            let ids: Vec<u32> = ids.iter().copied().filter(|id| !examinee.chat.stop_ids.contains(id)).collect();
            examinee.tokenizer.decode(&ids).trim().to_owned()
        })
        .collect())
}

fn answers_of_studied(examinee: &Examinee<'_>, options: &ExamOptions, job: &Job) -> Result<Option<RecallReport>> {
    let answers = answers(examinee, &options.studied, options, job)?;
    Ok((!answers.is_empty()).then(|| RecallReport {
        asked: answers.len(),
        right_before: answers.iter().filter(|answer| answer.fact_before).count(),
        right_after: answers.iter().filter(|answer| answer.fact_after).count(),
        answers,
    }))
}

fn held_out(pairs: &[Pair]) -> LossReport {
    let (before, after) = statistics::means(pairs);
    let change = statistics::change(pairs);
    LossReport {
        rows: pairs.len(),
        tokens: pairs.iter().map(|pair| pair.weight as usize).sum(),
        before,
        after,
        perplexity_before: before.exp(),
        perplexity_after: after.exp(),
        verdict: statistics::lower_is_better(&change),
        change,
    }
}

fn forgetting(pairs: &[Pair]) -> ForgettingReport {
    let (before, after) = statistics::means(pairs);
    let change = statistics::change(pairs);
    let verdict = statistics::lower_is_better(&change);
    ForgettingReport { texts: pairs.len(), before, after, verdict, change }
}

fn score(answers: &[Answer], of: impl Fn(&Answer) -> (f64, f64)) -> Option<ScoreReport> {
    let pairs: Vec<Pair> = answers
        .iter()
        .map(|answer| {
            let (before, after) = of(answer);
            Pair { before, after, weight: 1.0 }
        })
        .collect();
    let (before, after) = statistics::means(&pairs);
    let change = statistics::change(&pairs);
    let verdict = statistics::higher_is_better(&change);
    (!pairs.is_empty()).then_some(ScoreReport { before, after, change, verdict })
}
