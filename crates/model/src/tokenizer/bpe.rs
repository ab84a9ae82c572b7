//! Byte-level BPE (Radford et al. 2019), put together with the `tokenizers` crate from what a GGUF file says.
//!
//! The file names the rule that cuts a text into words before the merges (`tokenizer.ggml.pre`). A wrong rule gives other ids
//! without an error, so that an unknown name is refused.

use std::collections::HashMap;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;
use tokenizers::{ModelWrapper, PreTokenizerWrapper};

use super::vocabulary::Vocabulary;
use super::words_rule::{RULES, Rule};
use crate::error::{ModelError, Result};
use crate::source::ModelFile;

/// A tokenizer of the kind `gpt2`.
#[derive(Debug)]
pub(super) struct Bpe {
    tokenizer: tokenizers::Tokenizer,
    /// The byte that each character of a token stands for.
    bytes: HashMap<char, u8>,
    add_bos: bool,
}

impl Bpe {
    fn rule(file: &ModelFile) -> std::result::Result<&'static Rule, String> {
        let pre = file.string("tokenizer.ggml.pre").unwrap_or("default");
        RULES.iter().find(|rule| rule.names.contains(&pre)).ok_or_else(|| pre.to_owned())
    }

    /// Whether the way in which a file's tokenizer cuts words is known; the error is its name.
    pub(super) fn check_kind(file: &ModelFile) -> std::result::Result<(), String> {
        Self::rule(file).map(|_| ())
    }

    pub(super) fn from_gguf(file: &ModelFile, vocabulary: &Vocabulary) -> Result<Self> {
        let rule =
            Self::rule(file).map_err(|kind| ModelError::UnsupportedTokenizer { path: file.path().to_owned(), kind })?;
        let ids: Vocab = vocabulary.texts.iter().enumerate().map(|(id, text)| (text.clone(), id as u32)).collect();
        let known = |text: &str| vocabulary.ids.contains_key(text);
        let merges = file.strings("tokenizer.ggml.merges")?.iter().filter_map(|merge| {
            let (left, right) = merge.split_once(' ')?;
            let there = known(left) && known(right) && known(&format!("{left}{right}"));
            there.then(|| (left.to_owned(), right.to_owned()))
        });
        let bpe = BPE::builder()
            .vocab_and_merges(ids, merges.collect::<Vec<_>>())
            .ignore_merges(rule.ignore_merges)
            .build()
            .map_err(failed("rebuilding the merges"))?;
        let mut cuts: Vec<PreTokenizerWrapper> = Vec::new();
        for cut in rule.cuts {
            let pattern = SplitPattern::Regex((*cut).to_owned());
            let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false);
            cuts.push(split.map_err(failed("building the rule for words"))?.into());
        }
        cuts.push(ByteLevel::new(false, true, false).into());
        let mut tokenizer = tokenizers::Tokenizer::new(ModelWrapper::from(bpe));
        tokenizer.with_pre_tokenizer(Some(Sequence::new(cuts)));
        Ok(Self { tokenizer, bytes: bytes_of_characters(), add_bos: rule.add_bos })
    }

    /// Whether a text begins with BOS when the file does not say.
    pub(super) fn adds_bos(&self) -> bool {
        self.add_bos
    }

    /// Adds the ids of ordinary text.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(failed("tokenising a text"))?;
        ids.extend_from_slice(encoding.get_ids());
        Ok(())
    }

    /// The bytes that an ordinary token stands for.
    pub(super) fn bytes(&self, token: &str) -> Vec<u8> {
        bytes_of(token, &self.bytes)
    }
}

/// The bytes that a token's characters stand for.
pub(super) fn bytes_of(token: &str, alphabet: &HashMap<char, u8>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(token.len());
    for character in token.chars() {
        match alphabet.get(&character) {
            Some(byte) => bytes.push(*byte),
            None => bytes.extend(character.to_string().into_bytes()),
        }
    }
    bytes
}

pub(super) fn failed(doing: &'static str) -> impl Fn(tokenizers::Error) -> ModelError {
    move |source| ModelError::Tokenizer { doing, source }
}

/// GPT-2's alphabet: printable bytes are themselves, the others are the characters from U+0100 on, in order.
pub(super) fn bytes_of_characters() -> HashMap<char, u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut others = 0;
    (0..=u8::MAX)
        .map(|byte| {
            let character =
                if printable(byte) { char::from(byte) } else { char::from_u32(256 + others).unwrap_or_default() };
            others += u32::from(!printable(byte));
            (character, byte)
        })
        .collect()
}
