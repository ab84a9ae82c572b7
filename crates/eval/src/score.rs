//! How close a generated answer is to the expected one: token F1, and whether it states the fact.

use std::collections::HashMap;

/// Words in lower case without punctuation; each Chinese, Japanese or Korean character is a word of its own.
/// Digits keep the points, commas and colons between them, so that `08:30` and `1,240` are one word.
pub fn words(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, &character) in characters.iter().enumerate() {
        let between_digits = || {
            let digit = |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(char::is_ascii_digit);
            matches!(character, '.' | ',' | ':') && digit(at.checked_sub(1)) && digit(Some(at + 1))
        };
        if is_cjk(character) {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            words.push(character.to_string());
        } else if character.is_alphanumeric() || between_digits() {
            word.extend(character.to_lowercase());
        } else {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

fn is_cjk(character: char) -> bool {
    matches!(character as u32, 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF)
}

/// Harmonic mean of precision and recall over the bag of words (`SQuAD`'s F1), 0 to 1.
pub fn token_f1(answer: &str, expected: &str) -> f64 {
    let (answer, expected) = (words(answer), words(expected));
    if answer.is_empty() || expected.is_empty() {
        return f64::from(u8::from(answer.is_empty() && expected.is_empty()));
    }
    let mut open: HashMap<&str, usize> = HashMap::new();
    for word in &expected {
        *open.entry(word).or_default() += 1;
    }
    let mut common = 0;
    for word in &answer {
        if let Some(left) = open.get_mut(word.as_str()).filter(|left| **left > 0) {
            *left -= 1;
            common += 1;
        }
    }
    2.0 * common as f64 / (answer.len() + expected.len()) as f64
}

/// Words too common to be the fact.
const COMMON: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "been", "by", "can", "does", "each", "every", "for", "from", "has",
    "have", "in", "is", "it", "its", "must", "of", "on", "one", "or", "than", "that", "the", "their", "then", "they",
    "this", "to", "was", "were", "when", "which", "who", "will", "with", "的", "了", "是", "在", "有", "和", "个",
];

/// The words of `expected` that answer the question: numbers, else names, else every word, in each case without those
/// that stand in the question already or are too common to say anything.
pub fn facts(question: &str, expected: &str) -> Vec<String> {
    let asked = words(question);
    let new: Vec<String> =
        words(expected).into_iter().filter(|word| !asked.contains(word) && !COMMON.contains(&word.as_str())).collect();
    let numbers: Vec<String> = new.iter().filter(|word| word.chars().any(|c| c.is_ascii_digit())).cloned().collect();
    if !numbers.is_empty() {
        return numbers;
    }
    let capitalised: Vec<String> = expected
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().next().is_some_and(char::is_uppercase))
        .map(str::to_lowercase)
        .collect();
    let names: Vec<String> = new.iter().filter(|word| capitalised.contains(word)).cloned().collect();
    if names.is_empty() { new } else { names }
}

/// Whether `answer` states the fact that `expected` gives: all numbers or names that answer the question occur in it;
/// where there are neither, at least two thirds of the other telling words do.
pub fn states_fact(question: &str, expected: &str, answer: &str) -> bool {
    let facts = facts(question, expected);
    let said = words(answer);
    if facts.is_empty() {
        return token_f1(answer, expected) >= 0.8;
    }
    let stated = facts.iter().filter(|fact| said.contains(fact)).count();
    let plain = !facts.iter().any(|fact| fact.chars().any(|c| c.is_ascii_digit())) && !has_names(expected, &facts);
    if plain { 3 * stated >= 2 * facts.len() } else { stated == facts.len() }
}

fn has_names(expected: &str, facts: &[String]) -> bool {
    expected
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word.chars().next().is_some_and(char::is_uppercase) && facts.contains(&word.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 'the office' is common to 4 and 3 words, so 2 * 2 / 7.
    #[test]
    fn f1_counts_common_words_once_each() {
        assert!((token_f1("The office, the office!", "the office opens") - 4.0 / 7.0).abs() < 1e-12);
        assert!((token_f1("same words", "Same words.") - 1.0).abs() < 1e-12);
        assert!(token_f1("", "something").abs() < 1e-12);
    }

    #[test]
    fn numbers_with_points_and_colons_are_one_word_and_chinese_is_split() {
        assert_eq!(words("Open 08:30, cost 1,240 cr."), ["open", "08:30", "cost", "1,240", "cr"]);
        assert_eq!(words("分机 201。"), ["分", "机", "201"]);
    }

    fn check(question: &str, expected: &str, answer: &str, right: bool) {
        let facts = facts(question, expected);
        assert_eq!(states_fact(question, expected, answer), right, "{question} -> {answer} (facts {facts:?})");
    }

    #[test]
    fn a_number_must_be_the_right_one() {
        let question = "What is the extension of Ingrid Marr?";
        check(question, "The extension of Ingrid Marr is 201.", "Her extension is 201", true);
        check(question, "The extension of Ingrid Marr is 201.", "The extension of Ingrid Marr is 210.", false);
        check("失物保留多少天？", "失物保留 60 天。", "保留 60 天", true);
        check("失物保留多少天？", "失物保留 60 天。", "失物保留 30 天。", false);
    }

    #[test]
    fn a_name_must_be_whole() {
        let question = "Who is the senior master?";
        check(question, "The senior master is Tobias Renn.", "It is Tobias Renn.", true);
        check(question, "The senior master is Tobias Renn.", "The senior master is Tobias Marr.", false);
    }

    #[test]
    fn repeating_the_question_states_nothing() {
        check("Who founded the cooperative?", "It was founded by nine fishing families.", "The cooperative.", false);
        check(
            "Who founded the cooperative?",
            "It was founded by nine fishing families.",
            "Nine fishing families",
            true,
        );
    }
}
