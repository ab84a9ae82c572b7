//! The starter model, and a small adapter for it.

use std::path::PathBuf;
use std::sync::OnceLock;

use hone_model::arch::read_config;
use hone_model::gguf::GgufFile;
use hone_model::lora::LoraPart;
use hone_model::source::{STARTER, default_models_dir, find};
use hone_model::{Adapter, ChatFormat, LoraConfig, TargetModule, Tokenizer};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The starter model with its tokenizer and chat format.
pub struct Starter {
    pub file: GgufFile,
    pub tokenizer: Tokenizer,
    pub format: ChatFormat,
}

/// `None`, with a line in the output, when it is not on this machine; with `HONE_REQUIRE_MODEL=1` that is a failure.
pub fn starter() -> Option<&'static Starter> {
    static STARTER_MODEL: OnceLock<Option<Starter>> = OnceLock::new();
    STARTER_MODEL
        .get_or_init(|| {
            let path: Option<PathBuf> = default_models_dir().map(|folder| folder.join(find(STARTER).unwrap().file));
            let Some(path) = path.filter(|path| path.is_file()) else {
                assert!(std::env::var_os("HONE_REQUIRE_MODEL").is_none(), "the starter model is not on this machine");
                println!("SKIPPED: the starter model `{STARTER}` is not on this machine");
                return None;
            };
            let file = GgufFile::open(&path).unwrap();
            let tokenizer = Tokenizer::from_gguf(&file).unwrap();
            let format = ChatFormat::from_gguf(&file, &tokenizer).unwrap();
            Some(Starter { file, tokenizer, format })
        })
        .as_ref()
}

/// An adapter on all seven projections that changes what the starter model says.
pub fn adapter(base: &GgufFile) -> Adapter {
    adapter_of(base, 0.02)
}

/// An adapter on all seven projections with the numbers of `B` within `±spread`.
pub fn adapter_of(base: &GgufFile, spread: f32) -> Adapter {
    let config = LoraConfig {
        rank: 4,
        alpha: 8.0,
        dropout: 0.0,
        target_modules: TargetModule::SEVEN.to_vec(),
        use_rslora: false,
        use_dora: false,
    };
    let mut adapter = Adapter::new(&read_config(base).unwrap(), &config, 7).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let places: Vec<_> = adapter.tensors().iter().filter(|t| t.part == LoraPart::B).map(|t| t.range.clone()).collect();
    for place in places {
        adapter.params_mut()[place].fill_with(|| random.random_range(-spread..spread));
    }
    adapter
}
