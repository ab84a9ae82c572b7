"""One LoRA step on models and batches of random shapes, live: Hone's worker against Transformers + PEFT.

    python tests/parity/shapes.py --hone BIN --cache DIR [--seed N] [--count N] [--device cuda:0]

Each case is drawn from its number: a family with its real features, heads of any number and even width (each its own key, some
sharing one, all sharing one), any hidden width, vocabulary and number of layers, a tied or an own head, windows shorter and longer than
the rows, kinds of rotation; the weights as a folder or as GGUF; an adapter of rank 1 to 128 on some of the projections; rows of one
token to several windows, padded left or right, with scattered trained tokens, some without any; now and then another loss, weights of
rows, DoRA. Compared are the loss, every gradient, what PEFT makes of the adapter that Hone wrote, and the logits of the longest row
with it. `--seed` is the number of the first case,
and a case that failed is repeated with `--seed N --count 1`. The exit status is 1 when a figure is above its limit.
"""

import argparse
import copy
import random
import sys
import tempfile
import time
from pathlib import Path

import environment

LOSS_LIMIT = 1e-5
GRADIENT_LIMIT = 1e-3
LOGITS_LIMIT = 1e-4
# Where every query sees one key, queries and keys have a gradient of exactly 0 in PyTorch, and one of rounding, relative to all, here.
ROUNDING = 1e-5
GEMMA = ["Gemma2Config", "Gemma3TextConfig"]


