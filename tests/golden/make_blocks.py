"""blocks.safetensors: packed bytes of ggml's block types and the values they stand for.

Two kinds of case. `pack`: given scales and signed levels, the bytes, for the types whose values are d * level; the packing is
restated below. `read`: bytes as they come, random but for extreme scales, and their values, for every type. Values are the `gguf`
package's own decoding wherever it has one; it has none for Q1_0 and does not know Q2_0 (ids 41 and 42), whose formulas are below.
"""
import gguf
import numpy as np
from common import Golden

golden = Golden()
SCALES = {"one": 0x3C00, "typical": 0x1A3D, "negative": 0x9A3D, "subnormal": 0x0001, "subnormal_big": 0x03FF, "subnormal_negative": 0x8155,
          "normal_min": 0x0400, "max": 0x7BFF, "lowest": 0xFBFF, "zero": 0x0000, "negative_zero": 0x8000}
D_BITS = np.array(list(SCALES.values()), np.uint16)
LEVELS = {"Q4_0": (32, range(-8, 8)), "Q5_0": (32, range(-16, 16)), "Q8_0": (32, range(-128, 128)), "Q2_0": (64, range(-1, 3)),
          "Q1_0": (128, (-1, 1)), "TQ1_0": (256, range(-1, 2)), "TQ2_0": (256, range(-1, 2)),
          "MXFP4": (32, (-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12))}
EXPONENTS = np.array([128, 0, 1, 2, 60, 114, 127, 140, 200, 251, 254], np.uint16)  # of MXFP4, in place of D_BITS
# bytes of a block, offsets of its fp16 numbers
READ = {"Q4_0": (18, [0]), "Q4_1": (20, [0, 2]), "Q5_0": (22, [0]), "Q5_1": (24, [0, 2]), "Q8_0": (34, [0]), "Q1_0": (18, [0]), "Q2_0": (18, [0]),
        "TQ1_0": (54, [52]), "TQ2_0": (66, [64]), "Q2_K": (84, [80, 82]), "Q3_K": (110, [108]), "Q4_K": (144, [0, 2]), "Q5_K": (176, [0, 2]),
        "Q6_K": (210, [208]), "MXFP4": (17, []), "NVFP4": (36, [])}


def trits(levels):
    """Base-3 numbers, first digit most significant, as fractions of 256 rounded up."""
    value = sum((levels[n] + 1) * 3 ** (4 - n) for n in range(len(levels)))
    return (value * 256 + 242) // 243


def body(kind, x):
    """The codes of one block without its scale; x is an int64 array of levels."""
    if kind == "Q4_0":
        return (x[:16] + 8) | (x[16:] + 8) << 4
    if kind == "Q5_0":
        q = x + 16
        fifth = sum(int(b) << j for j, b in enumerate(q >> 4))
        return np.concatenate([np.frombuffer(int(fifth).to_bytes(4, "little"), np.uint8), (q[:16] & 15) | (q[16:] & 15) << 4])
    if kind == "Q8_0":
        return x & 0xFF
    if kind == "Q2_0":
        return sum((x[k::4] + 1) << (2 * k) for k in range(4))
    if kind == "Q1_0":
        return np.packbits(x > 0, bitorder="little")
    if kind == "TQ1_0":
        return np.concatenate([trits(x[:160].reshape(5, 32)), trits(x[160:240].reshape(5, 16)), trits(x[240:].reshape(4, 4))])
    half = x.reshape(2, 4, 32) + 1  # TQ2_0
    return sum(half[:, k] << (2 * k) for k in range(4)).reshape(-1)


def pack(kind, d_bits, levels):
    if kind == "MXFP4":
        code = np.searchsorted([0, 1, 2, 3, 4, 6, 8, 12], abs(levels)) + 8 * (levels < 0)
        return np.concatenate([[d_bits], code[:16] | code[16:] << 4]).astype(np.uint8)
    scale, codes = [d_bits & 0xFF, d_bits >> 8], body(kind, levels)
    return np.concatenate([codes, scale] if kind.startswith("TQ") else [scale, codes]).astype(np.uint8)


def read(kind, packed):
    if kind in ("Q1_0", "Q2_0"):
        d = packed[:, :2].copy().view(np.float16).astype(np.float32)
        if kind == "Q1_0":
            level = np.unpackbits(packed[:, 2:], axis=1, bitorder="little").astype(np.float32) * 2 - 1
        else:
            level = np.stack([packed[:, 2:] >> s & 3 for s in (0, 2, 4, 6)], -1).reshape(len(packed), 64).astype(np.float32) - 1
        return d * level
    return gguf.quants.dequantize(packed.reshape(-1), gguf.GGMLQuantizationType[kind]).reshape(len(packed), -1).astype(np.float32)


for kind, (size, allowed) in LEVELS.items():
    rng, allowed = np.random.default_rng(size * 10 + len(allowed)), np.array(allowed)
    levels = rng.choice(allowed, (len(D_BITS), size))
    levels[0] = allowed[np.arange(size) % len(allowed)]  # every level, in order
    levels[1, : len(allowed[:size])] = allowed[::-1][:size]
    bits = EXPONENTS if kind == "MXFP4" else D_BITS
    packed = np.stack([pack(kind, int(d), x) for d, x in zip(bits, levels)])
    scale = np.exp2(bits.astype(np.float64) - 128).astype(np.float32) if kind == "MXFP4" else bits.view(np.float16).astype(np.float32)
    with np.errstate(over="ignore"):
        values = scale[:, None] * levels.astype(np.float32)
    assert np.array_equal(read(kind, packed).view(np.uint32), values.view(np.uint32)), kind
    if kind.startswith("TQ"):  # the package packs these, too
        official = gguf.quants.quantize(levels[:1].astype(np.float32), gguf.GGMLQuantizationType[kind])
        assert np.array_equal(official.reshape(-1), packed[0]), kind
    golden.case(f"pack.{kind}", {"scale_bits": bits.view(np.int16), "levels": levels.astype(np.int8), "packed": packed, "value": values},
                kind="pack", type=kind, block=size, bytes=packed.shape[1], scales=list(map(int, bits)))

with np.errstate(over="ignore", invalid="ignore"):
    for number, (kind, (size, halves)) in enumerate(READ.items()):
        rng = np.random.default_rng(1000 + number)
        packed = rng.integers(0, 256, (len(D_BITS) + 3, size), np.uint8)
        for row, bits in enumerate(D_BITS):
            for i, at in enumerate(halves):
                other = int(D_BITS[(row * 3 + 5) % len(D_BITS)]) if i else int(bits)
                packed[row, at : at + 2] = other & 0xFF, other >> 8
        for at in halves:  # infinity, a NaN and a plain number
            for row, bits in zip((-3, -2, -1), (0x7C00, 0x7E01, 0x2E66)):
                packed[row, at : at + 2] = bits & 0xFF, bits >> 8
        if kind == "MXFP4":  # every exponent
            packed = rng.integers(0, 256, (256, size), np.uint8)
            packed[:, 0] = np.arange(256)
        if kind == "NVFP4":  # every scale
            packed = rng.integers(0, 256, (64, size), np.uint8)
            packed[:, :4] = np.arange(256).reshape(64, 4)
        golden.case(f"read.{kind}", {"packed": packed, "value": read(kind, packed)}, kind="read", type=kind)
golden.save("blocks.safetensors")
