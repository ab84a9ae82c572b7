//! Rows that must not fall on both sides of an exam.

use std::collections::HashMap;

use crate::Row;
use crate::clean::nearly_the_same;
use crate::split::question_key;

/// With more rows nearly the same ones are not looked for: it would take minutes and the memory of all of them.
const MOST: usize = 200_000;

/// Rows that belong together.
pub(super) struct Group {
    /// Draws its place.
    pub key: String,
    /// Their places in the list of rows.
    pub rows: Vec<usize>,
}

/// Rows joined by a shared passage, a shared question or nearly the same words, in order of their first row.
pub(super) fn groups(rows: &[Row]) -> Vec<Group> {
    let mut parent: Vec<usize> = (0..rows.len()).collect();
    let mut first_with: HashMap<String, usize> = HashMap::new();
    let mut keys: Vec<String> = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let question = question_key(row);
        // A long text that was split into several rows has them all on one line. Conversations are not split, and a JSON
        // array may have every one of them on its only line.
        let line = row.line.filter(|_| row.messages.is_empty()).map(|line| format!("l {line}"));
        let place = row.passage.map(|passage| format!("p {passage}")).or(line);
        let source = row.document.as_ref().zip(place).map(|(document, place)| format!("{place} {document}"));
        for key in source.iter().chain([&question]) {
            let first = *first_with.entry(key.clone()).or_insert(at);
            let (a, b) = (root(&mut parent, first), root(&mut parent, at));
            parent[a.max(b)] = a.min(b);
        }
        keys.push(question);
    }
    if rows.len() <= MOST {
        for (first, other) in nearly_the_same(rows) {
            let (a, b) = (root(&mut parent, first), root(&mut parent, other));
            parent[a.max(b)] = a.min(b);
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut of_root: HashMap<usize, usize> = HashMap::new();
    for (at, key) in keys.iter().enumerate() {
        let root = root(&mut parent, at);
        let group = *of_root.entry(root).or_insert_with(|| {
            groups.push(Group { key: key.clone(), rows: Vec::new() });
            groups.len() - 1
        });
        groups[group].rows.push(at);
    }
    groups
}

fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}
