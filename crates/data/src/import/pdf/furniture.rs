//! What stands on every page's edge: running headers, footers, page numbers.

use std::collections::HashMap;

use crate::import::pdf::page::{Page, Piece};

/// The part of a page's height, at the top and at the bottom, in which it may stand.
const EDGE: f32 = 0.12;

/// Removes lines on the pages' edges that stand at the same height on several pages and say the same but for numbers.
/// Title pages and pages of their own kind keep what only they have.
pub(super) fn remove(pages: &mut [Page]) {
    if pages.len() < 2 {
        return;
    }
    let needed = if pages.len() < 6 { 2 } else { 3 };
    let mut heights: HashMap<String, Vec<(f32, u32)>> = HashMap::new();
    for page in pages.iter() {
        for piece in page.pieces.iter().filter(|piece| on_edge(page, piece)) {
            heights.entry(key(&piece.text)).or_default().push((piece.area.middle(), page.number));
        }
    }
    let repeats = |piece: &Piece| {
        heights.get(&key(&piece.text)).is_some_and(|places| {
            let mut near: Vec<u32> =
                places.iter().filter(|(y, _)| (y - piece.area.middle()).abs() < 8.0).map(|(_, page)| *page).collect();
            near.dedup();
            near.len() >= needed
        })
    };
    for page in pages.iter_mut() {
        let pieces = std::mem::take(&mut page.pieces);
        page.pieces = pieces.into_iter().filter(|piece| !(on_edge(page, piece) && repeats(piece))).collect();
    }
}

fn on_edge(page: &Page, piece: &Piece) -> bool {
    let height = (page.top - page.bottom).max(1.0);
    let place = (piece.area.middle() - page.bottom) / height;
    !piece.is_table && !(EDGE..=1.0 - EDGE).contains(&place)
}

/// The text with every number, Arabic or Roman, as one sign.
fn key(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let roman = !bare.is_empty() && bare.chars().all(|c| "ivxlcdm".contains(c.to_ascii_lowercase()));
        if roman {
            out.push('#');
            continue;
        }
        for c in word.chars() {
            if !c.is_numeric() {
                out.push(c);
            } else if !out.ends_with('#') {
                out.push('#');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::pdf::page::Area;

    fn piece(text: &str, y: f32) -> Piece {
        let area = Area { left: 70.0, right: 300.0, bottom: y, top: y + 10.0 };
        Piece { text: text.into(), area, size: 10.0, bold: false, is_table: false }
    }

    #[test]
    fn headers_footers_and_page_numbers_go_and_everything_else_stays() {
        let mut pages: Vec<Page> = (1..=8)
            .map(|n| {
                let head = if n % 2 == 0 { "Chapter 3 · Care" } else { "The Handbook" };
                let body = if n == 4 { "Ends low on the page" } else { "Body" };
                let number = ["i", "ii", "iii", "iv", "5", "6", "7", "8"][n as usize - 1];
                Page::of(
                    n,
                    vec![piece(head, 800.0), piece(body, 60.0), piece("The Handbook", 400.0), piece(number, 30.0)],
                )
            })
            .collect();
        pages[0].pieces.push(piece("Confidential draft", 790.0));
        remove(&mut pages);
        let left: Vec<Vec<&str>> =
            pages.iter().map(|page| page.pieces.iter().map(|piece| piece.text.as_str()).collect()).collect();
        assert_eq!(left[0], ["The Handbook", "Confidential draft"]);
        assert_eq!(left[3], ["Ends low on the page", "The Handbook"]);
    }

    #[test]
    fn one_page_alone_keeps_everything() {
        let mut pages = [Page::of(1, vec![piece("Letter", 800.0), piece("1", 30.0)])];
        remove(&mut pages);
        assert_eq!(pages[0].pieces.len(), 2);
    }
}
