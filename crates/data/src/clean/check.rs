use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::Row;
use crate::clean::texts::{change_verdict, drop_verdict, flag_verdict, map_texts};
use crate::clean::{Action, Bar, CleanOptions, Details, Made, PersonalAction, Rule, Verdict, row_text};
use crate::clean::{
    balance, boilerplate, characters, checks, duplicates, html, hyphenation, language, length, perplexity,
};
use crate::clean::{personal, whitespace, width};

/// What the rules need to know from outside.
pub struct Measures<'a> {
    /// Tokens of a text.
    pub text: &'a dyn Fn(&str) -> usize,
    /// Tokens of a row with the marks of the chat template.
    pub row: &'a dyn Fn(&Row) -> usize,
    /// Perplexities of rows under the base model, where they were measured.
    pub perplexities: &'a HashMap<i64, f64>,
}

/// Which rules are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan<'a> {
    /// These, in [`Rule::ALL`]'s order.
    pub rules: &'a [Rule],
    /// Of these only, later rules see the rows as they leave them. The others show what they would do by themselves.
    pub applied: &'a [Rule],
}

/// What the rules found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// The hits, rule by rule in [`Rule::ALL`]'s order, each rule's in the rows' order.
    pub verdicts: Vec<Verdict>,
    /// Rows that take the place of left out ones.
    pub made: Vec<Made>,
    /// What the rules saw beside their hits.
    pub details: BTreeMap<Rule, Details>,
    /// The options, with what the rules learned from the rows: [`changed`] wants these.
    pub options: CleanOptions,
}

/// Checks the rules one after the other, each on the rows as the applied ones before it leave them. `kept` holds hits that
/// the user takes back one by one: row and rule. `told` is called before each rule; `false` ends the check early.
pub fn check(
    rows: &[Row],
    plan: Plan,
    options: &CleanOptions,
    measures: &Measures,
    kept: &BTreeSet<(i64, Rule)>,
    told: &mut dyn FnMut(Rule) -> bool,
) -> Option<Findings> {
    let mut findings = Findings { options: options.clone(), ..Findings::default() };
    let mut rows = Cow::Borrowed(rows);
    for rule in Rule::ALL.into_iter().filter(|rule| plan.rules.contains(rule)) {
        if !told(rule) {
            return None;
        }
        let (mut verdicts, mut made, details) = hits(rule, &rows, &mut findings.options, measures);
        verdicts.retain(|verdict| !kept.contains(&(verdict.row, rule)));
        made.retain(|made| !kept.contains(&(made.parent, rule)));
        if plan.applied.contains(&rule) && !verdicts.is_empty() {
            rows = Cow::Owned(after(rows.into_owned(), rule, &verdicts, &findings.options));
        }
        findings.verdicts.append(&mut verdicts);
        findings.made.append(&mut made);
        if let Some(details) = details {
            findings.details.insert(rule, details);
        }
    }
    Some(findings)
}

/// The rows as a rule leaves them.
fn after(rows: Vec<Row>, rule: Rule, verdicts: &[Verdict], options: &CleanOptions) -> Vec<Row> {
    let actions: HashMap<i64, Action> = verdicts.iter().map(|verdict| (verdict.row, verdict.action)).collect();
    rows.into_iter()
        .filter_map(|row| match actions.get(&row.id) {
            Some(Action::Drop) => None,
            Some(Action::Change) => Some(changed(&row, rule, options).unwrap_or(row)),
            Some(Action::Flag) | None => Some(row),
        })
        .collect()
}

type Hits = (Vec<Verdict>, Vec<Made>, Option<Details>);

