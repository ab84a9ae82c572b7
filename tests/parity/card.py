"""Checks and times training steps on a graphics card: stock Transformers + PEFT and Hone, in turn.

    python tests/parity/card.py --hone BIN --cache DIR [--device cuda:0] [--rounds 2] [--steps 5] [--only NAME …] [--out FILE.md]

For a machine with an NVIDIA card, a worker built with `--features cuda`, and a Python that has PyTorch for it (with
`HONE_PARITY_PYTHON=this`, the one that runs). The subjects have random weights in the shapes of Gemma 3 270M, Qwen2.5 0.5B and Llama 3.2
1B; the second half of every row is trained. LoRA of rank 16 on all seven projections, AdamW. PyTorch keeps the adapter in f32, as PEFT
does unasked. Before the times, one step of two rows of 128 tokens is held to the one that Transformers and PEFT compute on the processor in f32: the
loss and every gradient. The loss of the first step stands beside the times: it is the same step everywhere. Memory is the most that tensors took on
the card at once.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench
import environment
from measuring import last_object, save

#          rows, tokens of each
SUBJECTS = {"gemma-shape": (4, 256), "qwen": (8, 512), "llama-1b": (8, 512)}
TITLES = {"gemma-shape": "the shape of Gemma 3 270M", "qwen": "the shape of Qwen2.5 0.5B", "llama-1b": "the shape of Llama 3.2 1B"}
STOCK = {"Transformers + PEFT, f32": "float32", "Transformers + PEFT, bf16": "bfloat16"}
HONE = {"Hone, f32": ["--precision", "f32"], "Hone, bf16": ["--precision", "bf16"], "Hone, f16": ["--precision", "f16"],
        "Hone, bf16, checkpointing": ["--precision", "bf16", "--checkpointing"]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone")
    parser.add_argument("--cache", required=True)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5, help="measured steps a round")
    parser.add_argument("--only", nargs="*", default=list(SUBJECTS))
    parser.add_argument("--out", help="Markdown file that holds the tables")
    parser.add_argument("--base", help=argparse.SUPPRESS)  # be the PyTorch side: the model's folder,
    parser.add_argument("--reference", help=argparse.SUPPRESS)  # the folder of the case,
    parser.add_argument("--dtype", help=argparse.SUPPRESS)  # and what the base model is kept in
    return parser.parse_args()


def reference_side(options):
    """Two unmeasured steps and `--steps` measured ones in PyTorch; prints `{"seconds": [...], "losses": [...], "card_bytes": ...}`."""
    import cases
    import reference
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    dtype = getattr(torch, options.dtype)
    base = AutoModelForCausalLM.from_pretrained(options.base, dtype=dtype, attn_implementation="sdpa").to(options.device)
    model = PeftModel.from_pretrained(base, options.reference, is_trainable=True)
    model.train()
    batch = json.loads((Path(options.reference) / "batch.json").read_text())
    batch = {key: tensor.to(options.device) for key, tensor in reference.as_tensors(batch).items()}
    adamw = reference.optimiser([p for p in model.parameters() if p.requires_grad], cases.Optimiser())
    seconds, losses = [], []
    for _ in range(options.steps + 2):
        torch.cuda.synchronize(options.device)
        began = time.perf_counter()
        adamw.zero_grad()
        loss = bench.stock_loss(model, batch)
        loss.backward()
        adamw.step()
        losses.append(float(loss.detach()))
        torch.cuda.synchronize(options.device)
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"seconds": seconds[2:], "losses": losses, "card_bytes": torch.cuda.max_memory_allocated(options.device)}))


def batch_of(rows, length, vocabulary):
    """Rows of scattered ids; the second half of each is trained."""
    from hashed import seed

    ids = [[seed(f"card:{row}:{at}") % vocabulary for at in range(length)] for row in range(rows)]
    return {"input_ids": ids, "attention_mask": [[1] * length] * rows,
            "labels": [[-100] * (length // 2) + row[length // 2:] for row in ids]}


def check(name, folder, config, options):
    """A small step in each precision against PyTorch's on the processor: a line of Markdown."""
    import cases
    import hone
    import reference
    from report import relative, together, worst

    case = cases.Case(name, cases.Lora(bench.RANK, bench.ALPHA), cases.Optimiser(), batch_of(2, 128, config.vocab_size))
    with tempfile.TemporaryDirectory(dir=options.cache) as scratch:
        start = Path(scratch) / "start"
        cases.write_adapter(case, cases.module_shapes(config), start)
        base = reference.load_base(folder)
        reference.torch.set_num_threads(os.cpu_count())
        theirs = reference.step(base, case, start)
        found, names = [], sorted(theirs["grads"])
        for precision in ["f32", "bf16", "f16"]:
            flags = ["--device", options.device, "--precision", precision]
            ours = reference.read_step(hone.step(options.hone, folder, start, case, Path(scratch) / precision, flags))
            loss = abs(ours["loss"] / theirs["loss"] - 1.0)
            figure, tensor = worst(ours["grads"], theirs["grads"])
            found.append(f"{precision}: loss {loss:.1e}, all gradients {relative(together(ours['grads'], names), together(theirs['grads'], names)):.1e}, "
                         f"the worst tensor {figure:.1e}")
            print(f"{name} {found[-1]} ({tensor})", flush=True)
    return "One step, relative to PyTorch on the processor in f32: " + "; ".join(found) + "."


