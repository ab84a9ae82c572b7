use std::collections::HashSet;

use serde::Deserialize;

use crate::draft::{Draft, DraftKind, DraftSettings};
use crate::text::normalised;

/// Why an answer of the drafting model cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is not JSON.
    #[error("the answer is not JSON: {problem}; it begins `{begins}`")]
    NotJson {
        /// What the parser says, with the place.
        problem: String,
        /// Its first characters.
        begins: String,
    },
    /// It is JSON of another form.
    #[error("the answer has another form than asked for: {problem}")]
    WrongForm {
        /// What the parser says, with the place.
        problem: String,
    },
    /// A part of a draft is empty.
    #[error("draft {number} has an empty {part}")]
    Empty {
        /// Which draft, from 1.
        number: usize,
        /// `question` or `answer`.
        part: &'static str,
    },
    /// A kind that was not asked for.
    #[error("draft {number} is of the kind `{kind}`, which was not asked for")]
    OtherKind {
        /// Which draft, from 1.
        number: usize,
        /// Its kind.
        kind: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    drafts: Vec<Draft>,
}

/// The drafts in a model's answer. Strict: one object of exactly the form of [`super::schema`], nothing before or
/// behind it but white space, one code fence, or the `<think>` part of a model that thinks aloud. Drafts beyond
/// `per_passage` and questions that come twice are left off.
///
/// # Errors
/// [`Unusable`], naming the place.
pub fn parse(text: &str, settings: &DraftSettings) -> Result<Vec<Draft>, Unusable> {
    let answer: Answer = object(text)?;
    for (at, draft) in answer.drafts.iter().enumerate() {
        let number = at + 1;
        if !says_something(&draft.question) {
            return Err(Unusable::Empty { number, part: "question" });
        }
        if !says_something(&draft.answer) {
            return Err(Unusable::Empty { number, part: "answer" });
        }
        if !settings.kinds.contains(&draft.kind) {
            return Err(Unusable::OtherKind { number, kind: draft.kind.code() });
        }
    }
    let mut asked = HashSet::new();
    let mut drafts = answer.drafts;
    drafts.retain(|draft| asked.insert(normalised(&draft.question)));
    drafts.truncate(settings.per_passage);
    for draft in &mut drafts {
        tidy(draft);
    }
    Ok(drafts)
}

/// A refusal quotes nothing: what small models copy there supports the question, not the answer.
fn tidy(draft: &mut Draft) {
    if draft.kind == DraftKind::Refusal {
        draft.quote.clear();
    }
}

/// Whether there is a letter or a digit in it: dots and blanks are what a model says that has nothing to say.
pub(super) fn says_something(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// The one object in a model's answer.
pub(super) fn object<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, Unusable> {
    let body = bare(text);
    // First as JSON at all, so that the two kinds of fault are told apart.
    let value: serde_json::Value = serde_json::from_str(body)
        .map_err(|error| Unusable::NotJson { problem: error.to_string(), begins: begins(body) })?;
    serde_json::from_value(value).map_err(|error| Unusable::WrongForm { problem: error.to_string() })
}

/// Without the thinking aloud and without one code fence around the whole.
fn bare(text: &str) -> &str {
    let text = match text.trim_start().strip_prefix("<think>").and_then(|rest| rest.split_once("</think>")) {
        Some((_, rest)) => rest,
        None => text,
    }
    .trim();
    let inside = text.strip_prefix("```json").or_else(|| text.strip_prefix("```")).and_then(|t| t.strip_suffix("```"));
    inside.unwrap_or(text).trim()
}

fn begins(text: &str) -> String {
    text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        r#"{"drafts":[{"kind":"fact","question":"When?","answer":"At nine.","quote":"leaves at nine"}]}"#;

    fn check(text: &str) -> Result<Vec<Draft>, String> {
        parse(text, &DraftSettings::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_object_is_read_also_from_a_fence_or_behind_thinking_aloud() {
        for text in [GOOD.to_owned(), format!("```json\n{GOOD}\n```\n"), format!("<think>{{}} hm</think>\n{GOOD}")] {
            let drafts = check(&text).unwrap();
            assert_eq!((drafts.len(), drafts[0].answer.as_str()), (1, "At nine."), "{text}");
        }
        assert_eq!(check(r#"{"drafts":[]}"#).unwrap(), [], "nothing to ask is an answer too");
    }

    #[test]
    fn anything_else_is_refused_with_the_place() {
        for (text, expected) in [
            (
                "Sure! Here you are: {}",
                "the answer is not JSON: expected value at line 1 column 1; it begins `Sure! Here you are: {}`",
            ),
            (&GOOD[..60], "the answer is not JSON: EOF while parsing"),
            (&format!("{GOOD} Hope this helps"), "the answer is not JSON: trailing characters"),
            (r#"[{"question":"When?"}]"#, "the answer has another form than asked for: invalid type"),
            (r#"{"questions":[]}"#, "the answer has another form than asked for: unknown field `questions`"),
            (r#"{"drafts":[{"kind":"fact","question":"When?","answer":"At nine."}]}"#, "missing field `quote`"),
            (&GOOD.replace("fact", "riddle"), "unknown variant `riddle`"),
            (&GOOD.replace("At nine.", " "), "draft 1 has an empty answer"),
            (&GOOD.replace("When?", "…"), "draft 1 has an empty question"),
            (&GOOD.replace("fact", "comparison"), "draft 1 is of the kind `comparison`, which was not asked for"),
            (&"[".repeat(100_000), "recursion limit exceeded"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn more_than_asked_for_and_the_same_twice_are_left_off() {
        let one = r#"{"kind":"fact","question":"Q1?","answer":"a","quote":"a"}"#;
        let many = (1..=6).map(|n| one.replace("Q1", &format!("Q{n}"))).collect::<Vec<_>>().join(",");
        let drafts = check(&format!(r#"{{"drafts":[{one},{},{many}]}}"#, one.replace("Q1?", "q1 ?"))).unwrap();
        assert_eq!(drafts.iter().map(|draft| draft.question.as_str()).collect::<Vec<_>>(), ["Q1?", "Q2?", "Q3?"]);
    }
}
