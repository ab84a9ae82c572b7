"""Compares `hone lab step` and `hone lab logits` with Transformers + PEFT on the same weights, tokens and adapter.

    python tests/parity/run.py --hone BIN --model GGUF --cache DIR [--write-golden] [--double]

Everything runs in f32 on the CPU with two threads and needs about 6 GB of memory. `--cache` keeps the Python packages
and the converted base model between runs. The exit status is 1 when any figure is above its limit. `--write-golden`
also writes the reference's figures to `golden/`; without `--hone` it does only that. `--double` also runs the reference
in f64 and shows how far PEFT's own f32 is from it (10 GB of memory).
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import environment

LOSS_LIMIT = 1e-4
GRADIENT_LIMIT = 1e-3
ADAMW_LIMIT = 1e-5
LOGITS_LIMIT = 1e-4


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", help="the worker binary")
    parser.add_argument("--model", required=True, help="a Gemma 3 text model as GGUF")
    parser.add_argument("--cache", required=True, help="folder kept between runs")
    parser.add_argument("--write-golden", action="store_true", help="write tests/parity/golden")
    parser.add_argument("--double", action="store_true", help="also measure PEFT's f32 against its own f64")
    options = parser.parse_args()
    if not options.hone and not options.write_golden:
        parser.error("--hone is needed unless --write-golden is given")
    return options


def compare_step(report, options, base, case, folder):
    """One case through both, with every figure in the report."""
    import cases
    import hone
    import reference
    from report import relative, same_names, together, worst

    adapter = folder / "start"
    cases.write_adapter(case, cases.module_shapes(base.config), adapter)
    theirs = reference.step(base, case, adapter)
    stock = reference.step(base, case, adapter, stock=True)
    # Hone reads the adapter as PEFT itself saves it, not as this script wrote it.
    saved = reference.save_with_peft(base, adapter, folder / "saved-by-peft")
    ours = reference.read_step(hone.step(options.hone, options.model, saved, case, folder / "hone"))

    report.line(case.name, "loss, relative", abs(ours["loss"] - theirs["loss"]) / abs(theirs["loss"]), LOSS_LIMIT)
    report.fact(case.name, f"trained tokens: {theirs['trained_tokens']}", [] if ours["trained_tokens"] == theirs[
        "trained_tokens"] else [f"Hone counts {ours['trained_tokens']}"])
    report.fact(case.name, f"{len(theirs['grads'])} gradients: names and shapes", same_names(ours["grads"], theirs["grads"]))
    report.fact(case.name, "every gradient is non-zero", [
        name for name, grad in ours["grads"].items() if not float(grad.norm()) > 0.0])
    figure, name = worst(ours["grads"], theirs["grads"])
    report.line(case.name, "gradients, worst tensor", figure, GRADIENT_LIMIT)
    print(f"{'':<18}   {name}")
    names = sorted(theirs["grads"])
    report.note(case.name, "gradients, all together", relative(together(ours["grads"], names), together(theirs["grads"], names)))

    report.line(case.name, "loss, against Transformers' own", abs(ours["loss"] - stock["loss"]) / abs(stock["loss"]), LOSS_LIMIT)
    # Tensor by tensor PyTorch's own loss is not precise enough to be held to; see `reference.precise_loss`.
    report.line(case.name, "gradients against Transformers' own loss, all", relative(
        together(ours["grads"], names), together(stock["grads"], names)), GRADIENT_LIMIT)
    report.note(case.name, "gradients against Transformers' own loss, worst", worst(ours["grads"], stock["grads"])[0])
    report.note(case.name, "  PyTorch's own distance between those two, worst", worst(stock["grads"], theirs["grads"])[0])

    start = reference.load_file(adapter / "adapter_model.safetensors")
    report.fact(case.name, "adapter after AdamW: names and shapes", same_names(ours["after"], theirs["after"]))
    alone = reference.adamw_alone(start, ours["grads"], case.optimiser)
    report.line(case.name, "AdamW on Hone's gradients, worst tensor", worst(ours["after"], alone)[0], ADAMW_LIMIT)
    # AdamW's first step moves every weight by about the learning rate in the direction of its gradient's sign. Where a
    # gradient is smaller than rounding, the sign is chance, so this figure is shown and not held to a limit.
    report.note(case.name, "adapter after AdamW against PEFT, worst tensor", worst(ours["after"], theirs["after"])[0])

    config = folder / "hone" / "adapter_config.json"
    if not config.exists():
        config.write_text((adapter / "adapter_config.json").read_text())
    report.fact(case.name, "PEFT loads the adapter that Hone wrote", reference.loads(base, folder / "hone"))
    return theirs


def measure_f32(report, base, case, folder, theirs):
    """How far the reference is from itself in f64: no one can be held to less.

    Rows padded on the left are NaN there: Transformers' mask value for f64 overflows in its f32 softmax.
    """
    if case.batch["attention_mask"][0][0] == 0:
        return

    import torch

    import reference
    from report import worst

    exact = reference.step(base.double(), case, folder / "start", torch.float64)
    base.float()
    report.note(case.name, "PEFT's f32 loss against its f64", abs(theirs["loss"] - exact["loss"]) / abs(exact["loss"]))
    report.note(case.name, "PEFT's f32 gradients against its f64, worst", worst(theirs["grads"], exact["grads"])[0])


def compare_logits(report, options, base, number, ids, folder):
    """One sequence without an adapter. The error is relative to the largest logit of its position."""
    import hone
    import reference

    theirs = reference.logits(base, ids).double()
    ours = hone.logits(options.hone, options.model, ids, folder).double()
    name = f"sequence {number}"
    report.fact(name, f"logits of {len(ids)} tokens: shape", [] if ours.shape == theirs.shape else [
        f"{tuple(ours.shape)} instead of {tuple(theirs.shape)}"])
    error = (ours - theirs).abs() / theirs.abs().amax(dim=1, keepdim=True)
    report.line(name, "logits, largest relative error", float(error.max()), LOGITS_LIMIT)


def main():
    options = arguments()
    environment.enter(options.cache)

    import base as base_model
    import cases
    import golden
    import reference
    from report import Report

    began = time.monotonic()
    base = reference.load_base(base_model.checkpoint(options.model, options.cache))
    if options.write_golden:
        golden.write(base, options.model)
        if not options.hone:
            return 0
    report = Report()
    with tempfile.TemporaryDirectory(dir=options.cache) as scratch:
        for case in cases.cases():
            folder = Path(scratch) / case.name
            theirs = compare_step(report, options, base, case, folder)
            if options.double:
                measure_f32(report, base, case, folder, theirs)
        for number, ids in enumerate(cases.sequences(), start=1):
            compare_logits(report, options, base, number, ids, Path(scratch) / f"sequence{number}")
    print(f"\nparity: {report.passed} passed, {report.failed} failed, {time.monotonic() - began:.0f} s")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
