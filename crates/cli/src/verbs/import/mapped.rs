//! Which mapping a structured file gets: the user's word, else what is remembered, else a guess.

use hone_data::{Mapping, Records, mapping};
use hone_job::ErrorCode;
use hone_studio::Store;

use crate::failure::{Failure, Outcome};

/// `--map question=Frage` as pairs; an empty column means none.
#[derive(Debug, Clone, Default)]
pub struct Chosen(Vec<(String, String)>);

impl Chosen {
    /// Understands the words of the command line.
    pub fn of(words: &[String]) -> Outcome<Self> {
        const PARTS: [&str; 8] = ["question", "answer", "context", "system", "text", "label", "split", "metadata"];
        let pairs = words.iter().map(|word| match word.split_once('=') {
            Some((part, column)) if PARTS.contains(&part) => Ok((part.to_owned(), column.to_owned())),
            _ => Err(Failure::new(
                ErrorCode::BadConfig,
                format!("`--map {word}` is not understood"),
                "Write PART=COLUMN, where PART is question, answer, context, system, text, label, split or metadata",
            )),
        });
        Ok(Self(pairs.collect::<Outcome<_>>()?))
    }

    /// Whether nothing was chosen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The mapping for records that begin with these.
    pub fn mapping(&self, records: &Records, store: &Store) -> Outcome<Mapping> {
        let mapping = match store.remembered_mapping(&records.columns)? {
            Some(mapping) => mapping,
            None => mapping::guess(records),
        };
        Ok(self.over(mapping, records))
    }

    /// The mapping with what was chosen. A choice concerns the files that could have it: one that was chosen and is not
    /// there is named when the mapping is applied.
    fn over(&self, mut mapping: Mapping, records: &Records) -> Mapping {
        // Conversations carry their own turns; what is chosen for other files is no concern of theirs.
        let conversations = records.records.iter().all(|record| !record.messages.is_empty());
        let concerns = |part: &str, column: &str| {
            !conversations
                || (matches!(part, "label" | "split" | "metadata")
                    && (column.is_empty() || records.column(column).is_some()))
        };
        if self.0.iter().any(|(part, column)| part == "metadata" && concerns(part, column)) {
            mapping.metadata.clear();
        }
        let Mapping { question, answer, context, system, text, label, split, metadata } = &mut mapping;
        for (part, column) in self.0.iter().filter(|(part, column)| concerns(part, column)) {
            // A column plays one part: the one that had it gives it up.
            for slot in [&mut *question, answer, context, system, text, label, split] {
                slot.take_if(|held| held == column);
            }
            metadata.retain(|held| held != column);
            let slot = match part.as_str() {
                "question" => &mut *question,
                "answer" => answer,
                "context" => context,
                "system" => system,
                "text" => text,
                "label" => label,
                "split" => split,
                _ => {
                    metadata.extend((!column.is_empty()).then(|| column.clone()));
                    continue;
                }
            };
            *slot = (!column.is_empty()).then(|| column.clone());
        }
        mapping
    }

    /// Remembers a mapping that was chosen and fits these columns.
    pub fn remember(&self, store: &mut Store, columns: &[String], mapping: &Mapping) -> Outcome<()> {
        if !self.is_empty() && mapping.named().iter().all(|(_, column)| columns.iter().any(|name| name == column)) {
            store.remember_mapping(columns, mapping)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Records {
        Records { columns: vec!["q".into(), "a".into()], records: vec![hone_data::Record::default()] }
    }

    fn over(guess: Mapping, words: &[&str]) -> Mapping {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        Chosen::of(&words).unwrap().over(guess, &records())
    }

    #[test]
    fn a_choice_overrides_the_guess_and_an_empty_one_clears_it() {
        let guess = Mapping { question: Some("q".into()), split: Some("a".into()), ..Mapping::default() };
        let mapping = over(guess, &["answer=a", "context="]);
        assert_eq!((mapping.question.as_deref(), mapping.answer.as_deref()), (Some("q"), Some("a")));
        assert_eq!(mapping.split, None, "its column is the answer now");
    }

    #[test]
    fn chosen_metadata_takes_the_place_of_the_guessed() {
        let guess = Mapping { metadata: vec!["x".into(), "y".into()], ..Mapping::default() };
        assert_eq!(over(guess.clone(), &["metadata=a", "metadata=q"]).metadata, ["a", "q"]);
        assert_eq!(over(guess.clone(), &["metadata="]).metadata, [] as [String; 0]);
        assert_eq!(over(guess, &["question=x"]).metadata, ["y"]);
    }

    #[test]
    fn a_mapping_that_is_not_understood_is_named() {
        let Err(Failure::Error(error)) = Chosen::of(&["frage=q".into()]) else { panic!("understood") };
        assert_eq!(error.code, ErrorCode::BadConfig);
        assert!(error.message.contains("frage=q"));
    }
}
