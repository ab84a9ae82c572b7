//! `tokenizer.json` as the metadata that a GGUF file would carry: what an export writes, and what decoding needs.
//!
//! Only forms that GGUF has a word for are taken: byte-level BPE with a known rule for words, and SentencePiece-like BPE with
//! byte fallback. Anything else could be trained but not exported, and is refused by name.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value as Json;

use super::Config;
use super::config::bytes_of;
use crate::error::{ModelError, Result};
use crate::gguf::{Array, Value};
use crate::tokenizer::words_rule;

/// The largest chat template that is read, bytes.
const MAX_TEMPLATE_BYTES: u64 = 1 << 20;
/// `SentencePiece`'s visible space.
const SPACE: char = '\u{2581}';
/// Below the score of any token that merges make.
const UNMERGED: f32 = -16_777_216.0;

/// What stands about the tokenizer in the small files beside `tokenizer.json`.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    bos: Option<Mark>,
    eos: Option<Mark>,
    unknown: Option<Mark>,
    padding: Option<Mark>,
    add_bos: Option<bool>,
    template: Option<String>,
}

/// A token, by its text or its id.
#[derive(Debug, Clone)]
enum Mark {
    Text(String),
    Id(u32),
}

impl Settings {
    /// Reads `tokenizer_config.json`, `generation_config.json` and `chat_template.jinja`, each if it is there, and keeps their bytes in
    /// `files`.
    pub(super) fn read(folder: &Path, config: &Config, files: &mut Vec<Vec<u8>>) -> Result<Self> {
        let mut file = |name: &str| -> Result<Config> {
            let path = folder.join(name);
            let Some((config, bytes)) = Config::read(&path)? else { return Ok(Config::empty(&path)) };
            files.push(bytes);
            Ok(config)
        };
        let (tokenizer, generation) = (file("tokenizer_config.json")?, file("generation_config.json")?);
        let mark = |name: &str, id: &str| {
            let text = || text_of(tokenizer.get(name)?).map(Mark::Text);
            let number = |config: &Config| {
                let id = config.get(id)?;
                let first = id.as_array().map_or(Some(id), |list| list.first())?;
                u32::try_from(first.as_u64()?).ok().map(Mark::Id)
            };
            text().or_else(|| number(config)).or_else(|| number(&generation))
        };
        let template = match bytes_of(&folder.join("chat_template.jinja"), MAX_TEMPLATE_BYTES)? {
            Some(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                files.push(bytes);
                Some(text)
            }
            None => tokenizer.get("chat_template").and_then(template_of),
        };
        Ok(Self {
            bos: mark("bos_token", "bos_token_id"),
            eos: mark("eos_token", "eos_token_id"),
            unknown: mark("unk_token", ""),
            padding: mark("pad_token", "pad_token_id"),
            add_bos: tokenizer.get("add_bos_token").and_then(Json::as_bool),
            template,
        })
    }
}

/// A token of `tokenizer_config.json`: a text, or an object with one.
fn text_of(token: &Json) -> Option<String> {
    token.as_str().or_else(|| token.get("content")?.as_str()).map(str::to_owned)
}

/// The chat template: a text, or a list of them with names.
fn template_of(template: &Json) -> Option<String> {
    let named = || {
        let list = template.as_array()?;
        list.iter().find(|entry| entry.get("name").and_then(Json::as_str) == Some("default"))?.get("template")?.as_str()
    };
    template.as_str().or_else(named).filter(|text| text.len() as u64 <= MAX_TEMPLATE_BYTES).map(str::to_owned)
}

