"""One step each with label smoothing, focal loss, row weights and DoRA, in PyTorch and PEFT, on the small models of `families.py`.

    python tests/parity/objectives.py --cache DIR [--hone BIN]

With `--hone` the worker takes the same steps and is compared live, and PEFT must load what the worker wrote. Without it,
writes `golden/objectives/<name>.json` in the form of `golden.py`, with what the step was asked for beside the case.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import environment
import families

FOLDER = Path(__file__).with_name("golden") / "objectives"


@dataclass
class Objective:
    """What differs from plain cross-entropy of rows that all count the same."""

    name: str
    family: str
    label_smoothing: float = 0.0
    focal_gamma: float = 0.0
    row_weights: list = None
    use_dora: bool = False


OBJECTIVES = [
    Objective("label-smoothing", "qwen3", label_smoothing=0.1),
    # Soft caps on the logits, and rows that count differently.
    Objective("label-smoothing-weighted-capped", "gemma2", label_smoothing=0.25, row_weights=[0.5, 2.0, 1.25]),
    Objective("focal", "qwen2", focal_gamma=2.0),
    Objective("focal-weighted-capped", "gemma2", focal_gamma=0.5, row_weights=[1.0, 0.0, 3.0]),
    Objective("weighted", "llama3", row_weights=[3.0, 0.25, 1.0]),
    # Rows sorted in pairs in the file; a bias on queries, keys and values; fused matrices.
    Objective("dora", "llama3", use_dora=True),
    Objective("dora-bias", "qwen2", use_dora=True, label_smoothing=0.1),
    Objective("dora-fused", "phi3", use_dora=True),
]


def loss_of(objective):
    """The loss of a batch's logits: torch's cross-entropy, weighted mean over the trained tokens."""
    import torch
    from torch.nn.functional import cross_entropy

    def loss(logits, labels):
        trained = labels[:, 1:] != -100
        rows, targets = logits[:, :-1][trained].double(), labels[:, 1:][trained]
        if objective.focal_gamma > 0.0:
            nll = cross_entropy(rows, targets, reduction="none")
            losses = (1.0 - torch.exp(-nll)) ** objective.focal_gamma * nll
        else:
            losses = cross_entropy(rows, targets, reduction="none", label_smoothing=objective.label_smoothing)
        if objective.row_weights is None:
            return losses.mean()
        weights = torch.tensor(objective.row_weights, dtype=torch.float64)[:, None].expand(trained.shape)[trained]
        return (losses * weights).sum() / weights.sum()

    return loss


def case_of(objective):
    import cases

    family = next(family for family in families.FAMILIES if family.name == objective.family)
    batch = families.batch(family)
    if objective.row_weights is not None:
        batch["row_weights"] = objective.row_weights
    lora = cases.Lora(4, 8, family.modules, use_dora=objective.use_dora)
    return family, cases.Case(objective.name, lora, cases.Optimiser(), batch)


def compare(options, report, objective, case, adapter, theirs, model, scratch):
    """The worker's step against `theirs`, and its adapter back in PEFT."""
    import hone
    import reference
    from report import relative, same_names, worst

    file = families.FOLDER / f"{objective.family}.gguf"
    saved = reference.save_with_peft(model, adapter, scratch / "saved-by-peft")
    flags = ["--label-smoothing", objective.label_smoothing, "--focal-gamma", objective.focal_gamma]
    ours = reference.read_step(hone.step(options.hone, file, saved, case, scratch / "hone", flags))
    report.line(objective.name, "loss, relative", abs(ours["loss"] - theirs["loss"]) / abs(theirs["loss"]), 1e-5)
    report.fact(objective.name, "gradients: names and shapes", same_names(ours["grads"], theirs["grads"]))
    figure, name = worst(ours["grads"], theirs["grads"])
    report.line(objective.name, "gradients, worst tensor", figure, 1e-3)
    print(f"{'':<18}   {name}")
    start = reference.load_file(adapter / "adapter_model.safetensors")
    alone = reference.adamw_alone(start, ours["grads"], case.optimiser)
    report.line(objective.name, "AdamW on Hone's gradients, worst tensor", worst(ours["after"], alone)[0], 1e-5)
    report.fact(objective.name, "PEFT loads the adapter that Hone wrote", reference.loads(model, scratch / "hone"))
    # What PEFT computes with Hone's adapter is what it computes with its own.
    ids = case.batch["input_ids"][0]
    both = []
    for folder in [scratch / "hone", scratch / "theirs"]:
        if folder.name == "theirs":
            folder.mkdir()
            reference.write_state(alone, scratch / "hone", folder)
        tuned = reference.attach(model, folder)
        both.append(reference.logits(tuned, ids).double())
        tuned.unload()
    report.line(objective.name, "logits in PEFT with either adapter", relative(*both), 1e-4)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", required=True, help="folder kept between runs")
    parser.add_argument("--hone", help="the worker binary, to compare live instead of writing the figures")
    options = parser.parse_args()
    environment.enter(options.cache)

    import golden
    import reference
    import torch
    from report import Report

    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    report = Report()
    for objective in OBJECTIVES:
        family, case = case_of(objective)
        model = families.make(family)
        with tempfile.TemporaryDirectory() as scratch:
            adapter = Path(scratch) / "start"
            families.write_adapter(case, model, adapter)
            theirs = reference.step(model, case, adapter, loss=loss_of(objective))
            asked = {"model": f"families/{family.name}.gguf", "label_smoothing": objective.label_smoothing,
                     "focal_gamma": objective.focal_gamma}
            if not options.hone:
                golden.write_json(f"objectives/{objective.name}.json", {
                    "made_with": golden.made_with(), "asked": asked, **golden.step_document(case, theirs)})
            else:
                compare(options, report, objective, case, adapter, theirs, model, Path(scratch))
    if options.hone:
        print(f"\nobjectives: {report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
