"""Models of every family in storage types that the golden files do not have, live: Hone's worker against Transformers.

    python families_live.py --hone BIN --cache DIR

For each family: its folder saved in bf16 and in f32 in several files, and its GGUF file in every type that the `gguf` package can write.
Transformers computes with the numbers that such a file stands for, as `gguf` expands them. Logits of a sequence, and for the folder in
bf16 one LoRA step too. The exit status is 1 when a figure is above its limit.
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


def logits_error(options, model, stored, ids, folder):
    import hone
    import reference

    theirs = reference.logits(model, ids).double()
    ours = hone.logits(options.hone, stored, ids, folder).double()
    return float(((ours - theirs).abs() / theirs.abs().amax(dim=1, keepdim=True)).max())


def expanded(family, model, kind):
    """The model with every matrix as a GGUF file of that type gives it back."""
    import copy

    import gguf
    import torch

    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            if parameter.ndim == 2:
                kind_of = gguf.GGMLQuantizationType[kind]
                values = gguf.quants.dequantize(gguf.quants.quantize(parameter.numpy(), kind_of), kind_of)
                parameter.copy_(torch.from_numpy(values.reshape(tuple(parameter.shape))))
    return other


def compare_folders(report, options, family, model, folder):
    """The folder in bf16 and in f32, cut in several files."""
    import copy

    import families
    import hone
    import reference
    import torch
    from report import worst

    case = families.case_of(family)
    ids = case.batch["input_ids"][0]
    half = copy.deepcopy(model).to(torch.bfloat16)
    half.save_pretrained(folder / "bf16")
    half = half.float()
    model.save_pretrained(folder / "f32", max_shard_size="100KB")
    report.line(family.name, "folder in bf16: logits", logits_error(options, half, folder / "bf16", ids, folder / "a"), LOGITS_LIMIT)
    report.line(family.name, "folder in f32, cut: logits", logits_error(options, model, folder / "f32", ids, folder / "b"), LOGITS_LIMIT)
    adapter = folder / "start"
    adapter.mkdir()
    families.write_adapter(case, half, adapter)
    theirs = reference.step(half, case, adapter)
    ours = reference.read_step(hone.step(options.hone, folder / "bf16", adapter, case, folder / "step"))
    report.line(family.name, "folder in bf16: loss", abs(ours["loss"] - theirs["loss"]) / abs(theirs["loss"]), LOSS_LIMIT)
    report.line(family.name, "folder in bf16: gradients, worst tensor", worst(ours["grads"], theirs["grads"])[0], GRADIENT_LIMIT)


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
    print(f"\nfamilies: {report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
