use std::collections::{BTreeMap, HashSet};

use whatlang::detect;

use crate::Row;
use crate::clean::texts::drop_verdict;
use crate::clean::{Bar, LanguageOptions, Rule, Verdict, row_text};

/// Shorter texts are not judged, letters; a Chinese character says as much as three.
const LETTERS: usize = 24;

/// Hits of the rule `language`: rows surely in another language than those that stay. And how many rows there are of
/// each language, the most frequent first; `und` where it cannot be told.
pub fn language(rows: &[Row], options: &LanguageOptions) -> (Vec<Verdict>, Vec<Bar>) {
    let languages: Vec<Option<&str>> = rows.iter().map(|row| language_of(&row_text(row))).collect();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for language in &languages {
        *counts.entry(language.unwrap_or("und")).or_default() += 1;
    }
    let told: u64 = counts.iter().filter(|(code, _)| **code != "und").map(|(_, count)| count).sum();
    let kept: HashSet<&str> = if options.keep.is_empty() {
        counts.iter().filter(|(_, count)| **count * 10 >= told).map(|(code, _)| *code).collect()
    } else {
        options.keep.iter().map(String::as_str).collect()
    };
    let goes = |code: &str| code != "und" && !kept.contains(code);
    let hits = rows.iter().zip(&languages).filter(|(_, language)| language.is_some_and(goes));
    let verdicts = hits.map(|(row, _)| drop_verdict(row, Rule::Language, None)).collect();
    let mut bars: Vec<Bar> = counts
        .iter()
        .map(|(code, count)| Bar { name: (*code).to_owned(), rows: *count, out: if goes(code) { *count } else { 0 } })
        .collect();
    bars.sort_by_key(|bar| std::cmp::Reverse(bar.rows));
    (verdicts, bars)
}

/// The language of a text (ISO 639-3); `None` for texts that are short or between languages.
pub fn language_of(text: &str) -> Option<&'static str> {
    let letters: usize = text
        .chars()
        .filter(|c| c.is_alphabetic())
        .map(|c| if crate::text::is_cjk_letter(c) { 3 } else { 1 })
        .take(LETTERS)
        .sum();
    if letters < LETTERS {
        return None;
    }
    // The beginning tells the language; the rest only takes time.
    let end = text.char_indices().nth(2000).map_or(text.len(), |(at, _)| at);
    detect(&text[..end]).filter(whatlang::Info::is_reliable).map(|info| info.lang().code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::tests::row;

    const ENGLISH: &str = "The ferry leaves the harbour every morning at nine and comes back in the late afternoon, when the wind allows.";
    const GERMAN: &str = "Die Fähre verlässt den Hafen jeden Morgen um neun und kommt am späten Nachmittag zurück, wenn der Wind es erlaubt.";
    const CHINESE: &str = "渡轮每天早上九点离开港口，如果风力允许，下午晚些时候返回。";

    #[test]
    fn languages_are_told_and_short_texts_are_not_judged() {
        let told = [ENGLISH, GERMAN, CHINESE, "Dose: 5 mg", "", "12345 67890 12345 67890 12345"].map(language_of);
        assert_eq!(told, [Some("eng"), Some("deu"), Some("cmn"), None, None, None]);
    }

    #[test]
    fn rows_of_other_languages_than_the_chosen_go() {
        let rows =
            [row(1, "When?", ENGLISH), row(2, "Wann?", GERMAN), row(3, "何时？", CHINESE), row(4, "Fax?", "No.")];
        let keep = |codes: &[&str]| LanguageOptions { keep: codes.iter().map(|code| (*code).to_owned()).collect() };
        let (hits, bars) = language(&rows, &keep(&["eng", "cmn"]));
        assert_eq!(hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), [2]);
        assert_eq!(bars.iter().map(|bar| (bar.rows, bar.out)).collect::<Vec<_>>().len(), 4);
        assert!(bars.contains(&Bar { name: "deu".into(), rows: 1, out: 1 }));
    }

    #[test]
    fn without_a_choice_the_languages_of_a_tenth_of_the_rows_stay() {
        let mut rows: Vec<Row> = (1..=20).map(|id| row(id, "When?", ENGLISH)).collect();
        rows.push(row(21, "Wann?", GERMAN));
        rows.extend((22..=25).map(|id| row(id, "何时？", CHINESE)));
        let (hits, _) = language(&rows, &LanguageOptions::default());
        assert_eq!(hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), [21]);
    }
}
