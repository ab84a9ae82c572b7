//! A folder's own `tokenizer.json`, run by the library that Transformers runs it with, so that the ids are the same.

use std::collections::{HashMap, HashSet};

use tokenizers::pre_tokenizers::metaspace::PrependScheme;
use tokenizers::{AddedVocabulary, Model, NormalizerWrapper, PreTokenizer, PreTokenizerWrapper};

use super::bpe::{bytes_of, bytes_of_characters, failed};
use crate::error::Result;

/// A `tokenizer.json` of a form that was checked before (`huggingface/tokenizer.rs`).
pub(super) struct Hub {
    tokenizer: tokenizers::Tokenizer,
    /// As the tokenizer's own, but that special tokens are text like any other.
    as_text: AddedVocabulary,
    /// For a stretch of text that does not begin the document, where that makes a difference.
    inside: Option<PreTokenizerWrapper>,
    /// The byte that each character of a token stands for; `None` where spaces are visible and bytes have tokens of their own.
    alphabet: Option<HashMap<char, u8>>,
    /// A decoded text loses the space that was put in front of it.
    pub(super) space_in_front: bool,
    /// Special tokens after which white space is dropped.
    pub(super) strips: HashSet<String>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    /// `byte_level` says whether tokens are bytes as letters.
    pub(super) fn new(json: &[u8], byte_level: bool) -> Result<Self> {
        // The file is foreign: should the library give up on it, that is a file that cannot be read.
        let read = std::panic::catch_unwind(|| tokenizers::Tokenizer::from_bytes(json));
        let read = read.unwrap_or_else(|_| Err("the tokenizer library gave up on it".into()));
        let tokenizer = read.map_err(failed("reading `tokenizer.json`"))?;
        let mut as_text = tokenizer.get_added_vocabulary().clone();
        as_text.set_encode_special_tokens(true);
        let mut inside = None;
        let mut space_in_front = false;
        if let Some(PreTokenizerWrapper::Metaspace(cut)) = tokenizer.get_pre_tokenizer() {
            space_in_front = cut.prepend_scheme != PrependScheme::Never;
            if cut.prepend_scheme == PrependScheme::First {
                let mut cut = cut.clone();
                cut.prepend_scheme = PrependScheme::Never;
                inside = Some(PreTokenizerWrapper::Metaspace(cut));
            }
        }
        // Llama 2's form: the normalizer puts the space in front.
        let prepends = |step: &NormalizerWrapper| matches!(step, NormalizerWrapper::Prepend(_));
        space_in_front |= match tokenizer.get_normalizer() {
            Some(NormalizerWrapper::Sequence(steps)) => steps.as_ref().iter().any(prepends),
            other => other.is_some_and(prepends),
        };
        let added = tokenizer.get_added_vocabulary().get_added_tokens_decoder();
        let strips = added.values().filter(|token| token.special && token.rstrip).map(|token| token.content.clone());
        let strips = strips.collect();
        let alphabet = byte_level.then(bytes_of_characters);
        Ok(Self { tokenizer, as_text, inside, alphabet, space_in_front, strips })
    }

    /// The ids of a text. `begins` says whether it is the beginning of a document, `specials` whether special tokens in it are those
    /// tokens instead of text.
    pub(super) fn encode(&self, text: &str, begins: bool, specials: bool) -> Result<Vec<u32>> {
        let added = if specials { self.tokenizer.get_added_vocabulary() } else { &self.as_text };
        let mut pieces = added.extract_and_normalize(self.tokenizer.get_normalizer(), text);
        let cut = match &self.inside {
            Some(cut) if !begins => Some(cut),
            _ => self.tokenizer.get_pre_tokenizer(),
        };
        if let Some(cut) = cut {
            cut.pre_tokenize(&mut pieces).map_err(failed("cutting a text into words"))?;
        }
        let model = self.tokenizer.get_model();
        pieces.tokenize(|piece| model.tokenize(piece.get())).map_err(failed("tokenising a text"))?;
        let encoding =
            pieces.into_encoding(None, 0, tokenizers::OffsetType::None).map_err(failed("tokenising a text"))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The bytes that an ordinary token stands for; `None` where spaces are visible.
    pub(super) fn bytes(&self, token: &str) -> Option<Vec<u8>> {
        self.alphabet.as_ref().map(|alphabet| bytes_of(token, alphabet))
    }
}
