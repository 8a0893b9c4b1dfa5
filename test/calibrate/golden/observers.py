"""
Golden ranges for test/calibrate/golden.test.ts, from the elements themselves: numpy's percentile, a divergence by its
definition on numpy histograms, and the quantization error of every element at every candidate range.

    python observers.py > observers.json
"""
import json

import numpy as np

COUNT = 40_000


def uniform(seed):
    """mulberry32, as the test has it; float64 in [0, 1)."""
    state = np.uint32(seed) + np.arange(1, COUNT + 1, dtype=np.uint32) * np.uint32(0x6D2B79F5)
    t = (state ^ (state >> 15)) * (state | 1)
    t ^= t + (t ^ (t >> 7)) * (t | 61)
    return (t ^ (t >> 14)).astype(np.float64) / 2**32


def tensors():
    a, b = uniform(1), uniform(2)
    laplace = np.sign(a - 0.5) * -np.log1p(-2 * np.abs(a - 0.5) + 1e-12)
    normal = np.sqrt(-2 * np.log(1 - a)) * np.cos(2 * np.pi * b)
    relu = np.maximum(normal, 0)
    skewed = np.where(a < 0.5, -0.1 * b, 3 * b * b)
    outliers = normal.copy()
    outliers[::10_000] = 1000
    found = {"laplace": laplace, "normal": normal, "relu": relu, "skewed": skewed, "outliers": outliers}
    return {name: values.astype(np.float32).astype(np.float64) for name, values in found.items()}


def divergence(magnitudes, threshold, codes, cells):
    """Of one candidate of the KL search: values clipped to the threshold against what their codes tell of them."""
    inside, _ = np.histogram(magnitudes[magnitudes <= threshold], bins=cells, range=(0, threshold))
    p = inside.astype(float)
    p[-1] += np.count_nonzero(magnitudes > threshold)
    held = (p > 0).reshape(codes, -1)
    sums = inside.reshape(codes, -1).sum(axis=1, keepdims=True)
    q = np.where(held, sums / np.maximum(held.sum(axis=1, keepdims=True), 1), 0).ravel()
    p, q = p / p.sum(), q / q.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(p > 0, p * np.log(p / q), 0).sum())


def entropy(x):
    """The divergence of every candidate threshold: the largest magnitude, and each time 2^(1/16) less."""
    magnitudes = np.abs(x[x != 0])
    codes = 128 if x.min() < 0 < x.max() else 256
    thresholds = np.abs(x).max() * 2.0 ** (-np.arange(400) / 16)
    kept = [t for t in thresholds if np.mean(magnitudes > t) <= 0.1]
    return [float(f"{divergence(magnitudes, t, codes, 2048):.4g}") for t in kept]


def error(x, low, high, p):
    step = (high - low) / 255
    inside = np.clip(x, low, high)
    return float((np.abs(x - np.round(inside / step) * step) ** p).mean())


def best_error(x, p):
    """Over a grid of both ends, and once more around the best."""
    low, high = min(x.min(), 0), max(x.max(), 0)
    ends = [(low * 2.0 ** (-i / 2), high * 2.0 ** (-j / 2)) for i in range(0, 24 if low else 1) for j in range(0, 24)]
    for factor in (8, 32):
        a, b = min(ends, key=lambda pair: error(x, *pair, p))
        grid = 2.0 ** (np.arange(-4, 5) / factor)
        ends = [(max(a * i, low), min(b * j, high)) for i in (grid if a else [1]) for j in grid]
    return min(error(x, *pair, p) for pair in ends)


if __name__ == "__main__":
    golden = {}
    for name, x in tensors().items():
        golden[name] = {
            "checksum": float(x.sum()),
            "percentile": {p: np.percentile(x, [100 - float(p), float(p)]).tolist() for p in ("99", "99.9", "99.99")},
            "entropy": entropy(x),
            "error": {p: best_error(x, float(p)) for p in ("2", "2.4")},
        }
    print(json.dumps(golden))
