"""Files taken apart and put together by hand, after their public descriptions, to tell lies in them.

safetensors: 8 bytes length, JSON header, data (github.com/huggingface/safetensors, "Format").
GGUF version 3: magic, version, counts, key-value pairs, tensor table, padding, data (ggml, docs/gguf.md).
"""
import json
import struct

U32, F32, STRING, ARRAY, U64 = 4, 6, 8, 9, 10  # GGUF value types


def read_safetensors(content):
    """Header as a tree, and the bytes behind it."""
    (size,) = struct.unpack_from("<Q", content)
    return json.loads(content[8:8 + size]), content[8 + size:]


def safetensors(header, data=b"", size=None):
    """size: the length that the file claims for its header; header: a tree or bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def edited_safetensors(content, edit):
    """The same file after edit(header); data as it was."""
    header, data = read_safetensors(content)
    edit(header)
    return safetensors(header, data)


def gguf_string(text):
    return struct.pack("<Q", len(text)) + text


def gguf_pair(key, kind, value):
    return gguf_string(key) + struct.pack("<I", kind) + value


def gguf_tensor(name, shape, kind, offset):
    return gguf_string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def gguf(pairs=(), tensors=(), data=b"", version=3, n_pairs=None, n_tensors=None, magic=b"GGUF"):
    """n_pairs, n_tensors: what the file claims."""
    head = magic + struct.pack("<IQQ", version, len(tensors) if n_tensors is None else n_tensors,
                               len(pairs) if n_pairs is None else n_pairs)
    table = head + b"".join(pairs) + b"".join(tensors)
    return table + b"\0" * (-len(table) % 32) + data


ARCHITECTURE = gguf_pair(b"general.architecture", STRING, gguf_string(b"llama"))


def bad_gguf():
    """Files that lie about themselves, by what is wrong in them."""
    huge = 1 << 60
    one = gguf_tensor(b"x", (32,), 0, 0)
    return {
        "magic": gguf(magic=b"GGML"),
        "version 99": gguf(version=99),
        "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        "tensor count": gguf([ARCHITECTURE], n_tensors=huge),
        "pair count": gguf(n_pairs=huge),
        "key length": gguf([struct.pack("<Q", huge)]),
        "string length": gguf([gguf_string(b"k") + struct.pack("<IQ", STRING, huge)]),
        "array length": gguf([gguf_pair(b"k", ARRAY, struct.pack("<IQ", U32, huge))]),
        "array of arrays": gguf([gguf_pair(b"k", ARRAY, struct.pack("<IQ", ARRAY, 1) * 50_000)]),
        "value type": gguf([gguf_pair(b"k", 77, b"\0" * 8)]),
        "pair twice": gguf([ARCHITECTURE, ARCHITECTURE]),
        "alignment 0": gguf([gguf_pair(b"general.alignment", U32, struct.pack("<I", 0))], [one], b"\0" * 128),
        "alignment 3": gguf([gguf_pair(b"general.alignment", U32, struct.pack("<I", 3))], [one], b"\0" * 128),
        "name length": gguf([ARCHITECTURE], [struct.pack("<Q", huge)]),
        "dimensions": gguf([ARCHITECTURE], [gguf_string(b"x") + struct.pack("<I", 1 << 30)]),
        "shape overflows": gguf([ARCHITECTURE], [gguf_tensor(b"x", (1 << 32, 1 << 32, 1 << 32), 0, 0)], b"\0" * 128),
        "shape wraps to nothing": gguf([ARCHITECTURE], [gguf_tensor(b"x", (1 << 32, 1 << 32), 0, 0)], b"\0" * 128),
        "shape beyond the file": gguf([ARCHITECTURE], [gguf_tensor(b"x", (1 << 20,), 0, 0)], b"\0" * 128),
        "half a block": gguf([ARCHITECTURE], [gguf_tensor(b"x", (33,), 2, 0)], b"\0" * 128),
        "tensor type": gguf([ARCHITECTURE], [gguf_tensor(b"x", (32,), 999, 0)], b"\0" * 128),
        "offset": gguf([ARCHITECTURE], [gguf_tensor(b"x", (32,), 0, huge)], b"\0" * 128),
        "offset wraps": gguf([ARCHITECTURE], [gguf_tensor(b"x", (32,), 0, (1 << 64) - 32)], b"\0" * 128),
        "offset not aligned": gguf([ARCHITECTURE], [gguf_tensor(b"x", (8,), 0, 4)], b"\0" * 128),
        "overlap": gguf([ARCHITECTURE], [one, gguf_tensor(b"y", (32,), 0, 32)], b"\0" * 256),
        "name twice": gguf([ARCHITECTURE], [one, gguf_tensor(b"x", (32,), 0, 128)], b"\0" * 256),
    }


def bad_safetensors():
    """The same for safetensors."""
    def tensor(dtype="F32", shape=(2,), offsets=(0, 8)):
        return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}

    data = b"\0" * 8
    return {
        "header length": safetensors({"x": tensor()}, data, size=1 << 63),
        "header length all ones": safetensors({"x": tensor()}, data, size=(1 << 64) - 1),
        "header beyond the file": safetensors({"x": tensor()}, data, size=10_000),
        "header length 0": safetensors(b"", b""),
        "header cut": safetensors(b'{"x": {"dtype": "F32", "sha', data),
        "header no object": safetensors(b"[1, 2]", data),
        "header no utf-8": safetensors(b'{"\xff": 1}', data),
        "header deep": safetensors(b'{"x":' * 100_000, data),
        "no dtype": safetensors({"x": {"shape": [2], "data_offsets": [0, 8]}}, data),
        "dtype": safetensors({"x": tensor(dtype="F33")}, data),
        "dtype no text": safetensors({"x": tensor(dtype=32)}, data),
        "shape negative": safetensors({"x": tensor(shape=(-2,))}, data),
        "shape no number": safetensors({"x": tensor(shape=("two",))}, data),
        "shape fraction": safetensors({"x": tensor(shape=(2.5,))}, data),
        "shape and size": safetensors({"x": tensor(shape=(3,))}, data),
        "shape overflows": safetensors({"x": tensor(shape=(1 << 32, 1 << 32, 2))}, data),
        "shape wraps": safetensors({"x": tensor(shape=(1 << 33, 1 << 31))}, data),
        "offsets beyond the file": safetensors({"x": tensor(shape=(4,), offsets=(0, 16))}, data),
        "offsets backwards": safetensors({"x": tensor(offsets=(8, 0))}, data),
        "offsets negative": safetensors({"x": tensor(offsets=(-8, 0))}, data),
        "offsets huge": safetensors({"x": tensor(offsets=((1 << 63), (1 << 63) + 8))}, data),
        "three offsets": safetensors({"x": tensor(offsets=(0, 4, 8))}, data),
        "overlap": safetensors({"x": tensor(), "y": tensor()}, data),
        "hole": safetensors({"x": tensor(offsets=(8, 16))}, data * 2),
        "bytes behind the last": safetensors({"x": tensor()}, data * 2),
        "name twice": safetensors(b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
                                  b'"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', data),
        "metadata no text": safetensors({"__metadata__": {"a": 1}, "x": tensor()}, data),
    }


def gguf_tensors(content):
    """Where each tensor's data begins in a sound GGUF file."""
    place = 24
    n_tensors, n_pairs = struct.unpack_from("<QQ", content, 8)
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    alignment = 32

    def take(form):
        nonlocal place
        value = struct.unpack_from("<" + form, content, place)
        place += struct.calcsize("<" + form)
        return value

    def text():
        nonlocal place
        (size,) = take("Q")
        place += size
        return bytes(content[place - size:place])

    def skip(kind):
        nonlocal place
        if kind == STRING:
            text()
        elif kind == ARRAY:
            inner, count = take("IQ")
            for _ in range(count):
                skip(inner)
        else:
            place += sizes[kind]

    for _ in range(n_pairs):
        key = text()
        (kind,) = take("I")
        if key == b"general.alignment":
            (alignment,) = struct.unpack_from("<I", content, place)
        skip(kind)
    offsets = {}
    for _ in range(n_tensors):
        name = text().decode()
        (dimensions,) = take("I")
        take(f"{dimensions}Q")
        offsets[name] = take("IQ")[1]
    data = place + -place % alignment
    return {name: data + offset for name, offset in offsets.items()}
