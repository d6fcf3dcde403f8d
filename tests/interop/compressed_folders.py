#!/usr/bin/env python3
"""Folders of compressed-tensors, read by the official library and by transformers: models trained for some steps by detent are exported, each
weight that the library decompresses is compared bit for bit with the dequantized export of the same checkpoint, and transformers, which loads
the folder, must give the logits of that export to 2e-4. Two kinds it does not run: packed zero points, which it expects unpacked, and mxfp4,
which it leaves in bfloat16 beside a model in float32; of those the weights alone are compared.

    python3 tests/interop/compressed_folders.py PROGRAM

Needs compressed-tensors, safetensors, torch and transformers. Exit 1 on any difference.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers
from compressed_tensors.compressors import MXFP4PackedCompressor
from compressed_tensors.compressors.pack_quantized import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationConfig
from safetensors.torch import load_file

TOLERANCE = 2e-4
PARTS = ("weight_packed", "weight_scale", "weight_shape", "weight_zero_point")
NOT_RUN = {"w2_zero_point", "w5_zero_point_row", "mxfp4"}
INPUTS = "{grid: int, bits: 8, scale: absmax_full, group: token}"
CASES = {  # name: the quant block
    "w4a16": "{target: compressed-tensors, weights: {group: 32}}",
    "w4a16_learned": "{target: compressed-tensors, weights: {scale: learned, surrogate: lsq, group: row, scale_format: fp32}}",
    "w4a8": "{target: compressed-tensors, weights: {group: 64}, activations: %s}" % INPUTS,
    "w8a8": "{target: compressed-tensors, weights: {bits: 8, group: row, scale_format: fp32}, activations: %s}" % INPUTS,
    "w2_midrise": "{target: compressed-tensors, weights: {grid: midrise, bits: 2, group: 32}}",
    "w1.58_tensor": "{target: compressed-tensors, weights: {grid: ternary, scale: mean, group: tensor}}",
    "w5_signed": "{target: compressed-tensors, weights: {bits: 5, scale: absmax_signed, group: 32, scale_format: fp16}}",
    "w2_zero_point": "{target: compressed-tensors, weights: {grid: int_high, bits: 2, scale: absmax_signed, group: 32}}",
    "w5_zero_point_row": "{target: compressed-tensors, weights: {grid: int_high, bits: 5, scale: absmax_signed, group: row}}",
    "mxfp4": "{target: compressed-tensors, weights: {grid: e2m1, scale: absmax_full, scale_format: e8m0, group: 32}}",
    "mixed": "{target: compressed-tensors, weights: {bits: 3, group: 32}, layers: [{match: '*.down_proj', weights: {bits: 6}}], skip: [lm_head, embed_tokens, o_proj]}",
}


def detent(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def scheme_of(config, module):
    for group in config.config_groups.values():
        if module in group.targets:
            return group
    return next(group for group in config.config_groups.values() if group.targets == ["Linear"])


def decompressed(folder):
    """Every packed weight as the library gives it, its scales in float32: it multiplies in their type."""
    stored = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    config = QuantizationConfig(**{key: value for key, value in config.items() if key != "quant_method"})
    values = {}
    for name in stored:
        if not name.endswith(".weight_packed"):
            continue
        module = name.removesuffix(".weight_packed")
        parts = {key: stored[f"{module}.{key}"] for key in PARTS if f"{module}.{key}" in stored}
        scheme = scheme_of(config, module)
        if scheme.weights.type == "int":
            parts["weight_scale"] = parts["weight_scale"].float()
            values[f"{module}.weight"] = PackedQuantizationCompressor.decompress(parts, scheme)["weight"]
        else:
            values[f"{module}.weight"] = MXFP4PackedCompressor.decompress(parts, scheme)["weight"]
    return values


def differing(packed, dense):
    names = [name for name, value in packed.items() if not np.array_equal(value.float().numpy().view(np.uint32), dense[name].numpy().view(np.uint32))]
    return names


def logits(folder, ids):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        return model(input_ids=ids).logits


def check(program, name, quant, text, scratch):
    config = scratch / f"{name}.yaml"
    config.write_text("model: {hidden_size: 64, intermediate_size: 128, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2}\n"
                      f"data: {{train: [{text}], valid: {text}, tokenizer: bytes, sequence_length: 32}}\nquant: {quant}\n"
                      f"train: {{steps: 5, batch_size: 4}}\noutput: {scratch / name}\n")
    detent(program, "train", config)
    packed, dense = scratch / f"{name}-packed", scratch / f"{name}-dense"
    detent(program, "export", scratch / name, "--out", packed)
    detent(program, "export", scratch / name, "--to", "safetensors:dequantized", "--out", dense)
    detent(program, "verify", packed, "--against", scratch / name)
    values, faults = decompressed(packed), []
    if different := differing(values, load_file(dense / "model.safetensors")):
        faults.append(f"weights differ: {different}")
    compared = "not run by transformers"
    if name not in NOT_RUN:
        ids = torch.randint(0, 256, (2, 24))
        apart = (dense_logits(dense, ids, quant) - logits(packed, ids)).abs().max().item()
        compared = f"logits {apart:.1e} apart"
        if not apart <= TOLERANCE:
            faults.append("logits too far apart")
    print(f"{name:17} {len(values)} weights, {compared}: {', '.join(faults) or 'equal'}", flush=True)
    return not faults and len(values) > 0


def dense_logits(dense, ids, quant):
    """transformers on the dequantized export; where inputs are quantized, they are so as detent's rule says, by hooks."""
    model = transformers.AutoModelForCausalLM.from_pretrained(dense, dtype=torch.float32, attn_implementation="eager")
    if "activations" in quant:
        def quantize(module, inputs):
            x = inputs[0]
            scale = x.abs().amax(-1, keepdim=True) / 127.5
            return (torch.clamp(torch.round(x / scale), -128, 127) * scale,)
        for module_name, module in model.named_modules():
            if module_name.endswith("_proj"):
                module.register_forward_pre_hook(quantize)
    with torch.no_grad():
        return model(input_ids=ids).logits


def main():
    program, good = str(pathlib.Path(sys.argv[1]).resolve()), True
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        text = scratch / "text.txt"
        text.write_text((pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text() * 2)
        for case, quant in CASES.items():
            good &= check(program, case, quant, text, scratch)
    sys.exit(not good)


if __name__ == "__main__":
    main()
