"""Matrices in the K types of GGUF, which the `gguf` package reads but does not write: blocks of random bits.

What a block stands for is `gguf`'s reading of it. Random bits try every pattern of scales and offsets, which a quantiser of sensible
weights would not.
"""

from dataclasses import replace

from hashed import seed

TYPES = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
# Bytes of a block of 256 numbers; where its scale, and the scale of what is subtracted, lie in it as f16, and the ratio of the two
# at which the numbers are about 0 in the mean.
LAYOUT = {"Q2_K": (84, 80, 82, 1.5), "Q3_K": (110, 108, None, None), "Q4_K": (144, 0, 2, 7.5), "Q5_K": (176, 0, 2, 15.5),
          "Q6_K": (210, 208, None, None)}
SPREAD = 0.08


def wide(family):
    """The family with every row of a matrix a multiple of 256 numbers long, as these types need it."""
    settings = {**family.settings, "hidden_size": 256, "intermediate_size": 256, "num_attention_heads": 4, "num_key_value_heads": 2}
    keys = dict(family.keys)
    if "head_dim" in settings:
        settings["head_dim"] = 64
        keys.update({"attention.key_length": 64, "attention.value_length": 64})
    if "query_pre_attn_scalar" in settings:
        settings["query_pre_attn_scalar"] = 64
    rope = settings["rope_parameters"]
    if rope.get("rope_type") == "longrope":
        factors = {"short_factor": [1.0 + 0.05 * i for i in range(24)], "long_factor": [1.0 + i for i in range(24)]}
        settings["rope_parameters"] = {**rope, **factors}
    return replace(family, settings=settings, keys=keys)


def blocks(name, rows, columns, kind):
    """`[rows, bytes]` uint8 of random blocks."""
    import gguf
    import numpy as np

    size, scale_at, offset_at, ratio = LAYOUT[kind]
    bits = np.random.default_rng(seed(name))
    data = bits.integers(0, 256, (rows * columns // 256, size), dtype=np.uint8)
    factor = bits.uniform(0.5, 1.5, len(data))
    # llama.cpp's own quantiser makes negative scales in the types without an offset.
    signs = np.where(bits.uniform(size=len(data)) < 0.25, -1.0, 1.0) if offset_at is None else 1.0

    def put(at, values):
        data[:, at:at + 2] = np.asarray(values, dtype=np.float16)[:, None].view(np.uint8)

    unit = 1.0
    for _ in range(2):
        put(scale_at, unit * factor * signs)
        if offset_at is not None:
            put(offset_at, unit * factor * ratio)
        spread = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[kind]).std()
        unit *= SPREAD / spread
        if spread > 0.0 and abs(spread / SPREAD - 1.0) < 0.1:
            break
    return data.reshape(rows, -1)


def in_turn(model):
    """Each matrix in the type after that of the one before."""
    names = [name for name, parameter in model.named_parameters() if parameter.ndim == 2]
    return fill(model, lambda name: TYPES[names.index(name) % len(TYPES)])


def fill(model, kind_of):
    """Gives every matrix of the model random blocks of the type `kind_of(name)`; answers them as `families.write_gguf` takes them. A
    type of another kind is quantised from the numbers that are there."""
    import gguf
    import numpy as np
    import torch

    raw = {}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim != 2:
                continue
            kind = kind_of(name)
            number = gguf.GGMLQuantizationType[kind]
            data = blocks(name, *parameter.shape, kind) if kind in LAYOUT else gguf.quants.quantize(
                np.ascontiguousarray(parameter.numpy()), number)
            raw[name] = (kind, data)
            parameter.copy_(torch.from_numpy(gguf.quants.dequantize(data, number).reshape(tuple(parameter.shape))))
    return raw
