use std::collections::BTreeMap;

use crate::issue::IssueList;
use crate::mapping::Mapping;
use crate::{Issue, Message, Origin, Record, Records, Role, Row, RowStatus, Split};

/// What a mapping made of records.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The rows, in file order, approved: they are the user's own.
    pub rows: Vec<Row>,
    /// Records that gave no row, and columns that are not there.
    pub issues: Vec<Issue>,
}

/// Makes rows of records. A record that carries its own conversation needs no mapping; of the others, one without a
/// question or without an answer is left out and named by line and column. `document` is the document's hash, `file`
/// its name for the issues.
pub fn apply(records: &Records, mapping: &Mapping, document: &str, file: &str) -> Applied {
    let mut mapper = Mapper::new(mapping, document, file);
    let mut rows = Vec::with_capacity(records.records.len());
    mapper.take(&records.columns, &records.records, |row| rows.push(row));
    Applied { rows, issues: mapper.finish(&records.columns) }
}

/// [`apply`] for records that come in portions.
pub struct Mapper<'a> {
    mapping: &'a Mapping,
    document: &'a str,
    file: &'a str,
    issues: IssueList,
    /// Whether a record came that has no conversation of its own.
    needs_mapping: bool,
}

impl<'a> Mapper<'a> {
    /// `document` is the document's hash, `file` its name for the issues.
    pub fn new(mapping: &'a Mapping, document: &'a str, file: &'a str) -> Self {
        Self { mapping, document, file, issues: IssueList::default(), needs_mapping: false }
    }

    /// Makes rows of the next records. `columns` may have grown since the last portion.
    pub fn take(&mut self, columns: &[String], records: &[Record], mut give: impl FnMut(Row)) {
        let columns = Columns::of(columns, self.mapping);
        for record in records {
            self.needs_mapping |= record.messages.is_empty();
            match columns.row(record, self.document, self.file, &mut self.issues) {
                Ok(row) => give(row),
                Err(Some(issue)) => self.issues.push(issue),
                Err(None) => {}
            }
        }
    }

    /// Records that gave no row, and columns that are not there.
    pub fn finish(self, columns: &[String]) -> Vec<Issue> {
        let mut issues = Vec::new();
        for (part, column) in self.mapping.named() {
            if !columns.iter().any(|name| name == column) {
                issues.push(Issue::partial(
                    "missing_column",
                    self.file,
                    &format!("column {column}"),
                    format!("The mapping takes `{part}` from column `{column}`, which this file does not have"),
                    &format!("Choose one of its columns: {}", listed(columns)),
                ));
            }
        }
        if self.needs_mapping && !self.mapping.is_complete() {
            issues.push(Issue::partial(
                "no_mapping",
                self.file,
                "",
                "No column was recognised as question and answer, or as text",
                &format!("Say which column is which; this file has: {}", listed(columns)),
            ));
        }
        issues.extend(self.issues.into_issues());
        issues
    }
}

