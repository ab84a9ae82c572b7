"""Times one training step in stock Transformers + PEFT and in Hone, in turn, on this machine.

    python tests/parity/bench.py --hone BIN --model GGUF --cache DIR [--rounds 3] [--steps 2] [--out FILE.md]

The step: 4 rows of 256 tokens of the sample handbook, the second half of each trained, LoRA rank 16 on all seven
projections, AdamW, f32, two threads. Hone is measured three times: as it trains when memory suffices, with gradient checkpointing, and with the weights kept as the
file stores them besides. Each round starts a fresh process for each side, takes one step unmeasured and then
`--steps` measured ones, so that a busy moment of the machine hits both. Peak memory is the process's own (`ru_maxrss`)
and includes loading. `--out` replaces the table between the two marker lines of that file, or appends it.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import environment

BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
RANK, ALPHA = 16, 32
PEFT = "Transformers + PEFT, stock"
HONE = {"Hone": [], "Hone, checkpointing": ["--checkpointing"],
        "Hone, checkpointing, weights as stored": ["--checkpointing", "--stored"]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone")
    parser.add_argument("--model", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2, help="measured steps a round")
    parser.add_argument("--out", help="Markdown file that holds the table")
    parser.add_argument("--reference", help=argparse.SUPPRESS)  # the folder of the case: be the PyTorch side
    return parser.parse_args()


def reference_side(options):
    """One warm-up and `--steps` measured steps in PyTorch; prints `{"seconds": [...], "cpu_seconds": [...], "loss": …}`."""
    import cases
    import reference

    base = reference.load_base(Path(options.cache) / "base" / Path(options.model).resolve().stem, attention="sdpa")
    model = reference.attach(base, options.reference)
    batch = reference.as_tensors(json.loads((Path(options.reference) / "batch.json").read_text()))
    adamw = reference.optimiser([p for p in model.parameters() if p.requires_grad], cases.Optimiser())
    walls, cpus, losses = [], [], []
    for _ in range(options.steps + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        adamw.zero_grad()
        loss = model(**batch, use_cache=False).loss
        loss.backward()
        adamw.step()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        losses.append(float(loss.detach()))
    print(json.dumps({"seconds": walls[1:], "cpu_seconds": cpus[1:], "losses": losses}))


def measured(command):
    """Runs a command; what it printed, and its peak memory in bytes."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))} ended with {process.returncode}\n{printed}")
    return printed, usage.ru_maxrss * 1024


def last_object(printed):
    """The last line that is a JSON object: a worker's result event or a plain object."""
    line = next(line for line in reversed(printed.splitlines()) if line.startswith("{") and '"seconds"' in line)
    value = json.loads(line)
    return value.get("value", value)


def row(name, side):
    walls, cpus = side["seconds"], side["cpu_seconds"]
    return (f"| {name} | {statistics.median(walls):.2f} ({min(walls):.2f}) | {1024 / statistics.median(walls):.0f} "
            f"({1024 / min(walls):.0f}) | {statistics.median(cpus):.2f} | {max(side['memory']) / 1e9:.2f} GB |")


def table(sides, options):
    """The Markdown table with its conditions."""
    theirs = sides[PEFT]

    def told(name):
        ours = sides[name]
        speed = statistics.median(theirs["seconds"]) / statistics.median(ours["seconds"])
        cpu = statistics.median(theirs["cpu_seconds"]) / statistics.median(ours["cpu_seconds"])
        memory = max(ours["memory"]) / max(theirs["memory"])
        return f"| {name} | {speed:.2f} | {1 / cpu:.2f} | {memory:.2f} |"

    processor = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                      if line.startswith("model name")), platform.processor())
    return "\n".join([
        BEGIN,
        f"Measured on {datetime.date.today()} with `cargo xtask bench`: {processor}, {os.cpu_count()} logical cores, two threads each; "
        f"{options.rounds} rounds in turn, {options.steps} steps a round after one unmeasured; medians, the best in brackets. "
        "One step is 4 rows of 256 tokens, half of them trained, rank 16 on all seven projections, f32.",
        "",
        "| | s a step | tokens a second | CPU seconds a step | peak memory |",
        "| --- | --- | --- | --- | --- |",
        *(row(name, side) for name, side in sides.items()),
        "",
        "| against stock PEFT | times as fast | share of its CPU time | share of its memory |",
        "| --- | --- | --- | --- |",
        *(told(name) for name in HONE),
        END,
    ])


def save(text, path):
    path = Path(path)
    old = path.read_text(encoding="utf-8") if path.exists() else "# Benchmarks\n\n## Speed and memory of one step\n\n"
    if BEGIN in old:
        head, rest = old.split(BEGIN, 1)
        old = head + text + rest.split(END, 1)[1]
    else:
        old = old.rstrip("\n") + "\n\n" + text + "\n"
    path.write_text(old, encoding="utf-8")


def main():
    options = arguments()
    environment.enter(options.cache)
    if options.reference:
        return reference_side(options)

    import base as base_model
    import cases
    from transformers import AutoConfig

    folder = base_model.checkpoint(options.model, options.cache)
    batches = json.loads(cases.BATCHES.read_text())
    case = cases.Case("speed", cases.Lora(RANK, ALPHA), cases.Optimiser(), batches["speed"])
    with tempfile.TemporaryDirectory(dir=options.cache) as scratch:
        cases.write_adapter(case, cases.module_shapes(AutoConfig.from_pretrained(folder)), scratch)
        batch = Path(scratch) / "batch.json"
        batch.write_text(json.dumps(case.batch))
        commands = {PEFT: [sys.executable, __file__, "--model", options.model, "--cache", options.cache, "--steps",
                           str(options.steps), "--reference", scratch]}
        if options.hone:
            worker = [options.hone, "--json", "lab", "bench", "--model", options.model, "--adapter", scratch, "--batch",
                      str(batch), "--steps", str(options.steps), "--threads", "2"]
            commands |= {name: worker + flags for name, flags in HONE.items()}
        sides = {name: {"seconds": [], "cpu_seconds": [], "memory": []} for name in commands}
        for number in range(1, options.rounds + 1):
            for name, command in commands.items():
                printed, memory = measured(command)
                result = last_object(printed)
                sides[name]["seconds"] += result["seconds"]
                sides[name]["cpu_seconds"] += result["cpu_seconds"]
                sides[name]["memory"].append(memory)
                print(f"round {number} {name:<38} {[round(s, 2) for s in result['seconds']]} s, {memory / 1e9:.2f} GB", flush=True)
    if options.hone:
        text = table(sides, options)
        print(text)
        if options.out:
            save(text, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
