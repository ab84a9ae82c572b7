use std::collections::HashMap;

use crate::text::is_cjk;

/// The word lists that come with Hone, written for it.
const BUNDLED: [&str; 2] = [include_str!("words/en.txt"), include_str!("words/zh.txt")];
/// Longest word list that is read, bytes.
const LONGEST_LIST: usize = 8 << 20;

/// Words that may stand for each other.
#[derive(Debug, Default)]
pub struct Synonyms {
    others: HashMap<String, Vec<String>>,
    /// Longest Chinese word, characters.
    longest: usize,
}

/// What is wrong with a word list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordListError {
    /// A line with one word alone.
    #[error("line {line} of the word list holds only one word, `{word}`")]
    OneWord {
        /// Its number, from 1.
        line: usize,
        /// The word.
        word: String,
    },
    /// No line with words.
    #[error("the word list holds no words")]
    Empty,
    /// More than is read.
    #[error("the word list is longer than {} MB", LONGEST_LIST >> 20)]
    TooLong,
}

/// The word lists that come with Hone.
pub fn bundled() -> Synonyms {
    let mut synonyms = Synonyms::default();
    for list in BUNDLED {
        for (_, words) in lines(list) {
            synonyms.add(&words);
        }
    }
    synonyms
}

/// Lines with their numbers and words: parted by commas, `#` begins a remark.
fn lines(list: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    list.lines().enumerate().filter_map(|(at, line)| {
        let words = line.split('#').next().unwrap_or_default().split([',', '，', '、']);
        let words: Vec<&str> = words.map(str::trim).filter(|word| !word.is_empty()).collect();
        (!words.is_empty()).then_some((at + 1, words))
    })
}

impl Synonyms {
    /// Reads a word list: on each line words that may stand for each other, parted by commas.
    ///
    /// # Errors
    /// [`WordListError`], naming the line.
    pub fn read(list: &str) -> Result<Self, WordListError> {
        if list.len() > LONGEST_LIST {
            return Err(WordListError::TooLong);
        }
        let mut synonyms = Self::default();
        for (line, words) in lines(list) {
            if let [word] = words[..] {
                return Err(WordListError::OneWord { line, word: word.to_owned() });
            }
            synonyms.add(&words);
        }
        if synonyms.others.is_empty() { Err(WordListError::Empty) } else { Ok(synonyms) }
    }

    fn add(&mut self, words: &[&str]) {
        for word in words {
            let others = words.iter().filter(|other| *other != word).map(|other| (*other).to_owned());
            self.others.entry(word.to_lowercase()).or_default().extend(others);
            if word.chars().any(is_cjk) {
                self.longest = self.longest.max(word.chars().count());
            }
        }
    }

    /// The text with up to `most` words changed for others; `None` where it holds no word of the list. The same `seed`
    /// chooses the same words. Words of Latin letters are changed whole, and a capital stays one.
    pub fn change(&self, text: &str, most: usize, seed: u64) -> Option<String> {
        let spots = self.spots(text);
        if spots.is_empty() || most == 0 {
            return None;
        }
        let start = seed as usize % spots.len();
        let mut chosen: Vec<usize> = (0..most.min(spots.len())).map(|n| (start + n) % spots.len()).collect();
        chosen.sort_unstable();
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for spot in chosen {
            let (from, to) = spots[spot];
            let word = &text[from..to];
            let others = &self.others[&word.to_lowercase()];
            out += &text[done..from];
            out += &as_capital(word, &others[(seed as usize).wrapping_add(spot) % others.len()]);
            done = to;
        }
        out += &text[done..];
        Some(out)
    }

    /// Where words of the list stand, as ranges of bytes, none within another.
    fn spots(&self, text: &str) -> Vec<(usize, usize)> {
        let chars: Vec<(usize, char)> = text.char_indices().collect();
        let end = |at: usize| chars.get(at).map_or(text.len(), |(byte, _)| *byte);
        let mut spots = Vec::new();
        let mut at = 0;
        while at < chars.len() {
            let (from, c) = chars[at];
            if is_cjk(c) {
                let longest = (2..=self.longest.min(chars.len() - at))
                    .rev()
                    .find(|length| self.others.contains_key(&text[from..end(at + length)]));
                if let Some(length) = longest {
                    spots.push((from, end(at + length)));
                    at += length;
                    continue;
                }
                at += 1;
            } else if c.is_alphabetic() {
                let length = chars[at..]
                    .iter()
                    .take_while(|(_, c)| (c.is_alphabetic() || *c == '\'' || *c == '-') && !is_cjk(*c))
                    .count();
                if self.others.contains_key(&text[from..end(at + length)].to_lowercase()) {
                    spots.push((from, end(at + length)));
                }
                at += length;
            } else {
                at += 1;
            }
        }
        spots
    }
}

fn as_capital(word: &str, other: &str) -> String {
    let capital = word.chars().next().is_some_and(char::is_uppercase);
    let mut chars = other.chars();
    match chars.next() {
        Some(first) if capital => first.to_uppercase().chain(chars).collect(),
        _ => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_are_changed_and_a_capital_stays_one() {
        let list = Synonyms::read("begin, start # verbs\nbig, large\n").unwrap();
        assert_eq!(list.change("Start the big engine.", 5, 0).unwrap(), "Begin the large engine.");
        assert_eq!(list.change("Starting the bigger engine.", 5, 0), None, "parts of words stay");
        assert_eq!(list.change("Start the big engine.", 1, 1).unwrap(), "Start the large engine.");
    }

    #[test]
    fn chinese_words_are_found_without_spaces_the_longest_first() {
        let list = Synonyms::read("开始、起始\n开始办理、着手办理\n").unwrap();
        assert_eq!(list.change("几点开始办理登船？", 3, 0).unwrap(), "几点着手办理登船？");
    }

    #[test]
    fn a_word_list_that_says_nothing_is_refused_with_the_line() {
        assert_eq!(
            Synonyms::read("a, b\n\nlonely # remark\n").unwrap_err().to_string(),
            "line 3 of the word list holds only one word, `lonely`"
        );
        assert_eq!(Synonyms::read("# nothing\n").unwrap_err(), WordListError::Empty);
    }

    #[test]
    fn the_bundled_lists_hold_words_of_both_languages_each_line_at_least_two() {
        for list in BUNDLED {
            assert!(Synonyms::read(list).is_ok());
        }
        let words = bundled();
        assert!(words.change("When does the ferry begin?", 3, 7).is_some());
        assert!(words.change("什么时候开始？", 3, 7).is_some());
    }

    proptest::proptest! {
        #[test]
        fn nothing_but_listed_words_is_changed(text in "[a-z 开始问题]{0,60}", seed in proptest::prelude::any::<u64>(), most in 0usize..5) {
            let list = Synonyms::read("ab, cd\n开始、起始\n").unwrap();
            if let Some(changed) = list.change(&text, most, seed) {
                let back = |text: &str| text.replace("cd", "ab").replace("起始", "开始");
                proptest::prop_assert_eq!(back(&changed), back(&text));
            }
        }
    }
}