fn listed(columns: &[String]) -> String {
    const SHOWN: usize = 12;
    let names: Vec<_> = columns.iter().take(SHOWN).map(|column| format!("`{column}`")).collect();
    let more = columns.len().saturating_sub(SHOWN);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

struct Columns<'a> {
    mapping: &'a Mapping,
    question: Option<usize>,
    answer: Option<usize>,
    context: Option<usize>,
    system: Option<usize>,
    text: Option<usize>,
    label: Option<usize>,
    split: Option<usize>,
    metadata: Vec<(usize, &'a str)>,
}

impl<'a> Columns<'a> {
    fn of(columns: &[String], mapping: &'a Mapping) -> Self {
        let place = |column: &str| columns.iter().position(|name| name == column);
        let find = |column: &Option<String>| column.as_deref().and_then(place);
        Self {
            mapping,
            question: find(&mapping.question),
            answer: find(&mapping.answer),
            context: find(&mapping.context),
            system: find(&mapping.system),
            text: find(&mapping.text),
            label: find(&mapping.label),
            split: find(&mapping.split),
            metadata: mapping.metadata.iter().filter_map(|column| Some((place(column)?, column.as_str()))).collect(),
        }
    }

    /// `Err(None)`: nothing to say beyond what was said for the whole file.
    fn row(&self, record: &Record, document: &str, file: &str, issues: &mut IssueList) -> Result<Row, Option<Issue>> {
        let value = |column: Option<usize>| column.map_or("", |column| record.value(column).trim());
        let label = value(self.label);
        let mut row = Row {
            id: 0,
            messages: Vec::new(),
            text: String::new(),
            label: (!label.is_empty()).then(|| label.to_owned()),
            origin: Origin::Mapped,
            document: Some(document.to_owned()),
            passage: None,
            line: Some(record.line),
            status: RowStatus::Approved,
            split: self.split(record, value(self.split), file, issues),
            metadata: self.metadata(record),
        };
        if !record.messages.is_empty() {
            row.messages.clone_from(&record.messages);
        } else if let Some(question) = self.question {
            let asked = record.value(question).trim();
            let answered = if self.answer.is_some() { value(self.answer) } else { label };
            if asked.is_empty() {
                return Err(Some(empty(record, self.mapping.question.as_deref(), file)));
            }
            if answered.is_empty() {
                if self.answer.is_none() && self.label.is_none() {
                    return Err(None);
                }
                return Err(Some(empty(
                    record,
                    self.mapping.answer.as_deref().or(self.mapping.label.as_deref()),
                    file,
                )));
            }
            let message = |role, content: String| Message { role, content };
            let system = value(self.system);
            if !system.is_empty() {
                row.messages.push(message(Role::System, system.to_owned()));
            }
            let context = value(self.context);
            let prompt = if context.is_empty() { asked.to_owned() } else { format!("{asked}\n\n{context}") };
            row.messages.push(message(Role::User, prompt));
            row.messages.push(message(Role::Assistant, answered.to_owned()));
        } else if self.text.is_some() {
            value(self.text).clone_into(&mut row.text);
            if row.text.is_empty() {
                return Err(Some(empty(record, self.mapping.text.as_deref(), file)));
            }
        } else {
            return Err(None);
        }
        Ok(row)
    }

    fn metadata(&self, record: &Record) -> BTreeMap<String, String> {
        let kept = self.metadata.iter().map(|(column, name)| (*name, record.value(*column).trim()));
        kept.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn split(&self, record: &Record, given: &str, file: &str, issues: &mut IssueList) -> Option<Split> {
        let split = split_named(given);
        if split.is_none() && !given.is_empty() {
            let column = self.mapping.split.as_deref().unwrap_or_default();
            issues.push(Issue::remark(
                "unknown_split",
                file,
                &format!("line {}, column {column}", record.line),
                format!("`{}` is not a part of the data, so Hone chooses the part of this row", shortened(given)),
                "Use `train`, `valid` or `exam`, or take the split from no column",
            ));
        }
        split
    }
}

fn shortened(value: &str) -> String {
    let mut short: String = value.chars().take(40).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    short
}

fn empty(record: &Record, column: Option<&str>, file: &str) -> Issue {
    let column = column.unwrap_or_default();
    Issue::partial(
        "empty_value",
        file,
        &format!("line {}, column {column}", record.line),
        format!("`{column}` is empty, so this row was left out"),
        "Fill it in and import the file again, or choose another column",
    )
}

/// The part that a value of a split column names, in English or Chinese.
pub(super) fn split_named(value: &str) -> Option<Split> {
    match value.trim().to_lowercase().as_str() {
        "train" | "training" | "trn" | "训练" | "训练集" | "訓練" => Some(Split::Train),
        "valid" | "validation" | "val" | "dev" | "development" | "验证" | "验证集" | "开发集" | "驗證" => {
            Some(Split::Valid)
        }
        "exam" | "test" | "testing" | "eval" | "evaluation" | "holdout" | "held-out" | "测试" | "测试集" | "考试"
        | "评测" | "評測" | "測試" => Some(Split::Exam),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IssueKind;

    fn records(columns: &[&str], rows: &[&[&str]]) -> Records {
        Records {
            columns: columns.iter().map(ToString::to_string).collect(),
            records: rows
                .iter()
                .enumerate()
                .map(|(at, values)| Record {
                    line: at as u32 + 2,
                    values: values.iter().map(ToString::to_string).collect(),
                    messages: Vec::new(),
                })
                .collect(),
        }
    }

    fn mapping(parts: &[(&str, &str)]) -> Mapping {
        let object: serde_json::Map<_, _> =
            parts.iter().map(|(part, column)| ((*part).to_owned(), serde_json::json!(column))).collect();
        serde_json::from_value(object.into()).unwrap()
    }

    #[test]
    fn question_context_and_answer_become_a_conversation_with_its_line() {
        let records =
            records(&["q", "a", "c", "part"], &[&["Who?", "Me", "", "train"], &["Where?", "There", "A map", "test"]]);
        let mapping = mapping(&[("question", "q"), ("answer", "a"), ("context", "c"), ("split", "part")]);
        let applied = apply(&records, &mapping, "hash", "f.csv");
        assert!(applied.issues.is_empty());
        assert_eq!(applied.rows[0].messages[0], Message { role: Role::User, content: "Who?".into() });
        assert_eq!(applied.rows[0].messages[1], Message { role: Role::Assistant, content: "Me".into() });
        assert_eq!(applied.rows[1].messages[0].content, "Where?\n\nA map");
        assert_eq!((applied.rows[1].line, applied.rows[1].split), (Some(3), Some(Split::Exam)));
        assert_eq!((applied.rows[0].origin, applied.rows[0].document.as_deref()), (Origin::Mapped, Some("hash")));
    }

    #[test]
    fn a_label_without_an_answer_column_is_the_answer() {
        let records = records(&["text", "label"], &[&["Great!", "positive"]]);
        let applied = apply(&records, &mapping(&[("question", "text"), ("label", "label")]), "h", "f.csv");
        assert_eq!(applied.rows[0].messages[1].content, "positive");
        assert_eq!(applied.rows[0].label.as_deref(), Some("positive"));
    }

    #[test]
    fn a_record_without_an_answer_is_named_by_line_and_column_and_the_others_go_in() {
        let records = records(&["q", "answer"], &[&["a?", "A"], &["b?", " "], &["c?"], &["d?", "D"]]);
        let applied = apply(&records, &mapping(&[("question", "q"), ("answer", "answer")]), "h", "f.csv");
        assert_eq!(applied.rows.len(), 2);
        assert_eq!(applied.issues[0].place, "line 3, column answer");
        assert_eq!(applied.issues[1].place, "line 4, column answer");
        assert!(applied.issues.iter().all(|issue| issue.kind == IssueKind::Partial));
    }

    #[test]
    fn a_column_that_is_not_there_is_named_with_those_that_are() {
        let records = records(&["q", "reply"], &[&["a?", "A"]]);
        let applied = apply(&records, &mapping(&[("question", "q"), ("answer", "response")]), "h", "f.csv");
        assert!(applied.rows.is_empty());
        assert_eq!(applied.issues[0].code, "missing_column");
        assert!(applied.issues[0].message.contains("`response`"));
        assert!(applied.issues[0].hint.contains("`q`, `reply`"));
    }

    #[test]
    fn an_unknown_part_is_a_remark_and_the_row_goes_in() {
        let records = records(&["q", "a", "set"], &[&["a?", "A", "monday"]]);
        let applied = apply(&records, &mapping(&[("question", "q"), ("answer", "a"), ("split", "set")]), "h", "f.csv");
        assert_eq!((applied.rows.len(), applied.rows[0].split), (1, None));
        assert_eq!(
            (applied.issues[0].kind, applied.issues[0].place.as_str()),
            (IssueKind::Remark, "line 2, column set")
        );
    }

    #[test]
    fn columns_that_are_kept_stand_beside_the_row_and_not_in_it() {
        let records = records(&["q", "a", "author", "date"], &[&["Who?", "Me", " Ada ", ""]]);
        let mapping = Mapping {
            metadata: vec!["author".into(), "date".into()],
            ..mapping(&[("question", "q"), ("answer", "a")])
        };
        let row = &apply(&records, &mapping, "h", "f.csv").rows[0];
        assert_eq!(
            row.metadata.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
            ["author=Ada"]
        );
        assert!(row.messages.iter().all(|message| !message.content.contains("Ada")));
    }

    #[test]
    fn conversations_need_no_mapping() {
        let turn = |role, content: &str| Message { role, content: content.into() };
        let messages = vec![turn(Role::User, "Hi"), turn(Role::Assistant, "Hello")];
        let records = Records {
            columns: vec![],
            records: vec![Record { line: 1, messages: messages.clone(), ..Record::default() }],
        };
        let applied = apply(&records, &Mapping::default(), "h", "f.jsonl");
        assert_eq!((applied.rows[0].messages.clone(), applied.issues.len()), (messages, 0));
    }
}
