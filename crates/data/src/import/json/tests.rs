use hone_job::Job;

use super::*;
use crate::import::ReadOptions;

fn parse(text: &str) -> Parsed {
    read(&Input { name: "t.jsonl", bytes: text.as_bytes(), options: &ReadOptions::default(), job: &Job::silent() })
}

fn records(text: &str) -> (Records, Vec<Issue>) {
    let parsed = parse(text);
    let Content::Records(records) = parsed.content else { panic!("{:?}", parsed.issues) };
    (records, parsed.issues)
}

fn turns(text: &str) -> Vec<(Role, String)> {
    let (records, issues) = records(text);
    assert_eq!(issues, []);
    records.records[0].messages.iter().map(|message| (message.role, message.content.clone())).collect()
}

#[test]
fn flat_lines_become_columns() {
    let (records, issues) = records(
        "{\"question\":\"a?\",\"answer\":\"A\"}\n\n{\"answer\":\"B\",\"n\":3,\"question\":\"b?\",\"x\":null}\n",
    );
    let mut columns = records.columns.clone();
    columns.sort();
    assert_eq!(columns, ["answer", "n", "question", "x"]);
    let value = |record: usize, column: &str| records.records[record].value(records.column(column).unwrap());
    assert_eq!((value(0, "answer"), value(1, "question"), value(1, "n"), value(0, "n")), ("A", "b?", "3", ""));
    assert_eq!((records.records[1].line, issues.len()), (3, 0));
}

#[test]
fn conversations_are_understood_in_their_common_layouts() {
    let expected = [(Role::User, "Hi".to_owned()), (Role::Assistant, "Hello".to_owned())];
    for line in [
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]},{"role":"assistant","content":"Hello"}]}"#,
        r#"{"id":"7","conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Hello"}]}"#,
        r#"{"completion":[{"role":"assistant","content":"Hello"}],"prompt":[{"role":"user","content":"Hi"}]}"#,
    ] {
        assert_eq!(turns(line), expected, "{line}");
    }
    let with_system =
        r#"{"system":"Be kind","conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Hello"}]}"#;
    assert_eq!(turns(with_system)[0], (Role::System, "Be kind".to_owned()));
}

#[test]
fn prompt_and_completion_as_texts_stay_columns() {
    let (records, _) = records(r#"{"prompt":"Hi","completion":"Hello"}"#);
    assert_eq!((records.columns.len(), records.records[0].messages.len()), (2, 0));
}

#[test]
fn a_broken_line_is_named_and_the_others_go_in() {
    let (records, issues) = records("{\"text\":\"a\"}\n{\"text\":\"b\"\n[1]\n{\"text\":\"c\"}\n");
    assert_eq!(records.records.iter().map(|record| record.line).collect::<Vec<_>>(), [1, 4]);
    let named: Vec<_> = issues.iter().map(|issue| (issue.code.as_str(), issue.place.as_str())).collect();
    assert_eq!(named, [("broken_line", "line 2"), ("not_a_record", "line 3")]);
}

#[test]
fn a_conversation_with_a_strange_role_or_no_answer_is_named() {
    let text = r#"{"messages":[{"role":"user","content":"Hi"}]}
{"messages":[{"role":"wizard","content":"Hi"},{"role":"assistant","content":"Hello"}]}
{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]}"#;
    let (records, issues) = records(text);
    assert_eq!(records.records.len(), 1);
    assert_eq!((issues[0].code.as_str(), issues[0].place.as_str()), ("no_answer", "line 1"));
    assert_eq!((issues[1].code.as_str(), issues[1].place.as_str()), ("unknown_role", "line 2"));
}

#[test]
fn an_array_of_records_is_read_with_their_lines() {
    let (records, issues) = records("[\n  {\"text\": \"a\"},\n  {\n   \"text\": \"b\"\n  },\n  {\"text\": \"c\"}\n]\n");
    assert_eq!(records.records.iter().map(|record| record.line).collect::<Vec<_>>(), [2, 3, 6]);
    assert_eq!(issues, []);
}

#[test]
fn an_array_that_was_cut_off_gives_what_stands_before_the_cut() {
    let (records, issues) = records("[{\"text\":\"a\"},\n{\"text\":\"b\"},\n{\"te");
    assert_eq!(records.records.len(), 2);
    assert_eq!((issues[0].code.as_str(), issues[0].place.as_str()), ("broken_list", "line 3"));
    assert_eq!(parse("[{\"text\":\"a\"}").issues[0].code, "broken_list");
}

#[test]
fn a_list_wrapped_in_an_object_is_found() {
    let (records, _) = records(
        "{\"version\": 1,\n \"data\": [{\"question\": \"a?\", \"answer\": \"A\"}, {\"question\": \"b?\", \"answer\": \"B\"}]}",
    );
    assert_eq!((records.columns.len(), records.records.len()), (2, 2));
}

#[test]
fn nothing_but_broken_lines_is_an_unreadable_file() {
    let parsed = parse("nonsense\nmore\n");
    assert_eq!((parsed.content, parsed.issues[0].code.as_str()), (Content::Nothing, "no_records"));
}

#[test]
fn values_nested_ten_thousand_deep_are_a_broken_line() {
    let deep = "[".repeat(10_000);
    let (records, issues) = records(&format!("{{\"text\":\"a\"}}\n{{\"x\":{deep}\n"));
    assert_eq!((records.records.len(), issues[0].place.as_str()), (1, "line 2"));
}
