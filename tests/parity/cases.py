"""The steps that are compared: which adapter, which batch, which optimiser."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from hashed import uniform

BATCHES = Path(__file__).with_name("batches.json")
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
MLP = ["gate_proj", "up_proj", "down_proj"]
# Powers of two keep `uniform` exact. Their product moves the loss by a few per cent, so a forgotten adapter shows.
A_SCALE, B_SCALE = 2.0 ** -5, 2.0 ** -6


@dataclass
class Lora:
    """What PEFT's `LoraConfig` is told."""

    rank: int
    alpha: int
    target_modules: list = field(default_factory=lambda: ATTENTION + MLP)
    use_rslora: bool = False
    use_dora: bool = False


@dataclass
class Optimiser:
    """PyTorch's AdamW and its defaults."""

    learning_rate: float = 1e-3
    betas: tuple = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01


@dataclass
class Case:
    """One step. `batch` is what Transformers takes: `input_ids`, `attention_mask`, `labels`, all `[rows, tokens]`."""

    name: str
    lora: Lora
    optimiser: Optimiser
    batch: dict

    def as_dict(self):
        return asdict(self)


def cases():
    """The three steps of every comparison."""
    batches = json.loads(BATCHES.read_text())
    return [
        Case("answers", Lora(8, 16), Optimiser(), batches["answers"]),
        Case("beyond-the-window", Lora(8, 16), Optimiser(), batches["beyond-the-window"]),
        Case("left-padded", Lora(16, 8, ["q_proj", "v_proj"], True),
             Optimiser(5e-4, (0.8, 0.99), 1e-6, 0.1), batches["left-padded"]),
    ]


def sequences():
    """Token ids whose logits are compared, one list per sequence."""
    return json.loads(BATCHES.read_text())["sequences"]


def module_shapes(config):
    """`(path, out, in)` of every projection of every layer, in the order of the layers."""
    hidden, head = config.hidden_size, config.head_dim
    query, key = config.num_attention_heads * head, config.num_key_value_heads * head
    shapes = {
        "self_attn.q_proj": (query, hidden), "self_attn.k_proj": (key, hidden), "self_attn.v_proj": (key, hidden),
        "self_attn.o_proj": (hidden, query), "mlp.gate_proj": (config.intermediate_size, hidden),
        "mlp.up_proj": (config.intermediate_size, hidden), "mlp.down_proj": (hidden, config.intermediate_size),
    }
    for layer in range(config.num_hidden_layers):
        for module, (rows, columns) in shapes.items():
            yield f"model.layers.{layer}.{module}", rows, columns


def adapter_tensors(case, shapes):
    """The start of the adapter, named as in PEFT's file: `{name: f32 array}`. B is not zero, or A had no gradient."""
    tensors = {}
    for path, rows, columns in shapes:
        if path.rsplit(".", 1)[1] in case.lora.target_modules:
            for part, shape, scale in [("A", (case.lora.rank, columns), A_SCALE), ("B", (rows, case.lora.rank), B_SCALE)]:
                name = f"base_model.model.{path}.lora_{part}.weight"
                values = uniform(f"{case.name}:{name}", shape[0] * shape[1]) * np.float32(scale)
                tensors[name] = values.reshape(shape)
            if case.lora.use_dora:
                name = f"base_model.model.{path}.lora_magnitude_vector"
                # Around the lengths of a random matrix's rows, and none of them zero.
                tensors[name] = np.float32(1.5) + uniform(f"{case.name}:{name}", rows) * np.float32(2.0 ** -2)
    return tensors


def write_adapter(case, shapes, folder):
    """Writes `adapter_model.safetensors` and `adapter_config.json` as PEFT lays them out; `shapes` as `module_shapes` gives."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(adapter_tensors(case, shapes), folder / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "adapter_config.json").write_text(json.dumps({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": None, "inference_mode": False,
        "r": case.lora.rank, "lora_alpha": case.lora.alpha, "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": False,
        "target_modules": case.lora.target_modules, "use_rslora": case.lora.use_rslora, "use_dora": case.lora.use_dora,
        "init_lora_weights": True,
    }, indent=2))
