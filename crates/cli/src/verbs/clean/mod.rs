//! `hone clean [--rule NAME…] [--set RULE.OPTION=VALUE…] [--preview]`, `hone clean --undo NAME`, and
//! `hone clean --rule NAME --keep ROW…`

mod score;

use hone_data::Row;
use hone_data::clean::{self, Measures, Plan, Rule};
use hone_job::ErrorCode;
use hone_studio::{Project, RuleHits, Store};
use hone_train::sequences::chat_messages;
use serde::{Deserialize, Serialize};
use serde_json::json;
use ts_rs::TS;

use crate::args::Clean;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Report, table};
use crate::verbs::base;

/// How many hits of a rule are told one by one.
const SHOWN: usize = 100;

/// What cleaning did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CleanOutcome {
    /// Whether nothing was changed.
    pub preview: bool,
    /// Each rule with its hits.
    pub rules: Vec<RuleHits>,
}

/// Shows, applies or takes back rules.
pub fn run(arguments: &Clean, context: &Context) -> Outcome {
    let project = context.project()?;
    let mut store = project.store()?;
    if let Some(name) = &arguments.undo {
        let rule = rule(name)?;
        let rows = store.undo_rule(rule)?;
        return Ok(Report::new(
            &json!({ "rule": rule, "rows": rows }),
            format!("Took `{name}` back: {rows} rows are as they were."),
        ));
    }
    let named: Vec<Rule> = arguments.rule.iter().map(|name| rule(name)).collect::<Outcome<_>>()?;
    if !arguments.keep.is_empty() || !arguments.find_again.is_empty() {
        return keep(&named, arguments, &mut store);
    }
    let outcome = clean(&project, &mut store, &named, arguments, context)?;
    let words = words(&outcome);
    Ok(Report::new(&outcome, words))
}

fn clean(
    project: &Project,
    store: &mut Store,
    named: &[Rule],
    arguments: &Clean,
    context: &Context,
) -> Outcome<CleanOutcome> {
    let rules: Vec<Rule> = match named {
        [] if arguments.preview => Rule::ALL.to_vec(),
        [] => Rule::ALL.into_iter().filter(|rule| rule.by_default()).collect(),
        named => named.to_vec(),
    };
    let mut options = store.clean_options()?;
    for change in &arguments.set {
        options.set(change).map_err(|error| Failure::new(ErrorCode::BadConfig, error.to_string(), hint(&error)))?;
    }
    let applied = applied(store, &rules, named, arguments.preview)?;

    context.job.stage("clean");
    let base = &project.file().base;
    let rows = store.rows_to_clean(&rules)?;
    // Measuring takes minutes, so that it is done where the rule was asked for by name; else what is known counts.
    let perplexities = if named.contains(&Rule::Perplexity) {
        score::perplexities(project, store, &rows, context)?
    } else {
        store.perplexities(base, &rows)?
    };
    let lengths = Lengths::of(base, context);
    let measures =
        Measures { text: &|text| lengths.text(text), row: &|row| lengths.row(row), perplexities: &perplexities };
    let plan = Plan { rules: &rules, applied: &applied };
    let mut done = 0;
    let mut told = |_| {
        context.job.progress(done, rules.len() as u64, "rules");
        done += 1;
        !context.job.is_cancelled()
    };
    let findings = clean::check(&rows, plan, &options, &measures, &store.kept_hits()?, &mut told);
    let findings = findings.ok_or(Failure::Cancelled)?;
    if !arguments.preview {
        context.job.check().map_err(|_| Failure::Cancelled)?;
        store.apply_rules(&rules, &findings)?;
    }
    let hits = rules.iter().map(|rule| RuleHits::of(*rule, !arguments.preview, &findings, SHOWN)).collect();
    Ok(CleanOutcome { preview: arguments.preview, rules: hits })
}

/// Which of the rules count as applied for those after them: all when they are applied now; for a look at all of them
/// those that are applied, or would be by default.
fn applied(store: &Store, rules: &[Rule], named: &[Rule], preview: bool) -> Outcome<Vec<Rule>> {
    if !preview || !named.is_empty() {
        return Ok(rules.to_vec());
    }
    let applied: Vec<Rule> = store.applied_rules(0)?.iter().map(|hits| hits.rule).collect();
    Ok(if applied.is_empty() { rules.iter().copied().filter(|rule| rule.by_default()).collect() } else { applied })
}

