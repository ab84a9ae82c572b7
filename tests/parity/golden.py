"""The reference's figures as small files, so that a Rust test can check every build without Python.

`golden/step-*.json`: one file per case with the batch, the options, the loss, and for each gradient its norm and eight
random projections (see `hashed.py`). `golden/logits.json`: chosen logits. `golden/tokenizer.json`: token ids of
difficult texts. `golden/conversations.json`: token ids and loss masks of conversations.
"""

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import peft
import torch
import transformers

import cases
import make_batches
import reference
from hashed import projections, seed

FOLDER = Path(__file__).with_name("golden")
TOP = 16
OTHERS = 16

TEXTS = [
    "Hello world",
    "Hello  world, with   three spaces\nand\n\ntwo lines\n\n\nmore",
    " a leading space",
    "a trailing space ",
    "",
    " ",
    "\t\ttabs\tand\r\nWindows lines\r\n",
    "naïve café, Ærøskøbing, Łódź, Straße, ﬁne",
    "e\u0301 is not \u00e9, and \u200bzero\u200dwidth",
    "渡轮合作社成立于一九七一年三月十四日，有 38 名员工。",
    "フェリーは８時に出ます。한국어도 있습니다.",
    "Привет, мир! שלום עולם مرحبا بالعالم",
    "👩‍🚀🚢😀 and a flag 🇳🇴",
    "0555 014 400, KV-3312, 12,345.60 cr, 1e-9, 0xFF",
    "fn main() {\n    println!(\"{}\", 1 << 4);\n}\n",
    "| Part | Number |\n| --- | --- |\n| Impeller | KV-3312 |",
    "\u0000\u0001\u007f control",
    "𐍈 𝒜 𠮷",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "https://example.org/a?b=c&d=%20#e",
]

CONVERSATIONS = [
    [("user", "When does the vehicle gate close?"), ("assistant", "The vehicle gate closes 10 minutes before departure.")],
    [("user", "  spaces around  "), ("assistant", "trimmed as the template says")],
    [("system", "Answer in one sentence."), ("user", "Who is the chief engineer?"), ("assistant", "Halina Voss.")],
    [("user", "最近的医院是哪一家？"), ("assistant", "最近的医院是圣布兰诺克医院。")],
    [("user", "First?"), ("assistant", "One."), ("user", "And\n\nthen?"), ("assistant", "Two:\n\n- a\n- b")],
]


def made_with():
    return {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(name, value):
    """One value per line at the first levels, so that a change shows in a diff."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = text.replace('},"', '},\n"').replace('],"', '],\n"').replace("},{", "},\n{")
    (FOLDER / name).write_text(text + "\n", encoding="utf-8")
    print(f"parity: wrote golden/{name}, {len(text)} bytes")


def step_document(case, step):
    """A case and what `reference.step` gave for it."""
    tensors = {name: {"shape": list(grad.shape), "norm": float(grad.double().norm()),
                      "projections": [float(f"{p:.7g}") for p in projections(name, grad.numpy())]}
               for name, grad in sorted(step["grads"].items())}
    return {"a_scale": cases.A_SCALE, "b_scale": cases.B_SCALE, "case": case.as_dict(), "loss": step["loss"],
            "trained_tokens": step["trained_tokens"], "gradients": tensors}


def logits_figures(base, ids):
    """At each position the `TOP` largest logits and `OTHERS` of any tokens: `[position][[token, logit], ...]`."""
    values = reference.logits(base, ids)
    vocabulary = values.shape[1]
    positions = []
    for position, row in enumerate(values):
        chosen = row.topk(TOP).indices.tolist()
        chosen += [seed(f"logit:{position}:{k}") % vocabulary for k in range(OTHERS)]
        positions.append([[token, float(np.float32(row[token]))] for token in dict.fromkeys(chosen)])
    return {"ids": ids, "positions": positions}


def conversation_figures(gemma, messages):
    """Gemma's turn form as token ids, and which of them are trained: each answer and the token that ends its turn.

    Gemma has no system role; its template puts that text in front of the first user turn.
    """
    system = next((text.strip() + "\n\n" for role, text in messages if role == "system"), "")
    ids, trained = [gemma.bos_token_id], [False]
    for role, text in messages:
        if role == "system":
            continue
        answer = role == "assistant"
        for part, learned in [(f"<start_of_turn>{'model' if answer else 'user'}\n", False), (system + text.strip(), answer),
                              ("<end_of_turn>", answer), ("\n", False)]:
            more = gemma.encode(part, add_special_tokens=False)
            ids += more
            trained += [learned] * len(more)
        system = ""
    return {"messages": [list(message) for message in messages], "ids": ids, "trained": trained}


def write(base, gguf_path):
    FOLDER.mkdir(exist_ok=True)
    origin = {"made_with": made_with(), "model_sha256": sha256(gguf_path)}
    for case in cases.cases():
        with tempfile.TemporaryDirectory() as folder:
            cases.write_adapter(case, cases.module_shapes(base.config), folder)
            step = reference.step(base, case, folder)
        write_json(f"step-{case.name}.json", {**origin, **step_document(case, step)})
    write_json("logits.json", {**origin, "sequences": [logits_figures(base, ids) for ids in cases.sequences()[:2]]})
    gemma = make_batches.tokenizer(gguf_path)
    write_json("tokenizer.json", {**origin, "texts": [
        {"text": text, "ids": gemma.encode(text, add_special_tokens=False)} for text in TEXTS]})
    write_json("conversations.json", {**origin, "conversations": [
        conversation_figures(gemma, messages) for messages in CONVERSATIONS]})