def compare(name, options):
    """A subject checked, and all sides in turn: the Markdown of its table."""
    import cases
    from transformers import AutoConfig

    folder = bench.random_model(name, options.cache)
    config = AutoConfig.from_pretrained(folder)
    if getattr(config, "head_dim", None) is None:
        config.head_dim = config.hidden_size // config.num_attention_heads
    checked = check(name, folder, config, options)
    rows, length = SUBJECTS[name]
    batch = batch_of(rows, length, config.vocab_size)
    with tempfile.TemporaryDirectory(dir=options.cache) as scratch:
        case = cases.Case(name, cases.Lora(bench.RANK, bench.ALPHA), cases.Optimiser(), batch)
        cases.write_adapter(case, cases.module_shapes(config), scratch)
        path = Path(scratch) / "batch.json"
        path.write_text(json.dumps(batch))
        steps = ["--steps", str(options.steps), "--device", options.device]
        stock = [sys.executable, __file__, "--cache", options.cache, *steps, "--base", str(folder), "--reference", scratch]
        worker = [options.hone, "--json", "lab", "bench", "--model", str(folder), "--adapter", scratch, "--batch", str(path), *steps]
        commands = {side: [*stock, "--dtype", dtype] for side, dtype in STOCK.items()}
        commands |= {side: worker + flags for side, flags in HONE.items()}
        sides = {side: {"seconds": [], "card_bytes": 0, "loss": None} for side in commands}
        for number in range(1, options.rounds + 1):
            for side, command in commands.items():
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
                if done.returncode != 0:
                    print(f"{name} {side} ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}", flush=True)
                    continue
                result = last_object(done.stdout, "seconds")
                sides[side]["seconds"] += result["seconds"]
                sides[side]["card_bytes"] = max(sides[side]["card_bytes"], result["card_bytes"])
                sides[side]["loss"] = result["losses"][0]
                print(f"{name} {number} {side:<28} {[round(s, 4) for s in result['seconds']]} s, {result['card_bytes'] / 1e9:.2f} GB, "
                      f"loss {result['losses'][0]:.6f}", flush=True)
    return f"{table(name, sides, rows, length)}\n\n{checked}"


def table(name, sides, rows, length):
    middle = {side: statistics.median(values["seconds"]) for side, values in sides.items() if values["seconds"]}
    stock = {"f32": middle.get("Transformers + PEFT, f32"), "bf16": middle.get("Transformers + PEFT, bf16")}
    lines = [f"**Random weights in {TITLES[name]}, {rows} rows of {length} tokens, half of them trained**", "",
             "| | ms a step | tokens a second | memory of the card | first loss | times as fast as PEFT, f32 | bf16 |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for side, seconds in middle.items():
        ratios = " | ".join(f"{of / seconds:.2f}" if of else "–" for of in stock.values())
        lines.append(f"| {side} | {1000 * seconds:.1f} ({1000 * min(sides[side]['seconds']):.1f}) | {rows * length / seconds:.0f} | "
                     f"{sides[side]['card_bytes'] / 1e9:.2f} GB | {sides[side]['loss']:.5f} | {ratios} |")
    return "\n".join(lines)


def main():
    options = arguments()
    environment.enter(options.cache)
    if options.reference:
        return reference_side(options)
    import torch

    conditions = (f"Measured on {datetime.date.today()} with `tests/parity/card.py`: {torch.cuda.get_device_name(options.device)}, PyTorch "
                  f"{torch.__version__}; {options.rounds} rounds in turn, {options.steps} steps a round after the first; medians, the best in "
                  f"brackets. Rank {bench.RANK} on all seven projections.")
    for name in options.only:
        text = compare(name, options)
        print(text, flush=True)
        if options.out:
            save(f"{conditions}\n\n{text}", options.out, f"card-{name}", "On a graphics card")
    return 0


if __name__ == "__main__":
    sys.exit(main())
