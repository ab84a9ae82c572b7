use crate::clean::texts::drop_verdict;
use crate::clean::{LongAction, Made, Rule, TooLongOptions, Verdict, row_text};
use crate::passages::sentences;
use crate::{Message, Role, Row};

/// What stands between the parts of a row that was split, where they are shown.
const BETWEEN: &str = "\n\n✂\n\n";

/// Hits of the rule `too_short`: rows of fewer than `min` tokens, and conversations with an empty turn.
pub fn too_short(rows: &[Row], min: u32, count: &dyn Fn(&str) -> usize) -> Vec<Verdict> {
    let empty = |row: &Row| row.messages.iter().any(|message| message.content.trim().is_empty());
    let short = |row: &&Row| empty(row) || count(&row_text(row)) < min as usize;
    rows.iter().filter(short).map(|row| drop_verdict(row, Rule::TooShort, None)).collect()
}

/// Hits of the rule `too_long`: rows of more than so many tokens, as `measure` tells, and the rows that take their
/// place. The verdict's `after` holds the texts of these.
pub fn too_long(rows: &[Row], options: &TooLongOptions, measure: &dyn Fn(&Row) -> usize) -> (Vec<Verdict>, Vec<Made>) {
    let max = options.max_tokens as usize;
    let (mut verdicts, mut made) = (Vec::new(), Vec::new());
    for row in rows.iter().filter(|row| measure(row) > max) {
        let fits = |row: &Row| measure(row) <= max;
        let parts = match options.action {
            LongAction::Drop => Vec::new(),
            LongAction::Truncate => truncated(row, &fits).into_iter().collect(),
            LongAction::Split => split(row, &fits),
        };
        let after = parts.iter().map(row_text).collect::<Vec<_>>().join(BETWEEN);
        verdicts.push(Verdict { after, ..drop_verdict(row, Rule::TooLong, None) });
        made.extend(parts.into_iter().map(|part| Made { parent: row.id, row: Row { id: 0, ..part } }));
    }
    (verdicts, made)
}

/// The row with a text in the place of what is cut.
type Written<'a> = Box<dyn Fn(&str) -> Row + 'a>;

/// The row as far as it fits: whole sentences of its text or of its last answer. `None` when not even one fits.
fn truncated(row: &Row, fits: &dyn Fn(&Row) -> bool) -> Option<Row> {
    let last = row.messages.iter().rposition(|message| message.role == Role::Assistant);
    let (whole, with): (&str, Written) = match last {
        Some(last) => (
            &row.messages[last].content,
            Box::new(move |text| {
                let mut messages = row.messages[..=last].to_vec();
                text.trim_end().clone_into(&mut messages[last].content);
                Row { messages, ..row.clone() }
            }),
        ),
        None if row.messages.is_empty() => {
            (&row.text, Box::new(|text| Row { text: text.trim_end().to_owned(), ..row.clone() }))
        }
        None => return None,
    };
    let count = longest(&sentences(whole), &|text| fits(&with(text)))?;
    (count > 0).then(|| with(&whole[..count]))
}

/// Rows that together say what the row says, as far as its pieces fit.
fn split(row: &Row, fits: &dyn Fn(&Row) -> bool) -> Vec<Row> {
    if row.messages.is_empty() { split_text(row, fits) } else { split_conversation(row, fits) }
}

fn split_text(row: &Row, fits: &dyn Fn(&Row) -> bool) -> Vec<Row> {
    let with = |text: &str| Row { text: text.trim().to_owned(), ..row.clone() };
    let mut parts = Vec::new();
    let mut rest: &str = &row.text;
    while !rest.trim().is_empty() {
        let fitting = longest(&sentences(rest), &|text| fits(&with(text))).filter(|count| *count > 0);
        // A sentence that does not fit is cut at a blank, else anywhere.
        let end = fitting.or_else(|| longest(&words(rest), &|text| fits(&with(text))).filter(|count| *count > 0));
        let Some(end) = end else { break };
        parts.push(with(&rest[..end]));
        rest = &rest[end..];
    }
    parts
}

fn split_conversation(row: &Row, fits: &dyn Fn(&Row) -> bool) -> Vec<Row> {
    let system: Vec<Message> =
        row.messages.iter().take_while(|message| message.role == Role::System).cloned().collect();
    let with = |messages: &[Message]| Row { messages: [&system[..], messages].concat(), ..row.clone() };
    // An exchange is everything up to and with an answer.
    let exchanges: Vec<&[Message]> =
        row.messages[system.len()..].split_inclusive(|message| message.role == Role::Assistant).collect();
    let mut parts: Vec<Row> = Vec::new();
    let mut held: Vec<Message> = Vec::new();
    for exchange in
        exchanges.into_iter().filter(|exchange| exchange.last().is_some_and(|last| last.role == Role::Assistant))
    {
        let more = [&held[..], exchange].concat();
        if fits(&with(&more)) {
            held = more;
            continue;
        }
        if !held.is_empty() {
            parts.push(with(&held));
        }
        let alone = with(exchange);
        if fits(&alone) {
            held = exchange.to_vec();
        } else {
            held = Vec::new();
            parts.extend(truncated(&alone, fits));
        }
    }
    if !held.is_empty() {
        parts.push(with(&held));
    }
    parts
}

