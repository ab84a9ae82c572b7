mod fields;

use std::collections::HashMap;

use serde_json::{Map, Value};

use self::fields::{Field, Fields};
use crate::import::{Input, Parsed, decode};
use crate::issue::IssueList;
use crate::{Content, Issue, Message, Record, Records, Role};

const MAX_COLUMNS: usize = 1000;
const MEND: &str = "Mend it and import the file again; the other records went in";

/// Reads JSON Lines, a JSON array of records, or an object that holds one. Flat records become columns; `messages`,
/// `conversations` and message lists under `prompt` and `completion` become conversations.
pub(super) fn read(input: &Input) -> Parsed {
    let mut found = Vec::new();
    let text = match decode::decode(input, &mut found) {
        Ok(text) => text,
        Err(issue) => return Parsed::nothing(issue),
    };
    let mut reader = Reader {
        file: input.name,
        issues: IssueList::default(),
        records: Records::default(),
        positions: HashMap::new(),
    };
    reader.issues.extend(found);
    let start = text.trim_start();
    if start.starts_with('[') && !is_lines_of_arrays(start) {
        reader.array(&text, text.len() - start.len() + 1);
    } else if let Some(records) = wrapped(start) {
        for (at, record) in records.into_iter().enumerate() {
            reader.record(at as u32 + 1, "record", record);
        }
    } else {
        reader.lines(&text, 0);
    }
    reader.finish()
}

/// Records that another format holds, understood as those of JSON are.
pub(super) fn records(file: &str, records: Vec<Value>) -> Parsed {
    let mut reader =
        Reader { file, issues: IssueList::default(), records: Records::default(), positions: HashMap::new() };
    for (at, record) in records.into_iter().enumerate() {
        reader.record(at as u32 + 1, "row", record);
    }
    reader.finish()
}

/// `[1, 2]` on each line, rather than one array over many lines.
fn is_lines_of_arrays(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let whole = |line: Option<&str>| line.is_some_and(|line| serde_json::from_str::<Vec<Value>>(line).is_ok());
    whole(lines.next()) && whole(lines.next())
}

/// The records of one object over the whole file: the longest list of objects in it, or itself.
fn wrapped(text: &str) -> Option<Vec<Value>> {
    let Value::Object(mut object) = serde_json::from_str(text).ok()? else { return None };
    let list = |value: &Value| value.as_array().filter(|list| list.iter().all(Value::is_object)).map_or(0, Vec::len);
    let longest = object.iter().filter(|(key, _)| turns_key(key).is_none()).max_by_key(|(_, value)| list(value));
    let key = longest.filter(|(_, value)| list(value) > 0).map(|(key, _)| key.clone());
    match key.and_then(|key| object.remove(&key)) {
        Some(Value::Array(records)) => Some(records),
        _ => Some(vec![Value::Object(object)]),
    }
}

/// Whether the beginning of a file looks like JSON Lines: a whole record on its first line.
pub(super) fn is_lines(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let first = text.trim_start_matches('\u{FEFF}').lines().find(|line| !line.trim().is_empty());
    first.is_some_and(|line| serde_json::from_str::<Map<String, Value>>(line).is_ok())
}

/// JSON Lines that come in portions.
pub(super) struct Lines {
    name: String,
    issues: IssueList,
    records: Records,
    positions: HashMap<String, usize>,
    /// Lines of the portions so far.
    before: u32,
    found: bool,
}

impl Lines {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            issues: IssueList::default(),
            records: Records::default(),
            positions: HashMap::new(),
            before: 0,
            found: false,
        }
    }

    /// The records of the next whole lines.
    pub(super) fn take(&mut self, text: &str) -> Vec<Record> {
        let text = if self.before == 0 { text.trim_start_matches('\u{FEFF}') } else { text };
        let mut reader = Reader {
            file: &self.name,
            issues: std::mem::take(&mut self.issues),
            records: std::mem::take(&mut self.records),
            positions: std::mem::take(&mut self.positions),
        };
        reader.lines(text, self.before);
        self.before += newlines(text);
        let records = std::mem::take(&mut reader.records.records);
        (self.issues, self.records, self.positions) = (reader.issues, reader.records, reader.positions);
        self.found |= !records.is_empty();
        records
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.records.columns
    }

    pub(super) fn finish(self) -> Vec<Issue> {
        let mut issues = self.issues.into_issues();
        if !self.found {
            issues.insert(0, no_records(&self.name));
        }
        issues
    }
}