fn hits(rule: Rule, rows: &[Row], options: &mut CleanOptions, measures: &Measures) -> Hits {
    let only = |verdicts| (verdicts, Vec::new(), None);
    let with_bars = |(verdicts, bars)| (verdicts, Vec::new(), Some(Details { bars, quantiles: Vec::new() }));
    match rule {
        Rule::Boilerplate => {
            options.boilerplate.lines = boilerplate::repeated_lines(rows, options.boilerplate.documents);
            only(changes(rule, rows, options))
        }
        Rule::Html | Rule::Characters | Rule::Width | Rule::Hyphenation | Rule::Whitespace => {
            only(changes(rule, rows, options))
        }
        Rule::Personal => with_bars(personal_hits(rows, options)),
        Rule::Duplicates => only(duplicates::duplicates(rows)),
        Rule::NearDuplicates => only(duplicates::near_duplicates(rows, &options.near_duplicates)),
        Rule::TooShort => only(length::too_short(rows, options.too_short.min_tokens, measures.text)),
        Rule::Language => with_bars(language::language(rows, &options.language)),
        Rule::Balance => with_bars(balance::balance(rows, &options.balance)),
        Rule::Perplexity => {
            let (verdicts, bars, quantiles) = perplexity::perplexity(rows, &options.perplexity, measures.perplexities);
            (verdicts, Vec::new(), Some(Details { bars, quantiles }))
        }
        Rule::TooLong => {
            let (verdicts, made) = length::too_long(rows, &options.too_long, measures.row);
            (verdicts, made, None)
        }
        Rule::Contradictions => only(checks::contradictions(rows, &options.contradictions)),
        Rule::Leaks => only(checks::leaks(rows, &options.leaks)),
    }
}

fn changes(rule: Rule, rows: &[Row], options: &CleanOptions) -> Vec<Verdict> {
    rows.iter().filter_map(|row| Some(change_verdict(row, rule, &changed(row, rule, options)?))).collect()
}

fn personal_hits(rows: &[Row], options: &CleanOptions) -> (Vec<Verdict>, Vec<Bar>) {
    let chosen = &options.personal;
    let mut counts = BTreeMap::new();
    let mut verdicts = Vec::new();
    for row in rows {
        let found = personal::find(&row_text(row), &chosen.kinds, &chosen.own);
        if found.is_empty() {
            continue;
        }
        let kinds: HashSet<_> = found.iter().map(|detail| detail.kind).collect();
        for kind in kinds {
            *counts.entry(kind).or_insert(0_u64) += 1;
        }
        match chosen.action {
            PersonalAction::Mask => {
                verdicts.extend(
                    changed(row, Rule::Personal, options).map(|made| change_verdict(row, Rule::Personal, &made)),
                );
            }
            PersonalAction::Drop => verdicts.push(drop_verdict(row, Rule::Personal, None)),
            PersonalAction::Keep => verdicts.push(flag_verdict(row, Rule::Personal, None)),
        }
    }
    let out = |rows| if chosen.action == PersonalAction::Drop { rows } else { 0 };
    let bars = counts.into_iter().map(|(kind, rows)| Bar { name: kind.code().to_owned(), rows, out: out(rows) });
    (verdicts, bars.collect())
}

/// The row as a rule changes it; `None` where it changes nothing. Asking again with what came out gives `None`.
pub fn changed(row: &Row, rule: Rule, options: &CleanOptions) -> Option<Row> {
    match rule {
        Rule::Html => map_texts(row, html::without_html),
        Rule::Characters if options.characters.letters_and_digits_only => {
            map_texts(row, characters::letters_and_digits)
        }
        Rule::Characters => map_texts(row, characters::without_stray),
        Rule::Width => map_texts(row, |text| width::usual_width(text, options.width.nfkc)),
        Rule::Hyphenation => map_texts(row, hyphenation::joined),
        Rule::Whitespace => map_texts(row, whitespace::tidy_text),
        Rule::Boilerplate if row.messages.is_empty() => {
            map_texts(row, |text| boilerplate::without_lines(text, &options.boilerplate.lines))
        }
        Rule::Personal if options.personal.action == PersonalAction::Mask => {
            map_texts(row, |text| personal::masked(text, &options.personal.kinds, &options.personal.own))
        }
        _ => None,
    }
}
