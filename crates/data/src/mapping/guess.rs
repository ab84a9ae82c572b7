use std::collections::HashSet;

use super::apply::split_named;
use crate::mapping::Mapping;
use crate::{Record, Records};

/// How many records are looked at.
const LOOKED_AT: usize = 200;

/// A value longer than this is a text, not a remark about one.
const METADATA_CHARACTERS: usize = 120;
/// More columns than this are not kept beside the rows unasked.
const METADATA_COLUMNS: usize = 12;

const SYSTEM: &[&str] = &["system", "systemprompt", "系统", "系统提示", "系统提示词"];
const QUESTION: &[&str] = &[
    "question",
    "instruction",
    "prompt",
    "query",
    "questions",
    "q",
    "user",
    "human",
    "ask",
    "problem",
    "request",
    "问题",
    "提问",
    "问",
    "题目",
    "指令",
    "提示",
    "提示词",
    "用户",
    "问句",
    "询问",
    "題目",
    "問題",
];
const ANSWER: &[&str] = &[
    "answer",
    "response",
    "output",
    "completion",
    "answers",
    "a",
    "reply",
    "assistant",
    "bot",
    "gpt",
    "target",
    "solution",
    "答案",
    "回答",
    "答",
    "回复",
    "输出",
    "答复",
    "解答",
    "标准答案",
    "參考答案",
    "参考答案",
    "助手",
    "解决方案",
];
const CONTEXT: &[&str] = &[
    "context",
    "input",
    "passage",
    "background",
    "reference",
    "evidence",
    "source",
    "上下文",
    "背景",
    "输入",
    "材料",
    "资料",
    "原文",
    "参考",
];
const TEXT: &[&str] =
    &["text", "content", "body", "document", "article", "sentence", "正文", "文本", "内容", "文章", "句子", "全文"];
const LABEL: &[&str] =
    &["label", "class", "category", "intent", "sentiment", "labels", "标签", "类别", "分类", "意图", "情感", "种类"];
const SPLIT: &[&str] =
    &["split", "set", "subset", "partition", "part", "fold", "划分", "数据集", "集合", "子集", "数据划分", "用途"];

/// Guesses which column is which, by the columns' names (English and Chinese) and, where these say nothing, by what
/// stands in them. What cannot be told stays open.
pub fn guess(records: &Records) -> Mapping {
    let sample: Vec<&Record> = records.records.iter().filter(|r| r.messages.is_empty()).take(LOOKED_AT).collect();
    let flat = !sample.is_empty();
    // Conversations carry their own turns; only their part and label can come from columns.
    let sample = if flat { sample } else { records.records.iter().take(LOOKED_AT).collect() };
    let mut guess = Guess { records, sample, taken: HashSet::new() };

    let split = guess.by_name(SPLIT, Guess::names_parts).or_else(|| guess.by_content(Guess::names_parts));
    let label = guess.by_name(LABEL, |guess, column| !guess.is_blank(column));
    if !flat {
        let metadata = guess.metadata();
        return Mapping { label, split, metadata, ..Mapping::default() };
    }
    let filled = |guess: &Guess, column: usize| !guess.is_blank(column);
    let system = guess.by_name(SYSTEM, filled);
    let mut question = guess.by_name(QUESTION, filled);
    let mut answer = guess.by_name(ANSWER, filled);
    let mut context = guess.by_name(CONTEXT, |_, _| true);
    let mut text = guess.by_name(TEXT, filled);

    if question.is_none() {
        // `input` and `output`; `text` and `label`; else the column that asks.
        question = if answer.is_some() {
            guess.by_content(Guess::asks).or_else(|| context.take()).or_else(|| text.take())
        } else if label.is_some() {
            text.take().or_else(|| guess.by_content(Guess::asks)).or_else(|| guess.longest())
        } else if text.is_none() {
            guess.by_content(Guess::asks)
        } else {
            None
        };
    }
    if question.is_some() && answer.is_none() && label.is_none() {
        answer = text.take().or_else(|| guess.longest());
    }
    if question.is_none() && answer.is_some() {
        question = guess.longest();
    }
    if question.is_none() && answer.is_none() && text.is_none() {
        text = guess.longest();
    }
    if question.is_some() && context.is_none() {
        context = text.take();
    }
    let text = if question.is_some() { None } else { text };
    // Conversations among the others: what stands only beside them.
    guess.sample = records.records.iter().take(LOOKED_AT).collect();
    let split = split.or_else(|| guess.by_name(SPLIT, Guess::names_parts));
    let label = label.or_else(|| guess.by_name(LABEL, filled));
    let metadata = guess.metadata();
    Mapping { question, answer, context, system, text, label, split, metadata }
}

