#!/usr/bin/env python3
"""Every GGUF target, read by the `gguf` package: a model made by transformers is rounded and exported, and each tensor's values, decoded by
the package, are compared bit for bit with those of the folder that `detent convert` makes of the file. That the file holds what was rounded
is what tests/deploy shows.

    python3 tests/interop/gguf_files.py PROGRAM

Needs gguf, numpy, safetensors, torch and transformers. The package cannot decode Q1_0 and does not know Q2_0: for those two only the file
around the blocks is read, which is said. Exit 1 on any difference.
"""
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np
import torch
import transformers
from safetensors.numpy import load_file

TARGETS = ["q4_0", "q5_0", "q8_0", "q2_0", "q1_0", "tq1_0", "tq2_0", "mxfp4", "q2_k", "q3_k", "q4_k", "f32"]
UNKNOWN = {"q1_0", "q2_0"}
LAYERS, HEADS, KEY_HEADS = 2, 4, 2
NAMES = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj"}
WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def detent(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def hugging_face_name(name):
    stem = name.removesuffix(".weight")
    if stem in WHOLE:
        return WHOLE[stem] + ".weight"
    _, layer, part = stem.split(".")
    return f"model.layers.{layer}.{NAMES[part]}.weight"


def in_file_order(name, value):
    """The rows of q and k as the official converter permutes them."""
    heads = HEADS if "q_proj" in name else KEY_HEADS if "k_proj" in name else 0
    if not heads:
        return value
    return value.reshape(heads, 2, value.shape[0] // heads // 2, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)


def check(program, model, target, scratch):
    path, folder = scratch / f"{target}.gguf", scratch / target
    rounding = [] if target == "f32" else ["--from-float"]
    detent(program, "export", model, "--to", f"gguf:{target}", "--out", path, *rounding)
    detent(program, "convert", path, "--out", folder)
    values, faults, compared = load_file(folder / "model.safetensors"), [], 0
    try:
        reader = gguf.GGUFReader(path)
    except ValueError as error:  # an id that the package's enum lacks
        return target in UNKNOWN, f"not opened by the package: {error}"
    for tensor in reader.tensors:
        name = hugging_face_name(tensor.name)
        if tensor.tensor_type.name.lower() in UNKNOWN:
            continue
        official = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        expected = in_file_order(name, values[name].astype(np.float32))
        compared += 1
        if not np.array_equal(official.reshape(expected.shape).view(np.uint32), expected.view(np.uint32)):
            faults.append(tensor.name)
    return not faults and compared > 0, f"{compared} of {len(reader.tensors)} tensors compared, differing: {faults or 'none'}"


def main():
    program, good = sys.argv[1], True
    torch.manual_seed(0)
    config = transformers.LlamaConfig(vocab_size=64, hidden_size=256, intermediate_size=256, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                                      num_key_value_heads=KEY_HEADS, max_position_embeddings=64)
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        transformers.LlamaForCausalLM(config).float().save_pretrained(scratch / "model")
        for target in TARGETS:
            equal, what = check(program, scratch / "model", target, scratch)
            good &= equal
            verdict = "FAILED" if not equal else "not compared" if target == "q2_0" else "equal"
            print(f"gguf:{target:6} {verdict}: {what}", flush=True)
    sys.exit(not good)


if __name__ == "__main__":
    main()
