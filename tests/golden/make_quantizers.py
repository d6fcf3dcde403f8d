"""quantizers.safetensors: every grid x scale rule x granularity x scale format, then ties, extreme ranges, learned steps, rotation.

Shapes [3,64], [2,256], [5,96]; x is Gaussian with a few outliers. Sources: see quantizer_formulas.py; learned steps:
LSQ 1902.08153 and ParetoQ's SEQ; rotation: QuEST 2502.05003 (Hadamard and half-Hadamard variants).
"""
import numpy as np
from quantizer_cases import MASKS, golden, keep, learned, pool, quantized, rotated
from quantizer_formulas import Grid, raw_step, split, stable, to_format

def grids():
    for b in range(2, 9):
        yield "int", b, ["absmax", "absmax_full", "absmax_signed", "mean"]
    for b in range(2, 5):
        yield "int_high", b, ["absmax", "absmax_full", "absmax_signed"]
    for b in range(1, 9):
        yield "midrise", b, ["rms", "absmax_full"]
    yield "ternary", 1.585, ["absmax", "rms", "mean"]
    yield "binary", 1, ["absmax", "rms", "mean"]


def plain():
    n = 0
    for name, bits, rules in grids():
        for rule in rules:
            for granularity in ("tensor", "row", "group32"):
                for fmt in ("fp32", "fp16", "fp16_bf16"):
                    wide = fmt == "fp32" and (bits == 1.585 or (bits == 4 and name != "int_high"))
                    shape = {"tensor": (3, 64), "row": (5, 96), "group32": (2, 256)}[granularity] if wide else (3, 64)
                    grid = Grid(name, bits)
                    for i in range(9):
                        xname, x = pool(shape, i)
                        d = raw_step(split(x, granularity), grid, rule)
                        if stable(d, fmt):
                            break
                    arrays, _ = quantized(x, to_format(d, fmt), grid, granularity, MASKS)
                    golden.case(f"p{n}", arrays, kind="plain", x=keep(xname, x), grid=name, bits=bits, rule=rule,
                                granularity=granularity, format=fmt, masks=MASKS, g=keep(*pool(shape, 0, "g")))
                    n += 1


def extreme():
    """Scales that saturate fp16, and scales in its subnormal range: the stored scale counts, not the ideal one."""
    n = 0
    for name, bits, rule in (("int", 4, "absmax"), ("int", 4, "absmax_signed"), ("midrise", 4, "rms"), ("ternary", 1.585, "mean")):
        for factor in (1e8, 3e-5):
            for fmt in ("fp16", "fp16_bf16"):
                grid, x = Grid(name, bits), (pool((3, 64), 1)[1].astype(np.float64) * factor).astype(np.float32)
                d = raw_step(split(x, "row"), grid, rule)
                assert stable(d, fmt)
                arrays, _ = quantized(x, to_format(d, fmt), grid, "row", MASKS)
                golden.case(f"e{n}", arrays, kind="extreme", x=keep(f"x.extreme.{factor:g}", x), grid=name, bits=bits, rule=rule,
                            granularity="row", format=fmt, masks=MASKS, g=keep(*pool((3, 64), 0, "g")))
                n += 1


def ties():
    """Exact halves with an exact power-of-two step, ties of the largest magnitude, zeros. No element is to be skipped."""
    halves = np.arange(-16, 16, dtype=np.float32) / 8  # u = x / 0.25 runs over the multiples of 1/2 from -8 to 7.5
    first = halves.copy()
    first[3], first[7], first[0] = 2.0, -2.0, 0.5  # +2 comes before -2: absmax_signed takes m = +2
    rows = {"even": np.stack([halves * 7 / 8, halves[::-1] * 7 / 8]), "half": np.stack([halves, -halves]),
            "first": np.stack([first, -first])}
    todo = [("int", 4, "absmax", "even", None), ("int", 4, None, "half", 0.25), ("int_high", 4, None, "half", 0.25), ("int", 3, None, "half", 0.5),
            ("int", 4, "absmax_signed", "first", None), ("int_high", 4, "absmax_signed", "first", None), ("midrise", 4, None, "half", 0.25),
            ("midrise", 2, None, "half", 1.0), ("ternary", 1.585, "absmax", "half", None), ("binary", 1, "absmax", "half", None)]
    for n, (name, bits, rule, key, step) in enumerate(todo):
        grid, x = Grid(name, bits), rows[key].astype(np.float32)
        d = np.full(2, step, np.float32) if step else to_format(raw_step(x, grid, rule), "fp32")
        arrays, _ = quantized(x, d, grid, "row", MASKS)
        golden.case(f"t{n}", arrays, kind="ties", x=keep(f"x.ties.{key}", x), grid=name, bits=bits, rule=rule, given_step=step,
                    granularity="row", format="fp32", masks=MASKS, note="boundary marks ties; here they are exact, so compare them too")


for part in (plain, extreme, ties, learned, rotated):
    part()
golden.save("quantizers.safetensors")
