"""Models of every family in storage types that the golden files do not have, live: Hone's worker against Transformers.

    python families_live.py --hone BIN --cache DIR

For each family: its folder saved in bf16 and in f32 in several files, its GGUF file in every type that the `gguf` package can write,
in every K type, and with matrices of all types in one file. Transformers computes with the numbers that such a file stands for, as
`gguf` expands them. Logits of a sequence; for the folder in bf16 and the mixed file one LoRA step too, whose adapter goes from PEFT
to Hone and back with the same logits; for the mixed file also what is written from the blocks as they are stored. The exit status
is 1 when a figure is above its limit.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import environment

LOGITS_LIMIT = 1e-4
LOSS_LIMIT = 1e-5
GRADIENT_LIMIT = 1e-3
TYPES = ["F32", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0"]


def logits_error(options, model, stored, ids, folder, flags=()):
    import hone
    import reference

    theirs = reference.logits(model, ids).double()
    ours = hone.logits(options.hone, stored, ids, folder, flags).double()
    return float(((ours - theirs).abs() / theirs.abs().amax(dim=1, keepdim=True)).max())


def expanded(family, model, kind):
    """The model with every matrix as a GGUF file of that type gives it back."""
    import copy

    import families
    import gguf
    import torch

    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            if parameter.ndim == 2:
                kind_of = gguf.GGMLQuantizationType[families.stored_as(kind, parameter)]
                values = gguf.quants.dequantize(gguf.quants.quantize(parameter.numpy(), kind_of), kind_of)
                parameter.copy_(torch.from_numpy(values.reshape(tuple(parameter.shape))))
    return other


def compare_folders(report, options, family, model, folder):
    """The folder in bf16 and in f32, cut in several files."""
    import copy

    import families
    import torch

    case = families.case_of(family)
    ids = case.batch["input_ids"][0]
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder / "bf16")
    # The parameters alone: the frequencies of the rotation would become bf16 too, as they are not when the folder is loaded.
    half = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in half.parameters():
            parameter.copy_(parameter.bfloat16().float())
    model.save_pretrained(folder / "f32", max_shard_size="100KB")
    report.line(family.name, "folder in bf16: logits", logits_error(options, half, folder / "bf16", ids, folder / "a"), LOGITS_LIMIT)
    report.line(family.name, "folder in f32, cut: logits", logits_error(options, model, folder / "f32", ids, folder / "b"), LOGITS_LIMIT)
    compare_step(report, options, family, half, folder / "bf16", "folder in bf16", folder)


def compare_step(report, options, family, model, stored, what, folder):
    """One LoRA step, from an adapter that PEFT saved to one that PEFT loads, and the logits with either."""
    import families
    import hone
    import reference
    from report import worst

    case = families.case_of(family)
    ids = case.batch["input_ids"][0]
    families.write_adapter(case, model, folder / "start")
    saved = reference.save_with_peft(model, folder / "start", folder / "saved-by-peft")
    theirs = reference.step(model, case, folder / "start")
    ours = reference.read_step(hone.step(options.hone, stored, saved, case, folder / "step"))
    report.line(family.name, f"{what}: loss", abs(ours["loss"] - theirs["loss"]) / abs(theirs["loss"]), LOSS_LIMIT)
    report.line(family.name, f"{what}: gradients, worst tensor", worst(ours["grads"], theirs["grads"])[0], GRADIENT_LIMIT)
    report.fact(family.name, f"{what}: PEFT loads what Hone wrote", reference.loads(model, folder / "step"))
    for name, adapter in [("PEFT's", saved), ("Hone's", folder / "step")]:
        tuned = reference.attach(model, adapter)
        error = logits_error(options, tuned, stored, ids, folder / "tuned", ["--adapter", adapter])
        tuned.unload()
        report.line(family.name, f"{what}: logits with {name} adapter", error, LOGITS_LIMIT)


def compare_long_text(report, options, family, model, folder):
    """A text that is longer than the model was first made for: LongRoPE's other factors."""
    ids = [8 + position * 37 % 600 for position in range(300)]
    report.line(family.name, "a long text: logits", logits_error(options, model, folder / "f32", ids, folder / "c"), LOGITS_LIMIT)