struct Guess<'a> {
    records: &'a Records,
    sample: Vec<&'a Record>,
    taken: HashSet<usize>,
}

impl Guess<'_> {
    fn take(&mut self, column: usize) -> String {
        self.taken.insert(column);
        self.records.columns[column].clone()
    }

    /// The free column whose name is in the list (earlier names win), or holds one of its longer words.
    fn by_name(&mut self, names: &[&str], fits: impl Fn(&Self, usize) -> bool) -> Option<String> {
        let free: Vec<usize> = self.free().filter(|column| fits(self, *column)).collect();
        let key = |column: &usize| key(&self.records.columns[*column]);
        let exact = names.iter().find_map(|name| free.iter().find(|column| key(column) == *name));
        let contained = || {
            names.iter().filter(|name| name.chars().count() > 1 && (name.len() > 4 || !name.is_ascii())).find_map(
                |name| {
                    free.iter().find(|column| {
                        if name.is_ascii() {
                            words(&self.records.columns[**column]).any(|word| word == *name)
                        } else {
                            key(column).contains(name)
                        }
                    })
                },
            )
        };
        let found = exact.or_else(contained).copied()?;
        Some(self.take(found))
    }

    fn by_content(&mut self, fits: impl Fn(&Self, usize) -> bool) -> Option<String> {
        let found = self.free().find(|column| fits(self, *column))?;
        Some(self.take(found))
    }

    /// The free column of prose with the longest values.
    fn longest(&mut self) -> Option<String> {
        let length = |column: usize| self.values(column).map(str::len).sum::<usize>();
        let found = self.free().filter(|column| self.is_prose(*column)).max_by_key(|column| length(*column))?;
        Some(self.take(found))
    }

    fn free(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.records.columns.len()).filter(|column| !self.taken.contains(column))
    }

    fn values(&self, column: usize) -> impl Iterator<Item = &str> {
        self.sample.iter().map(move |record| record.value(column).trim()).filter(|value| !value.is_empty())
    }

    fn is_blank(&self, column: usize) -> bool {
        self.values(column).next().is_none()
    }

    fn share(&self, column: usize, holds: impl Fn(&str) -> bool) -> f64 {
        let (mut all, mut those) = (0usize, 0usize);
        for value in self.values(column) {
            all += 1;
            those += usize::from(holds(value));
        }
        if all == 0 { 0.0 } else { those as f64 / all as f64 }
    }

    fn names_parts(&self, column: usize) -> bool {
        self.share(column, |value| split_named(value).is_some()) > 0.9
    }

    fn asks(&self, column: usize) -> bool {
        self.share(column, |value| value.ends_with(['?', '？']) || value.ends_with('吗') || value.ends_with('呢')) > 0.5
    }

    /// What is left and says something in a few words: where a row came from, who wrote it, when. A long text that was
    /// not recognised stays out.
    fn metadata(&self) -> Vec<String> {
        let short = |column: &usize| self.share(*column, |value| value.chars().count() <= METADATA_CHARACTERS) > 0.9;
        let kept = self.free().filter(short).take(METADATA_COLUMNS);
        kept.map(|column| self.records.columns[column].clone()).collect()
    }

    /// Not numbers, dates, addresses or identifiers.
    fn is_prose(&self, column: usize) -> bool {
        let identifier = |value: &str| {
            let letters = value.chars().filter(|c| c.is_alphabetic()).count();
            value.starts_with("http")
                || letters * 3 < value.chars().count()
                || (value.len() >= 16 && value.is_ascii() && !value.contains(' '))
        };
        self.share(column, |value| !identifier(value)) > 0.5
    }
}