struct Reader<'a> {
    file: &'a str,
    issues: IssueList,
    records: Records,
    positions: HashMap<String, usize>,
}

impl Reader<'_> {
    fn lines(&mut self, text: &str, before: u32) {
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let number = before + at as u32 + 1;
            if let Ok(fields) = serde_json::from_str(line) {
                self.object(number, "line", fields);
                continue;
            }
            match serde_json::from_str(line) {
                Ok(value) => self.record(number, "line", value),
                Err(error) => self.issues.push(Issue::partial(
                    "broken_line",
                    self.file,
                    &format!("line {number}"),
                    format!("This line is not valid JSON: {}", plain(&error)),
                    MEND,
                )),
            }
        }
    }

    /// The records of an array whose first one may begin at byte `at`, one by one, so that a break costs only the rest.
    fn array(&mut self, text: &str, mut at: usize) {
        let mut line = 1 + newlines(&text[..at]);
        let mut closed = false;
        loop {
            let rest = &text[at..];
            let next = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            line += newlines(&rest[..rest.len() - next.len()]);
            at = text.len() - next.len();
            if next.is_empty() || next.starts_with(']') {
                closed = closed || !next.is_empty();
                break;
            }
            let mut values = serde_json::Deserializer::from_str(next).into_iter::<Value>();
            match values.next() {
                Some(Ok(value)) => {
                    let length = values.byte_offset();
                    self.record(line, "line", value);
                    line += newlines(&next[..length]);
                    at += length;
                }
                Some(Err(error)) => {
                    let place = format!("line {}", line + (error.line() as u32).saturating_sub(1));
                    let message = format!("The list is broken here: {}; what follows was left out", plain(&error));
                    self.issues.push(Issue::partial("broken_list", self.file, &place, message, MEND));
                    return;
                }
                None => break,
            }
        }
        if !closed {
            let message = "The list has no end, so the file may have been cut off";
            self.issues.push(Issue::partial("broken_list", self.file, &format!("line {line}"), message, MEND));
        }
    }

    fn record(&mut self, number: u32, unit: &str, value: Value) {
        match value {
            Value::Object(object) => self.object(number, unit, object.into()),
            Value::String(text) if !text.trim().is_empty() => {
                let mut record = Record { line: number, ..Record::default() };
                self.set(&mut record, "text", text);
                self.records.records.push(record);
            }
            _ => self.issues.push(Issue::partial(
                "not_a_record",
                self.file,
                &format!("{unit} {number}"),
                "This is not a record with named values",
                "Write each record as an object, such as {\"question\": …, \"answer\": …}",
            )),
        }
    }

    fn object(&mut self, number: u32, unit: &str, fields: Fields) {
        let mut record = Record { line: number, ..Record::default() };
        let mut turns = Vec::new();
        for (key, field) in fields.0 {
            match field {
                Field::Text(text) => self.set(&mut record, &key, text.into_owned()),
                Field::Other(value) => match turns_key(&key).and_then(|rank| Some((rank, messages(&value)?))) {
                    Some((rank, messages)) => turns.push((rank, key, messages)),
                    None => self.set(&mut record, &key, flat(value)),
                },
            }
        }
        turns.sort_by_key(|(rank, ..)| *rank);
        for (_, key, messages) in turns {
            match messages {
                Ok(messages) => record.messages.extend(messages),
                Err(role) => {
                    let message = format!(
                        "`{key}` has a turn by `{role}`, which is none of system, user and assistant, so it was left out"
                    );
                    self.issues.push(Issue::partial(
                        "unknown_role",
                        self.file,
                        &format!("{unit} {number}"),
                        message,
                        "Use the roles `system`, `user` and `assistant`",
                    ));
                    return;
                }
            }
        }
        if !record.messages.is_empty() {
            if !record.messages.iter().any(|m| m.role == Role::Assistant && !m.content.trim().is_empty()) {
                let message = "This conversation has no answer of the assistant, so it was left out";
                self.issues.push(Issue::partial(
                    "no_answer",
                    self.file,
                    &format!("{unit} {number}"),
                    message,
                    "Add the answer that the model should give",
                ));
                return;
            }
            let system = self.records.column("system").map_or("", |column| record.value(column)).trim().to_owned();
            if !system.is_empty() && record.messages[0].role != Role::System {
                record.messages.insert(0, Message { role: Role::System, content: system });
            }
        }
        self.records.records.push(record);
    }

    fn set(&mut self, record: &mut Record, column: &str, value: String) {
        let count = self.positions.len();
        let at = match self.positions.get(column) {
            Some(at) => *at,
            None if count >= MAX_COLUMNS => {
                let message =
                    format!("The records have more than {MAX_COLUMNS} different names; further ones were left out");
                self.issues.push(Issue::partial(
                    "too_many_columns",
                    self.file,
                    "",
                    message,
                    "Keep the names that hold questions and answers",
                ));
                return;
            }
            None => {
                self.positions.insert(column.to_owned(), count);
                self.records.columns.push(column.to_owned());
                count
            }
        };
        if record.values.len() <= at {
            record.values.resize(at + 1, String::new());
        }
        record.values[at] = value;
    }

    fn finish(self) -> Parsed {
        let mut issues = self.issues.into_issues();
        if self.records.records.is_empty() {
            issues.insert(0, no_records(self.file));
            return Parsed { content: Content::Nothing, pages: None, issues };
        }
        Parsed { content: Content::Records(self.records), pages: None, issues }
    }
}

