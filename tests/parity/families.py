"""Small random checkpoints of every family, as GGUF and as Hugging Face folders, with what Transformers and PEFT compute on them.

    python tests/parity/families.py --cache DIR

Writes `golden/families/<name>.gguf` (matrices in f16, about half a megabyte each) and `<name>.json` beside it: the logits
of a sequence, one LoRA step in the form of `golden.py`, and the token ids of difficult texts; and the same weights in the folder
`golden/families/<name>/`, as Transformers saves them. Each checkpoint has its family's
real features (head layout, norms, biases, caps, rotation, tied or own head) in sizes that a test can compute in a second.
The vocabulary is trained on the sample handbook; each file names another rule for words, so that all of them are tried.
"""

import argparse
import math
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import environment

FOLDER = Path(__file__).with_name("golden") / "families"
CORPUS = sorted((Path(__file__).parents[2] / "crates/cli/samples").glob("**/*.md"))
VOCABULARY = 640
# llama.cpp treats the last four in a way of their own in a model that is called Phi-3.
CONTROLS = ["<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>", "</s>", "<unk>", "<s>", "<|endoftext|>"]
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
SHAPE = {"vocab_size": VOCABULARY, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3,
         "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
         "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1, "initializer_range": 0.15, "use_cache": False}
BYTE = re.compile("<0x[0-9A-F]{2}>")
ATTENTION_AND_MLP = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


@dataclass
class Family:
    """One checkpoint. `config` is a class of Transformers and `settings` what differs from `SHAPE`."""

    name: str
    architecture: str
    config: str
    pre: str
    settings: dict = field(default_factory=dict)
    modules: list = field(default_factory=lambda: ATTENTION_AND_MLP)
    keys: dict = field(default_factory=dict)
    paired_rows: bool = False
    norm_offset: float = 0.0
    # The size from which on the folder is cut in several files.
    shard: str = ""


def rope(kind="default", **more):
    return {"rope_parameters": {"rope_theta": 10000.0, **more, "rope_type": kind}}


FAMILIES = [
    # Llama 3.1: frequencies divided by factors, head of its own.
    Family("llama3", "llama", "LlamaConfig", "llama-bpe", {
        "tie_word_embeddings": False,
        **rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)},
        paired_rows=True),
    # SmolLM2: tied head, every head its own key; every other digit rule.
    Family("smollm2", "llama", "LlamaConfig", "smollm", {
        "tie_word_embeddings": True, "num_key_value_heads": 4, **rope()}, paired_rows=True),
    # Mistral: a head width that is not hidden / heads.
    Family("mistral", "llama", "MistralConfig", "tekken", {
        "tie_word_embeddings": False, "head_dim": 32, "sliding_window": None, **rope()},
        keys={"attention.key_length": 32, "attention.value_length": 32}, paired_rows=True),
    # Qwen 2.5: bias on queries, keys and values.
    Family("qwen2", "qwen2", "Qwen2Config", "qwen2", {"tie_word_embeddings": True, **rope()}),
    # Qwen 3: norm on queries and keys.
    Family("qwen3", "qwen3", "Qwen3Config", "qwen2", {"tie_word_embeddings": False, "head_dim": 32, **rope()}, shard="150KB",
           keys={"attention.key_length": 32, "attention.value_length": 32}),
    # Qwen 2.5 for long texts: YaRN, as the published models have it.
    Family("qwen2-yarn", "qwen2", "Qwen2Config", "qwen2", {
        "num_hidden_layers": 2, "tie_word_embeddings": True, "max_position_embeddings": 256,
        **rope("yarn", factor=4.0, original_max_position_embeddings=64, rope_theta=1000000.0)},
        keys={"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 64}),
    # TinyLlama: Llama 2's tokenizer, one key head for all queries.
    Family("tinyllama", "llama", "LlamaConfig", "spm", {
        "num_hidden_layers": 2, "tie_word_embeddings": False, "num_key_value_heads": 1, **rope()}, paired_rows=True),
    # Yi: Llama 2's tokenizer without a space in front, a large rotary base, stretched positions.
    Family("yi", "llama", "LlamaConfig", "spm-plain", {
        "num_hidden_layers": 2, "tie_word_embeddings": False, **rope("linear", factor=2.0, rope_theta=5000000.0)},
        keys={"rope.scaling.type": "linear", "rope.scaling.factor": 2.0}, paired_rows=True),
    # Gemma 3: five local layers and a global one with another rotary base, which is stretched in the larger models.
    Family("gemma3", "gemma3", "Gemma3TextConfig", "spm-plain", {
        "num_hidden_layers": 7, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "query_pre_attn_scalar": 16,
        "sliding_window": 16, "intermediate_size": 48,
        "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}},
        keys={"attention.key_length": 16, "attention.value_length": 16, "attention.sliding_window": 16,
              "rope.scaling.type": "linear", "rope.scaling.factor": 8.0}, norm_offset=1.0),
    # Gemma 2: soft caps low enough to be felt, a window shorter than the rows, norms before and after.
    Family("gemma2", "gemma2", "Gemma2Config", "gpt-2", {
        "num_hidden_layers": 4, "head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 16,
        "attn_logit_softcapping": 4.0, "final_logit_softcapping": 6.0, **rope()},
        keys={"attention.key_length": 32, "attention.value_length": 32, "attention.sliding_window": 16,
              "attn_logit_softcapping": 4.0, "final_logit_softcapping": 6.0}, norm_offset=1.0),
    # Phi-4-mini: fused matrices, three quarters of a head rotated, LongRope.
    Family("phi4-mini", "phi3", "Phi3Config", "gpt-4o", {
        "tie_word_embeddings": True, "original_max_position_embeddings": 256, "max_position_embeddings": 1024,
        "partial_rotary_factor": 0.75,
        "num_attention_heads": 2, "num_key_value_heads": 1, "sliding_window": None,
        **rope("longrope", partial_rotary_factor=0.75, original_max_position_embeddings=256, factor=4.0,
               short_factor=[1.0 + 0.1 * i for i in range(12)], long_factor=[1.0 + i for i in range(12)])},
        modules=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"],
        keys={"rope.scaling.original_context_length": 256,
              "rope.scaling.attn_factor": math.sqrt(1.0 + math.log(4.0) / math.log(256.0))}),
    # Phi-3: as Phi-4-mini without LongRope, whole heads rotated, with a window (which llama.cpp does not compute).
    Family("phi3", "phi3", "Phi3Config", "gpt-2", {
        "tie_word_embeddings": False, "sliding_window": 44, "original_max_position_embeddings": 256, **rope()},
        modules=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"], keys={"attention.sliding_window": 44}),
]


def corpus():
    if not CORPUS:
        sys.exit("families: the sample handbook is not where it was")
    return [path.read_text(encoding="utf-8") for path in CORPUS]


def train_tokenizer():
    """A byte-level BPE of `VOCABULARY` tokens; the rule for words only decides what is merged, and each file brings its own."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=CONTROLS, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def make(family):
    """The random model, every number rounded to f16 so that the file holds it exactly. Norms and biases are not trivial."""
    import torch
    import transformers

    torch.manual_seed(sum(family.name.encode()))
    config = getattr(transformers, family.config)(**{**SHAPE, **family.settings})
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.uniform_(-0.5, 0.5)
            elif "norm" in name:
                parameter.uniform_(0.6 - family.norm_offset, 1.4 - family.norm_offset)
            parameter.copy_(parameter.half().float())
    return model


NAMES = {
    "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.qkv_proj": "attn_qkv",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
# Gemma has norms before and after both parts.
POST_NORMS = {"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
              "post_feedforward_layernorm": "post_ffw_norm"}


def gguf_name(name, family):
    if name in NAMES:
        return NAMES[name]
    _, _, layer, rest = name.split(".", 3)
    module, kind = rest.rsplit(".", 1)
    names = {**NAMES, **POST_NORMS} if family.architecture.startswith("gemma") else NAMES
    return f"blk.{layer}.{names[module]}.{kind}"


def paired(values, heads):
    """Rows of each head from halves to llama.cpp's adjacent pairs, as its converter does for Llama."""
    shape = values.shape
    return values.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def stored_as(kind, values):
    """The type of GGUF that a matrix gets where `kind` is asked for: rows that do not fill blocks stay in f16, as in llama.cpp."""
    return kind if kind in ["F32", "F16", "BF16"] or values.shape[-1] % 32 == 0 else "F16"


def write_gguf(family, model, tokenizer, path, stored="F16", raw=None):
    """`stored` is how matrices are kept; a type of `gguf.GGMLQuantizationType`. `raw` has matrices by their name in the model that
    are there already, each as its type and its rows of bytes."""
    import gguf
    import numpy as np

    config = model.config
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    out = gguf.GGUFWriter(str(path), family.architecture)
    key = lambda leaf: f"{family.architecture}.{leaf}"
    # Gemma 3 has a rotation for its global layers, which GGUF's keys are about, and one for the local ones.
    rope_parameters = config.rope_parameters.get("full_attention", config.rope_parameters)
    out.add_name(family.name)
    out.add_file_type(1)
    for leaf, value in [("context_length", config.max_position_embeddings), ("embedding_length", config.hidden_size),
                        ("block_count", config.num_hidden_layers), ("feed_forward_length", config.intermediate_size),
                        ("attention.head_count", config.num_attention_heads),
                        ("attention.head_count_kv", config.num_key_value_heads),
                        ("rope.dimension_count", int(head * rope_parameters.get("partial_rotary_factor", 1.0)))]:
        out.add_uint32(key(leaf), value)
    out.add_float32(key("attention.layer_norm_rms_epsilon"), config.rms_norm_eps)
    out.add_float32(key("rope.freq_base"), rope_parameters["rope_theta"])
    for leaf, value in family.keys.items():
        {int: out.add_uint32, float: out.add_float32, str: out.add_string}[type(value)](key(leaf), value)

    tokens = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    out.add_token_list([text for text, _ in tokens])
    if family.pre.startswith("spm"):
        out.add_tokenizer_model("llama")
        out.add_token_types([2 if text == "<unk>" else 3 if text in CONTROLS else 6 if BYTE.fullmatch(text) else 1
                             for text, _ in tokens])
        out.add_token_scores(scores(tokenizer, tokens))
        out.add_add_space_prefix(family.pre == "spm")
        out.add_unk_token_id(CONTROLS.index("<unk>"))
    else:
        out.add_tokenizer_model("gpt2")
        out.add_tokenizer_pre(family.pre)
        out.add_token_types([3 if text in CONTROLS else 1 for text, _ in tokens])
        out.add_token_merges([" ".join(merge) for merge in merges(tokenizer)])
    out.add_bos_token_id(0)
    out.add_eos_token_id(1)
    out.add_add_bos_token(family.pre.startswith("spm"))
    out.add_chat_template(TEMPLATE)

    for name, parameter in model.named_parameters():
        values = parameter.detach().numpy()
        if "norm" in name:
            values = values + np.float32(family.norm_offset)
        kind, values = (raw or {}).get(name, (stored_as(stored, values) if values.ndim == 2 else "F32", values))
        if family.paired_rows and (".q_proj" in name or ".k_proj" in name):
            values = paired(values, config.num_attention_heads if ".q_proj" in name else config.num_key_value_heads)
        kind = gguf.GGMLQuantizationType[kind]
        if values.dtype != np.uint8:
            values = gguf.quants.quantize(np.ascontiguousarray(values, dtype=np.float32), kind)
        out.add_tensor(gguf_name(name, family), np.ascontiguousarray(values), raw_dtype=kind)
    rotary = model.model.rotary_emb
    if rope_parameters["rope_type"] == "llama3":
        plain = 1.0 / (config.rope_parameters["rope_theta"] ** (np.arange(0, head, 2, dtype=np.float32) / head))
        out.add_tensor("rope_freqs.weight", (plain / rotary.inv_freq.numpy()).astype(np.float32))
    if rope_parameters["rope_type"] == "longrope":
        for kind in ["short", "long"]:
            out.add_tensor(f"rope_factors_{kind}.weight", np.array(config.rope_parameters[f"{kind}_factor"], dtype=np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def merges(tokenizer):
    import json

    return json.loads(tokenizer.to_str())["model"]["merges"]


def scores(tokenizer, tokens):
    """SentencePiece joins by score what BPE joins by rank: the first merge that makes a token."""
    ranks = {}
    for rank, (left, right) in enumerate(merges(tokenizer)):
        ranks.setdefault(left + right, rank)
    return [float(-ranks.get(text, 1 << 20)) for text, _ in tokens]


def batch(family):
    """Three rows padded on the right: an answer after a question, a row trained from its first token, a short one."""
    from hashed import seed

    rows = [(48, 20), (37, 0), (9, 5)]
    longest = max(length for length, _ in rows)
    made = {"input_ids": [], "attention_mask": [], "labels": []}
    for row, (length, masked) in enumerate(rows):
        ids = [len(CONTROLS) + seed(f"{family.name}:{row}:{at}") % (VOCABULARY - len(CONTROLS)) for at in range(length)]
        rest = longest - length
        made["input_ids"].append(ids + [1] * rest)
        made["attention_mask"].append([1] * length + [0] * rest)
        made["labels"].append([-100] * masked + ids[masked:] + [-100] * rest)
    return made


def case_of(family):
    import cases

    return cases.Case(family.name, cases.Lora(4, 8, family.modules), cases.Optimiser(), batch(family))


def write_adapter(case, model, folder):
    """As `cases.write_adapter`, with the shapes read off the model."""
    import cases

    shapes = [(path, *module.weight.shape) for path, module in model.named_modules()
              if path.rsplit(".", 1)[-1] in case.lora.target_modules]
    cases.write_adapter(case, shapes, folder)


def figures(family, model, folder):
    """The logits of a sequence and one LoRA step."""
    import golden
    import reference

    case = case_of(family)
    write_adapter(case, model, folder)
    step = reference.step(model, case, folder)
    ids = case.batch["input_ids"][0]
    return {"made_with": golden.made_with(), **golden.step_document(case, step), "logits": golden.logits_figures(model, ids)}


def write_k_types(tokenizer):
    """One layer with every K type, as GGUF alone: rows of 256 numbers take room."""
    from dataclasses import replace

    import tempfile

    import golden
    import kquants

    family = kquants.wide(next(family for family in FAMILIES if family.name == "smollm2"))
    family = replace(family, name="k-types", settings={**family.settings, "num_hidden_layers": 1})
    model = make(family)
    write_gguf(family, model, tokenizer, FOLDER / f"{family.name}.gguf", raw=kquants.in_turn(model))
    with tempfile.TemporaryDirectory() as folder:
        golden.write_json(f"families/{family.name}.json", figures(family, model, folder))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", required=True, help="folder kept between runs")
    options = parser.parse_args()
    environment.enter(options.cache)

    import tempfile

    import folders
    import golden
    import torch

    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    trained = train_tokenizer()
    visible = {pre: folders.visible_spaces(corpus(), VOCABULARY, CONTROLS, pre == "spm") for pre in ["spm", "spm-plain"]}
    for family in FAMILIES:
        model = make(family)
        tokenizer = visible.get(family.pre) or folders.byte_level(trained, family.pre, family.name == "phi3")
        write_gguf(family, model, tokenizer, FOLDER / f"{family.name}.gguf")
        fast = folders.save(family, model, tokenizer, CONTROLS, TEMPLATE, FOLDER / family.name)
        with tempfile.TemporaryDirectory() as folder:
            golden.write_json(f"families/{family.name}.json", {
                **figures(family, model, folder), "tokens": folders.token_figures(fast)})
    write_k_types(folders.byte_level(trained, "smollm"))


if __name__ == "__main__":
    main()
