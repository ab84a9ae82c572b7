//! What the targets for model files do with their bytes: everything that happens when a base model is chosen and loaded.

use std::path::Path;
use std::sync::LazyLock;

use hone_job::Job;
use hone_model::chat::FormatOrigin;
use hone_model::{ChatFormat, ChatMessage, Decoder, ModelFile, Tokenizer, arch};

use crate::tiny;

/// A file that may be read whole: what it says of itself, its tokenizer, its template, its weights. Whatever is wrong must be an error.
fn use_all(file: &ModelFile) {
    let config = arch::read_config(file);
    if let Ok(tokenizer) = Tokenizer::from_gguf(file) {
        speak(&tokenizer);
        if let Ok(format) = ChatFormat::from_gguf(file, &tokenizer) {
            converse(&format, &tokenizer);
        }
    }
    if config.is_ok() {
        let _ = Decoder::load(file, &Job::silent());
    }
}

fn speak(tokenizer: &Tokenizer) {
    if let Ok(ids) = tokenizer.encode("Fähre 渡し\u{200d}🚢 <|im_end|>\t 12,345") {
        tokenizer.decode(&ids);
    }
}

fn converse(format: &ChatFormat, tokenizer: &Tokenizer) {
    let messages = [ChatMessage::new("user", "When?"), ChatMessage::new("assistant", "At <|im_end|> nine.")];
    let _ = format.encode(tokenizer, &messages);
}

/// Bytes as a GGUF file.
pub fn gguf(bytes: &[u8]) {
    if let Ok(file) = ModelFile::from_bytes(Path::new("fuzzed.gguf"), bytes.to_vec()) {
        use_all(&file);
    }
}

/// Bytes as one file of a Hugging Face folder whose other files are sound.
pub fn folder(name: &str, bytes: &[u8]) {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder to write to");
        for (name, bytes) in tiny::folder() {
            std::fs::write(folder.path().join(name), bytes).expect("a file to write");
        }
        folder
    });
    let path = FOLDER.path().join(name);
    let whole = std::fs::read(&path).expect("the sound file");
    std::fs::write(&path, bytes).expect("a file to write");
    if let Ok(file) = ModelFile::open(FOLDER.path()) {
        use_all(&file);
    }
    std::fs::write(&path, whole).expect("a file to write");
}

/// Bytes as a chat template.
pub fn template(bytes: &[u8]) {
    static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
        let file = ModelFile::from_bytes(Path::new("tiny.gguf"), tiny::gguf("llama")).expect("a sound file");
        Tokenizer::from_gguf(&file).expect("its tokenizer")
    });
    let Ok(jinja) = std::str::from_utf8(bytes) else { return };
    if let Ok(format) = ChatFormat::new(jinja.to_owned(), FormatOrigin::Embedded, &TOKENIZER) {
        converse(&format, &TOKENIZER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The targets reach what is behind the header only when they begin with files that are taken.
    #[test]
    fn the_seeds_are_models_that_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in tiny::folder() {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let gguf = ["llama", "gemma3", "qwen2", "phi3"];
        let files =
            gguf.map(|architecture| ModelFile::from_bytes(Path::new(architecture), tiny::gguf(architecture)).unwrap());
        for file in files.into_iter().chain([ModelFile::open(folder.path()).unwrap()]) {
            let tokenizer = Tokenizer::from_gguf(&file).unwrap();
            let format = ChatFormat::from_gguf(&file, &tokenizer).unwrap();
            assert_eq!(format.origin, FormatOrigin::Embedded);
            let ids = tokenizer.encode("the ferry").unwrap();
            Decoder::load(&file, &Job::silent()).unwrap().logits(None, &ids).unwrap();
        }
    }
}
