use crate::clean::{Bar, Rule};
use crate::dataset::Enough;

/// Stands in the head of every card: tells Hone's own from others.
pub const CARD_MARK: &str = "tags: [hone]";

/// What is known of a dataset, for its card.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// The project's name.
    pub name: String,
    /// The base model whose tokens are counted.
    pub base: String,
    /// When it was written, e.g. `2026-11-27`.
    pub date: String,
    /// Rows trained on, measured during training, kept for the exam.
    pub parts: [u64; 3],
    /// Rows that were left out, by the user or by a rule.
    pub left_out: u64,
    /// Drafts that nobody decided on.
    pub drafts: u64,
    /// How long the rows are, tokens; `None` where the base model is not at hand.
    pub length: Option<Length>,
    /// Rows by language (ISO 639-3), the most frequent first.
    pub languages: Vec<Bar>,
    /// Rows by label, the most frequent first.
    pub labels: Vec<Bar>,
    /// Rows by origin.
    pub origins: Vec<Bar>,
    /// The files.
    pub sources: Vec<CardSource>,
    /// The applied rules.
    pub rules: Vec<CardRule>,
}

/// How long rows are, tokens of the base model with the marks of the chat template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Of all rows that are trained on together.
    pub total: u64,
    /// Half of the rows have at most so many.
    pub median: u64,
    /// Nine of ten rows have at most so many.
    pub most: u64,
    /// The longest row.
    pub longest: u64,
}

/// A file that rows came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardSource {
    /// Its name.
    pub name: String,
    /// Its format.
    pub format: String,
    /// SHA-256 of its bytes.
    pub hash: String,
    /// Rows of it that are in.
    pub rows: u64,
}

/// A rule that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardRule {
    /// Which.
    pub rule: Rule,
    /// Rows that it changed, left out, pointed at.
    pub counts: [u64; 3],
    /// Its options as JSON; empty where it has none.
    pub options: String,
}

impl Length {
    /// From the lengths of the rows; `None` without any.
    pub fn of(mut lengths: Vec<u64>) -> Option<Self> {
        lengths.sort_unstable();
        // The nearest rank: the least length that at least so many percent of the rows do not exceed.
        let rank = |percent: usize| lengths.get((percent * lengths.len()).div_ceil(100).max(1) - 1).copied();
        Some(Self { total: lengths.iter().sum(), median: rank(50)?, most: rank(90)?, longest: rank(100)? })
    }
}

impl Card {
    /// The card as Markdown, with the head that dataset sites read.
    pub fn markdown(&self) -> String {
        let [train, valid, exam] = self.parts;
        let enough = self.length.map_or_else(
            || if train == 0 { Enough::Nothing } else { Enough::of(train, u64::MAX) },
            |length| Enough::of(train, length.total),
        );
        let mut text = format!(
            "---\nlanguage: [{}]\nsize_categories: [{}]\n{CARD_MARK}\n---\n\n# {}\n\nMade with Hone on {}. {}\n\n## Rows\n\n",
            self.languages.iter().filter_map(|bar| short_code(&bar.name)).collect::<Vec<_>>().join(", "),
            size_category(train + valid + exam),
            plain(&self.name),
            self.date,
            enough.sentence(),
        );
        text += &table(
            &["part", "rows"],
            &[
                ("train", train),
                ("valid", valid),
                ("exam", exam),
                ("left out", self.left_out),
                ("drafts not decided on", self.drafts),
            ]
            .map(|(part, rows)| vec![part.to_owned(), rows.to_string()]),
        );
        if let Some(length) = self.length {
            text += &format!(
                "\nLength in tokens of `{}`, marks of the chat template included: {} in all, half of the rows have at most {}, nine \
                 of ten at most {}, the longest {}.\n",
                plain(&self.base),
                length.total,
                length.median,
                length.most,
                length.longest
            );
        }
        for (title, bars) in [("Languages", &self.languages), ("Labels", &self.labels), ("Origins", &self.origins)] {
            if !bars.is_empty() {
                let lines: Vec<_> = bars.iter().map(|bar| vec![plain(&bar.name), bar.rows.to_string()]).collect();
                text += &format!("\n## {title}\n\n{}", table(&["", "rows"], &lines));
            }
        }
        if !self.sources.is_empty() {
            let line = |source: &CardSource| {
                vec![plain(&source.name), plain(&source.format), source.rows.to_string(), format!("`{}`", source.hash)]
            };
            let lines: Vec<_> = self.sources.iter().map(line).collect();
            text += &format!("\n## Sources\n\n{}", table(&["file", "format", "rows", "SHA-256"], &lines));
        }
        text += "\n## Rules applied\n\n";
        if self.rules.is_empty() {
            return text + "None.\n";
        }
        let line = |rule: &CardRule| {
            let [changed, dropped, flagged] = rule.counts.map(|count| count.to_string());
            let options = if rule.options.is_empty() { String::new() } else { format!("`{}`", plain(&rule.options)) };
            vec![format!("`{}`", rule.rule.code()), changed, dropped, flagged, options]
        };
        let lines: Vec<_> = self.rules.iter().map(line).collect();
        text + &table(&["rule", "changed", "left out", "pointed at", "options"], &lines)
    }
}

