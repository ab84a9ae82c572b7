"""Comparisons and the table that is printed."""

import torch


def relative(ours, theirs):
    """`|a - b| / |b|` in f64, Euclidean norms."""
    ours, theirs = ours.double(), theirs.double()
    return float((ours - theirs).norm() / theirs.norm().clamp_min(1e-300))


class Report:
    """Collects lines; `failed` counts those above their limit."""

    def __init__(self):
        self.failed = 0
        self.passed = 0

    def line(self, case, what, figure, limit):
        """One measured figure against its limit."""
        good = figure <= limit
        self.count(good)
        print(f"{case:<18} {what:<52} {figure:>10.2e}  limit {limit:.0e}  {'ok' if good else 'FAILED'}", flush=True)

    def fact(self, case, what, problems):
        """Something that either holds or not; the first few problems are shown."""
        self.count(not problems)
        print(f"{case:<18} {what:<52} {'':>10}  {'':>11}  {'ok' if not problems else 'FAILED'}", flush=True)
        for problem in problems[:5]:
            print(f"{'':<18}   {problem}")

    def note(self, case, what, figure):
        """A figure without a limit."""
        print(f"{case:<18} {what:<52} {figure:>10.2e}", flush=True)

    def count(self, good):
        self.passed += good
        self.failed += not good


def same_names(ours, theirs):
    """Names and shapes that differ between two sets of tensors."""
    problems = [f"missing: {name}" for name in sorted(set(theirs) - set(ours))]
    problems += [f"not expected: {name}" for name in sorted(set(ours) - set(theirs))]
    problems += [f"{name}: {tuple(ours[name].shape)} instead of {tuple(theirs[name].shape)}"
                 for name in sorted(set(ours) & set(theirs)) if ours[name].shape != theirs[name].shape]
    return problems


def worst(ours, theirs):
    """The largest relative error of any tensor, and its name."""
    return max((relative(ours[name], theirs[name]), name) for name in theirs)


def together(tensors, names):
    """All tensors as one long vector."""
    return torch.cat([tensors[name].double().ravel() for name in names])
