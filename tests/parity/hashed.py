"""Numbers from an integer hash, so that Python and Rust make the same adapters without a file between them.

`crates/cli/tests/parity_golden.rs` holds the same three lines. Every value is a multiple of 2^-23 in [-1, 1) and so exact
in f32.
"""

import numpy as np

MASK = (1 << 64) - 1


def seed(text):
    """FNV-1a over the UTF-8 bytes, 64 bits."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def uniform(text, count):
    """`count` numbers in [-1, 1) that depend on `text` and the position only: SplitMix64 from `seed(text)`. f32."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed(text)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1.0).astype(np.float32)


PROJECTIONS = 8


def projections(name, values):
    """Dot products of a flattened tensor with `PROJECTIONS` vectors of `uniform`, in f64.

    For the difference d of two tensors each product has expectation 0 and variance |d|^2 / 3, so eight of them estimate
    |d| well enough to hold a tensor to a relative error without storing it.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    return [float(flat @ uniform(f"projection{k}:{name}", flat.size).astype(np.float64)) for k in range(PROJECTIONS)]
