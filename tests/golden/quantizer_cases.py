"""Shared inputs of make_quantizers.py, and its two larger families: learned steps and rotated quantizers."""
import numpy as np
from common import Golden, rotate
from quantizer_formulas import Grid, mask, mask_points, near, product, raw_step, scale_shape, split, to_format

golden = Golden()
MASKS = ["clip_1", "clip_1.3", "trust"]


def pool(shape, i, kind="x"):
    """Input number i of a shape, stored once under the returned name."""
    name = f"{kind}.{'x'.join(map(str, shape))}.{i}"
    rng = np.random.default_rng([shape[0], shape[1], i, ord(kind)])
    a = rng.standard_normal(shape)
    if kind == "x":
        a *= np.where(rng.random(shape) < 0.02, 6.0, 1.0) * 0.05 * np.exp(0.4 * rng.standard_normal((shape[0], 1)))
    a = a.astype(np.float32)
    return name, a


def keep(name, a):
    if name not in golden.tensors:
        golden.put(name, a)
    return name


def quantized(x, d, grid, granularity, names):
    xs = split(np.asarray(x, np.float64), granularity)
    u = xs / d.astype(np.float64)[:, None]
    code = grid.nearest(u)
    arrays = {"scale": d.reshape(scale_shape(x, granularity)), "codes": code.astype(np.int8), "value": product(d[:, None], code, grid),
              "boundary": near(u, [*grid.edges, *mask_points(names, grid)]).astype(np.int8)}
    if names:
        arrays["masks"] = np.stack([mask(n, u, grid).reshape(x.shape) for n in names]).astype(np.int8)
    return {k: v if k in ("scale", "masks") else v.reshape(x.shape) for k, v in arrays.items()}, u.reshape(x.shape)


def learned():
    """q = d level with a learned s per row. ds = sum_row g r / sqrt(numel(W) Qp); r = Q/s - W/s inside, the saturated value outside."""
    todo = [("lsq", "int", 3, 1, 3), ("lsq", "int", 4, 1, 7), ("lsq", "int", 2, 1, 1), ("seq", "ternary", 1.585, 1.5, 1), ("seq_quirk", "ternary", 1.585, 1.5, 1),
            ("seq", "midrise", 2, 2, 1), ("sign", "binary", 1, 1, 1)]
    n = 0
    for method, name, bits, ratio, qp in todo:
        for shape in ((3, 64), (2, 256), (5, 96)):
            grid = Grid(name, bits)
            for i in range(20):
                (xname, x), (gname, g) = pool(shape, i), pool(shape, i, "g")
                w = x.astype(np.float64)
                init = {"lsq": np.abs(w).max(1) / qp, "sign": np.abs(w).mean(1)}.get(method, np.abs(w).max(1))
                s = (init * np.random.default_rng(i).uniform(0.4, 0.8, len(w))).astype(np.float32)
                d = (s.astype(np.float64) / ratio).astype(np.float32)  # value = d * level; SEQ ternary s/1.5, SEQ 2-bit s/2
                arrays, u = quantized(x, d, grid, "row", [])
                r = w / s[:, None].astype(np.float64)
                low, high = {"lsq": (grid.low, grid.top), "sign": (-1, 1)}.get(method, (-0.99, 0.99))
                inside = (r >= low) & (r <= high)
                if not (near(u, grid.edges, 400).any() or near(r, [low, high], 400).any()):
                    break
            else:
                raise RuntimeError("every pool input has an element near a boundary")
            end = {"sign": (-1, 1), "seq_quirk": (-1, 1)}.get(method, (grid.low / ratio, grid.top / ratio))
            term = np.where(inside, arrays["value"] / s[:, None].astype(np.float64) - r, np.where(r < 0, *end))
            if method == "sign":
                term = np.where(w >= 0, 1.0, -1.0)
            norm = 1 / np.sqrt(w.size * qp)
            arrays |= {"s": s, "s_init": init.astype(np.float32), "dx": np.where(inside, g, 0).astype(np.float32),
                       "ds": ((g * term).sum(1) * norm).astype(np.float32), "ds_abs": (np.abs(g * term).sum(1) * norm).astype(np.float32)}
            golden.case(f"l{n}", arrays, kind="learned", method=method, quirk=method == "seq_quirk", x=keep(xname, x), g=keep(gname, g),
                        grid=name, bits=bits, s_over_d=ratio, qp=qp, granularity="row", format="fp32")
            n += 1


def rotated():
    """QuEST: quantize h = H x. back: value = H Q(h), dx = H(mask * H g). half: value = Q(h), dx = H(mask * g)."""
    specs = [("midrise", b, "rms") for b in (1, 2, 3, 4, 8)] + [("ternary", 1.585, "rms"), ("binary", 1, "rms"), ("int", 4, "absmax")]
    n = 0
    for name, bits, rule in specs:
        shapes = [((3, 64), "row"), ((5, 96), "group32")] + ([((2, 256), "row"), ((5, 96), "tensor")] if bits == 4 or name == "ternary" else [])
        for shape, granularity in shapes:
            grid, names = Grid(name, bits), ["ste", "trust"] + ([] if rule == "absmax" else ["clip_1"])
            for i in range(400):
                (xname, x), (gname, g) = pool(shape, i), pool(shape, 0, "g")
                h = rotate(x)
                d = to_format(raw_step(split(h, granularity), grid, rule), "fp32")
                arrays, u = quantized(h, d, grid, granularity, names)
                if not near(u, [*grid.edges, *mask_points(names, grid)], 100).any():
                    break
            else:
                raise RuntimeError("every pool input has an element near a boundary")
            for variant in ("back", "half"):
                upstream = rotate(g) if variant == "back" else g.astype(np.float64)
                value = rotate(arrays["value"]).astype(np.float32) if variant == "back" else arrays["value"]
                out = {"scale": arrays["scale"], "codes": arrays["codes"], "value": value,
                       "dx": np.stack([rotate(m * upstream) for m in arrays["masks"]]).astype(np.float32)}
                golden.case(f"r{n}", out, kind="rotated", rotation=variant, x=keep(xname, x), g=keep(gname, g), grid=name, bits=bits,
                            rule=rule, granularity=granularity, format="fp32", surrogates=names)
                n += 1
