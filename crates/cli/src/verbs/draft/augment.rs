//! `hone augment --how …`: further rows from approved ones, each with its parent, waiting for review.

use hone_data::draft::{DraftKind, Synonyms, bundled, is_chinese};
use hone_data::{Message, Origin, Role, Row, RowStatus, Split};
use hone_draft::{Writer, back_translate, paraphrase};
use hone_job::{ErrorCode, fs};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::context::Context;
use crate::failure::{self, Failure, Outcome};
use crate::output::Report;
use crate::verbs::draft::args::{Augment, By, How};
use crate::verbs::draft::many;
use crate::verbs::draft::writers::{self, Chosen};

/// Most words of a question that are changed.
const WORDS: usize = 3;

/// What augmenting made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct AugmentOutcome {
    /// How.
    pub kind: Option<DraftKind>,
    /// Approved rows to begin with.
    pub parents: u64,
    /// Rows made, waiting for review.
    pub drafts: u64,
    /// Parents from which the same came that stands there already, or nothing.
    pub unchanged: u64,
    /// Parents with which it failed.
    pub failed: u64,
    /// Why the first of them failed.
    pub reason: String,
}

/// Makes further rows.
pub fn run(arguments: &Augment, context: &Context) -> Outcome {
    let project = context.project()?;
    let mut store = project.store()?;
    let maker = Maker::choose(arguments, context)?;
    let language = if project.file().language == "zh" { "Simplified Chinese" } else { "English" };
    // What is measured or examined stays as it came in: a reworded exam row among the studied ones would be a leak.
    let mut parents: Vec<Row> = store.approved_rows()?.into_iter().filter(is_parent).collect();
    parents.truncate(arguments.first.unwrap_or(usize::MAX));
    if parents.is_empty() {
        return Err(Failure::new(
            ErrorCode::NoRows,
            "There is no approved question with its answer to begin with",
            "Approve some rows first; those kept for the exam are left alone",
        ));
    }
    context.job.stage("augment");
    let mut outcome =
        AugmentOutcome { kind: Some(maker.kind()), parents: parents.len() as u64, ..AugmentOutcome::default() };
    let mut ended = Ok(());
    for (at, parent) in parents.iter().enumerate() {
        context.job.progress(at as u64, outcome.parents, "rows");
        ended = failure::check(&context.job).and_then(|()| {
            match maker.make(parent, language, arguments.writer.temperature, context)? {
                Ok(Some(row)) => match store.add_derived(&row, maker.kind(), maker.name(), parent.id)? {
                    Some(_) => outcome.drafts += 1,
                    None => outcome.unchanged += 1,
                },
                Ok(None) => outcome.unchanged += 1,
                Err(reason) => {
                    outcome.failed += 1;
                    if outcome.reason.is_empty() {
                        outcome.reason = format!("row {}: {reason}", parent.id);
                    }
                }
            }
            Ok(())
        });
        if ended.is_err() {
            break;
        }
    }
    if ended.is_ok() {
        context.job.progress(outcome.parents, outcome.parents, "rows");
    }
    let report = Report::new(&outcome, words(&outcome));
    match ended.and_then(|()| something(&outcome)) {
        Ok(()) => Ok(report),
        Err(failure) => {
            context.say(report);
            Err(failure)
        }
    }
}

/// A question with its answer that is studied and was not itself made from another row by a machine's rewording.
fn is_parent(row: &Row) -> bool {
    let answers = row.messages.iter().filter(|message| message.role == Role::Assistant).count();
    let asks = row.messages.iter().any(|message| message.role == Role::User);
    answers == 1 && asks && matches!(row.split, Some(Split::Train))
}

enum Maker {
    Synonyms(Synonyms),
    Paraphrase(Writer),
    BackTranslation(Writer),
}

