#!/usr/bin/env python3
"""Writes the seed inputs under fuzz/corpus: small valid files of each format, by the formats' own description."""
import hashlib
import json
import pathlib
import struct
import subprocess

CORPUS = pathlib.Path(__file__).parent / "corpus"


def put(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def safetensors(header, data):
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def gguf_string(text):
    return struct.pack("<Q", len(text)) + text


def gguf_file():
    values = [(b"a", 4, struct.pack("<I", 7)), (b"b", 8, gguf_string(b"text")), (b"c", 7, b"\1"),
              (b"d", 9, struct.pack("<IQ3h", 3, 3, 1, 2, 3)),
              (b"e", 9, struct.pack("<IQ", 8, 2) + gguf_string(b"x") + gguf_string(b"")),
              (b"general.alignment", 4, struct.pack("<I", 8))]
    tensors = [(b"f32", [2, 2], 0, 16), (b"q4_0", [32], 2, 18), (b"q2_k", [256, 1], 10, 84)]
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values))
    for key, kind, value in values:
        out += gguf_string(key) + struct.pack("<I", kind) + value
    data = b""
    for name, ne, kind, size in tensors:
        out += gguf_string(name) + struct.pack(f"<I{len(ne)}qiQ", len(ne), *ne, kind, len(data))
        data += bytes(size + -size % 8)
    return out + bytes(-len(out) % 8) + data


def llama2c_file(version):
    sizes = [4, 2, 1, 2, 1, 3, 2]  # dim, hidden, layers, heads, key heads, vocabulary, length
    weights = 4 * (3 * 4 + 4 + 16 + 8 + 8 + 16 + 4 + 3 * 8 + 4)
    if version == 0:
        return struct.pack("<7i", *sizes) + bytes(weights + 4 * 2 * 2)
    return (struct.pack("<Ii7iB", 0x616B3432, 1, *sizes, 1) + bytes(219)) + bytes(weights)


def shard(vocabulary, tokens, ends, ranges, fingerprint):
    width = 2 if vocabulary <= 65536 else 4
    out = b"DETENTTK" + struct.pack("<IIQQ", 2, width, vocabulary, len(fingerprint)) + fingerprint
    out += bytes(-len(out) % 64) + b"".join(t.to_bytes(width, "little") for t in tokens)
    out += bytes(-len(out) % 8) + struct.pack(f"<{len(ends)}Q", *ends)
    out += struct.pack(f"<{len(ranges)}Q", *ranges) + struct.pack("<QQQ", len(tokens), len(ends), len(ranges) // 2)
    return out + hashlib.sha256(out).digest()


def tokenizer_json(kind):
    """One of the golden tokenizers with a vocabulary cut down to what a fuzzer can turn over."""
    path = pathlib.Path(__file__).parents[1] / "tests/data/golden/tokenizers" / f"{kind}.json"
    content = json.loads(path.read_text())
    model = content["model"]
    tokens = [t for t in model["vocab"] if len(t) == 1][:40] + ["<unk>", "<s>", "ab"]
    model["vocab"] = {token: i for i, token in enumerate(dict.fromkeys(["a", "b"] + tokens))}
    model["merges"] = [["a", "b"]]
    content["added_tokens"] = [dict(t, id=len(model["vocab"]) + i) for i, t in enumerate(
        t for t in content["added_tokens"] if t["content"] not in model["vocab"])]
    ids = {t["content"]: t["id"] for t in content["added_tokens"]} | model["vocab"]
    for name, token in content["post_processor"]["special_tokens"].items():
        token["ids"] = [ids[name]]
    return json.dumps(content, ensure_ascii=False).encode()


def zstd(text):
    return subprocess.run(["zstd", "-q", "-c"], input=text, stdout=subprocess.PIPE, check=True).stdout


def config(family, **more):
    sizes = {"vocab_size": 9, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    return json.dumps({"model_type": family, **sizes, **more}).encode()


def main():
    scaling = {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}
    put("config", "llama", config("llama", attention_bias=True, rope_theta=5e5, rope_scaling=scaling, eos_token_id=[1, 2]))
    put("config", "mistral", config("mistral", sliding_window=4, head_dim=4, rope_parameters={"rope_type": "linear", "factor": 2}))
    put("config", "qwen2", config("qwen2", num_key_value_heads=1, use_sliding_window=True, sliding_window=3, max_window_layers=1))
    put("config", "qwen3", config("qwen3", num_key_value_heads=2, use_sliding_window=True, sliding_window=3, torch_dtype="bfloat16",
                                  layer_types=["full_attention", "sliding_attention"]))
    put("safetensors", "empty", safetensors({}, b""))
    put("safetensors", "two", safetensors({"__metadata__": {"format": "pt"}, "a": tensor("F32", [1, 2], 0, 8),
                                           "b.\u00e9": tensor("F4", [2, 0, 3], 8, 8), "c": tensor("U8", [], 8, 9)},
                                          b"012345678"))
    put("gguf", "all", gguf_file())
    put("gguf", "empty", b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    put("llama2c", "v0", llama2c_file(0))
    put("llama2c", "v1", llama2c_file(1))
    put("token_shard", "narrow", shard(300, [1, 2, 299], [2, 3], [0, 1, 2, 3], b"source"))
    put("token_shard", "wide", shard(70000, [69999], [], [], b""))
    for kind in ("llama3", "qwen2-nfc", "smollm", "deepseek3", "odd", "llama2", "metaspace-first", "words"):
        put("tokenizer_json", kind, tokenizer_json(kind))
    lines = b'{"text":"a\\n","id":[1,{"b":null}]}\n\n{"text":"\\u00e9"}\r\n'
    text = b"one--two---three--"
    for kind, content in enumerate([text, lines, zstd(text), zstd(lines) + zstd(b"")]):
        put("text_source", f"kind{kind}", bytes([kind]) + content)


if __name__ == "__main__":
    main()