#[derive(Deserialize)]
struct Outline {
    model: Kind,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Marks {
    #[serde(default)]
    added_tokens: Vec<Added>,
}

/// Whether special tokens of a `tokenizer.json` swallow the white space after them.
pub(super) fn drops_white_space(json: &[u8]) -> bool {
    let marks = serde_json::from_slice::<Marks>(json);
    marks.is_ok_and(|marks| marks.added_tokens.iter().any(|added| added.special && added.rstrip))
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<Added>,
    normalizer: Option<Json>,
    pre_tokenizer: Option<Json>,
    post_processor: Option<Json>,
    model: Bpe,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
    #[serde(default)]
    rstrip: bool,
}

#[derive(Deserialize)]
struct Bpe {
    vocab: HashMap<String, u32>,
    merges: Vec<Merge>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    dropout: Option<f64>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    unk_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Joined(String),
    Pair(String, String),
}

impl Merge {
    fn pair(&self) -> Option<(&str, &str)> {
        match self {
            Self::Joined(text) => text.split_once(' '),
            Self::Pair(left, right) => Some((left, right)),
        }
    }
}

/// How a text is prepared before the merges.
enum Preparation {
    /// Bytes as letters, words cut by the rule of that name.
    ByteLevel(&'static str),
    /// Spaces made visible; one in front of a text or not.
    Visible { space_in_front: bool },
}

/// The metadata for a vocabulary whose embedding has `rows` rows.
///
/// # Errors
/// [`ModelError::Damaged`] when the file is none, or disagrees with the weights; [`ModelError::UnsupportedTokenizer`] naming what
/// GGUF has no word for.
pub(super) fn metadata(path: &Path, json: &[u8], settings: &Settings, rows: usize) -> Result<Vec<(String, Value)>> {
    let damaged = |place: String, problem: String| ModelError::Damaged { path: path.to_owned(), place, problem };
    let broken = |error: serde_json::Error| {
        damaged(format!("line {}, column {}", error.line(), error.column()), error.to_string())
    };
    let unsupported = |kind: String| ModelError::UnsupportedTokenizer { path: path.to_owned(), kind };
    let outline: Outline = serde_json::from_slice(json).map_err(broken)?;
    if let Some(kind) = outline.model.kind.filter(|kind| kind != "BPE") {
        return Err(unsupported(kind));
    }
    let file: File = serde_json::from_slice(json).map_err(broken)?;
    let preparation = preparation(&file).map_err(unsupported)?;
    let too_high = |text: &str, id: u32| {
        let problem = format!("its id is {id}, the embedding has {rows} rows");
        damaged(format!("token `{}`", text.escape_debug()), problem)
    };

    let mut texts: Vec<Option<&str>> = vec![None; rows];
    let listed = file.model.vocab.iter().map(|(text, id)| (text.as_str(), *id));
    for (text, id) in listed.chain(file.added_tokens.iter().map(|added| (added.content.as_str(), added.id))) {
        let place = texts.get_mut(id as usize).ok_or_else(|| too_high(text, id))?;
        if place.is_some_and(|other| other != text) {
            return Err(damaged(format!("token `{}`", text.escape_debug()), format!("its id {id} is another token's")));
        }
        *place = Some(text);
    }
    let ids: HashMap<&str, u32> = texts.iter().zip(0..).filter_map(|(text, id)| Some(((*text)?, id))).collect();
    let id_of = |mark: &Option<Mark>| match mark.as_ref()? {
        Mark::Text(text) => ids.get(text.as_str()).copied(),
        Mark::Id(id) => Some(*id).filter(|id| (*id as usize) < rows),
    };
    let unknown = file.model.unk_token.as_ref().and_then(|text| ids.get(text.as_str()).copied());
    let unknown = unknown.or_else(|| id_of(&settings.unknown));

    let visible = matches!(preparation, Preparation::Visible { .. });
    let mut types: Vec<i32> = texts.iter().map(|text| kind_of(*text, file.model.byte_fallback)).collect();
    for added in &file.added_tokens {
        // Runs of spaces come out of the merges too, and would be written with their signs if they were matched as text.
        let spaces = visible && added.content.starts_with(SPACE);
        types[added.id as usize] = match (added.special, spaces) {
            (true, _) => 3,
            (false, true) => 1,
            (false, false) => 4,
        };
    }
    if let Some(id) = unknown.filter(|_| visible) {
        types[id as usize] = 2;
    }
    let padded = texts.iter().enumerate().map(|(id, text)| text.map_or_else(|| format!("[PAD{id}]"), str::to_owned));
    let mut keys = vec![
        ("tokens", Value::Array(Array::String(padded.collect()))),
        ("token_type", Value::Array(Array::I32(types))),
    ];
    match preparation {
        Preparation::ByteLevel(rule) => {
            keys.extend([("model", Value::String("gpt2".to_owned())), ("pre", Value::String(rule.to_owned()))]);
            let merges = file.model.merges.iter().filter_map(Merge::pair);
            let merges = merges.map(|(left, right)| format!("{left} {right}")).collect();
            keys.push(("merges", Value::Array(Array::String(merges))));
        }
        Preparation::Visible { space_in_front } => {
            keys.extend([("model", Value::String("llama".to_owned())), ("pre", Value::String("default".to_owned()))]);
            keys.push(("scores", Value::Array(Array::F32(scores(&file.model.merges, &ids, rows)))));
            keys.push(("add_space_prefix", Value::Bool(space_in_front)));
        }
    }
    let bos = id_of(&settings.bos);
    // Transformers makes the post-processor anew where the settings say something.
    let by_processor = || file.post_processor.as_ref().is_some_and(begins_with_a_token);
    let begins = settings.add_bos.unwrap_or_else(by_processor);
    keys.push(("add_bos_token", Value::Bool(begins && bos.is_some())));
    let marks = [
        ("bos_token_id", bos),
        ("eos_token_id", id_of(&settings.eos)),
        ("unknown_token_id", unknown),
        ("padding_token_id", id_of(&settings.padding)),
    ];
    keys.extend(marks.into_iter().filter_map(|(key, id)| Some((key, Value::U32(id?)))));
    let mut keys: Vec<_> = keys.into_iter().map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)).collect();
    if let Some(template) = &settings.template {
        keys.push(("tokenizer.chat_template".to_owned(), Value::String(template.clone())));
    }
    Ok(keys)
}

