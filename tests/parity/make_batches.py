"""Makes `batches.json`: token ids of rows from the sample handbook, as fixed numbers.

    python tests/parity/make_batches.py --model GGUF --cache DIR

The ids come from Transformers' tokenizer built from the vocabulary in the GGUF file; what Hone's tokenizer makes of the
same texts is compared elsewhere (`golden/tokenizer.json`).
"""

import argparse
import csv
import json
from pathlib import Path

import environment

SAMPLES = Path(__file__).parents[2] / "crates" / "cli" / "samples"
PAD, BOS = 0, 2


def tokenizer(gguf_path):
    """Transformers' Gemma tokenizer with the vocabulary of the GGUF file."""
    from transformers import AutoTokenizer
    path = Path(gguf_path)
    return AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)


def padded(rows, left=False):
    """Rows of `(ids, labels)` as Transformers' rectangular batch."""
    width = max(len(ids) for ids, _ in rows)
    batch = {"input_ids": [], "attention_mask": [], "labels": []}
    for ids, labels in rows:
        gap = width - len(ids)
        for key, values, filler in [("input_ids", ids, PAD), ("attention_mask", [1] * len(ids), 0), ("labels", labels, -100)]:
            batch[key].append([filler] * gap + values if left else values + [filler] * gap)
    return batch


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--cache", required=True)
    options = parser.parse_args()
    environment.enter(options.cache)

    gemma = tokenizer(options.model)

    def encode(text):
        return gemma.encode(text, add_special_tokens=False)

    with open(SAMPLES / "questions.csv", encoding="utf-8") as file:
        questions = list(csv.DictReader(file))

    def row(index):
        asked = [BOS] + encode(f"<start_of_turn>user\n{questions[index]['question']}<end_of_turn>\n<start_of_turn>model\n")
        answer = encode(f"{questions[index]['answer']}<end_of_turn>")
        return asked + answer, [-100] * len(asked) + answer

    def reading(text):
        ids = [BOS] + encode(text)
        return ids, list(ids)

    chapter = encode((SAMPLES / "chapters" / "06-weather.md").read_text(encoding="utf-8"))
    long = [BOS] + chapter[:639]
    # The first row is trained from its very first token: the label of a sequence's first token must not count.
    rows = [reading("The muster signal is seven short blasts and one long blast on the horn and the bells."),
            row(0), row(60), row(len(questions) - 3)]
    untrained = row(20)
    # The benchmark's step: 4 rows of 256 tokens, the second half of each trained.
    book = encode("\n".join((SAMPLES / "chapters" / f).read_text(encoding="utf-8")
                            for f in ["04-fares.md", "07-crew.md", "08-safety.md"]))
    speed = [[BOS] + book[i * 255:(i + 1) * 255] for i in range(4)]
    batches = {
        "answers": padded(rows),
        "beyond-the-window": padded([(long, [-100] * (len(long) - 48) + long[-48:])]),
        "left-padded": padded([row(30), (untrained[0], [-100] * len(untrained[0])), row(150)], left=True),
        "speed": padded([(ids, [-100] * 128 + ids[128:]) for ids in speed]),
        "sequences": [row(0)[0], [BOS] + encode("Petrel sails a circuit: Port Tressel, Kirk Pier, Nethersand"),
                      [BOS] + encode("集合信号是七短一长的汽笛声。")],
    }
    text = json.dumps(batches, separators=(",", ":"))
    Path(__file__).with_name("batches.json").write_text(text.replace(',"', ',\n"') + "\n")


if __name__ == "__main__":
    main()
