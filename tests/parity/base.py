"""Builds a Transformers `Gemma3ForCausalLM` (text, f32) from the dequantised tensors of a GGUF file.

Transformers' own GGUF loader is not used on purpose: this mapping is short enough to be checked by eye.
"""

import json
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

LAYER = {
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "attn_q_norm.weight": "self_attn.q_norm.weight",
    "attn_k_norm.weight": "self_attn.k_norm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
    "attn_norm.weight": "input_layernorm.weight",
    "post_attention_norm.weight": "post_attention_layernorm.weight",
    "ffn_norm.weight": "pre_feedforward_layernorm.weight",
    "post_ffw_norm.weight": "post_feedforward_layernorm.weight",
}


def hugging_face_name(name):
    """`blk.3.attn_q.weight` -> `model.layers.3.self_attn.q_proj.weight`."""
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    _, layer, rest = name.split(".", 2)
    return f"model.layers.{layer}.{LAYER[rest]}"


def config(reader):
    """The text configuration that the GGUF metadata describes."""
    def get(key):
        return reader.fields[f"gemma3.{key}"].contents()

    embedding = next(tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
    head_dim = get("attention.key_length")
    return Gemma3TextConfig(
        vocab_size=int(embedding.shape[1]),
        hidden_size=get("embedding_length"),
        intermediate_size=get("feed_forward_length"),
        num_hidden_layers=get("block_count"),
        num_attention_heads=get("attention.head_count"),
        num_key_value_heads=get("attention.head_count_kv"),
        head_dim=head_dim,
        query_pre_attn_scalar=head_dim,
        max_position_embeddings=get("context_length"),
        rms_norm_eps=get("attention.layer_norm_rms_epsilon"),
        sliding_window=get("attention.sliding_window"),
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": get("rope.freq_base")},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
        tie_word_embeddings=not any(tensor.name == "output.weight" for tensor in reader.tensors),
        attn_implementation="eager",
    )


def convert(gguf_path, folder):
    """Writes the f32 checkpoint into `folder` (about 1.1 GB for the starter model)."""
    reader = GGUFReader(gguf_path)
    architecture = reader.fields["general.architecture"].contents()
    if architecture != "gemma3":
        raise SystemExit(f"parity: {gguf_path} holds `{architecture}`; only `gemma3` can be compared so far")
    model = Gemma3ForCausalLM(config(reader)).to(torch.float32)
    state = {}
    for tensor in reader.tensors:
        # GGUF shapes run from the innermost dimension outwards; the data is already laid out row by row.
        values = dequantize(tensor.data, tensor.tensor_type).reshape(tuple(reversed(tensor.shape.tolist())))
        values = np.array(values, dtype=np.float32)
        if tensor.name.endswith("_norm.weight"):
            # The converter stored weight + 1 for Gemma's RMSNorm; Transformers adds the 1 itself.
            values -= 1.0
        state[hugging_face_name(tensor.name)] = torch.from_numpy(values)
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or set(missing) - {"lm_head.weight"}:
        raise SystemExit(f"parity: the mapping is wrong: missing {missing}, unexpected {unexpected}")
    model.tie_weights()
    model.save_pretrained(folder)


def checkpoint(gguf_path, cache):
    """The folder of the converted checkpoint, made once per GGUF file and kept in `cache`."""
    path = Path(gguf_path).resolve()
    stamp = {"path": str(path), "bytes": path.stat().st_size, "modified": int(path.stat().st_mtime)}
    folder = Path(cache) / "base" / path.stem
    note = folder / "made-from.json"
    if not (note.exists() and json.loads(note.read_text()) == stamp):
        folder.mkdir(parents=True, exist_ok=True)
        convert(str(path), str(folder))
        note.write_text(json.dumps(stamp))
    return folder
