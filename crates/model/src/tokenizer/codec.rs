//! Text to token ids and back.

use super::bpe::Bpe;
use super::hub::Hub;
use super::specials::{Piece, Specials, Which};
use super::spm::{self, SPACE};
use super::vocabulary::{Kind, Vocabulary};
use crate::error::{ModelError, Result};
use crate::gguf::Value;
use crate::source::ModelFile;

/// How ordinary text becomes tokens (`tokenizer.ggml.model`).
#[derive(Debug)]
enum Algorithm {
    /// `llama`: `SentencePiece`.
    Spm { add_space_prefix: bool, words: Box<spm::Words> },
    /// `gpt2`: byte-level BPE.
    Bpe(Box<Bpe>),
    /// A folder's `tokenizer.json`.
    Hub(Box<Hub>),
}

/// Turns text into token ids and back.
#[derive(Debug)]
pub struct Tokenizer {
    vocabulary: Vocabulary,
    specials: Specials,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
    algorithm: Algorithm,
}

impl Tokenizer {
    /// The tokenizer of a base model: a folder's own, or rebuilt from what a GGUF file carries.
    ///
    /// # Errors
    /// When the model has none, or one of a kind that is not known here.
    pub fn from_gguf(file: &ModelFile) -> Result<Self> {
        let rebuilt = Self::rebuild(file)?;
        let Some(folder) = file.folder() else { return Ok(rebuilt) };
        let byte_level = matches!(rebuilt.algorithm, Algorithm::Bpe(_));
        let hub = Hub::new(folder.tokenizer.json(file.path())?, byte_level)?;
        let vocabulary = Vocabulary::of_folder(file)?;
        let specials = Specials::with(&vocabulary, |text, _| hub.strips.contains(text));
        Ok(Self { vocabulary, specials, algorithm: Algorithm::Hub(Box::new(hub)), ..rebuilt })
    }

    /// Rebuilds the tokenizer from GGUF's metadata, as llama.cpp does it for the exported file.
    ///
    /// # Errors
    /// As [`Tokenizer::from_gguf`].
    pub fn rebuild(file: &ModelFile) -> Result<Self> {
        Self::check_kind(file)?;
        let vocabulary = Vocabulary::from_gguf(file)?;
        let specials = Specials::new(&vocabulary, file.get("general.name").and_then(Value::as_str).unwrap_or_default());
        let id = |key: &str| {
            let id = file.get(key).and_then(Value::as_u64)?;
            (id < vocabulary.texts.len() as u64).then_some(id as u32)
        };
        let bos = id("tokenizer.ggml.bos_token_id");
        let eos = id("tokenizer.ggml.eos_token_id");
        let algorithm = match file.string("tokenizer.ggml.model")? {
            "llama" => Algorithm::Spm {
                add_space_prefix: file.bool_or("tokenizer.ggml.add_space_prefix", true)?,
                words: Box::new(spm::Words::new(&vocabulary)),
            },
            _ => Algorithm::Bpe(Box::new(Bpe::from_gguf(file, &vocabulary)?)),
        };
        let add_bos_by_default = match &algorithm {
            Algorithm::Spm { .. } => true,
            Algorithm::Bpe(bpe) => bpe.adds_bos(),
            Algorithm::Hub(_) => false,
        };
        let add_bos = file.bool_or("tokenizer.ggml.add_bos_token", add_bos_by_default)? && bos.is_some();
        Ok(Self { vocabulary, specials, bos, eos, add_bos, algorithm })
    }

    /// Whether the tokenizer of a file is of a kind that is rebuilt here.
    ///
    /// # Errors
    /// [`ModelError::UnsupportedTokenizer`] naming the kind when it is not.
    pub fn check_kind(file: &ModelFile) -> Result<()> {
        if let Some(folder) = file.folder().filter(|_| file.get("tokenizer.ggml.model").is_none()) {
            folder.tokenizer.keys(file.path())?;
        }
        let kind = match file.string("tokenizer.ggml.model")? {
            "llama" => return Ok(()),
            "gpt2" => match Bpe::check_kind(file) {
                Ok(()) => return Ok(()),
                Err(pre) => format!("gpt2` with the pre-tokenizer `{pre}"),
            },
            other => other.to_owned(),
        };
        Err(ModelError::UnsupportedTokenizer { path: file.path().to_owned(), kind })
    }

