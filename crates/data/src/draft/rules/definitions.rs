//! Questions from sentences that say what something is, and from list items that begin with a name.

use crate::draft::rules::sections::one_line;
use crate::draft::rules::{Title, ended, lowered, plain};
use crate::draft::{Draft, DraftKind};
use crate::passages::sentences;

/// Sentences of a paragraph of the form `X means …`, `X is a …`, `X是指…`.
pub(super) fn defined(paragraph: &str, chinese: bool) -> Vec<Draft> {
    let split = if chinese { chinese_term } else { english_term };
    let found = sentences(paragraph).into_iter().filter_map(|sentence| {
        let quote = sentence.trim();
        let said = one_line(quote, chinese);
        let term = split(&said)?;
        let question = if chinese { format!("什么是“{term}”？") } else { english_question(&term) };
        Some(Draft { kind: DraftKind::Definition, question, answer: ended(&said, chinese), quote: quote.to_owned() })
    });
    found.collect()
}

/// A list item of the form `Term: what is said of it`.
pub(super) fn labelled(item: &str, title: &Title, chinese: bool) -> Option<Draft> {
    let said = plain(item);
    let (term, rest) = said.split_once('：').or_else(|| said.split_once(": "))?;
    let (term, rest) = (term.trim(), rest.trim());
    if !is_term(term, chinese) || rest.is_empty() {
        return None;
    }
    let about = title.words().filter(|title| *title != term);
    let question = match (chinese, about) {
        (true, Some(title)) => format!("在“{title}”中，“{term}”是怎么规定的？"),
        (true, None) => format!("“{term}”是怎么规定的？"),
        (false, Some(title)) => format!("Under “{title}”, what is said about “{term}”?"),
        (false, None) => format!("What is said about “{term}”?"),
    };
    let answer = ended(&if chinese { format!("{term}：{rest}") } else { format!("{term}: {rest}") }, chinese);
    Some(Draft { kind: DraftKind::Definition, question, answer, quote: item.to_owned() })
}

fn english_question(term: &str) -> String {
    let plural =
        term.ends_with('s') && !term.ends_with("ss") && term.contains(' ') && term.chars().any(char::is_lowercase);
    let term = lowered(term);
    if plural { format!("What are {term}?") } else { format!("What is {term}?") }
}

/// `The muster signal` of `The muster signal is seven short blasts …`.
fn english_term(sentence: &str) -> Option<String> {
    const MARKS: [&str; 10] = [
        " means ",
        " is called ",
        " are called ",
        " is defined as ",
        " refers to ",
        " stands for ",
        " is the ",
        " is a ",
        " is an ",
        " is ",
    ];
    let (at, mark) = MARKS.iter().filter_map(|mark| Some((sentence.find(mark)?, *mark))).min()?;
    let term = sentence[..at].trim();
    // The plain verb defines only what is named with an article and nothing more (`The muster signal is …`).
    let bare = mark == " is ";
    let article = term.starts_with("The ");
    let passive =
        sentence[at + mark.len()..].split_whitespace().next().is_some_and(|word| word.ends_with("ed") || word == "not");
    let short = term.split_whitespace().count() <= 6;
    (short && is_term(term, false) && (!bare || (article && !passive))).then(|| term.to_owned())
}

/// `夏季时刻表` of `夏季时刻表是指…`.
fn chinese_term(sentence: &str) -> Option<String> {
    const MARKS: [&str; 6] = ["是指", "指的是", "定义为", "的意思是", "称为", "是"];
    let (at, _) = MARKS.iter().filter_map(|mark| Some((sentence.find(mark)?, std::cmp::Reverse(mark.len())))).min()?;
    let term = sentence[..at].trim().trim_start_matches("所谓").trim_matches(['“', '”', '「', '」', '，']);
    is_term(term, true).then(|| term.to_owned())
}

/// Whether words can be asked about: a short name, not a whole clause or a pointing word.
fn is_term(term: &str, chinese: bool) -> bool {
    const POINTING: &[&str] = &[
        "it", "this", "that", "there", "these", "those", "they", "he", "she", "we", "you", "i", "which", "who", "what",
        "if", "when", "where", "how", "because", "such", "its", "his", "her", "their", "here", "in", "on", "at",
        "outside", "both", "one", "each", "every", "all", "nobody", "nothing", "anyone", "everyone", "whoever", "but",
        "and", "or", "so", "today",
    ];
    const POINTING_CHINESE: &[&str] = &[
        "这", "那", "它", "他", "她", "我", "你", "您", "此", "其", "如", "若", "但", "也", "都", "就", "不", "只",
        "凡",
    ];
    let count = term.chars().count();
    if !term.chars().any(char::is_alphabetic) || term.contains([',', '，', '；', ';', '、', '?', '？', ':', '：', '|'])
    {
        return false;
    }
    if chinese {
        return (2..=14).contains(&count) && !POINTING_CHINESE.iter().any(|word| term.starts_with(word));
    }
    let first = term.split_whitespace().next().unwrap_or_default().to_lowercase();
    (2..=60).contains(&count) && !POINTING.contains(&first.as_str())
}
