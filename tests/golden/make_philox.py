"""philox.json: Philox4x32-10 known answers (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).

The first three are the published vectors of the Random123 distribution (kat_vectors); this implementation must give them. The rest
are computed by it.
"""
import json
from common import HERE, record

M0, M1, W0, W1, MASK = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85, 0xFFFFFFFF

PUBLISHED = [
    ("zero", [0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ("ones", [MASK] * 4, [MASK] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    ("pi", [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0], [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]),
]


def philox(counter, key, rounds=10):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        p0, p1 = M0 * c0, M1 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & MASK, (p0 >> 32) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + W0) & MASK, (k1 + W1) & MASK
    return [c0, c1, c2, c3]


def words(values):
    return [f"{v:08x}" for v in values]


cases = []
for name, counter, key, output in PUBLISHED:
    assert philox(counter, key) == output, name
    cases.append({"id": name, "counter": words(counter), "key": words(key), "output": words(output), "source": "Random123 kat_vectors"})
for i in range(8):
    counter, key = [i, 7 * i, 1 << (4 * i), MASK - i], [0xDEADBEEF ^ i, i << 28]
    cases.append({"id": f"own{i}", "counter": words(counter), "key": words(key), "output": words(philox(counter, key)), "source": "this script"})
lines = ",\n".join("  " + json.dumps(c) for c in cases)
(HERE / "philox.json").write_text('{"cases": [\n' + lines + "\n]}\n")
record("philox.json")
