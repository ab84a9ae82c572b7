//! The base models that can be fetched by name.

/// A base model that can be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// The name to ask for, e.g. `gemma3-270m`.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Repository on the Hugging Face hub.
    pub repository: &'static str,
    /// The file in it.
    pub remote_file: &'static str,
    /// The file's name in Hone's models folder.
    pub file: &'static str,
    /// Size of the file, bytes (rounded; to ask for space before the download).
    pub bytes: u64,
    /// Whether it was taught to follow instructions already.
    pub instructed: bool,
}

/// The name of the model that everything is shown and tested with.
pub const STARTER: &str = "gemma3-270m";

const CATALOGUE: &[CatalogueEntry] = &[
    CatalogueEntry {
        name: STARTER,
        title: "Gemma 3 270M",
        repository: "unsloth/gemma-3-270m-GGUF",
        remote_file: "gemma-3-270m-Q4_K_M.gguf",
        file: "gemma-3-270m-q4_k_m.gguf",
        bytes: 253_000_000,
        instructed: false,
    },
    CatalogueEntry {
        name: "gemma3-270m-it",
        title: "Gemma 3 270M, instructed",
        repository: "ggml-org/gemma-3-270m-it-GGUF",
        remote_file: "gemma-3-270m-it-Q8_0.gguf",
        file: "gemma-3-270m-it-q8_0.gguf",
        bytes: 292_000_000,
        instructed: true,
    },
    CatalogueEntry {
        name: "gemma3-1b-it",
        title: "Gemma 3 1B, instructed",
        repository: "ggml-org/gemma-3-1b-it-GGUF",
        remote_file: "gemma-3-1b-it-Q4_K_M.gguf",
        file: "gemma-3-1b-it-q4_k_m.gguf",
        bytes: 806_000_000,
        instructed: true,
    },
    CatalogueEntry {
        name: "gemma3-4b-it",
        title: "Gemma 3 4B, instructed",
        repository: "ggml-org/gemma-3-4b-it-GGUF",
        remote_file: "gemma-3-4b-it-Q4_K_M.gguf",
        file: "gemma-3-4b-it-q4_k_m.gguf",
        bytes: 2_490_000_000,
        instructed: true,
    },
];

/// Every base model that can be fetched by name.
pub fn catalogue() -> &'static [CatalogueEntry] {
    CATALOGUE
}

/// The entry of that name.
pub fn find(name: &str) -> Option<&'static CatalogueEntry> {
    CATALOGUE.iter().find(|entry| entry.name.eq_ignore_ascii_case(name))
}