    /// The ids of ordinary text: control tokens spelled out in it stay text, nothing is added in front or behind.
    ///
    /// # Errors
    /// When a character has no token and the vocabulary has no bytes to spell it with.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.encode_part(text, true)
    }

    /// As [`Tokenizer::encode`] for a part of a document; `begins` says whether it is the first.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_part(&self, text: &str, begins: bool) -> Result<Vec<u32>> {
        match &self.algorithm {
            Algorithm::Hub(hub) => hub.encode(text, begins, false),
            _ => self.encode_cut(text, Which::UserDefined),
        }
    }

    /// As [`Tokenizer::encode`], with control tokens in the text becoming those tokens: for rendered templates.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_with_specials(&self, text: &str) -> Result<Vec<u32>> {
        match &self.algorithm {
            Algorithm::Hub(hub) => hub.encode(text, true, true),
            _ => self.encode_cut(text, Which::All),
        }
    }

    fn encode_cut(&self, text: &str, which: Which) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        let mut after_special = true;
        for piece in self.specials.cut(text, which) {
            match piece {
                Piece::Token(id) => {
                    ids.push(id);
                    after_special = true;
                }
                Piece::Text(text) => {
                    match &self.algorithm {
                        Algorithm::Spm { add_space_prefix, words } => {
                            let mut spelled = String::with_capacity(text.len() + 8);
                            if *add_space_prefix && after_special {
                                spelled.push(SPACE);
                            }
                            spelled.extend(text.chars().map(|letter| if letter == ' ' { SPACE } else { letter }));
                            words.encode(&self.vocabulary, &spelled, &mut ids)?;
                        }
                        Algorithm::Bpe(bpe) => bpe.encode(text, &mut ids)?,
                        Algorithm::Hub(hub) => ids.extend(hub.encode(text, after_special, false)?),
                    }
                    after_special = false;
                }
            }
        }
        Ok(ids)
    }

    /// Cuts a rendered template at its control tokens.
    pub fn cut_at_controls<'a>(&self, text: &'a str) -> Vec<Piece<'a>> {
        self.specials.cut(text, Which::Controls)
    }

    /// The text of tokens; control tokens give nothing, broken UTF-8 gives U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> =
            ids.iter().filter(|id| !self.is_control(**id)).flat_map(|id| self.token_bytes(*id)).collect();
        let text = String::from_utf8_lossy(&bytes);
        text.strip_prefix(' ').filter(|_| self.drops_first_space()).unwrap_or(&text).to_owned()
    }

    /// Whether the space in front of a decoded text was put there by the tokenizer, as the decoders of Transformers and llama.cpp have it.
    pub(super) fn drops_first_space(&self) -> bool {
        match &self.algorithm {
            Algorithm::Spm { add_space_prefix, .. } => *add_space_prefix,
            Algorithm::Hub(hub) => hub.space_in_front,
            Algorithm::Bpe(_) => false,
        }
    }

    /// The text of tokens with control tokens spelled out.
    pub fn decode_with_specials(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| self.token_bytes(*id)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The bytes that a token stands for; control tokens as they are written; nothing for an id outside the vocabulary.
    pub fn token_bytes(&self, id: u32) -> Vec<u8> {
        let Some(text) = self.token(id) else { return Vec::new() };
        match self.vocabulary.kinds[id as usize] {
            Kind::Byte(byte) => vec![byte],
            Kind::Normal => match &self.algorithm {
                Algorithm::Spm { .. } => text.replace(SPACE, " ").into_bytes(),
                Algorithm::Bpe(bpe) => bpe.bytes(text),
                Algorithm::Hub(hub) => hub.bytes(text).unwrap_or_else(|| text.replace(SPACE, " ").into_bytes()),
            },
            _ => text.as_bytes().to_vec(),
        }
    }

    /// A token as the vocabulary writes it, e.g. `▁the` or `Ġthe`; `None` outside the vocabulary.
    pub fn token(&self, id: u32) -> Option<&str> {
        self.vocabulary.texts.get(id as usize).map(String::as_str)
    }

    /// Whether a token steers the model instead of standing for text.
    pub fn is_control(&self, id: u32) -> bool {
        self.vocabulary.kinds.get(id as usize).is_some_and(|kind| matches!(kind, Kind::Control | Kind::Unknown))
    }

    #[cfg(test)]
    pub(super) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// How many tokens there are.
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary.texts.len()
    }

    /// The token that begins a text.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token that ends a text.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Whether every prompt begins with [`Tokenizer::bos`].
    pub fn add_bos(&self) -> bool {
        self.add_bos
    }

    /// The id of a control or user-defined token by its text, e.g. `<end_of_turn>`.
    pub fn special_id(&self, text: &str) -> Option<u32> {
        self.specials.get(text)
    }
}