/// The bytes of the most leading pieces that fit together: halving, since more pieces are never shorter.
fn longest(pieces: &[&str], fits: &dyn Fn(&str) -> bool) -> Option<usize> {
    let whole: String = pieces.concat();
    let mut ends = vec![0];
    for piece in pieces {
        ends.push(ends.last()? + piece.len());
    }
    let (mut low, mut high) = (0, pieces.len());
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(&whole[..ends[middle]]) { low = middle } else { high = middle - 1 }
    }
    Some(ends[low])
}

/// Words with the blanks behind them; a long run without blanks is cut into its characters.
fn words(text: &str) -> Vec<&str> {
    let sentence = sentences(text).first().copied().unwrap_or_default();
    let words: Vec<&str> = sentence.split_inclusive(char::is_whitespace).collect();
    if words.len() > 1 && words[0].len() < 200 { words } else { sentence.split_inclusive(|_: char| true).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::tests::{reading, row};

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn of_row(row: &Row) -> usize {
        words(&row_text(row))
    }

    fn parts(row: Row, max_tokens: u32, action: LongAction) -> Vec<String> {
        let (verdicts, made) = too_long(&[row], &TooLongOptions { max_tokens, action }, &of_row);
        assert_eq!(verdicts.len(), 1);
        let texts: Vec<String> = made.iter().map(|made| row_text(&made.row)).collect();
        assert_eq!(verdicts[0].after, texts.join(BETWEEN));
        texts
    }

    #[test]
    fn bounds_themselves_are_neither_too_short_nor_too_long() {
        let rows = [row(1, "a b", "c"), row(2, "a b", "c d"), row(3, "a b", "c d e")];
        let numbers = |hits: Vec<Verdict>| hits.iter().map(|hit| hit.row).collect::<Vec<_>>();
        assert_eq!(numbers(too_short(&rows, 4, &words)), [1]);
        let options = TooLongOptions { max_tokens: 4, ..TooLongOptions::default() };
        assert_eq!(numbers(too_long(&rows, &options, &of_row).0), [3]);
    }

    #[test]
    fn a_conversation_with_an_empty_turn_is_too_short_however_long_the_other() {
        assert_eq!(too_short(&[row(1, "a b c d e f", " ")], 4, &words).len(), 1);
    }

    #[test]
    fn a_long_row_is_left_out_or_cut_at_its_last_sentence_that_fits() {
        let long = || row(1, "Why so?", "One two. Three four. Five six.");
        assert_eq!(parts(long(), 7, LongAction::Drop), [""; 0]);
        assert_eq!(parts(long(), 7, LongAction::Truncate), ["Why so?\n\nOne two. Three four."]);
        assert_eq!(parts(long(), 3, LongAction::Truncate), [""; 0], "not even one sentence fits");
        assert_eq!(parts(reading(1, "d", "One two. Three four."), 3, LongAction::Truncate), ["One two."]);
    }

    #[test]
    fn a_text_is_parted_between_sentences_and_nothing_of_it_is_lost() {
        let text = "One two three. Four five. Six seven eight nine ten eleven. End";
        let made = parts(reading(1, "d", text), 5, LongAction::Split);
        assert_eq!(made, ["One two three. Four five.", "Six seven eight nine ten", "eleven. End"]);
        assert_eq!(made.join(" "), text);
    }

    #[test]
    fn a_conversation_is_parted_between_exchanges_and_keeps_its_instructions() {
        let message = |role, content: &str| Message { role, content: content.into() };
        let messages = vec![
            message(Role::System, "Sys."),
            message(Role::User, "A?"),
            message(Role::Assistant, "One two."),
            message(Role::User, "B?"),
            message(Role::Assistant, "Three."),
            message(Role::User, "C?"),
            message(Role::Assistant, "Four five six. Seven eight nine ten."),
        ];
        let long = Row { messages, ..row(1, "", "") };
        assert_eq!(
            parts(long, 5, LongAction::Split),
            ["Sys.\n\nA?\n\nOne two.", "Sys.\n\nB?\n\nThree.", "Sys.\n\nC?\n\nFour five six."]
        );
    }
}