/// `enum llama_token_type` of a token that is not an added one.
fn kind_of(text: Option<&str>, byte_fallback: bool) -> i32 {
    let is_byte = |text: &str| text.len() == 6 && text.starts_with("<0x") && text.ends_with('>');
    match text {
        None => 5,
        Some(text) if byte_fallback && is_byte(text) => 6,
        Some(_) => 1,
    }
}

/// `SentencePiece` joins the pair whose union has the best score, BPE the pair that comes first: the first merge that makes a token
/// is its score.
fn scores(merges: &[Merge], ids: &HashMap<&str, u32>, rows: usize) -> Vec<f32> {
    let mut ranks = vec![None; rows];
    let mut joined = String::new();
    for (rank, (left, right)) in merges.iter().filter_map(Merge::pair).enumerate() {
        joined.clear();
        joined.push_str(left);
        joined.push_str(right);
        if let Some(id) = ids.get(joined.as_str()) {
            ranks[*id as usize].get_or_insert(rank);
        }
    }
    ranks.into_iter().map(|rank| rank.map_or(UNMERGED, |rank| -(rank as f32))).collect()
}

/// How a file prepares its texts; the error names what GGUF has no word for.
fn preparation(file: &File) -> std::result::Result<Preparation, String> {
    let model = &file.model;
    let affixes = [&model.continuing_subword_prefix, &model.end_of_word_suffix];
    if affixes.iter().any(|affix| affix.as_ref().is_some_and(|affix| !affix.is_empty())) {
        return Err("BPE with marks on word parts".to_owned());
    }
    if model.dropout.is_some_and(|dropout| dropout != 0.0) {
        return Err("BPE with dropout".to_owned());
    }
    let normalizers = steps(file.normalizer.as_ref(), "normalizers");
    let cuts = steps(file.pre_tokenizer.as_ref(), "pretokenizers");
    let is = |step: &Json, kind: &str| step.get("type").and_then(Json::as_str) == Some(kind);
    if cuts.last().is_some_and(|step| is(step, "ByteLevel")) {
        if let Some(other) = normalizers.iter().find(|step| !is(step, "NFC")) {
            return Err(format!("byte-level BPE with the normalizer {}", brief(other)));
        }
        return byte_level(&cuts, model.ignore_merges).map(Preparation::ByteLevel);
    }
    if !model.byte_fallback {
        return Err("BPE without bytes".to_owned());
    }
    let mut space_in_front = false;
    let mut visible = false;
    for step in normalizers {
        match (step.get("type").and_then(Json::as_str), step.get("prepend").and_then(Json::as_str)) {
            (Some("Prepend"), Some("\u{2581}")) => space_in_front = true,
            (Some("Replace"), _) if is_space_sign(step) => visible = true,
            _ => return Err(format!("BPE with the normalizer {}", brief(step))),
        }
    }
    for step in cuts {
        match step.get("type").and_then(Json::as_str) {
            Some("Metaspace") if step.get("replacement").and_then(Json::as_str) == Some("\u{2581}") => {
                if step.get("split").and_then(Json::as_bool) != Some(false) {
                    return Err("BPE over single words with visible spaces".to_owned());
                }
                visible = true;
                // `first` puts a space in front of a whole text only, and rendered conversations begin with a control token.
                let scheme = step.get("prepend_scheme").and_then(Json::as_str);
                space_in_front = scheme.unwrap_or("always") == "always";
            }
            // Gemma's: cuts at spaces, of which none are left.
            Some("Split") if visible && step.pointer("/pattern/String").and_then(Json::as_str) == Some(" ") => {}
            _ => return Err(format!("BPE with the pre-tokenizer {}", brief(step))),
        }
    }
    if visible { Ok(Preparation::Visible { space_in_front }) } else { Err("BPE without visible spaces".to_owned()) }
}