impl Maker {
    fn choose(arguments: &Augment, context: &Context) -> Outcome<Self> {
        if arguments.how == How::Synonyms {
            let Some(file) = &arguments.words else { return Ok(Self::Synonyms(bundled())) };
            let list = Synonyms::read(&fs::read_to_string(file)?).map_err(|error| {
                Failure::new(
                    ErrorCode::BadInput,
                    format!("`{}`: {error}", file.display()),
                    "Write on each line words that may stand for each other, parted by commas",
                )
            })?;
            return Ok(Self::Synonyms(list));
        }
        if arguments.writer.by == By::Rules {
            return Err(Failure::new(
                ErrorCode::BadConfig,
                "Rewording and translating need a model",
                "Choose one with `--by ollama --model NAME`, or use `--how synonyms`, which needs none",
            ));
        }
        match writers::choose(&arguments.writer, context)? {
            Chosen::Model(writer) if arguments.how == How::Paraphrase => Ok(Self::Paraphrase(writer)),
            Chosen::Model(writer) => Ok(Self::BackTranslation(writer)),
            Chosen::Rules => Ok(Self::Synonyms(bundled())),
        }
    }

    fn kind(&self) -> DraftKind {
        match self {
            Self::Synonyms(_) => DraftKind::Synonyms,
            Self::Paraphrase(_) => DraftKind::Paraphrase,
            Self::BackTranslation(_) => DraftKind::BackTranslation,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Synonyms(_) => "words",
            Self::Paraphrase(writer) | Self::BackTranslation(writer) => writer.name(),
        }
    }

    /// A row made from `parent`; `None` where nothing changes, a reason where no usable answer came.
    fn make(
        &self,
        parent: &Row,
        language: &str,
        temperature: f64,
        context: &Context,
    ) -> Outcome<Result<Option<Row>, String>> {
        let said = |role| {
            let turn = parent.messages.iter().rfind(|message| message.role == role);
            turn.map_or("", |message| message.content.as_str())
        };
        let (question, answer) = (said(Role::User), said(Role::Assistant));
        let pair = match self {
            Self::Synonyms(words) => {
                Ok(words.change(question, WORDS, parent.id.unsigned_abs()).map(|changed| (changed, answer.to_owned())))
            }
            Self::Paraphrase(writer) => paraphrase(writer, question, answer, temperature, &context.job)?.map(Some),
            Self::BackTranslation(writer) => {
                let language = if is_chinese(question) { "Simplified Chinese" } else { language };
                let back = back_translate(writer, question, language, temperature, &context.job)?;
                back.map(|back| Some((back, answer.to_owned())))
            }
        };
        Ok(pair.map(|pair| pair.map(|(question, answer)| reworded(parent, &question, &answer))))
    }
}

fn reworded(parent: &Row, question: &str, answer: &str) -> Row {
    let mut row = Row { id: 0, origin: Origin::Drafted, status: RowStatus::Draft, ..parent.clone() };
    let mut set = |role, text: &str| {
        if let Some(message) = row.messages.iter_mut().rfind(|message: &&mut Message| message.role == role) {
            text.clone_into(&mut message.content);
        }
    };
    set(Role::User, question);
    set(Role::Assistant, answer);
    row
}

fn something(outcome: &AugmentOutcome) -> Outcome<()> {
    if outcome.drafts > 0 || outcome.failed == 0 && outcome.unchanged > 0 {
        return Ok(());
    }
    Err(Failure::new(
        ErrorCode::NoRows,
        format!("Nothing came out of {}: {}", many(outcome.parents, "row"), outcome.reason),
        "Choose another model, or use `--how synonyms`, which needs none",
    ))
}

fn words(outcome: &AugmentOutcome) -> String {
    let mut words = format!(
        "{} from {}; they wait for review.\n",
        many(outcome.drafts, "row"),
        many(outcome.parents, "approved row")
    );
    if outcome.unchanged > 0 {
        words += &format!("  {} gave nothing new\n", outcome.unchanged);
    }
    if outcome.failed > 0 {
        words += &format!("  {} failed; {}\n", outcome.failed, outcome.reason);
    }
    words
}
