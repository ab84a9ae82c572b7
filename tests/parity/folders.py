"""The small random checkpoints of `families.py` as Hugging Face folders, saved by Transformers itself, and their tokenizers."""

import json

# As the published `tokenizer.json` of a model of each kind writes them.
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
GPT4O_WORDS = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+%s"
               r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*%s")
REST = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
REGEX = {
    "llama-bpe": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + REST,
    "qwen2": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + REST,
    "gpt-4o": GPT4O_WORDS % (CONTRACTIONS + "?", CONTRACTIONS + "?") + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + REST,
    "tekken": GPT4O_WORDS % ("", "") + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + REST,
}
IGNORES_MERGES = ["llama-bpe", "tekken"]

TEXTS = [
    "Hello  world, it's DON'T and we'll see, they'RE",
    " a leading space, a trailing one ",
    "1 12 123 1234 12345 0555 014 400, 12,345.60 cr, 1e-9, 0xFF",
    "line\none\n\ntwo \n  three\r\n\r\nfour\t\ttab",
    "   three spaces,  then two\n   ",
    "naïve café Łódź Straße ﬁne e\u0301 \u00e9",
    "渡轮合作社成立于一九七一年，有 38 名员工。フェリー한국어",
    "Привет, мир! שלום مرحبا ٣٤٥ सीख",
    "👩‍🚀🚢😀 🇳🇴 — “quoted” …",
    "fn main() {\n    println!(\"{}\", 1 << 4);\n}\n",
    "HTTPServer camelCase ALLCAPS MixedUp iPhone's McDonald's",
    "https://example.org/a?b=c&d=%20#e /path//to///file",
    "<|im_start|>user say <|im_end|><s></s><unk>",
    "<|im_start|>user\n  What? <|im_end|>\n<|im_start|>assistant\nThis.<|im_end|>\n",
    "\u2581 the sign for a space, <0x0A> the sign for a byte",
    "\u0000\u0001\u007f control, \u200bzero\u200dwidth, 𐍈 𝒜 𠮷",
    "",
    " ",
]


def words(pre):
    """The pre-tokenizer for a name in `tokenizer.ggml.pre`."""
    from tokenizers import Regex, pre_tokenizers as cut

    if pre == "gpt-2":
        return cut.ByteLevel(add_prefix_space=False, use_regex=True)
    if pre == "smollm":
        return cut.Sequence([cut.Digits(individual_digits=True), cut.ByteLevel(add_prefix_space=False, use_regex=True)])
    split = cut.Split(Regex(REGEX[pre]), "isolated")
    return cut.Sequence([split, cut.ByteLevel(add_prefix_space=False, use_regex=False)])


# The control tokens of a Phi-3 that keep the white space after them.
PHI_3_KEEPS = ["<unk>", "<s>", "<|endoftext|>"]


def byte_level(trained, pre, is_phi_3=False):
    """`trained` with the rule for words of that name, as a model of its kind has it."""
    from tokenizers import Tokenizer, decoders, normalizers

    document = json.loads(trained.to_str())
    for token in document["added_tokens"]:
        token["rstrip"] = is_phi_3 and token["content"] not in PHI_3_KEEPS
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.pre_tokenizer = words(pre)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.model.ignore_merges = pre in IGNORES_MERGES
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def visible_spaces(corpus, vocabulary, controls, space_in_front):
    """A BPE with visible spaces and byte fallback: Llama 2's form, or Gemma's without a space in front."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    sign = "\u2581"
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", sign)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=sign, prepend_scheme="always", split=True)
    special = [*controls, *[f"<0x{byte:02X}>" for byte in range(256)]]
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special, limit_alphabet=80, show_progress=False))
    document = json.loads(tokenizer.to_str())
    # Bytes are tokens, but not special ones; and a model of this kind does not cut words.
    document["added_tokens"] = [token for token in document["added_tokens"] if token["content"] in controls]
    document["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(document))
    replace = normalizers.Replace(" ", sign)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(sign), replace]) if space_in_front else replace
    steps = [decoders.Replace(sign, " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if space_in_front else steps)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{controls[0]} $A", pair=f"{controls[0]} $A $B", special_tokens=[(controls[0], 0)])
    return tokenizer


def save(family, model, tokenizer, controls, template, folder):
    """The folder as Transformers saves it, in f16 and in the family's number of files."""
    import copy

    import transformers

    stored = copy.deepcopy(model).half()
    stored.save_pretrained(folder, **({"max_shard_size": family.shard} if family.shard else {}))
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=controls[0], eos_token=controls[1], chat_template=template)
    fast.save_pretrained(folder)
    return fast


def token_figures(fast):
    """What Transformers makes of difficult texts: as text, and with special tokens in them being those tokens."""
    figures = []
    for text in TEXTS:
        for special in [False, True]:
            ids = fast(text, add_special_tokens=False, split_special_tokens=not special)["input_ids"]
            decoded = fast.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            figures.append({"text": text, "special": special, "ids": ids, "decoded": decoded})
    return figures