fn keep(named: &[Rule], arguments: &Clean, store: &mut Store) -> Outcome {
    let [rule] = named else {
        return Err(Failure::new(
            ErrorCode::BadConfig,
            "Hits are kept of one rule at a time",
            "Name it: `hone clean --rule NAME --keep ROW`",
        ));
    };
    for row in &arguments.keep {
        store.keep_hit(*rule, *row, true)?;
    }
    for row in &arguments.find_again {
        store.keep_hit(*rule, *row, false)?;
    }
    Ok(Report::new(
        &json!({ "rule": rule, "kept": arguments.keep, "found_again": arguments.find_again }),
        format!(
            "`{}` passes over {} rows more, and over {} rows no longer.",
            rule.code(),
            arguments.keep.len(),
            arguments.find_again.len()
        ),
    ))
}

/// Lengths in tokens of the base model; estimated where it is not at hand.
struct Lengths {
    base: Option<base::Base>,
    count: Box<base::TokenCount>,
}

impl Lengths {
    fn of(reference: &str, context: &Context) -> Self {
        Self { base: base::open(reference).ok(), count: base::token_count(reference, context) }
    }

    fn text(&self, text: &str) -> usize {
        (self.count)(text)
    }

    /// The row with the marks of the chat template, as it is trained on.
    fn row(&self, row: &Row) -> usize {
        // Much text is long in any case, and an estimate is enough.
        let text = clean::row_text(row);
        let encoded = self.base.as_ref().filter(|_| text.len() < base::ENDLESS).and_then(|base| {
            if row.messages.is_empty() {
                base.chat.encode_text(&base.tokenizer, &row.text).ok()
            } else {
                base.chat.encode(&base.tokenizer, &chat_messages(row)).ok()
            }
        });
        encoded.map_or_else(|| (self.count)(&text), |encoded| encoded.ids.len())
    }
}

fn rule(name: &str) -> Outcome<Rule> {
    Rule::from_code(name).ok_or_else(|| {
        let known: Vec<_> = Rule::ALL.iter().map(|rule| rule.code()).collect();
        Failure::new(
            ErrorCode::BadConfig,
            format!("There is no rule `{name}`"),
            &format!("Choose one of {}", known.join(", ")),
        )
    })
}

fn hint(error: &clean::OptionError) -> &str {
    match error {
        clean::OptionError::Unknown { known, .. } => known,
        clean::OptionError::Form { .. } | clean::OptionError::Value { .. } => {
            "Write it like `--set near_duplicates.threshold=0.9`"
        }
    }
}

fn words(outcome: &CleanOutcome) -> String {
    let mut lines = vec![["rule", "changes", "leaves out", "points at", "", ""].map(str::to_owned).to_vec()];
    lines.extend(outcome.rules.iter().map(|hits| {
        let made = if hits.made > 0 { format!("makes {}", hits.made) } else { String::new() };
        let off = if outcome.preview && !hits.rule.by_default() { "only when named" } else { "" };
        let mut cells = vec![hits.rule.code().to_owned()];
        cells.extend([hits.changed, hits.dropped, hits.flagged].map(|count| count.to_string()));
        cells.extend([made, off.to_owned()]);
        cells
    }));
    let mut words = table(&lines);
    for hits in &outcome.rules {
        for bar in &hits.details.bars {
            let out = if bar.out > 0 { format!(", {} of them left out", bar.out) } else { String::new() };
            words += &format!("{}: {} {} rows{out}\n", hits.rule.code(), bar.name, bar.rows);
        }
        for quantile in &hits.details.quantiles {
            words += &format!(
                "{}: {} % of the rows have at most {:.1}\n",
                hits.rule.code(),
                quantile.percent,
                quantile.value
            );
        }
    }
    let end = if outcome.preview { "Nothing was changed." } else { "Take one back with `hone clean --undo NAME`." };
    format!("{words}{end}")
}
