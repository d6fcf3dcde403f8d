"""mxfp4.safetensors: matrices as the gguf package quantizes them to MXFP4 (OCP's scale, nearest E2M1 level): bytes and values."""
import gguf
import numpy as np
from common import Golden

golden = Golden()
rng = np.random.default_rng(4)
kind = gguf.GGMLQuantizationType.MXFP4
for name, exponents in (("usual", [-6] * 8), ("wide", [-120, -60, -20, -1, 0, 20, 60, 100])):
    x = (rng.normal(0, 1, (8, 96)) * np.exp2(exponents)[:, None]).astype(np.float32)
    x[3, 32:64] = 0
    x[4, 5] = -0.0
    packed = gguf.quants.quantize(x, kind)
    golden.case(name, {"x": x, "packed": packed, "value": gguf.quants.dequantize(packed, kind).astype(np.float32)})
golden.save("mxfp4.safetensors")