def compare_types(report, options, family, model, tokenizer, folder):
    """The GGUF file in other types."""
    import families

    ids = families.case_of(family).batch["input_ids"][0]
    for kind in TYPES:
        path = folder / f"{kind}.gguf"
        families.write_gguf(family, model, tokenizer, path, kind)
        error = logits_error(options, expanded(family, model, kind), path, ids, folder / kind)
        report.line(family.name, f"GGUF in {kind}: logits", error, LOGITS_LIMIT)


def compare_k_types(report, options, family, tokenizer, folder):
    """The same family with longer rows, in the K types and in all types together."""
    import families
    import kquants

    family = kquants.wide(family)
    ids = families.case_of(family).batch["input_ids"][0]
    for kind in kquants.TYPES:
        model = families.make(family)
        path = folder / f"{kind}.gguf"
        families.write_gguf(family, model, tokenizer, path, raw=kquants.fill(model, lambda _, kind=kind: kind))
        report.line(family.name, f"GGUF in {kind}: logits", logits_error(options, model, path, ids, folder / kind), LOGITS_LIMIT)
    model = families.make(family)
    every = [*kquants.TYPES, *TYPES, "F16"]
    names = [name for name, parameter in model.named_parameters() if parameter.ndim == 2]
    # Every type is at every kind of matrix in some family, and the three of one stack are of different types.
    turn = sum(family.name.encode())
    raw = kquants.fill(model, lambda name: every[(names.index(name) * 5 + turn) % len(every)])
    path = folder / "mixed.gguf"
    families.write_gguf(family, model, tokenizer, path, raw=raw)
    mixed = folder / "mixed"
    mixed.mkdir()
    report.line(family.name, "GGUF in all types: logits", logits_error(options, model, path, ids, mixed), LOGITS_LIMIT)
    compare_step(report, options, family, model, path, "GGUF in all types", mixed)
    compare_writing(report, options, family, model, path, ids[:12], mixed)


def compare_writing(report, options, family, model, stored, prompt, folder):
    """Greedy tokens from the blocks as they are stored, until a choice is too close to hold anyone to."""
    import hone
    import reference

    written = hone.generate(options.hone, stored, prompt, 24, folder)
    logits = reference.logits(model, [*prompt, *written])[len(prompt) - 1:]
    problems = []
    for at, token in enumerate(written):
        margin = float(logits[at].max() - logits[at][token]) / float(logits[at].abs().max())
        if margin > LOGITS_LIMIT:
            problems.append(f"token {at} is {token}, Transformers' choice is ahead by {margin:.1e}")
    report.fact(family.name, f"GGUF in all types: {len(written)} tokens written", problems or ([] if written else ["none"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", required=True, help="the worker binary")
    parser.add_argument("--cache", required=True, help="folder kept between runs")
    options = parser.parse_args()
    environment.enter(options.cache)

    import families
    import folders
    import torch
    from report import Report

    torch.set_num_threads(1)
    report = Report()
    trained = families.train_tokenizer()
    visible = {pre: folders.visible_spaces(families.corpus(), families.VOCABULARY, families.CONTROLS, pre == "spm")
               for pre in ["spm", "spm-plain"]}
    for family in families.FAMILIES:
        model = families.make(family)
        tokenizer = visible.get(family.pre) or folders.byte_level(trained, family.pre, family.name == "phi3")
        with tempfile.TemporaryDirectory(dir=options.cache) as scratch:
            compare_folders(report, options, family, model, Path(scratch))
            if family.config == "Phi3Config":
                compare_long_text(report, options, family, model, Path(scratch))
            compare_types(report, options, family, model, tokenizer, Path(scratch))
            compare_k_types(report, options, family, tokenizer, Path(scratch))
    print(f"\nfamilies: {report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
