use serde::Serialize;

use crate::{Message, Role, Row};

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{"messages": [{"role", "content"}]}`
    Openai,
    /// `{"instruction", "input", "output"}`
    Alpaca,
}

/// A row as one line of JSONL, keys in the order that people know.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Line<'a> {
    /// A conversation as chat programs have it.
    Openai {
        /// Its turns.
        messages: &'a [Message],
    },
    /// A task with its result. A system text is the instruction, what the person says then the input.
    Alpaca {
        /// What is to be done.
        instruction: String,
        /// On what.
        input: String,
        /// The result.
        output: String,
    },
    /// A text to read on.
    Text {
        /// It.
        text: &'a str,
    },
}

impl<'a> Line<'a> {
    /// The row in this form; a reading row is its text in any form.
    pub fn of(row: &'a Row, form: Form) -> Self {
        if row.messages.is_empty() {
            return Self::Text { text: &row.text };
        }
        match form {
            Form::Openai => Self::Openai { messages: &row.messages },
            Form::Alpaca => {
                let (system, question, output) =
                    (said(row, Role::System), said(row, Role::User), said(row, Role::Assistant));
                if system.is_empty() {
                    Self::Alpaca { instruction: question, input: String::new(), output }
                } else {
                    Self::Alpaca { instruction: system, input: question, output }
                }
            }
        }
    }

    /// The line with its end.
    pub fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// All that one side says, turns parted by a blank line.
pub(super) fn said(row: &Row, role: Role) -> String {
    let turns = row.messages.iter().filter(|message| message.role == role);
    turns.map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::tests::{reading, row};

    #[test]
    fn a_row_is_written_in_the_form_that_other_programs_know() {
        let row = row(1, "When?", "At nine.");
        assert_eq!(
            Line::of(&row, Form::Openai).written(),
            "{\"messages\":[{\"role\":\"user\",\"content\":\"When?\"},{\"role\":\"assistant\",\"content\":\"At nine.\"}]}\n"
        );
        assert_eq!(
            Line::of(&row, Form::Alpaca).written(),
            "{\"instruction\":\"When?\",\"input\":\"\",\"output\":\"At nine.\"}\n"
        );
        let mut told = row.clone();
        told.messages.insert(0, Message { role: Role::System, content: "Be brief.".into() });
        assert_eq!(
            Line::of(&told, Form::Alpaca).written(),
            "{\"instruction\":\"Be brief.\",\"input\":\"When?\",\"output\":\"At nine.\"}\n"
        );
        assert_eq!(Line::of(&reading(2, "d", "Ferries."), Form::Openai).written(), "{\"text\":\"Ferries.\"}\n");
    }
}
