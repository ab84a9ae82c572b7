"""Times training steps in stock Transformers + PEFT and in Hone, in turn, on this machine.

    python tests/parity/bench.py --hone BIN --model GGUF --cache DIR [--rounds 3] [--steps 2] [--only NAME …] [--out FILE.md]

The subjects:

- `gemma`: the starter model; 4 rows of 256 tokens of the sample handbook, the second half of each trained. PyTorch twice: as it is,
  and with the LM head on the trained rows alone. Hone as it trains when memory suffices, with gradient checkpointing, and with
  the weights kept as the file stores them besides.
- `llama`, `qwen`: random weights in the shapes of SmolLM2 135M and Qwen2.5 0.5B, the same batch; stock PyTorch and Hone.
- `natural`: the starter model; 16 rows as long as the sample's questions and answers. PyTorch pads them, Hone packs them.
- `small`: Hone alone, one row of 512 tokens, checkpointing and stored weights: what it takes beyond the model's file.
- `cost`: Hone alone, by length, rows and rank.

LoRA of rank 16 on all seven projections, AdamW, f32, two threads. Each round starts a fresh process for each side, takes one step
unmeasured and then `--steps` measured ones, so that a busy moment of the machine hits both. Peak memory is the process's own
(`ru_maxrss`) and includes loading. `--out` replaces the tables between the marker lines of that file, or appends them.
"""

import argparse
import csv
import datetime
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import environment

sys.path.insert(0, str(Path(__file__).parents[1]))
from measuring import last_object, measured, processor, save  # noqa: E402

RANK, ALPHA = 16, 32
STOCK, TRAINED_ROWS = "Transformers + PEFT, stock", "Transformers + PEFT, head on trained rows only"
HONE = {"Hone": [], "Hone, checkpointing": ["--checkpointing"],
        "Hone, checkpointing, weights as stored": ["--checkpointing", "--stored"]}
