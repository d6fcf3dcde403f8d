#!/usr/bin/env python3
"""Export and verify of a checkpoint in the shape of a model of 1.2 billion parameters (Llama 3.2 1B's: tied table of 128256 x 2048), random
weights made on the spot, beside `cp` of the same bytes: seconds, rate of reading as a share of cp's, and peak memory in units of the largest tensor,
less what the program takes by itself (`detent --version`).

    python3 bench/export_speed.py PROGRAM [--layers 16] [--target gguf:q4_0] [--scratch FOLDER] [--repeat 2]

Takes 11 GB of disk for 16 layers, removed at the end. Each step is timed with what the one before it left in the page cache, cp too.
"""
import argparse
import array
import json
import os
import pathlib
import random
import struct
import sys
import tempfile
import time

HIDDEN, INTERMEDIATE, HEADS, KEY_HEADS, VOCABULARY = 2048, 8192, 32, 8, 128256
GRIDS = {"gguf:q4_0": ("int", 4, "32", "absmax_signed", "fp16", "f16"), "gguf:q4_k": ("int", 4, "32", "absmax", "q4_k", "f16"),
         "gguf:tq2_0": ("ternary", 2, "256", "mean", "fp16", "f16"), "compressed-tensors": ("int", 4, "128", "absmax", "fp16_bf16", "bf16")}


def tensors(layers):
    kv = HIDDEN // HEADS * KEY_HEADS
    shapes = {"model.embed_tokens.weight": [VOCABULARY, HIDDEN], "model.norm.weight": [HIDDEN]}
    for i in range(layers):
        p = f"model.layers.{i}."
        shapes |= {p + "self_attn.q_proj.weight": [HIDDEN, HIDDEN], p + "self_attn.k_proj.weight": [kv, HIDDEN], p + "self_attn.v_proj.weight": [kv, HIDDEN],
                   p + "self_attn.o_proj.weight": [HIDDEN, HIDDEN], p + "mlp.gate_proj.weight": [INTERMEDIATE, HIDDEN],
                   p + "mlp.up_proj.weight": [INTERMEDIATE, HIDDEN], p + "mlp.down_proj.weight": [HIDDEN, INTERMEDIATE],
                   p + "input_layernorm.weight": [HIDDEN], p + "post_attention_layernorm.weight": [HIDDEN]}
    return shapes


def count(shape):
    return shape[0] * (shape[1] if len(shape) == 2 else 1)


def write_weights(path, shapes):
    """Slices of one pool of normal numbers, each from another place."""
    generator = random.Random(0)
    pool = memoryview(array.array("f", (generator.gauss(0, 0.02) for _ in range(1 << 21))).tobytes())
    header, at = {}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * count(shape)]}
        at += 4 * count(shape)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for shape in shapes.values():
            left = 4 * count(shape)
            while left:
                begin = 4 * generator.randrange(len(pool) // 8)
                part = pool[begin:begin + min(left, len(pool) - begin)]
                file.write(part)
                left -= len(part)


def write_checkpoint(folder, layers, target):
    shapes = tensors(layers)
    write_weights(folder / "model.safetensors", shapes)
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": layers, "num_attention_heads": HEADS, "num_key_value_heads": KEY_HEADS, "vocab_size": VOCABULARY,
        "max_position_embeddings": 8192, "rope_theta": 500000.0, "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "hidden_act": "silu"}))
    kind, bits, group, rule, scale_format, unquantized = GRIDS[target]
    spec = {"grid": kind, "bits": bits, "group": group, "scale": rule, "scale_format": scale_format, "rotation": "none", "learned_unit": 1.0}
    layer = {name: {"weight": spec, "input": None} for name in shapes if name.endswith("_proj.weight")}
    (folder / "quantization.json").write_text(json.dumps({"version": 1, "unquantized": unquantized, "target": target, "layers": layer}))
    return max(count(shape) for shape in shapes.values()) * 4


def run(*command):
    """Seconds and peak resident bytes."""
    begin = time.monotonic()
    child = os.spawnvp(os.P_NOWAIT, command[0], [str(c) for c in command])
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(map(str, command))}: failed")
    return time.monotonic() - begin, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--target", choices=GRIDS, default="gguf:q4_0")
    parser.add_argument("--scratch", type=pathlib.Path)
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.scratch) as name:
        folder = pathlib.Path(name) / "checkpoint"
        folder.mkdir()
        largest = write_checkpoint(folder, options.layers, options.target)
        weights, out = folder / "model.safetensors", pathlib.Path(name) / "out"
        size, (_, own) = weights.stat().st_size, run(options.program, "--version")
        sys.stdout.flush()
        for _ in range(options.repeat):
            copied, _ = run("sh", "-c", f"cp '{weights}' '{name}/copy' && sync '{name}/copy'")
            os.unlink(f"{name}/copy")
            run("rm", "-rf", out)
            times = {"export": run(options.program, "export", folder, "--out", out), "verify": run(options.program, "verify", out, "--against", folder)}
            print(f"cp: {copied:.1f} s for {size / 1e9:.2f} GB")
            for what, (seconds, peak) in times.items():
                print(f"{what} {options.target}: {seconds:.1f} s, {100 * copied / seconds:.0f} % of cp's rate, peak {(peak - own) / largest:.2f} largest tensors "
                      f"({peak / 1e6:.0f} MB, {own / 1e6:.0f} of them the program's own)", flush=True)


if __name__ == "__main__":
    main()
