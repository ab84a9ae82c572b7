//! The order in which a person reads what stands on a page.

use crate::import::pdf::page::{Area, Page, Piece};

/// One line of text, or a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub text: String,
    pub area: Area,
    pub size: f32,
    pub bold: bool,
    pub is_table: bool,
    /// Right edge of the column it stands in, points.
    pub column_right: f32,
}

/// Pages with more rows than this are read from top to bottom without looking for columns.
const MAX_ROWS: usize = 3000;
/// A column has at least this many lines.
const MIN_LINES: usize = 4;

/// The lines of a page in reading order: from top to bottom, and where a stretch of rows stands in columns of prose,
/// column after column.
pub(super) fn in_reading_order(page: &Page) -> Vec<Line> {
    let mut pieces: Vec<&Piece> = page.pieces.iter().collect();
    pieces.sort_by(|a, b| b.area.middle().total_cmp(&a.area.middle()));
    let mut lines = Vec::new();
    order(&pieces, 3, &mut lines);
    lines
}

/// `pieces` from top to bottom; `columns` is how many times they may still be parted.
fn order(pieces: &[&Piece], columns: usize, lines: &mut Vec<Line>) {
    let rows = rows(pieces);
    let right = pieces.iter().map(|piece| piece.area.right).fold(f32::MIN, f32::max);
    let mut at = 0;
    while at < rows.len() {
        let parted = (columns > 0 && rows.len() <= MAX_ROWS).then(|| parted(&rows[at..])).flatten();
        if let Some((count, gutter)) = parted {
            let (mut left, mut beyond) = (Vec::new(), Vec::new());
            for piece in rows[at..at + count].iter().flatten() {
                if piece.area.right <= gutter + 1.0 { left.push(*piece) } else { beyond.push(*piece) }
            }
            order(&left, columns - 1, lines);
            order(&beyond, columns - 1, lines);
            at += count;
        } else {
            push_row(&rows[at], right, lines);
            at += 1;
        }
    }
}

/// Pieces whose middles are closer than half a line, from left to right.
fn rows<'a>(pieces: &[&'a Piece]) -> Vec<Vec<&'a Piece>> {
    let mut rows: Vec<Vec<&Piece>> = Vec::new();
    for piece in pieces {
        match rows.last_mut() {
            Some(row) if !piece.is_table && !row[0].is_table && same_row(row[0], piece) => row.push(piece),
            _ => rows.push(vec![piece]),
        }
    }
    for row in &mut rows {
        row.sort_by(|a, b| a.area.left.total_cmp(&b.area.left));
    }
    rows
}

fn same_row(a: &Piece, b: &Piece) -> bool {
    (a.area.middle() - b.area.middle()).abs() < 0.5 * a.size.min(b.size).max(2.0)
}

/// How many rows from the first on stand in two columns, and where the gutter between them ends on the left.
fn parted(rows: &[Vec<&Piece>]) -> Option<(usize, f32)> {
    if rows[0].iter().any(|piece| piece.is_table) {
        return None;
    }
    let edge = |pick: fn(&Area) -> f32, fold: fn(f32, f32) -> f32, start: f32| {
        rows.iter().flatten().map(|piece| pick(&piece.area)).fold(start, fold)
    };
    let (left, right) = (edge(|a| a.left, f32::min, f32::MAX), edge(|a| a.right, f32::max, f32::MIN));
    // Free stretches between left and right, narrowed row by row.
    let mut free = vec![(left, right)];
    let mut best = None;
    for (at, row) in rows.iter().enumerate() {
        let mut narrowed = Vec::new();
        for (from, to) in &free {
            let mut start = *from;
            for piece in row.iter().filter(|piece| piece.area.right > *from && piece.area.left < *to) {
                if piece.area.left - start >= 6.0 {
                    narrowed.push((start, piece.area.left));
                }
                start = start.max(piece.area.right);
            }
            if to - start >= 6.0 {
                narrowed.push((start, *to));
            }
        }
        free = narrowed;
        if free.is_empty() {
            break;
        }
        if at + 1 >= MIN_LINES
            && let Some(gutter) = free.iter().find(|gutter| are_prose(&rows[..=at], **gutter))
        {
            best = Some((at + 1, gutter.0));
        }
    }
    best
}

/// Whether both sides of the gutter are columns of running text: enough lines, most of them nearly as wide as the
/// column. The cells of a table are not.
fn are_prose(rows: &[Vec<&Piece>], gutter: (f32, f32)) -> bool {
    let side = |pick: &dyn Fn(&Area) -> bool| {
        let areas: Vec<&Area> = rows.iter().flatten().map(|piece| &piece.area).filter(|area| pick(area)).collect();
        let left = areas.iter().map(|area| area.left).fold(f32::MAX, f32::min);
        let right = areas.iter().map(|area| area.right).fold(f32::MIN, f32::max);
        let wide = areas.iter().filter(|area| area.width() > 0.7 * (right - left)).count();
        areas.len() >= MIN_LINES && wide * 2 > areas.len() && right - left > 90.0
    };
    side(&|area| area.right <= gutter.0 + 1.0) && side(&|area| area.left >= gutter.1 - 1.0)
}

fn push_row(row: &[&Piece], column_right: f32, lines: &mut Vec<Line>) {
    let area = row.iter().map(|piece| piece.area).reduce(|a, b| a.around(&b));
    let Some(area) = area else { return };
    lines.push(Line {
        text: row.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>().join(" "),
        area,
        size: row.iter().map(|piece| piece.size).fold(0.0, f32::max),
        bold: row.iter().all(|piece| piece.bold),
        is_table: row.iter().any(|piece| piece.is_table),
        column_right,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str, left: f32, right: f32, top: f32) -> Piece {
        let area = Area { left, right, bottom: top - 10.0, top };
        Piece { text: text.into(), area, size: 10.0, bold: false, is_table: false }
    }

    fn read(pieces: Vec<Piece>) -> Vec<String> {
        in_reading_order(&Page::of(1, pieces)).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn two_columns_are_read_one_after_the_other_below_their_common_title() {
        let mut pieces = vec![piece("Title", 60.0, 540.0, 800.0), piece("Footnote", 60.0, 540.0, 100.0)];
        for row in 0..6 {
            let top = 700.0 - 12.0 * row as f32;
            pieces.push(piece(&format!("L{row}"), 60.0, 290.0, top));
            pieces.push(piece(&format!("R{row}"), 310.0, 540.0, top - 3.0));
        }
        let expected = ["Title", "L0", "L1", "L2", "L3", "L4", "L5", "R0", "R1", "R2", "R3", "R4", "R5", "Footnote"];
        assert_eq!(read(pieces), expected);
    }

    #[test]
    fn cells_of_an_unruled_table_are_read_row_by_row() {
        let mut pieces = Vec::new();
        for row in 0..6 {
            let top = 700.0 - 12.0 * row as f32;
            pieces.push(piece(&format!("k{row}"), 60.0, if row == 0 { 160.0 } else { 80.0 }, top));
            pieces.push(piece(&format!("v{row}"), 310.0, if row == 0 { 540.0 } else { 340.0 }, top));
        }
        assert_eq!(read(pieces), ["k0 v0", "k1 v1", "k2 v2", "k3 v3", "k4 v4", "k5 v5"]);
    }
}