def draw_family(dice, number):
    """A family of `families.py` in another shape."""
    from dataclasses import replace

    import families

    family = dice.choice(families.FAMILIES)
    head = 2 * dice.choice([1, 2, 3, 5, 8, 9, 11, 16, 17, 24, 32, 40])
    kv = dice.choice([1, 1, 2, 3, 4])
    heads = kv * dice.choice([1, 1, 2, 3, 5])
    longest = dice.choice([9, 40, 70, 130, 300])
    settings = {
        # Transformers wants a hidden width that the heads divide, though most have a width of their own here.
        **family.settings, "vocab_size": dice.randint(50, 1500), "hidden_size": heads * -(-dice.randint(9, 120) // heads),
        "intermediate_size": dice.randint(5, 150), "num_hidden_layers": dice.randint(1, 3), "num_attention_heads": heads,
        "num_key_value_heads": kv, "head_dim": head, "max_position_embeddings": 1024, "rms_norm_eps": dice.choice([1e-6, 1e-5]),
    }
    keys = {**family.keys, "attention.key_length": head, "attention.value_length": head}
    window = dice.choice([1, 2, 7, 16, 33, 64, 500])
    if family.config in GEMMA:
        settings.update(sliding_window=window, query_pre_attn_scalar=head, num_hidden_layers=dice.randint(1, 7))
        keys["attention.sliding_window"] = window
    else:
        settings["tie_word_embeddings"] = dice.random() < 0.5
    if family.config == "MistralConfig" and dice.random() < 0.5:
        settings["sliding_window"] = window
        keys["attention.sliding_window"] = window
    if family.config == "Phi3Config":
        # Its heads share the hidden width.
        settings["hidden_size"] = heads * head
        if settings.get("sliding_window"):
            settings["sliding_window"] = window
            keys["attention.sliding_window"] = window
    rope = settings["rope_parameters"]
    if rope.get("rope_type") == "longrope":
        head = settings["head_dim"] = 8 * dice.randint(1, 5)
        settings["hidden_size"] = heads * head
        keys.update({"attention.key_length": head, "attention.value_length": head})
        pairs = int(head * 0.75) // 2
        settings["rope_parameters"] = {**rope, "short_factor": [1.0 + dice.random() for _ in range(pairs)],
                                       "long_factor": [1.0 + i for i in range(pairs)]}
        # All texts are short for it; see Phi-3's file in `crates/model/src/arch`.
        longest = min(longest, 250)
    elif "full_attention" not in rope:
        settings["rope_parameters"] = {**rope, "rope_theta": dice.choice([500.0, 10000.0, 1e6])}
    return replace(family, name=f"{family.name}-{number}", settings=settings, keys=keys), longest


def draw_batch(dice, vocabulary, longest):
    """Rows as Transformers takes them; some token is trained."""
    rows = []
    for _ in range(dice.randint(1, 5)):
        length = dice.choice([1, 2, dice.randint(1, longest), dice.randint(1, longest), longest])
        ids = [dice.randrange(vocabulary) for _ in range(length)]
        kind = dice.choice(["none", "all", "answer", "answer", "scattered"])
        begin = dice.randint(0, length)
        trained = {"none": lambda at: False, "all": lambda at: True, "answer": lambda at: at >= begin,
                   "scattered": lambda at: dice.random() < 0.3}[kind]
        rows.append((ids, [token if trained(at) else -100 for at, token in enumerate(ids)]))
    if all(label == -100 for _, labels in rows for label in labels[1:]):
        ids = [dice.randrange(vocabulary) for _ in range(max(longest, 2))]
        rows.append((ids, list(ids)))
    width = max(len(ids) for ids, _ in rows) + dice.choice([0, 0, 3])
    left = dice.random() < 0.3
    batch = {"input_ids": [], "attention_mask": [], "labels": []}
    for ids, labels in rows:
        gap = width - len(ids)
        if left and gap:
            # Transformers would have the padding in front predict it.
            labels[0] = -100
        for key, values, filler in [("input_ids", ids, 0), ("attention_mask", [1] * len(ids), 0), ("labels", labels, -100)]:
            batch[key].append([filler] * gap + values if left else values + [filler] * gap)
    return batch, max((ids for ids, _ in rows), key=len)


def draw_objective(dice, name, rows):
    """Plain cross-entropy mostly."""
    import objectives

    kind = dice.choice(["plain", "plain", "smooth", "focal"])
    return objectives.Objective(name, "", label_smoothing=dice.choice([0.05, 0.3]) if kind == "smooth" else 0.0,
                                focal_gamma=dice.choice([0.5, 2.0]) if kind == "focal" else 0.0,
                                row_weights=[dice.choice([0.25, 1.0, 3.0]) for _ in range(rows)] if dice.random() < 0.3 else None)


def draw_case(dice, family, longest):
    import cases

    rank = dice.choice([1, 2, 3, 8, 17, 64, 128])
    modules = dice.sample(family.modules, dice.randint(1, len(family.modules)))
    lora = cases.Lora(rank, dice.choice([1, 8, 32]), modules, dice.random() < 0.3, dice.random() < 0.15)
    optimiser = cases.Optimiser(dice.choice([1e-4, 1e-3]), dice.choice([(0.9, 0.999), (0.8, 0.95)]), 1e-8, dice.choice([0.0, 0.1]))
    batch, row = draw_batch(dice, family.settings["vocab_size"], longest)
    objective = draw_objective(dice, family.name, len(batch["input_ids"]))
    if objective.row_weights:
        batch["row_weights"] = objective.row_weights
    return cases.Case(family.name, lora, optimiser, batch), objective, row


def compare(report, options, number, tokenizer, folder):
    import families
    import hone
    import objectives
    import reference
    from report import relative, same_names

    dice = random.Random(number)
    family, longest = draw_family(dice, number)
    case, objective, row = draw_case(dice, family, longest)
    model = families.make(family)
    config = model.config
    stored = folder / "model.gguf"
    if dice.random() < 0.5:
        stored = folder / "model"
        # A copy: the frequencies of the rotation would become f16 too.
        copy.deepcopy(model).half().save_pretrained(stored)
    else:
        families.write_gguf(family, model, tokenizer, stored, dice.choice(["F32", "F16"]))
    flags = ["--checkpointing"] if dice.random() < 0.4 else []
    # Drawn also where it is given, so that a number stands for one case.
    drawn = "cpu" if case.lora.use_dora else dice.choice(["cpu", "cpu", "cpu-tensors"])
    device = ["--device", options.device if options.device and not case.lora.use_dora else drawn]
    flags += ["--label-smoothing", objective.label_smoothing, "--focal-gamma", objective.focal_gamma]

    def say(what, figure, limit):
        report.line(family.name, what, figure, limit)

    print(f"{family.name}: {stored.name}, {config.num_hidden_layers} layers, hidden {config.hidden_size}, heads "
          f"{config.num_attention_heads}/{config.num_key_value_heads} x {family.settings['head_dim']}, vocabulary {config.vocab_size}, "
          f"window {getattr(config, 'sliding_window', None)}, rank {case.lora.rank} on {len(case.lora.target_modules)}, "
          f"rows {[sum(mask) for mask in case.batch['attention_mask']]}, weights {objective.row_weights}, "
          f"{'DoRA, ' if case.lora.use_dora else ''}{' '.join(map(str, [*device, *flags]))}")
    families.write_adapter(case, model, folder / "start")
    saved = reference.save_with_peft(model, folder / "start", folder / "saved-by-peft")
    theirs = reference.step(model, case, folder / "start", loss=objectives.loss_of(objective))
    ours = reference.read_step(hone.step(options.hone, stored, saved, case, folder / "hone", [*device, *flags]))
    say("loss", abs(ours["loss"] - theirs["loss"]) / abs(theirs["loss"]), LOSS_LIMIT)
    report.fact(family.name, f"{theirs['trained_tokens']} trained tokens, {len(theirs['grads'])} gradients by name and shape", [
        *([] if ours["trained_tokens"] == theirs["trained_tokens"] else [f"Hone counts {ours['trained_tokens']}"]),
        *same_names(ours["grads"], theirs["grads"])])
    all_together = sum(float(grad.double().norm()) ** 2 for grad in theirs["grads"].values()) ** 0.5
    none = {name for name, grad in theirs["grads"].items() if not grad.any()}
    errors = {name: relative(ours["grads"][name], grad) for name, grad in theirs["grads"].items() if name not in none}
    name = max(errors, key=errors.get, default="")
    say("gradients, worst tensor", errors.get(name, 0.0), GRADIENT_LIMIT)
    if errors.get(name, 0.0) > GRADIENT_LIMIT:
        print(f"{'':<18}   {name}: {float(theirs['grads'][name].norm()):.1e} of {all_together:.1e} in all")
    if none:
        say("gradients that are 0, of all", max(float(ours["grads"][name].norm()) for name in none) / all_together, ROUNDING)
    start = reference.load_file(folder / "start" / "adapter_model.safetensors")
    alone = reference.adamw_alone(start, ours["grads"], case.optimiser)
    say("AdamW on Hone's gradients", max(relative(ours["after"][name], alone[name]) for name in alone), 1e-5)
    report.fact(family.name, "PEFT loads the adapter that Hone wrote", reference.loads(model, folder / "hone"))
    tuned = reference.attach(model, folder / "hone")
    expected = reference.logits(tuned, row).double()
    tuned.unload()
    found = hone.logits(options.hone, stored, row, folder / "logits", ["--adapter", folder / "hone", *device]).double()
    # The embedding of the padding token is 0, and so are all logits of a text that begins with it.
    largest = expected.abs().amax(dim=1, keepdim=True).clamp_min(1e-6)
    say(f"logits of {len(row)} tokens with it", float(((found - expected).abs() / largest).max()), LOGITS_LIMIT)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", required=True, help="the worker binary")
    parser.add_argument("--cache", required=True, help="folder kept between runs")
    parser.add_argument("--seed", type=int, default=1, help="number of the first case")
    parser.add_argument("--count", type=int, default=40, help="how many cases")
    parser.add_argument("--device", help="what Hone computes on, for cases without DoRA; drawn for each case without it")
    options = parser.parse_args()
    environment.enter(options.cache)

    import families
    import torch
    from report import Report

    torch.set_num_threads(1)
    report, failed = Report(), []
    began = time.monotonic()
    tokenizer = families.train_tokenizer()
    for number in range(options.seed, options.seed + options.count):
        before = report.failed
        with tempfile.TemporaryDirectory(dir=options.cache) as scratch:
            compare(report, options, number, tokenizer, Path(scratch))
        if report.failed > before:
            failed.append(number)
    print(f"\nshapes: {options.count} cases from {options.seed}, {report.passed} passed, {report.failed} failed, "
          f"{time.monotonic() - began:.0f} s" + (f"; failed: {failed}" if failed else ""))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
