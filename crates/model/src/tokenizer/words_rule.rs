//! How byte-level BPE cuts a text into words before the merges: the rules that `tokenizer.ggml.pre` names.

/// GPT-2's words: contractions, letters, digits or signs with a space in front, white space.
pub(crate) const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Llama 3's: contractions of either case, any sign before letters, up to three digits, signs with the line ends after them.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen's: as Llama 3's with each digit on its own.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// GPT-4o's (Phi-4-mini): words end where small letters are followed by a capital one.
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Mistral's Tekken: as GPT-4o's without contractions, each digit on its own.
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Every digit on its own, before anything else.
const DIGITS: &str = r"\p{N}";

/// What a name in `tokenizer.ggml.pre` stands for.
pub(super) struct Rule {
    pub(super) names: &'static [&'static str],
    /// Cuts, one after the other.
    pub(super) cuts: &'static [&'static str],
    /// A word that is a token is that token, without merging.
    pub(super) ignore_merges: bool,
    /// Whether a text begins with BOS when the file does not say.
    pub(super) add_bos: bool,
}

pub(super) const RULES: &[Rule] = &[
    Rule { names: &["gpt-2"], cuts: &[GPT2], ignore_merges: false, add_bos: false },
    Rule { names: &["llama-bpe", "llama3", "llama-v3"], cuts: &[LLAMA3], ignore_merges: true, add_bos: true },
    Rule { names: &["qwen2", "deepseek-r1-qwen"], cuts: &[QWEN2], ignore_merges: false, add_bos: false },
    Rule { names: &["smollm"], cuts: &[DIGITS, GPT2], ignore_merges: false, add_bos: false },
    Rule { names: &["gpt-4o"], cuts: &[GPT4O], ignore_merges: false, add_bos: false },
    Rule { names: &["tekken"], cuts: &[TEKKEN], ignore_merges: true, add_bos: true },
];

/// The name of the rule with these cuts; where two differ in `ignore_merges` alone, the one that agrees.
pub(crate) fn name(cuts: &[&str], ignore_merges: bool) -> Option<&'static str> {
    let same = |rule: &&Rule| rule.cuts == cuts;
    let exact = RULES.iter().find(|rule| same(rule) && rule.ignore_merges == ignore_merges);
    exact.or_else(|| RULES.iter().find(same)).map(|rule| rule.names[0])
}
