"""The loader's order, restated from the text in src/detent/data/shuffle.h and from Salmon et al. (SC 2011) for Philox.

    python3 tests/data/golden/shuffle.py > tests/data/golden/shuffle.json

Standard library only; shares no code with detent.
"""
import json

MASK32 = 2**32 - 1
STREAM = int.from_bytes(b"shuf", "big")


def philox4x32_10(counter, key):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) & MASK32, (k1 + 0xBB67AE85) & MASK32
    return c0, c1, c2, c3


def half_bits(size):
    half = 4
    while 4**half < size:
        half += 1
    return half


def feistel(value, half, seed, epoch):
    left, right = divmod(value, 2**half)
    for r in range(8):
        word = philox4x32_10((right, r, epoch, STREAM), (seed & MASK32, seed >> 32))[0]
        left, right = right, left ^ (word % 2**half)
    return left * 2**half + right


def permutation(size, seed, epoch):
    half = half_bits(size)
    order = []
    for index in range(size):
        value = feistel(index, half, seed, epoch)
        while value >= size:
            value = feistel(value, half, seed, epoch)
        order.append(value)
    assert sorted(order) == list(range(size))
    return order


assert philox4x32_10((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)) == (
    0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)  # Random123's known answer

cases = [(1, 0, 0), (2, 0, 0), (3, 5, 1), (10, 0, 0), (10, 0, 1), (10, 1, 0), (64, 2**40 + 3, 7),
         (65, 9, 2**32 - 1), (100, 123, 4), (1000, 6, 2)]
print(json.dumps({"cases": [{"size": n, "seed": s, "epoch": e, "order": permutation(n, s, e)} for n, s, e in cases]}))