fn key(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn words(name: &str) -> impl Iterator<Item = String> + '_ {
    name.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(columns: &[&str], rows: &[&[&str]], expected: &[(&str, &str)]) {
        let records = Records {
            columns: columns.iter().map(ToString::to_string).collect(),
            records: rows
                .iter()
                .map(|values| Record { values: values.iter().map(ToString::to_string).collect(), ..Record::default() })
                .collect(),
        };
        let guessed = guess(&records);
        assert_eq!(guessed.named(), expected, "for columns {columns:?}");
    }

    #[test]
    fn common_english_layouts_are_recognised_by_name() {
        let qa: &[&[&str]] = &[&["How?", "Like so."]];
        check(&["question", "answer"], qa, &[("question", "question"), ("answer", "answer")]);
        check(&["Prompt", "Completion"], qa, &[("question", "Prompt"), ("answer", "Completion")]);
        check(&["input", "output"], qa, &[("question", "input"), ("answer", "output")]);
        check(&["Customer question", "Our answer"], qa, &[("question", "Customer question"), ("answer", "Our answer")]);
        check(
            &["instruction", "input", "output"],
            &[&["Translate", "", "Bonjour"]],
            &[("question", "instruction"), ("answer", "output"), ("context", "input")],
        );
        check(&["text", "label"], &[&["Bad phone", "negative"]], &[("question", "text"), ("label", "label")]);
        check(&["id", "text"], &[&["1", "A long text to read."]], &[("text", "text"), ("metadata", "id")]);
        check(
            &["split", "system_prompt", "query", "response"],
            &[&["train", "Be brief", "Why?", "Because."], &["test", "Be brief", "When?", "Now."]],
            &[("question", "query"), ("answer", "response"), ("system", "system_prompt"), ("split", "split")],
        );
    }

    #[test]
    fn common_chinese_layouts_are_recognised_by_name() {
        check(&["问题", "答案"], &[&["剂量是多少？", "每天两次"]], &[("question", "问题"), ("answer", "答案")]);
        check(
            &["编号", "客户提问", "标准回答", "类别", "数据集"],
            &[&["1", "怎么退货", "七天内可退", "售后", "训练集"]],
            &[
                ("question", "客户提问"),
                ("answer", "标准回答"),
                ("label", "类别"),
                ("split", "数据集"),
                ("metadata", "编号"),
            ],
        );
        check(
            &["指令", "输入", "输出"],
            &[&["翻译", "你好", "Hello"]],
            &[("question", "指令"), ("answer", "输出"), ("context", "输入")],
        );
    }

    #[test]
    fn nameless_columns_are_told_by_what_stands_in_them() {
        check(
            &["id", "c1", "c2", "c3"],
            &[
                &["17", "What is a bolt?", "A bolt is a fastener with a thread.", "train"],
                &["18", "What is a nut?", "A nut goes onto the bolt and holds it.", "test"],
            ],
            &[("question", "c1"), ("answer", "c2"), ("split", "c3"), ("metadata", "id")],
        );
    }

    #[test]
    fn a_column_of_numbers_is_never_taken_for_text() {
        check(
            &["n", "code"],
            &[&["1", "550e8400-e29b-41d4-a716-446655440000"], &["2", "7"]],
            &[("metadata", "n"), ("metadata", "code")],
        );
    }
}
