use std::borrow::Cow;

use crate::dataset::lines::said;
use crate::{Role, Row};

/// Columns of the table.
const COLUMNS: [&str; 9] = ["row", "part", "label", "document", "system", "question", "answer", "text", "messages"];

/// The rows as CSV. `document` tells the name of a document's hash. Conversations of several exchanges stand whole, as
/// JSON, in `messages`. A cell that a spreadsheet would take for a formula gets an apostrophe before it.
pub fn csv(rows: &[&Row], document: &dyn Fn(&str) -> String) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |cells: [String; 9]| writer.write_record(cells.map(|cell| defused(&cell).into_owned()));
    let _ = write(COLUMNS.map(str::to_owned));
    for row in rows {
        let answers = row.messages.iter().filter(|message| message.role == Role::Assistant).count();
        let whole = if answers > 1 { serde_json::to_string(&row.messages).unwrap_or_default() } else { String::new() };
        // Writing to memory cannot fail, and every record has the same length.
        let _ = write([
            row.id.to_string(),
            row.split
                .and_then(|split| Some(serde_json::to_value(split).ok()?.as_str()?.to_owned()))
                .unwrap_or_default(),
            row.label.clone().unwrap_or_default(),
            row.document.as_deref().map(document).unwrap_or_default(),
            said(row, Role::System),
            said(row, Role::User),
            said(row, Role::Assistant),
            row.text.clone(),
            whole,
        ]);
    }
    writer.into_inner().unwrap_or_default()
}

/// A cell that begins with `=`, `+`, `-`, `@`, a tab or a line end is read as a formula by spreadsheets.
fn defused(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) {
        format!("'{cell}").into()
    } else {
        cell.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Split;
    use crate::clean::tests::{reading, row};

    #[test]
    fn rows_become_lines_of_a_table_that_no_spreadsheet_takes_for_formulas() {
        let rows = [
            Row {
                split: Some(Split::Exam),
                label: Some("@x".into()),
                ..row(1, "=HYPERLINK(\"http://x\")", "Say \"nine\",\nor so")
            },
            reading(2, "a1", "-5 °C is cold"),
        ];
        let text = String::from_utf8(csv(&rows.each_ref(), &|hash| format!("{hash}.pdf"))).unwrap();
        assert_eq!(
            text,
            "row,part,label,document,system,question,answer,text,messages\n\
             1,exam,'@x,,,\"'=HYPERLINK(\"\"http://x\"\")\",\"Say \"\"nine\"\",\nor so\",,\n\
             2,,,a1.pdf,,,,'-5 °C is cold,\n"
        );
    }

    #[test]
    fn a_conversation_of_several_exchanges_stands_whole() {
        let mut long = row(1, "A?", "B.");
        long.messages.extend(row(1, "C?", "D.").messages);
        let text = String::from_utf8(csv(&[&long], &|_| String::new())).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        let messages: Vec<crate::Message> = serde_json::from_str(&record[8]).unwrap();
        assert_eq!(messages.len(), 4);
    }
}
