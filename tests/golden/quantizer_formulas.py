"""Grids, scale rules, rounding and masks, restated from the papers in float64. value = d * level, u = x / d.

Sources: QuEST 2502.05003 (mid-rise grid, rms rule, clip and trust masks), LSQ 1902.08153 (initial step),
BitNet b1.58 (mean rule), ggml's Q4_0 quantizer (absmax_signed). Rounding is half to even, sign(0) = +1.
"""
import numpy as np
from common import to_bf16

# The factor a_b: rms * a_b is the clipping bound with the least squared error for a normal distribution (QuEST's constants).
A = {1: 0.7978845587140913, 1.585: 1.2240089519030855, 2: 1.4935346200015913, 3: 2.051068354131873, 4: 2.513930578568423,
     5: 2.9160938834961225, 6: 3.276597282593217, 7: 3.6010497188221655, 8: 3.884938678807525}


class Grid:
    """Codes lo..hi, the level that belongs to each code, and the rounding boundaries between levels (all in units of d)."""

    def __init__(self, name, bits):
        self.name, self.bits, half = name, bits, 2 ** (bits - 1) if bits >= 1 else None
        if name == "ternary":
            self.lo, self.hi = -1, 1
        elif name == "binary":
            self.lo, self.hi = -1, 0
        elif name == "int_high":
            self.lo, self.hi = -half + 1, half
        else:
            self.lo, self.hi = -half, half - 1
        codes = np.arange(self.lo, self.hi + 1)
        self.low, self.top = self.level(codes[0]), self.level(codes[-1])
        self.edges = (self.level(codes[1:]) + self.level(codes[:-1])) / 2
        self.half_step = 1.0 if name == "binary" else 0.5

    def level(self, code):
        code = np.asarray(code, np.float64)
        return {"midrise": code + 0.5, "binary": 2 * code + 1}.get(self.name, code)

    def nearest(self, u):
        if self.name == "binary":
            return np.where(u >= 0, 0, -1)
        if self.name == "midrise":  # x_q = (round(u + 1/2) - 1/2) d, hence code = round(u + 1/2) - 1
            return np.clip(np.rint(u + 0.5) - 1, self.lo, self.hi)
        return np.clip(np.rint(u), self.lo, self.hi)


def split(x, granularity):
    """x [rows, cols] as [groups, n]; undone by reshape."""
    return x.reshape({"tensor": (1, -1), "row": x.shape, "group32": (-1, 32)}[granularity])


def scale_shape(x, granularity):
    return {"tensor": (1,), "row": (x.shape[0],), "group32": (x.shape[0], x.shape[1] // 32)}[granularity]


def raw_step(x, grid, rule):
    """The step d of every group of x [groups, n] before it is rounded to the scale format."""
    x, b = np.asarray(x, np.float64), grid.bits
    absmax = np.abs(x).max(1)
    rms, mean = np.sqrt((x * x).mean(1)), np.abs(x).mean(1)
    if grid.name in ("ternary", "binary"):
        return {"absmax": absmax, "rms": A[b] * rms, "mean": mean}[rule]
    if rule == "absmax":
        return absmax / (2 ** (b - 1) - 1)
    if rule == "absmax_full":
        return absmax / ((2**b - 1) / 2)
    if rule == "absmax_signed":  # the first element of largest magnitude, with its sign
        m = x[np.arange(len(x)), np.abs(x).argmax(1)]
        return m / (2 ** (b - 1)) * (1 if grid.name == "int_high" else -1)
    if rule == "rms":  # QuEST: c = a_b rms + 1e-8, step = 2c / (2^b - 1)
        return 2 * (A[b] * rms + 1e-8) / (2**b - 1)
    if rule == "mean":  # LSQ's initial step
        return 2 * mean / np.sqrt(2 ** (b - 1) - 1)
    raise ValueError(rule)


def to_format(d, fmt):
    d = np.asarray(d, np.float32)
    if fmt == "fp16":
        return np.clip(d, -65504, 65504).astype(np.float16).astype(np.float32)
    if fmt == "fp16_bf16":
        return np.clip(to_bf16(d), -65280, 65280).astype(np.float16).astype(np.float32)
    return d


def stable(d, fmt):
    """True if an error of a few float32 ULP in d does not change the stored scale (always true of fp32 itself)."""
    return fmt == "fp32" or np.array_equal(to_format(d * (1 + 4e-7), fmt), to_format(d * (1 - 4e-7), fmt))


def mask(name, u, grid):
    if name == "ste":
        return np.ones_like(u, bool)
    if name == "trust":  # |x_q - x| <= half a step
        return np.abs(grid.level(grid.nearest(u)) - u) <= grid.half_step
    k = float(name.removeprefix("clip_"))  # k * lowest level <= u <= k * top level; |x| <= k c on a symmetric grid
    return (u >= k * grid.low) & (u <= k * grid.top)


def near(u, points, ulps=4):
    """Elements within some ULP (of max(|u|, 1), float32) of any of the points."""
    reach = ulps * np.spacing(np.maximum(np.abs(u), 1).astype(np.float32)).astype(np.float64)
    return (np.abs(u[..., None] - np.asarray(points, np.float64)) <= reach[..., None]).any(-1)


def mask_points(names, grid):
    points = []
    for name in names:
        if name == "trust":
            points += [grid.low - grid.half_step, grid.top + grid.half_step]
        elif name != "ste":
            k = float(name.removeprefix("clip_"))
            points += [k * grid.low, k * grid.top]
    return points


def product(d, code, grid):
    """d * level in float32: one rounding, so bit-exact everywhere."""
    return (np.asarray(d, np.float32) * grid.level(code).astype(np.float32)).astype(np.float32)
