//! Parquet: rows of named values, read as JSON records are.

use bytes::Bytes;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Map, Value};

use crate::import::{Input, Parsed, json};
use crate::{Content, Issue};

const AGAIN: &str = "Copy or download it again, or write it anew with the program that made it";

/// How many times the limit for packed files the columns may unpack to: they are records, and read page by page.
const UNPACKED_TIMES: u64 = 8;

/// Reads a Parquet file. Values of bytes that are no text, pictures among them, are left out.
pub(super) fn read(input: &Input) -> Parsed {
    let damaged = |cause: &str| {
        let message = format!("This Parquet file is damaged or was cut off: {cause}");
        Parsed::nothing(Issue::unreadable("damaged", input.name, message, AGAIN))
    };
    let reader = match SerializedFileReader::new(Bytes::copy_from_slice(input.bytes)) {
        Ok(reader) => reader,
        Err(error) => return damaged(&error.to_string()),
    };
    let limit = input.options.max_unpacked.saturating_mul(UNPACKED_TIMES);
    let sizes = reader
        .metadata()
        .row_groups()
        .iter()
        .flat_map(RowGroupMetaData::columns)
        .map(ColumnChunkMetaData::uncompressed_size);
    let unpacked = sizes.fold(0u64, |all, size| all.saturating_add(u64::try_from(size).unwrap_or(u64::MAX)));
    if unpacked > limit {
        let message = format!("It unpacks to more than the limit of {} MB", limit >> 20);
        return Parsed::nothing(Issue::unreadable("too_large", input.name, message, "Split it into smaller files"));
    }
    let rows = match reader.get_row_iter(None) {
        Ok(rows) => rows,
        Err(error) => return damaged(&error.to_string()),
    };
    let mut records = Vec::new();
    let mut broken = None;
    for (at, row) in rows.enumerate() {
        match row {
            Ok(row) => records.push(record(row)),
            Err(error) => {
                let message = format!("The rows break off here: {error}");
                broken = Some(Issue::partial("damaged", input.name, &format!("after row {at}"), message, AGAIN));
                break;
            }
        }
        if at % 1024 == 0 && input.job.check().is_err() {
            break;
        }
    }
    if records.is_empty() {
        return match broken {
            Some(issue) => damaged(&issue.message),
            None => Parsed::nothing(Issue::unreadable("no_records", input.name, "The file has no rows", AGAIN)),
        };
    }
    let mut parsed = json::records(input.name, records);
    if parsed.content != Content::Nothing {
        parsed.issues.extend(broken);
    }
    parsed
}

fn record(row: Row) -> Value {
    Value::Object(row.into_columns().into_iter().filter_map(|(name, field)| Some((name, value(&field)?))).collect())
}

/// A value as JSON writes it; `None` for bytes that are no text.
fn value(field: &Field) -> Option<Value> {
    Some(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Float(value) => f64::from(*value).into(),
        Field::Double(value) => (*value).into(),
        Field::Str(text) => text.clone().into(),
        // Writers that do not mark texts as such.
        Field::Bytes(bytes) => std::str::from_utf8(bytes.data()).ok()?.into(),
        Field::Group(row) => {
            let columns = row.get_column_iter();
            Value::Object(columns.filter_map(|(name, field)| Some((name.clone(), value(field)?))).collect())
        }
        Field::ListInternal(list) => Value::Array(list.elements().iter().filter_map(value).collect()),
        Field::MapInternal(map) => {
            let entries = map.entries().iter();
            let entries = entries.filter_map(|(key, entry)| Some((plain(value(key)?), value(entry)?)));
            Value::Object(entries.collect::<Map<String, Value>>())
        }
        // Dates, times and exact numbers as the crate writes them.
        other => other.to_string().into(),
    })
}

fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
