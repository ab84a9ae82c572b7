"""How fast Hone and llama.cpp write, in turn, on the same model file.

    HONE_FOREIGN_DIR=<folder with node_modules> python writing.py --hone BIN --model GGUF [--rounds 3] [--count 128] [--out FILE.md]

Both read the same prompt of 32 token ids and write greedily, one token at a time, with two threads each, in a fresh process
a round. Tokens a second are those after the first, which comes with the prompt. `--out` replaces the table between the two
marker lines of that file, or appends it. Needs nothing but Python's own library.
"""

import argparse
import datetime
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from measuring import last_object, measured, processor, save  # noqa: E402

PROMPT = [2] + [(7919 * at + 12345) % 200000 + 300 for at in range(31)]
THREADS = "2"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--out", help="Markdown file that holds the table")
    return parser.parse_args()


def table(sides, options):
    theirs = statistics.median(sides["llama.cpp"])
    rows = [f"| {name} | {statistics.median(rates):.1f} ({max(rates):.1f}) | {statistics.median(rates) / theirs:.2f} |"
            for name, rates in sides.items()]
    return "\n".join([
        f"Measured on {datetime.date.today()} with `tests/foreign/writing.py` (part of `cargo xtask bench`): {processor()}, "
        f"two threads each; `{Path(options.model).name}`, a prompt of {len(PROMPT)} tokens, {options.count} tokens written, "
        f"{options.rounds} rounds in turn; medians, the best in brackets.",
        "",
        "| | tokens a second | against llama.cpp |",
        "| --- | --- | --- |",
        *rows,
    ])


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        tokens = Path(scratch) / "tokens.json"
        tokens.write_text(json.dumps(PROMPT))
        hone = [options.hone, "--json", "lab", "generate", "--model", options.model, "--tokens", str(tokens), "--count",
                str(options.count), "--threads", THREADS]
        commands = {
            "llama.cpp": ["node", str(Path(__file__).with_name("speed.mjs")), options.model, str(tokens), str(options.count), THREADS],
            "Hone, weights as stored": hone,
            "Hone, weights expanded": [*hone, "--expanded"],
        }
        sides = {name: [] for name in commands}
        for number in range(1, options.rounds + 1):
            for name, command in commands.items():
                result = last_object(measured(command)[0], "tokens_per_second")
                sides[name].append(result["tokens_per_second"])
                print(f"round {number} {name:<26} {result['tokens_per_second']:7.1f} tokens a second, {len(result['tokens'])} tokens", flush=True)
    text = table(sides, options)
    print(text)
    if options.out:
        save(text, options.out, "writing", "Writing, one token at a time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
