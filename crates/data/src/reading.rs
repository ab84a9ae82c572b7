//! Reading rows: the text of a passage, to be read on.

use crate::{Origin, Passage, Row, RowStatus};

/// One reading row per passage that holds a letter or digit; blank edges are left off. Approved from the start,
/// since nothing in it was invented. `document` is the hash of the passages' document.
pub fn rows(document: &str, passages: &[Passage]) -> Vec<Row> {
    passages
        .iter()
        .filter(|passage| passage.text.chars().any(char::is_alphanumeric))
        .map(|passage| Row {
            id: 0,
            messages: Vec::new(),
            text: passage.text.trim().to_owned(),
            label: None,
            origin: Origin::Reading,
            document: Some(document.to_owned()),
            passage: Some(passage.index),
            line: passage.pages.map(|(first, _)| first),
            status: RowStatus::Approved,
            split: None,
            metadata: std::collections::BTreeMap::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_row_names_its_document_passage_and_page() {
        let passage = |index, text: &str| Passage {
            index,
            pages: Some((4, 5)),
            heading: "Dosage".into(),
            text: text.into(),
            tokens: 3,
        };
        let rows = rows("abc", &[passage(0, "Take two.\n\n"), passage(1, " \n* * *\n"), passage(2, "Rest.")]);
        assert_eq!(rows.len(), 2, "a passage without a letter trains nothing");
        assert_eq!(rows[0].text, "Take two.");
        assert_eq!((rows[0].document.as_deref(), rows[0].passage, rows[0].line), (Some("abc"), Some(0), Some(4)));
        assert_eq!((rows[1].origin, rows[1].passage), (Origin::Reading, Some(2)));
        assert!(rows[0].messages.is_empty());
    }
}
