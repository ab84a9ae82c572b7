//! Whether what is trained from a folder would be the same model in llama.cpp, and so in Ollama.

use super::ModelFile;
use crate::arch;
use crate::chat::{ChatFormat, ChatMessage};
use crate::error::{ModelError, Result};
use crate::tokenizer::Tokenizer;

/// What tokenizers trip over: contractions, digits, white space, line ends, scripts, signs.
const TEXTS: [&str; 12] = [
    "Hello  world, it's DON'T and we'll see, they'RE",
    "1 12 123 1234 12345 0555 014 400, 12,345.60 cr, 1e-9, 0xFF",
    "line\none\n\ntwo \n  three\r\n\r\nfour\t\ttab",
    "   three spaces,  then two\n   ",
    "naïve café Łódź Straße ﬁne",
    "渡轮合作社成立于一九七一年，有 38 名员工。フェリー한국어",
    "Привет, мир! שלום مرحبا ٣٤٥ सीख",
    "👩‍🚀🚢😀 🇳🇴 — “quoted” …",
    "fn main() {\n    println!(\"{}\", 1 << 4);\n}\n",
    "HTTPServer camelCase ALLCAPS MixedUp iPhone's McDonald's",
    "https://example.org/a?b=c&d=%20#e /path//to///file",
    "<|im_start|>user say <s> </s> <unk>",
];

/// Refuses a folder that could be trained but not exported: settings that GGUF has no key for, or a tokenizer that llama.cpp would
/// rebuild otherwise. GGUF files are always exportable: their metadata is copied.
///
/// # Errors
/// [`ModelError::NotABaseModel`] naming what is missing.
pub fn check_exportable(file: &ModelFile, tokenizer: &Tokenizer, format: &ChatFormat) -> Result<()> {
    let Some(obstacle) = obstacle(file, tokenizer, format)? else { return Ok(()) };
    let reason = format!("it could be trained but not exported: {obstacle}");
    Err(ModelError::NotABaseModel { path: file.path().to_owned(), reason })
}

fn obstacle(file: &ModelFile, tokenizer: &Tokenizer, format: &ChatFormat) -> Result<Option<String>> {
    if !file.is_folder() {
        return Ok(None);
    }
    if let Some(obstacle) = arch::export_obstacle(file) {
        return Ok(Some(obstacle.to_owned()));
    }
    let rebuilt = Tokenizer::rebuild(file)?;
    // A conversation: what stands between control tokens is what llama.cpp is given in a rendered one.
    for text in TEXTS {
        let messages = [ChatMessage::new("user", text), ChatMessage::new("assistant", text)];
        if let (Ok(ours), Ok(theirs)) = (format.encode(tokenizer, &messages), format.encode(&rebuilt, &messages))
            && ours != theirs
        {
            return Ok(Some(format!("llama.cpp would cut the text `{}` into other tokens", text.escape_debug())));
        }
    }
    Ok(None)
}