fn no_records(file: &str) -> Issue {
    Issue::unreadable(
        "no_records",
        file,
        "Not one record could be read",
        "Write one JSON object a line, such as {\"question\": …, \"answer\": …}",
    )
}

/// The place of a list of turns in the conversation, for the names under which they stand.
fn turns_key(key: &str) -> Option<u8> {
    match key {
        "messages" | "conversations" | "conversation" | "turns" | "dialogue" => Some(0),
        "prompt" => Some(1),
        "completion" | "response" => Some(2),
        _ => None,
    }
}

/// The turns of a list; `None` where the value is no list of turns, an error where a role is unknown.
fn messages(value: &Value) -> Option<Result<Vec<Message>, String>> {
    let turns = value.as_array().filter(|turns| !turns.is_empty())?;
    let mut messages = Vec::with_capacity(turns.len());
    for turn in turns {
        let text = |keys: [&str; 3]| keys.iter().find_map(|key| turn.get(key));
        let role = text(["role", "from", "speaker"])?.as_str()?;
        let content = words(text(["content", "value", "text"])?);
        let role = match role.to_lowercase().as_str() {
            "system" | "developer" => Role::System,
            "user" | "human" | "prompter" => Role::User,
            "assistant" | "gpt" | "bot" | "model" | "chatgpt" => Role::Assistant,
            _ => return Some(Err(role.to_owned())),
        };
        messages.push(Message { role, content });
    }
    Some(Ok(messages))
}

/// What a turn says: a text, or a list of parts with texts.
fn words(content: &Value) -> String {
    match content {
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part.get("text").and_then(Value::as_str).or(part.as_str()))
            .collect::<Vec<_>>()
            .join("\n"),
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn flat(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        Value::Array(list) if list.len() == 1 && list[0].is_string() => list[0].as_str().unwrap_or_default().to_owned(),
        other => other.to_string(),
    }
}

/// The reader's complaint without its line: that is the issue's place.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let cut = text.rfind(" at line ").unwrap_or(text.len());
    format!("{} (column {})", &text[..cut], error.column())
}

fn newlines(text: &str) -> u32 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u32
}

#[cfg(test)]
mod tests;
