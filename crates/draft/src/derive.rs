use hone_data::draft::{
    Prompt, Unusable, back_prompt, pair_schema, paraphrase_prompt, parse_pair, parse_text, text_schema, there_prompt,
};
use hone_job::Job;
use serde_json::Value;

use crate::ask::{TRIES, wait};
use crate::error::Result;
use crate::writer::{Ask, Writer};

/// Room for an answer, tokens.
const MAX_TOKENS: u64 = 1200;

/// A question and its answer in other words; `Err` of the inner result is why no usable answer came.
///
/// # Errors
/// Fatal ones, and a cancelled job.
pub fn paraphrase(
    writer: &Writer,
    question: &str,
    answer: &str,
    temperature: f64,
    job: &Job,
) -> Result<std::result::Result<(String, String), String>> {
    ask(writer, &paraphrase_prompt(question, answer), &pair_schema(), temperature, job, parse_pair)
}

/// A question put into another language and back into its own, `language`, called by its English name.
///
/// # Errors
/// Fatal ones, and a cancelled job.
pub fn back_translate(
    writer: &Writer,
    question: &str,
    language: &str,
    temperature: f64,
    job: &Job,
) -> Result<std::result::Result<String, String>> {
    let schema = text_schema();
    match ask(writer, &there_prompt(question), &schema, temperature, job, parse_text)? {
        Ok(translated) => ask(writer, &back_prompt(&translated, language), &schema, temperature, job, parse_text),
        Err(failure) => Ok(Err(failure)),
    }
}

fn ask<T>(
    writer: &Writer,
    prompt: &Prompt,
    schema: &Value,
    temperature: f64,
    job: &Job,
    read: fn(&str) -> std::result::Result<T, Unusable>,
) -> Result<std::result::Result<T, String>> {
    let mut failure = String::new();
    for tries in 1..=TRIES {
        let ask = Ask { prompt, schema, temperature, seed: tries.into(), max_tokens: MAX_TOKENS };
        failure = match writer.say(&ask, job) {
            Ok(said) => match read(&said.text) {
                Ok(value) => return Ok(Ok(value)),
                Err(unusable) => unusable.to_string(),
            },
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => {
                wait(&error, tries, job)?;
                error.to_string()
            }
        };
    }
    Ok(Err(failure))
}
