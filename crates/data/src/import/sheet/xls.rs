use std::io::{Cursor, Read};

use calamine::{Data, Reader, Xls, XlsError};

use super::{Row, Sheets, moment};
use crate::Issue;
use crate::import::{Input, Parsed};

/// The reader lays every sheet out as a whole, from its first filled cell to its last; more cells than this are refused.
const MAX_CELLS: u64 = 8_000_000;
/// Rows of a sheet in this format.
const MAX_ROWS: u64 = 65_536;
/// Bytes of the workbook's stream that are looked at.
const MAX_STREAM: u64 = 512 << 20;

/// Reads a workbook of Excel 97 to 2003.
pub(in crate::import) fn read(input: &Input) -> Parsed {
    let damaged = |cause: &str| {
        let hint = "Copy or download it again, or open it in its program and save it as XLSX";
        let message = format!("This Excel workbook is damaged or was cut off: {cause}");
        Parsed::nothing(Issue::unreadable("damaged", input.name, message, hint))
    };
    match laid_out(input.bytes) {
        Ok(cells) if cells > MAX_CELLS => {
            let message = format!("Its sheets are laid out over {} million cells", cells / 1_000_000);
            let hint = "Delete what stands far away from the table, save it as XLSX, and import that";
            return Parsed::nothing(Issue::unreadable("too_large", input.name, message, hint));
        }
        Ok(_) => {}
        Err(cause) => return damaged(&cause),
    }
    let mut workbook: Xls<_> = match Xls::new(Cursor::new(input.bytes)) {
        Ok(workbook) => workbook,
        Err(XlsError::Password) => {
            let message = "This Excel workbook is protected by a password";
            let hint = "Save it without a password, and import that";
            return Parsed::nothing(Issue::unreadable("password_protected", input.name, message, hint));
        }
        Err(error) => return damaged(&error.to_string()),
    };
    let mut sheets = Sheets::new(input.name);
    for sheet in workbook.sheet_names() {
        match workbook.worksheet_range(&sheet) {
            Ok(range) => {
                let (first_row, first_column) = range.start().unwrap_or_default();
                let cells = |row: &[Data]| -> Vec<(usize, String)> {
                    let texts = row.iter().enumerate().map(|(at, cell)| (at + first_column as usize, text(cell)));
                    texts.filter(|(_, text)| !text.trim().is_empty()).collect()
                };
                let rows = range
                    .rows()
                    .enumerate()
                    .map(|(at, row)| Row { line: first_row + at as u32 + 1, cells: cells(row) });
                sheets.add(&sheet, rows.filter(|row| !row.cells.is_empty()).collect());
            }
            Err(error) => sheets.damaged(&sheet, &error.to_string()),
        }
    }
    sheets.finish()
}

/// How many cells the sheets take when each is laid out from its first filled cell to its last: what the records of the
/// cells say, since what the sheet says of itself may be wrong.
fn laid_out(bytes: &[u8]) -> Result<u64, String> {
    let mut file = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let name = ["Workbook", "Book", "WORKBOOK", "BOOK"].into_iter().find(|name| file.is_stream(name));
    let name = name.ok_or_else(|| "there is no workbook in it".to_owned())?;
    let mut stream = Vec::new();
    let entry = file.open_stream(name).map_err(|error| error.to_string())?;
    entry.take(MAX_STREAM).read_to_end(&mut stream).map_err(|error| error.to_string())?;
    let number = |at: usize| stream.get(at..at + 2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let (mut at, mut cells) = (0usize, 0u64);
    let mut sheet: Option<[u64; 4]> = None;
    while let (Some(kind), Some(length)) = (number(at), number(at + 2)) {
        match kind {
            // The sheet begins.
            0x0809 => cells += area(sheet.take()),
            // The reader makes room for as many cells as a sheet says it has.
            0x0200 if length >= 14 => {
                let long =
                    |at: usize| u64::from(number(at).unwrap_or(0)) | u64::from(number(at + 2).unwrap_or(0)) << 16;
                if long(at + 8).saturating_sub(long(at + 4)) > MAX_ROWS {
                    return Err("it claims more rows than a sheet can have".to_owned());
                }
            }
            // Every record of a cell, a row of cells or a formula's text begins with row and column.
            0x0006 | 0x00BD | 0x00BE | 0x00D6 | 0x00FD | 0x0203 | 0x0204 | 0x0205 | 0x027E => {
                if let (Some(row), Some(column)) = (number(at + 4), number(at + 6)) {
                    let (row, column) = (u64::from(row), u64::from(column));
                    // The last column of a row of cells stands at the end of its record.
                    let last = match kind {
                        0x00BD | 0x00BE => number(at + 2 + usize::from(length)).map_or(column, u64::from),
                        _ => column,
                    };
                    let [top, bottom, left, right] = sheet.unwrap_or([row, row, column, column]);
                    sheet = Some([top.min(row), bottom.max(row), left.min(column), right.max(column).max(last)]);
                }
            }
            _ => {}
        }
        at += 4 + usize::from(length);
    }
    Ok(cells + area(sheet))
}

fn area(sheet: Option<[u64; 4]>) -> u64 {
    sheet.map_or(0, |[top, bottom, left, right]| (bottom - top + 1) * (right - left + 1))
}

fn text(value: &Data) -> String {
    match value {
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number.to_string(),
        Data::Bool(value) => value.to_string(),
        Data::DateTime(date) => moment(date),
        Data::Error(_) | Data::Empty => String::new(),
    }
}