/// The single steps of a normalizer or pre-tokenizer.
fn steps<'a>(step: Option<&'a Json>, list: &str) -> Vec<&'a Json> {
    let Some(step) = step.filter(|step| !step.is_null()) else { return Vec::new() };
    match step.get(list).and_then(Json::as_array) {
        // Steps within steps within steps are not what any model has.
        Some(inner) => inner.iter().collect(),
        None => vec![step],
    }
}

fn is_space_sign(step: &Json) -> bool {
    let text = |pointer: &str| step.pointer(pointer).and_then(Json::as_str);
    text("/pattern/String") == Some(" ") && text("/content") == Some("\u{2581}")
}

/// The name of the rule for words.
fn byte_level(steps: &[&Json], ignore_merges: bool) -> std::result::Result<&'static str, String> {
    let mut cuts = Vec::new();
    for step in steps {
        match step.get("type").and_then(Json::as_str) {
            Some("Split") if step.get("behavior").and_then(Json::as_str) == Some("Isolated") => {
                let regex = step.pointer("/pattern/Regex").and_then(Json::as_str);
                cuts.push(regex.ok_or_else(|| format!("byte-level BPE with the pre-tokenizer {}", brief(step)))?);
            }
            Some("Digits") if step.get("individual_digits").and_then(Json::as_bool) == Some(true) => {
                cuts.push(r"\p{N}");
            }
            Some("ByteLevel") if step.get("add_prefix_space").and_then(Json::as_bool) != Some(true) => {
                if step.get("use_regex").and_then(Json::as_bool) != Some(false) {
                    cuts.push(words_rule::GPT2);
                }
            }
            _ => return Err(format!("byte-level BPE with the pre-tokenizer {}", brief(step))),
        }
    }
    words_rule::name(&cuts, ignore_merges)
        .ok_or_else(|| format!("byte-level BPE that cuts words at {}", brief(&Json::from(cuts))))
}

fn brief(step: &Json) -> String {
    step.to_string().chars().take(160).collect()
}

/// Whether a post-processor puts a token in front of a single text.
fn begins_with_a_token(step: &Json) -> bool {
    match step.get("processors").and_then(Json::as_array) {
        Some(inner) => inner.iter().any(|step| step.get("processors").is_none() && begins_with_a_token(step)),
        None => step.pointer("/single/0/SpecialToken").is_some(),
    }
}
