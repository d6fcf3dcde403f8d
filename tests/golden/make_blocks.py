"""blocks.safetensors: packed bytes and dequantized values of ggml's Q4_0, Q8_0 and Q2_0 blocks.

Layouts (fp16 little-endian d first): Q4_0 32 elements, byte j = element j (low nibble) and j + 16 (high), x = d (q - 8);
Q8_0 32 elements, int8, x = d q; Q2_0 64 elements, element j at bits 2 (j % 4) of byte j / 4, x = d (q - 1).
`codes` are the signed levels (q - 8, q, q - 1). Q4_0 and Q8_0 are checked against the gguf package, which does not know Q2_0.
"""
import gguf
import numpy as np
from common import Golden

golden = Golden()
SCALES = {"one": 0x3C00, "typical": 0x1A3D, "negative": 0x9A3D, "subnormal": 0x0001, "subnormal_big": 0x03FF, "subnormal_negative": 0x8155,
          "normal_min": 0x0400, "max": 0x7BFF, "lowest": 0xFBFF, "zero": 0x0000, "negative_zero": 0x8000}
FORMATS = {"Q4_0": (32, 4, 8), "Q8_0": (32, 8, 0), "Q2_0": (64, 2, 1)}  # elements, bits, offset


def pack(kind, d_bits, codes):
    """One block: d as its 16 bits, codes as signed levels."""
    q = codes + FORMATS[kind][2]
    if kind == "Q4_0":
        body = q[:16] | (q[16:] << 4)
    elif kind == "Q8_0":
        body = q & 0xFF
    else:
        body = sum(q[k::4] << (2 * k) for k in range(4))
    return np.concatenate([[d_bits & 0xFF, d_bits >> 8], body]).astype(np.uint8)


for kind, (size, bits, offset) in FORMATS.items():
    rng = np.random.default_rng(size * 10 + bits)
    lo, hi = -(2 ** (bits - 1)) if kind == "Q8_0" else -offset, 2 ** (bits - 1) - 1 if kind == "Q8_0" else 2**bits - 1 - offset
    d_bits = np.array(list(SCALES.values()), np.uint16)
    codes = rng.integers(lo, hi + 1, (len(d_bits), size))
    codes[0] = np.arange(size) % (hi - lo + 1) + lo  # every code, in order
    codes[1, :4], codes[2, :4] = (lo, hi, 0, lo), (lo, hi, 0, lo)
    packed = np.stack([pack(kind, int(d), c) for d, c in zip(d_bits, codes)])
    scale = d_bits.view(np.float16).astype(np.float32)
    values = scale[:, None] * codes.astype(np.float32)
    if kind != "Q2_0":
        official = gguf.quants.dequantize(packed.reshape(-1), gguf.GGMLQuantizationType[kind]).reshape(values.shape)
        assert np.array_equal(official.view(np.uint32), values.view(np.uint32)), kind
    golden.case(kind, {"scale_bits": d_bits.view(np.int16), "scale": scale, "codes": codes.astype(np.int8), "packed": packed, "value": values},
                type=kind, block=size, bytes=packed.shape[1], code_offset=offset, scales=list(SCALES))
golden.save("blocks.safetensors")
