use std::ops::Range;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::draft::DraftKind;
use crate::text::{is_cjk, is_invisible};

/// Whether the words that support an answer stand in the passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum Grounding {
    /// The quote stands in the passage.
    Found,
    /// It does not, or there is none: not grounded.
    Missing,
    /// There is nothing to quote: a refusal, or a row made from another row.
    NoQuote,
}

/// Looks for a draft's quote in its passage.
pub fn grounding(passage: &str, kind: DraftKind, quote: &str) -> Grounding {
    if kind == DraftKind::Refusal && quote.trim().is_empty() {
        return Grounding::NoQuote;
    }
    if locate(passage, quote).is_some() { Grounding::Found } else { Grounding::Missing }
}

/// Where a quote stands in a passage, as a range of bytes. Runs of white space count as one space, and white space
/// beside a Chinese character as none, since a line break there means nothing; every other character must be the same.
pub fn locate(passage: &str, quote: &str) -> Option<Range<usize>> {
    let quote = Folded::of(quote).text;
    if quote.is_empty() {
        return None;
    }
    let folded = Folded::of(passage);
    let at = folded.text.find(&quote)?;
    let last = at + quote.len() - 1;
    Some(folded.starts[at]..folded.ends[last])
}

/// A text with white space folded, and for each byte of it where its character begins and ends in the original.
struct Folded {
    text: String,
    starts: Vec<usize>,
    ends: Vec<usize>,
}

impl Folded {
    fn of(original: &str) -> Self {
        let mut folded = Self { text: String::new(), starts: Vec::new(), ends: Vec::new() };
        let mut gap = None;
        let mut before = None;
        for (at, c) in original.char_indices().filter(|(_, c)| !is_invisible(*c)) {
            if c.is_whitespace() {
                gap.get_or_insert(at);
                continue;
            }
            if let (Some(at), Some(before)) = (gap.take(), before)
                && !is_cjk(before)
                && !is_cjk(c)
            {
                folded.push(' ', at, at + 1);
            }
            folded.push(c, at, at + c.len_utf8());
            before = Some(c);
        }
        folded
    }

    fn push(&mut self, c: char, start: usize, end: usize) {
        self.text.push(c);
        self.starts.resize(self.text.len(), start);
        self.ends.resize(self.text.len(), end);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn line_breaks_and_runs_of_blanks_do_not_hide_a_quote() {
        let passage = "The fridge is read\n  twice a day.\nBoth readings  go into the log.";
        let found = locate(passage, " read twice a day. Both ").unwrap();
        assert_eq!(&passage[found], "read\n  twice a day.\nBoth");
        let chinese = "夏季时刻表从四月一日\n到九月 三十日。";
        assert_eq!(&chinese[locate(chinese, "四月一日到九月三十日").unwrap()], "四月一日\n到九月 三十日");
    }

    #[test]
    fn a_quote_with_another_word_or_another_case_is_not_in_the_passage() {
        let passage = "Rockets are replaced after 3 years.";
        for quote in ["Rockets are replaced after 4 years.", "rockets are replaced", "replacedafter", "", "  "] {
            assert_eq!(locate(passage, quote), None, "{quote:?}");
        }
    }

    #[test]
    fn only_a_refusal_may_come_without_a_quote() {
        assert_eq!(grounding("Rockets.", DraftKind::Refusal, " "), Grounding::NoQuote);
        assert_eq!(grounding("Rockets.", DraftKind::Refusal, "Rafts."), Grounding::Missing);
        assert_eq!(grounding("Rockets.", DraftKind::Fact, ""), Grounding::Missing);
        assert_eq!(grounding("Rockets.", DraftKind::Fact, "Rockets"), Grounding::Found);
    }

    proptest! {
        #[test]
        fn every_part_of_a_passage_is_found_where_it_or_an_earlier_same_part_stands(
            passage in "[a-c中文 \n。]{1,60}", from in 0usize..60, length in 1usize..20,
        ) {
            let chars: Vec<char> = passage.chars().collect();
            let part: String = chars.iter().skip(from).take(length).collect();
            prop_assume!(!part.trim().is_empty());
            let found = locate(&passage, &part);
            prop_assert!(found.is_some());
            let found = &passage[found.unwrap()];
            prop_assert_eq!(Folded::of(found).text, Folded::of(&part).text);
        }
    }
}
