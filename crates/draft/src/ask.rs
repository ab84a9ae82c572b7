use std::time::{Duration, Instant};

use hone_data::draft::{Draft, DraftSettings, Grounding, grounding, is_worth_asking, parse, prompt, rules, schema};
use hone_job::Job;

use crate::error::{DraftError, Result};
use crate::writer::{Ask, Writer};

/// How often a writer is asked about one passage.
pub const TRIES: u32 = 3;
/// Room for one draft, tokens, and for the form around them.
const TOKENS_A_DRAFT: u64 = 400;

/// A passage to draft from.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Name of its document.
    pub document: &'a str,
    /// Its heading.
    pub heading: &'a str,
    /// Its text.
    pub text: &'a str,
    /// What is wanted.
    pub settings: &'a DraftSettings,
    /// How much answers vary, 0.3 to 0.7.
    pub temperature: f64,
}

/// What was made of a passage.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Made {
    /// The drafts; none where there was nothing to ask, or where it failed.
    pub drafts: Vec<(Draft, Grounding)>,
    /// How often the writer was asked.
    pub tries: u32,
    /// Why no usable answer came.
    pub failure: Option<String>,
    /// Tokens that the writer read, all tries together.
    pub prompt_tokens: u64,
    /// Tokens that it wrote.
    pub answer_tokens: u64,
    /// Wall time, seconds.
    pub seconds: f64,
}

/// Asks a writer about one passage, up to [`TRIES`] times. An answer that cannot be used is a try; so is a server that
/// stumbles. What cannot get better by trying ends the whole work.
///
/// # Errors
/// Fatal ones, and a cancelled job.
pub fn draft_passage(writer: &Writer, wish: &Wish<'_>, job: &Job) -> Result<Made> {
    let begun = Instant::now();
    let mut made = Made::default();
    if !is_worth_asking(wish.text) {
        return Ok(made);
    }
    let prompt = prompt(wish.document, wish.heading, wish.text, wish.settings);
    let schema = schema(wish.settings);
    let mut ask = Ask {
        prompt: &prompt,
        schema: &schema,
        temperature: wish.temperature,
        seed: 0,
        max_tokens: TOKENS_A_DRAFT * (wish.settings.per_passage as u64 + 1),
    };
    while made.tries < TRIES {
        made.tries += 1;
        ask.seed = u64::from(made.tries);
        let failure = match writer.say(&ask, job) {
            Ok(said) => {
                made.prompt_tokens += said.prompt_tokens;
                made.answer_tokens += said.answer_tokens;
                match parse(&said.text, wish.settings) {
                    Ok(drafts) => {
                        made.drafts = grounded(wish.text, drafts);
                        made.failure = None;
                        break;
                    }
                    Err(unusable) => unusable.to_string(),
                }
            }
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => {
                wait(&error, made.tries, job)?;
                error.to_string()
            }
        };
        made.failure = Some(failure);
    }
    made.seconds = begun.elapsed().as_secs_f64();
    Ok(made)
}

/// Drafts from one passage without a model.
pub fn by_rules(wish: &Wish<'_>) -> Made {
    let begun = Instant::now();
    let drafts = grounded(wish.text, rules::draft(wish.heading, wish.text, wish.settings));
    Made { drafts, tries: 1, seconds: begun.elapsed().as_secs_f64(), ..Made::default() }
}

fn grounded(passage: &str, drafts: Vec<Draft>) -> Vec<(Draft, Grounding)> {
    drafts
        .into_iter()
        .map(|draft| {
            let grounding = grounding(passage, draft.kind, &draft.quote);
            (draft, grounding)
        })
        .collect()
}

/// A server that is overrun or broken gets a moment before it is asked again.
pub(crate) fn wait(error: &DraftError, tries: u32, job: &Job) -> Result<()> {
    let busy = matches!(error, DraftError::Refused { status: 429 | 500..=599, .. } | DraftError::Broken { .. });
    let until = Instant::now() + Duration::from_millis(if busy && tries < TRIES { 300 << tries } else { 0 });
    while Instant::now() < until {
        job.check()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
