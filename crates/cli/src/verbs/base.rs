//! The base model of a verb: where it is, and its parts.

use std::cell::OnceCell;
use std::path::Path;

use hone_job::{ErrorCode, Job};
use hone_model::source::{self, BaseModel, Places};
use hone_model::{ChatFormat, ModelFile, Tokenizer};

use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Tells the tokens of a text.
pub type TokenCount = dyn Fn(&str) -> usize;

/// From here on a text is cut in any case, so that its exact length does not matter; bytes.
pub const ENDLESS: usize = 1 << 16;

/// A base model's file with what every verb reads from it.
pub struct Base {
    /// The file.
    pub file: ModelFile,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The form of a conversation.
    pub chat: ChatFormat,
}

/// Finds a base model by its reference.
pub fn resolve(reference: &str) -> Outcome<BaseModel> {
    Ok(source::resolve(reference, &places())?)
}

/// Opens a base model that can be trained and exported.
pub fn open(reference: &str) -> Outcome<Base> {
    let model = resolve(reference)?;
    let file = ModelFile::open(Path::new(&model.path))?;
    let tokenizer = Tokenizer::from_gguf(&file)?;
    let chat = ChatFormat::from_gguf(&file, &tokenizer)?;
    source::check_exportable(&file, &tokenizer, &chat)?;
    Ok(Base { file, tokenizer, chat })
}

/// Where models lie on this computer, as the environment says.
pub fn places() -> Places {
    Places {
        models_dir: source::default_models_dir().unwrap_or_else(|| "models".into()),
        ollama_models: source::default_ollama_models(),
    }
}

/// Counts tokens as the base model does. Where the model is not at hand, an estimate does: importing does not need it.
/// The model is opened for the first text; many imports have none.
pub fn token_count(reference: &str, context: &Context) -> Box<TokenCount> {
    let (reference, job) = (reference.to_owned(), context.job.clone());
    let tokenizer = OnceCell::new();
    Box::new(move |text| {
        if text.len() >= ENDLESS {
            return estimate(text);
        }
        let tokenizer = tokenizer.get_or_init(|| tokenizer_or_notice(&reference, &job));
        let tokens = tokenizer.as_ref().and_then(|tokenizer| tokenizer.encode(text).ok());
        tokens.map_or_else(|| estimate(text), |tokens| tokens.len())
    })
}

fn tokenizer_or_notice(reference: &str, job: &Job) -> Option<Tokenizer> {
    let why = match open(reference) {
        Ok(base) => return Some(base.tokenizer),
        Err(Failure::Error(error)) => error.message,
        Err(Failure::Cancelled) => String::new(),
    };
    job.notice("tokens_estimated", format!("Lengths are estimated, since the base model cannot be read: {why}"));
    None
}

/// About four letters a token; a Chinese character is about one.
fn estimate(text: &str) -> usize {
    let (narrow, wide) = text
        .chars()
        .fold((0, 0), |(narrow, wide), c| if u32::from(c) >= 0x2E80 { (narrow, wide + 1) } else { (narrow + 1, wide) });
    usize::div_ceil(narrow, 4) + wide
}

/// A reference that still holds when the working folder is another.
pub fn absolute(reference: &str) -> String {
    let path = Path::new(reference);
    match path.canonicalize() {
        Ok(path) => path.to_string_lossy().into_owned(),
        Err(_) => reference.to_owned(),
    }
}

/// What a name on the command line stands for: a training of the project, or a base model.
pub fn not_a_model(name: &str) -> Failure {
    Failure::new(
        ErrorCode::NotFound,
        format!("`{name}` is neither a training of this project nor a base model"),
        "Look with `hone models list`, and in the project's `runs` folder",
    )
}
