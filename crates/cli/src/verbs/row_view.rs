//! `hone rows show ID`: a row as the model will see it.

use hone_data::Row;
use hone_train::presets;
use hone_train::sequences::chat_messages;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::context::Context;
use crate::failure::Outcome;
use crate::output::Report;
use crate::verbs::base::{self, Base};

/// What happens with a piece of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum PieceKind {
    /// Put there by the chat template.
    Template,
    /// Read, not learned.
    Read,
    /// Learned.
    Learned,
    /// Beyond the longest row that is trained on.
    Cut,
}

/// A stretch of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Piece {
    /// Its text.
    pub text: String,
    /// What happens with it.
    pub kind: PieceKind,
}

/// A row as the model will see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RowView {
    /// The row, as cleaned and edited.
    pub row: Row,
    /// Its pieces in order; their texts together are what the model sees.
    pub pieces: Vec<Piece>,
    /// Tokens, without those that are cut.
    pub tokens: u64,
    /// Tokens that are learned.
    pub trained_tokens: u64,
    /// Tokens that are cut.
    pub cut_tokens: u64,
}

/// Shows a row.
pub fn run(id: i64, context: &Context) -> Outcome {
    let project = context.project()?;
    let row = project.store()?.row(id)?;
    let base = base::open(&project.file().base)?;
    let longest = presets::preset(presets::DEFAULT)?.max_seq_len as usize;
    let view = view(row, &base, longest)?;
    let words = words(&view);
    Ok(Report::new(&view, words))
}

fn view(row: Row, base: &Base, longest: usize) -> Outcome<RowView> {
    let encoded = if row.messages.is_empty() {
        base.chat.encode_text(&base.tokenizer, &row.text)?
    } else {
        base.chat.encode(&base.tokenizer, &chat_messages(&row))?
    };
    let end = encoded.ids.len().min(longest);
    let texts: Vec<&str> = row.messages.iter().map(|message| message.content.trim()).chain([row.text.trim()]).collect();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut at = 0;
    while at < encoded.ids.len() {
        let trained = encoded.trained[at];
        let cut = at >= end;
        let same = |next: usize| encoded.trained[next] == trained && (next >= end) == cut;
        let stop = (at..encoded.ids.len()).find(|next| !same(*next)).unwrap_or(encoded.ids.len());
        let text = base.tokenizer.decode_with_specials(&encoded.ids[at..stop]);
        match (cut, trained) {
            (true, _) => pieces.push(Piece { text, kind: PieceKind::Cut }),
            (_, true) => pieces.push(Piece { text, kind: PieceKind::Learned }),
            _ => around(&text, &texts, &mut pieces),
        }
        at = stop;
    }
    Ok(RowView {
        pieces,
        tokens: end as u64,
        trained_tokens: encoded.trained[..end].iter().filter(|trained| **trained).count() as u64,
        cut_tokens: (encoded.ids.len() - end) as u64,
        row,
    })
}

/// Parts text that is not learned into what the row says and what the template put around it.
fn around(text: &str, said: &[&str], pieces: &mut Vec<Piece>) {
    let mut push = |text: &str, kind| {
        if !text.is_empty() {
            pieces.push(Piece { text: text.to_owned(), kind });
        }
    };
    let mut rest = text;
    for said in said.iter().filter(|said| !said.is_empty()) {
        if let Some(start) = rest.find(said) {
            push(&rest[..start], PieceKind::Template);
            push(said, PieceKind::Read);
            rest = &rest[start + said.len()..];
        }
    }
    push(rest, PieceKind::Template);
}

fn words(view: &RowView) -> String {
    let mut words = format!(
        "row {}: {} tokens, {} of them learned, {} cut\n\n",
        view.row.id, view.tokens, view.trained_tokens, view.cut_tokens
    );
    for piece in &view.pieces {
        let name = match piece.kind {
            PieceKind::Template => "template",
            PieceKind::Read => "read    ",
            PieceKind::Learned => "learned ",
            PieceKind::Cut => "cut     ",
        };
        for line in piece.text.split_inclusive('\n') {
            words += &format!("{name} | {}\n", line.replace('\n', "⏎"));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_template_adds_is_told_from_what_the_row_says() {
        let mut pieces = Vec::new();
        around(
            "<bos><start_of_turn>user\nWhen?<end_of_turn>\n<start_of_turn>model\n",
            &["When?", "At nine."],
            &mut pieces,
        );
        let kinds: Vec<_> = pieces.iter().map(|piece| (piece.kind, piece.text.as_str())).collect();
        assert_eq!(
            kinds,
            [
                (PieceKind::Template, "<bos><start_of_turn>user\n"),
                (PieceKind::Read, "When?"),
                (PieceKind::Template, "<end_of_turn>\n<start_of_turn>model\n"),
            ]
        );
    }
}