fn table(head: &[&str], lines: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule: Vec<String> = head.iter().map(|_| "---".to_owned()).collect();
    let lines: String = lines.iter().map(|cells| line(cells)).collect();
    line(&head) + &line(&rule) + &lines
}

/// A text that stays in its cell: no line ends, no bars, nothing that Markdown would act on.
fn plain(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace('|', "\\|").replace('<', "&lt;").replace('`', "'")
}

/// Codes of two letters, as dataset sites want them, of the languages met most.
fn short_code(code: &str) -> Option<&'static str> {
    let codes = [
        ("eng", "en"),
        ("cmn", "zh"),
        ("deu", "de"),
        ("fra", "fr"),
        ("spa", "es"),
        ("ita", "it"),
        ("por", "pt"),
        ("rus", "ru"),
        ("jpn", "ja"),
        ("kor", "ko"),
        ("nld", "nl"),
        ("pol", "pl"),
        ("tur", "tr"),
        ("ara", "ar"),
        ("hin", "hi"),
        ("vie", "vi"),
        ("swe", "sv"),
        ("ukr", "uk"),
        ("ces", "cs"),
        ("dan", "da"),
        ("fin", "fi"),
        ("nob", "nb"),
        ("ell", "el"),
        ("heb", "he"),
    ];
    codes.iter().find(|(long, _)| *long == code).map(|(_, short)| *short)
}

fn size_category(rows: u64) -> &'static str {
    match rows {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        _ => "1M<n<10M",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, rows: u64) -> Bar {
        Bar { name: name.into(), rows, out: 0 }
    }

    #[test]
    fn a_card_tells_counts_lengths_languages_sources_and_rules() {
        let card = Card {
            name: "Lindenhof | <b>handbook".into(),
            base: "gemma3-270m".into(),
            date: "2026-11-27".into(),
            parts: [80, 10, 10],
            left_out: 3,
            drafts: 2,
            length: Length::of((1..=100).collect()),
            languages: vec![bar("eng", 90), bar("und", 10)],
            labels: vec![],
            origins: vec![bar("mapped", 100)],
            sources: vec![CardSource { name: "a\nb.csv".into(), format: "csv".into(), hash: "a1".into(), rows: 100 }],
            rules: vec![CardRule { rule: Rule::TooShort, counts: [0, 3, 0], options: "{\"min_tokens\":4}".into() }],
        };
        insta::assert_snapshot!(card.markdown());
        let none = Card { rules: vec![], sources: vec![], languages: vec![], origins: vec![], length: None, ..card };
        assert!(none.markdown().ends_with("## Rules applied\n\nNone.\n"));
    }

    #[test]
    fn lengths_are_told_by_the_nearest_rank() {
        let length = Length::of(vec![9, 1, 5, 3, 7]).unwrap();
        assert_eq!(length, Length { total: 25, median: 5, most: 9, longest: 9 });
        assert_eq!(Length::of(vec![]), None);
    }
}