SHAPES = {
    "llama": ("LlamaConfig", {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
                              "num_key_value_heads": 3, "vocab_size": 49152}),
    "qwen": ("Qwen2Config", {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
                             "num_key_value_heads": 2, "vocab_size": 151936}),
    # For graphics cards (`card.py`).
    "gemma-shape": ("Gemma3TextConfig", {"hidden_size": 640, "intermediate_size": 2048, "num_hidden_layers": 18,
                                         "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "sliding_window": 512,
                                         "query_pre_attn_scalar": 256, "vocab_size": 262144}),
    "llama-1b": ("LlamaConfig", {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
                                 "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128256, "rope_theta": 500000.0}),
}
TITLES = {
    "gemma": "Gemma 3 270M, 4 rows of 256 tokens, half of them trained",
    "llama": "Random weights in the shape of SmolLM2 135M (30 layers, 49,152 tokens in the vocabulary), the same batch",
    "qwen": "Random weights in the shape of Qwen2.5 0.5B (24 layers, 151,936 tokens in the vocabulary), the same batch",
    "natural": "Gemma 3 270M, 16 rows as long as the sample's questions and answers; PyTorch pads, Hone packs",
}
SAMPLE = Path(__file__).parents[2] / "crates/cli/samples/questions.csv"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone")
    parser.add_argument("--model")
    parser.add_argument("--cache", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2, help="measured steps a round")
    parser.add_argument("--only", nargs="*", default=[*TITLES, "small", "cost"])
    parser.add_argument("--out", help="Markdown file that holds the tables")
    parser.add_argument("--make", choices=list(SHAPES), help=argparse.SUPPRESS)  # make a random model,
    parser.add_argument("--base", help=argparse.SUPPRESS)  # or be the PyTorch side: the model's folder,
    parser.add_argument("--reference", help=argparse.SUPPRESS)  # the folder of the case,
    parser.add_argument("--trained-rows", action="store_true", help=argparse.SUPPRESS)  # and its way
    return parser.parse_args()


def reference_side(options):
    """One warm-up and `--steps` measured steps in PyTorch; prints `{"seconds": [...], "cpu_seconds": [...], "losses": [...]}`."""
    import cases
    import reference

    model = reference.attach(reference.load_base(options.base, attention="sdpa"), options.reference)
    batch = reference.as_tensors(json.loads((Path(options.reference) / "batch.json").read_text()))
    adamw = reference.optimiser([p for p in model.parameters() if p.requires_grad], cases.Optimiser())
    loss_of = trained_rows_loss if options.trained_rows else stock_loss
    walls, cpus, losses = [], [], []
    for _ in range(options.steps + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        adamw.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        adamw.step()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        losses.append(float(loss.detach()))
    print(json.dumps({"seconds": walls[1:], "cpu_seconds": cpus[1:], "losses": losses}))


def stock_loss(model, batch):
    return model(**batch, use_cache=False).loss


def trained_rows_loss(model, batch):
    """The same mean loss with logits of the trained rows alone, as a careful user of PyTorch would write it."""
    import torch

    inner = model.get_base_model()
    hidden = inner.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False)[0]
    trained = batch["labels"][:, 1:] != -100
    logits = inner.lm_head(hidden[:, :-1][trained])
    return torch.nn.functional.cross_entropy(logits, batch["labels"][:, 1:][trained])


def random_model(name, cache):
    """The folder of a random model of this shape, made once, in a process of its own: its memory would count for every later child."""
    folder = Path(cache) / "base" / f"bench-{name}"
    if not (folder / "model.safetensors").exists():
        subprocess.run([sys.executable, __file__, "--cache", cache, "--make", name], check=True)
    return folder


def make_random_model(name, cache):
    import torch
    import transformers

    torch.manual_seed(7)
    kind, shape = SHAPES[name]
    config = getattr(transformers, kind)(**shape, tie_word_embeddings=True, max_position_embeddings=4096, bos_token_id=1,
                                         eos_token_id=2, pad_token_id=2)
    model = transformers.AutoModelForCausalLM.from_config(config).float()
    model.save_pretrained(Path(cache) / "base" / f"bench-{name}")


def natural_batch(vocabulary):
    """Sixteen rows of scattered ids, as long as questions and answers of the sample in the starter model's tokens, with the eight tokens
    of its chat template; the answers are trained."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        pairs = [row for row in csv.DictReader(file) if row["split"] == "train"][3:163:10]
    rows = [(8 + len(pair["question"].encode()) // 4, 2 + len(pair["answer"].encode()) // 4) for pair in pairs]
    longest = max(asked + told for asked, told in rows)
    batch, number = {"input_ids": [], "attention_mask": [], "labels": []}, 1
    for asked, told in rows:
        ids = []
        for _ in range(asked + told):
            number = (number * 7919 + 12345) % (vocabulary - 10)
            ids.append(number + 10)
        rest = longest - len(ids)
        batch["input_ids"].append(ids + [0] * rest)
        batch["attention_mask"].append([1] * len(ids) + [0] * rest)
        batch["labels"].append([-100] * asked + ids[asked:] + [-100] * rest)
    return batch


def subject(name, options, scratch):
    """The commands of a subject's sides, with its real tokens and trained tokens in a step."""
    import base as base_model
    import cases
    from transformers import AutoConfig

    if name in SHAPES:
        folder = random_model(name, options.cache)
        hone_model, sides = str(folder), {"Hone": []}
    else:
        folder = base_model.checkpoint(options.model, options.cache)
        hone_model, sides = options.model, HONE if name == "gemma" else {"Hone": []}
    config = AutoConfig.from_pretrained(folder)
    if getattr(config, "head_dim", None) is None:
        config.head_dim = config.hidden_size // config.num_attention_heads
    batch = json.loads(cases.BATCHES.read_text())["speed"]
    if name == "natural":
        batch = natural_batch(config.vocab_size)
    elif name in SHAPES:
        for key in ["input_ids", "labels"]:
            batch[key] = [[token if token < 0 else token % config.vocab_size for token in row] for row in batch[key]]
    case = cases.Case(name, cases.Lora(RANK, ALPHA), cases.Optimiser(), batch)
    cases.write_adapter(case, cases.module_shapes(config), scratch)
    path = Path(scratch) / "batch.json"
    path.write_text(json.dumps(batch))
    steps = ["--steps", str(options.steps)]
    stock = [sys.executable, __file__, "--cache", options.cache, *steps, "--base", str(folder), "--reference", str(scratch)]
    worker = [options.hone, "--json", "lab", "bench", "--model", hone_model, "--adapter", str(scratch), "--batch", str(path),
              *steps, "--threads", "2"]
    commands = {STOCK: stock}
    if name != "natural":
        commands[TRAINED_ROWS] = [*stock, "--trained-rows"]
    commands |= {side: worker + flags for side, flags in sides.items()}
    tokens = sum(map(sum, batch["attention_mask"]))
    trained = sum(label >= 0 for row in batch["labels"] for label in row[1:])
    return commands, tokens, trained


def compare(name, options):
    """All sides of a subject in turn: the Markdown of its table."""
    with tempfile.TemporaryDirectory(dir=options.cache) as scratch:
        commands, tokens, trained = subject(name, options, scratch)
        sides = {side: {"seconds": [], "cpu_seconds": [], "memory": [], "floor": None} for side in commands}
        for number in range(1, options.rounds + 1):
            for side, command in commands.items():
                printed, memory = measured(command)
                result = last_object(printed, "seconds")
                sides[side]["seconds"] += result["seconds"]
                sides[side]["cpu_seconds"] += result["cpu_seconds"]
                sides[side]["memory"].append(memory)
                sides[side]["losses"] = result["losses"]
                floor = result.get("floor")
                if floor and (sides[side]["floor"] is None or floor["share"] > sides[side]["floor"]["share"]):
                    sides[side]["floor"] = floor
                print(f"{name} {number} {side:<46} {[round(s, 2) for s in result['seconds']]} s, {memory / 1e9:.2f} GB, "
                      f"loss {result['losses'][0]:.5f}", flush=True)
    return table(name, sides, tokens, trained)


def table(name, sides, tokens, trained):
    stock = sides[STOCK]
    middle = {side: statistics.median(values["seconds"]) for side, values in sides.items()}
    lines = [f"**{TITLES[name]}** ({tokens} tokens, {trained} trained)", "",
             "| | s a step | trained tokens a second | CPU seconds | peak memory | times as fast as stock | share of its memory |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for side, values in sides.items():
        lines.append(
            f"| {side} | {middle[side]:.2f} ({min(values['seconds']):.2f}) | {trained / middle[side]:.0f} | "
            f"{statistics.median(values['cpu_seconds']):.2f} | {max(values['memory']) / 1e9:.2f} GB | {middle[STOCK] / middle[side]:.2f} | "
            f"{max(values['memory']) / max(stock['memory']):.2f} |")
    lines.append("")
    if TRAINED_ROWS in sides:
        lines += [f"Against PyTorch with its head on the trained rows only, Hone is {middle[TRAINED_ROWS] / middle['Hone']:.2f} times as fast.",
                  ""]
    lines += [words for words in [floor_words(sides["Hone"]["floor"])] if words]
    return "\n".join(lines)


def floor_words(floor):
    """Where a step's time goes, from the best round."""
    if floor is None:
        return None
    work = sorted(floor["work"].items(), key=lambda item: -item[1])
    total = sum(seconds for _, seconds in work)
    parts = ", ".join(f"{kind} {seconds / total:.0%}" for kind, seconds in work if seconds / total >= 0.005)
    return (f"The floor: {floor['product_flops'] / 1e9:.0f} GFLOP of matrix products at {floor['best_flops_per_second'] / 1e9:.0f} GFLOP/s, the "
            f"best rate measured before and after the steps, would take {floor['least_seconds']:.2f} s; Hone's best round reaches "
            f"**{floor['share']:.0%}** of it. Where the time goes: {parts}.")


def alone(options, *flags):
    """One measurement of Hone by itself on a made-up batch: its result and peak memory."""
    command = [options.hone, "--json", "lab", "bench", "--model", options.model, "--threads", "2", "--steps", str(options.steps), *flags]
    printed, memory = measured(command)
    result = last_object(printed, "seconds")
    print(f"alone {' '.join(flags):<60} {statistics.median(result['seconds']):.2f} s, {memory / 1e9:.2f} GB", flush=True)
    return result, memory


def small(options):
    _, memory = alone(options, "--stored", "--checkpointing", "--batch", "1", "--seq", "512")
    size = Path(options.model).stat().st_size
    return (f"**What it takes beyond the file**: one row of 512 tokens, two in five trained, weights as stored, checkpointing: {memory / 1e6:.0f} MB at "
            f"the peak; the file has {size / 1e6:.0f} MB, so {(memory - size) / 1e6:.0f} MB more than it.")


def cost(options):
    series = {
        "One row, by length": [(f"{length} tokens", ["--batch", "1", "--seq", str(length)]) for length in [256, 512, 1024, 2048, 4096]],
        "Rows of 256 tokens": [(f"{rows} rows", ["--batch", str(rows), "--seq", "256"]) for rows in [1, 2, 4, 8, 16]],
        "4 rows of 256 tokens, by rank": [(f"rank {rank}", ["--batch", "4", "--seq", "256", "--rank", str(rank)]) for rank in [8, 16, 32, 64, 128]],
    }
    lines = ["**Cost by length, rows and rank** (Hone alone, Gemma 3 270M, checkpointing, two in five tokens trained)"]
    for title, points in series.items():
        found = [(name, *alone(options, "--checkpointing", *flags)) for name, flags in points]
        times = [statistics.median(result["seconds"]) for _, result, _ in found]
        lines += ["", f"| {title} | s a step | ms a token | peak memory | |", "| --- | --- | --- | --- | --- |"]
        for (name, result, memory), seconds in zip(found, times, strict=True):
            bar = "▇" * max(1, round(24 * seconds / max(times)))
            lines.append(f"| {name} | {seconds:.2f} | {1000 * seconds / result['tokens']:.2f} | {memory / 1e9:.2f} GB | {bar} |")
    return "\n".join(lines)


def main():
    options = arguments()
    environment.enter(options.cache)
    if options.make:
        return make_random_model(options.make, options.cache)
    if options.reference:
        return reference_side(options)
    makers = {**{name: lambda name=name: compare(name, options) for name in TITLES},
              "small": lambda: small(options), "cost": lambda: cost(options)}
    conditions = (f"Measured on {datetime.date.today()} with `tests/parity/bench.py` (part of `cargo xtask bench`): {processor()}, two threads each; {options.rounds} rounds in turn, "
                  f"{options.steps} steps a round after one unmeasured; medians, the best in brackets. Rank {RANK} on all seven projections, f32.")
    for name in options.only:
        text = makers[name]()
        print(text, flush=True)
        if options.out:
            words = f"{conditions}\n\n{text}" if name in TITLES else f"Measured on {datetime.date.today()}.\n\n{text}"
            save(words, options.out, f"speed-{name}", "Speed and memory of one step" if name == "gemma" else "More of speed and memory")
    return 0


if __name__ == "__main__":
    sys.exit(main())
