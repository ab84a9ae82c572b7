//! `hone clean [--rule NAME…] [--preview]` and `hone clean --undo NAME`

use hone_data::clean::{self, Bounds, Rule};
use hone_job::ErrorCode;
use hone_studio::RuleHits;
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
    let rules = match arguments.rule.as_slice() {
        [] => Rule::ALL.to_vec(),
        names => names.iter().map(|name| rule(name)).collect::<Outcome<_>>()?,
    };
    context.job.stage("clean");
    let count = base::token_count(&project.file().base, context);
    let rows = store.rows_to_clean(&rules)?;
    let verdicts = clean::check(&rows, &rules, Bounds::default(), &count);
    if !arguments.preview {
        store.apply_rules(&rules, &verdicts)?;
    }
    let hits = rules.iter().map(|rule| RuleHits::of(*rule, !arguments.preview, &verdicts, SHOWN)).collect();
    let outcome = CleanOutcome { preview: arguments.preview, rules: hits };
    let words = words(&outcome);
    Ok(Report::new(&outcome, words))
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

fn words(outcome: &CleanOutcome) -> String {
    let mut lines = vec![["rule", "changes", "leaves out", "points at"].map(str::to_owned).to_vec()];
    lines.extend(outcome.rules.iter().map(|hits| {
        vec![hits.rule.code().to_owned(), hits.changed.to_string(), hits.dropped.to_string(), hits.flagged.to_string()]
    }));
    let end = if outcome.preview { "Nothing was changed." } else { "Take one back with `hone clean --undo NAME`." };
    format!("{}{end}", table(&lines))
}
