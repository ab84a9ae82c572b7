//! What the tests of this crate share.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::source::{ModelFile, STARTER, default_models_dir, find};
use crate::tokenizer::Tokenizer;

/// Where the starter model lies, if it does.
pub fn starter_path() -> Option<PathBuf> {
    let path = default_models_dir()?.join(find(STARTER)?.file);
    path.is_file().then_some(path)
}

/// The starter model, or `None` with a line in the output when it is not on this machine.
///
/// With `HONE_REQUIRE_MODEL=1` its absence is a failure.
pub fn starter_model() -> Option<&'static ModelFile> {
    static FILE: OnceLock<Option<ModelFile>> = OnceLock::new();
    FILE.get_or_init(|| {
        if let Some(path) = starter_path() {
            return Some(ModelFile::open(&path).unwrap());
        }
        assert!(std::env::var_os("HONE_REQUIRE_MODEL").is_none(), "the starter model is not on this machine");
        println!("SKIPPED: the starter model `{STARTER}` is not on this machine");
        None
    })
    .as_ref()
}

/// The starter model's tokenizer, built once.
pub fn starter_tokenizer() -> Option<&'static Tokenizer> {
    static TOKENIZER: OnceLock<Option<Tokenizer>> = OnceLock::new();
    TOKENIZER.get_or_init(|| starter_model().map(|file| Tokenizer::from_gguf(file).unwrap())).as_ref()
}
