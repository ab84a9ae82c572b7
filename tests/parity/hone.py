"""Calls Hone's worker."""

import json
import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file


def call(binary, *arguments):
    """Runs a verb; ends with the worker's own words when it fails."""
    done = subprocess.run([str(binary), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"parity: `hone {' '.join(map(str, arguments))}` ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def step(binary, model, adapter, case, folder, flags=()):
    """`hone lab step` into `folder`, which then holds loss.json, grads.safetensors and adapter_model.safetensors."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    batch = folder / "batch.json"
    batch.write_text(json.dumps(case.batch))
    wanted = case.optimiser
    call(binary, "lab", "step", "--model", model, "--adapter", adapter, "--batch", batch, "--out", folder,
         "--learning-rate", wanted.learning_rate, "--betas", ",".join(map(str, wanted.betas)), "--eps", wanted.eps,
         "--weight-decay", wanted.weight_decay, *flags)
    return folder


def logits(binary, model, ids, folder, flags=()):
    """`hone lab logits`, `[tokens, vocab]` f32."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokens, out = folder / "tokens.json", folder / "logits.safetensors"
    tokens.write_text(json.dumps(ids))
    call(binary, "lab", "logits", "--model", model, "--tokens", tokens, "--out", out, *flags)
    return load_file(out)["logits"]


def generate(binary, model, ids, count, folder):
    """The tokens of `hone lab generate`, greedy, from the weights as they are stored."""
    tokens = Path(folder) / "prompt.json"
    tokens.write_text(json.dumps(ids))
    lines = call(binary, "--json", "lab", "generate", "--model", model, "--tokens", tokens, "--count", count).splitlines()
    return next(event for event in map(json.loads, lines) if event["event"] == "result")["value"]["tokens"]
