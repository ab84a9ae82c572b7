use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::{Message, Row};

/// The columns. Turns stand as other programs write lists, so that pyarrow, pandas and Hugging Face's `datasets` read
/// `list<struct<role: string, content: string>>`. All may be empty: a conversation has no text, a text no turns.
const SCHEMA: &str = "message rows {
    optional group messages (LIST) {
        repeated group list {
            optional group element {
                optional binary role (STRING);
                optional binary content (STRING);
            }
        }
    }
    optional binary text (STRING);
    optional int64 row;
    optional binary part (STRING);
    optional binary label (STRING);
    optional binary origin (STRING);
    optional binary document (STRING);
    optional int64 passage;
    optional int64 line;
}";
/// Rows of a row group: what readers hold in memory at once, and skip at once.
const TOGETHER: usize = 10_000;
/// Definition levels: a value in the list's structure is four names deep, no list none.
const TURN: i16 = 4;

/// The rows as a Parquet file: `messages` or `text`, and where the row came from. The columns are the same whatever the
/// rows hold, so that the files of all parts can be read as one. `document` tells the name of a document's hash.
///
/// # Errors
/// What the writer of the format refuses.
pub fn parquet(rows: &[&Row], document: &dyn Fn(&str) -> String) -> std::io::Result<Vec<u8>> {
    file(rows, document).map_err(std::io::Error::other)
}

fn file(rows: &[&Row], document: &dyn Fn(&str) -> String) -> Result<Vec<u8>, ParquetError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    for rows in rows.chunks(TOGETHER) {
        let mut group = writer.next_row_group()?;
        turns(&mut group, rows, |turn| word(&turn.role))?;
        turns(&mut group, rows, |turn| turn.content.as_str().into())?;
        texts(&mut group, rows, |row| row.messages.is_empty().then(|| row.text.as_str().into()))?;
        numbers(&mut group, rows, |row| Some(row.id))?;
        texts(&mut group, rows, |row| row.split.as_ref().map(word))?;
        texts(&mut group, rows, |row| row.label.as_deref().map(ByteArray::from))?;
        texts(&mut group, rows, |row| Some(word(&row.origin)))?;
        texts(&mut group, rows, |row| row.document.as_deref().map(|hash| document(hash).into_bytes().into()))?;
        numbers(&mut group, rows, |row| row.passage.map(i64::from))?;
        numbers(&mut group, rows, |row| row.line.map(i64::from))?;
        group.close()?;
    }
    writer.into_inner()
}

type Group<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

/// A column of the turns' structure.
fn turns(group: &mut Group, rows: &[&Row], value: impl Fn(&Message) -> ByteArray) -> Result<(), ParquetError> {
    let (mut values, mut there, mut repeats) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        if row.messages.is_empty() {
            there.push(0);
            repeats.push(0);
        }
        for (at, turn) in row.messages.iter().enumerate() {
            values.push(value(turn));
            there.push(TURN);
            repeats.push(i16::from(at > 0));
        }
    }
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<ByteArrayType>().write_batch(&values, Some(&there), Some(&repeats))?;
    column.close()
}

fn texts(group: &mut Group, rows: &[&Row], value: impl Fn(&Row) -> Option<ByteArray>) -> Result<(), ParquetError> {
    let (values, there) = present(rows, value);
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<ByteArrayType>().write_batch(&values, Some(&there), None)?;
    column.close()
}

fn numbers(group: &mut Group, rows: &[&Row], value: impl Fn(&Row) -> Option<i64>) -> Result<(), ParquetError> {
    let (values, there) = present(rows, value);
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<Int64Type>().write_batch(&values, Some(&there), None)?;
    column.close()
}

/// The values that are there, and for each row whether it has one.
fn present<T>(rows: &[&Row], value: impl Fn(&Row) -> Option<T>) -> (Vec<T>, Vec<i16>) {
    let values: Vec<Option<T>> = rows.iter().map(|row| value(row)).collect();
    let there = values.iter().map(|value| i16::from(value.is_some())).collect();
    (values.into_iter().flatten().collect(), there)
}

/// The word of a plain enum, as in JSON.
fn word(value: &impl serde::Serialize) -> ByteArray {
    let word = serde_json::to_value(value).unwrap_or_default();
    word.as_str().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use hone_job::{Job, fs};

    use super::*;
    use crate::clean::tests::{reading, row};
    use crate::import::{ReadOptions, read};
    use crate::mapping::{apply, guess};
    use crate::{Content, Role, Split};

    /// Writes rows and imports the file again.
    fn again(rows: &[Row]) -> Vec<Row> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        let bytes = parquet(&rows.iter().collect::<Vec<_>>(), &|hash| format!("{hash}.pdf")).unwrap();
        fs::write_atomic(&path, &bytes).unwrap();
        let outcome = read(&path, &ReadOptions::default(), &Job::silent()).unwrap();
        let Content::Records(records) = &outcome.content else { panic!("{:?}", outcome.issues) };
        let applied = apply(records, &guess(records), "", "rows.parquet");
        assert_eq!((outcome.issues, applied.issues), (vec![], vec![]));
        applied.rows
    }

    #[test]
    fn rows_come_back_as_they_were_written() {
        let mut long = Row {
            split: Some(Split::Exam),
            label: Some("时间".into()),
            document: Some("a1".into()),
            line: Some(7),
            ..row(3, "几点开？", "=9:00\n\"nine\"")
        };
        long.messages.insert(0, Message { role: Role::System, content: "Be brief.".into() });
        long.messages.extend(row(4, "And then?", "").messages);
        let written = [
            row(1, "When?", "At nine."),
            long,
            Row { split: Some(Split::Train), ..reading(4, "b2", "Ferries leave at night. 渡轮夜里开。") },
        ];
        let found = again(&written);
        assert_eq!(found.len(), written.len());
        for (found, written) in found.iter().zip(&written) {
            assert_eq!(
                (&found.messages, &found.text, &found.label, found.split),
                (&written.messages, &written.text, &written.label, written.split)
            );
            assert_eq!(found.metadata["row"], written.id.to_string());
        }
        assert_eq!((found[1].metadata["line"].as_str(), found[1].metadata["origin"].as_str()), ("7", "mapped"));
        assert_eq!(found[1].metadata["document"], "a1.pdf");
    }

    #[test]
    fn more_rows_than_a_group_holds_come_back_in_order() {
        let written: Vec<Row> = (0..TOGETHER as i64 + 7).map(|id| row(id, &format!("Which {id}?"), "This.")).collect();
        let found = again(&written);
        assert!(found.iter().map(|row| &row.messages).eq(written.iter().map(|row| &row.messages)));
    }
}
