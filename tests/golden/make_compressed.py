"""compressed/: tiny Llamas packed by the compressed-tensors library, with the weights that it decompresses and the logits of transformers.

Made with compressed-tensors 0.20.0. Scales are cast to float32 before the library decompresses: it multiplies in the scale's type.
"""
import shutil

import torch
import transformers
from common import HERE, Golden, record
from compressed_tensors.compressors import MXFP4PackedCompressor
from compressed_tensors.compressors.pack_quantized import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationConfig, QuantizationScheme
from compressed_tensors.quantization.lifecycle.forward import fake_quantize
from compressed_tensors.quantization.utils.helpers import calculate_qparams
from safetensors.torch import save_file

torch.set_num_threads(1)
golden = Golden()
TOKENS = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True}


def weights(bits, strategy, group_size=None, symmetric=True):
    return {"num_bits": bits, "type": "int", "symmetric": symmetric, "strategy": strategy, "group_size": group_size}


MXFP4 = {"num_bits": 4, "type": "float", "symmetric": True, "strategy": "group", "group_size": 32, "scale_dtype": "torch.uint8"}

# name: groups of (targets, weight arguments, input arguments, dtype of the scales)
CASES = {
    "w4a16_group": [(["Linear"], weights(4, "group", 32), None, torch.bfloat16)],
    "w8a8_channel": [(["Linear"], weights(8, "channel"), TOKENS, torch.float32)],
    "w4a8_group": [(["Linear"], weights(4, "group", 16), TOKENS, torch.float16)],
    "w5_tensor": [(["Linear"], weights(5, "tensor"), None, torch.float32)],
    "w3_asymmetric": [(["Linear"], weights(3, "group", 16, False), None, torch.float32)],
    "w7_asymmetric_channel": [(["Linear"], weights(7, "channel", None, False), None, torch.float32)],
    "mixed": [([f"model.layers.{i}.mlp.{n}_proj" for i in range(2) for n in ("up", "gate", "down")], weights(2, "group", 32), None, torch.float16),
              ([f"model.layers.{i}.self_attn.{n}_proj" for i in range(2) for n in "qkvo"], weights(6, "channel"), None, torch.float32)],
    "mxfp4": [(["Linear"], MXFP4, None, torch.float32)],
}


def format_of(args):
    return "mxfp4-pack-quantized" if args["type"] == "float" else "pack-quantized"


def scheme_of(module, groups):
    for targets, args, inputs, dtype in groups:
        if targets == ["Linear"] or module in targets:
            return QuantizationScheme(targets=targets, weights=QuantizationArgs(**args), input_activations=inputs and QuantizationArgs(**inputs)), dtype
    raise KeyError(module)


def parameters(weight, args, dtype):
    """Scales and zero points as the library's own rule gives them, the scales rounded to what the file keeps."""
    rows = weight.shape[0]
    parts = {"tensor": weight.reshape(1, -1), "channel": weight, "group": weight.reshape(rows, -1, args.group_size or weight.shape[1])}[str(args.strategy)]
    if args.type == "float":  # OCP's rule
        return torch.exp2(torch.floor(torch.log2(parts.abs().amax(-1))) - 2), None
    scale, zero = calculate_qparams(parts.amin(-1), parts.amax(-1), args)
    shape = {"tensor": (1,), "channel": (rows, 1), "group": (rows, -1)}[str(args.strategy)]
    return scale.reshape(shape).to(dtype), zero.round().reshape(shape).to(torch.int8)


def pack(model, groups):
    stored, values = {}, {}
    for name, tensor in model.state_dict().items():
        if not name.endswith("_proj.weight"):
            stored[name] = tensor
            continue
        module = name.removesuffix(".weight")
        scheme, dtype = scheme_of(module, groups)
        scale, zero = parameters(tensor, scheme.weights, dtype)
        state = {"weight": tensor, "weight_scale": scale.float()} | ({"weight_zero_point": zero} if zero is not None else {})
        compressor = PackedQuantizationCompressor if zero is not None else MXFP4PackedCompressor
        packed = compressor.compress(state, scheme)
        values[name] = compressor.decompress(dict(packed), scheme)["weight"].float()
        if zero is not None:
            packed["weight_scale"] = scale
        stored |= {f"{module}.{key}": value.contiguous() for key, value in packed.items()}
    return stored, values


def config_json(model, groups):
    groups = {f"group_{i}": {"targets": targets, "weights": args, "input_activations": inputs, "format": format_of(args)} for i, (targets, args, inputs, _) in enumerate(groups)}
    quantization = QuantizationConfig(config_groups=groups, format=groups["group_0"]["format"], quantization_status="compressed", ignore=["lm_head"])
    config = model.config
    config.quantization_config = quantization.to_dict() | {"quant_method": "compressed-tensors"}
    return config


def logits_of(folder, values, symmetric):
    """transformers loads symmetric integers itself; it leaves mxfp4 in bfloat16 beside a model in float32. For the rest its dense model gets the decompressed weights."""
    if symmetric:
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    else:
        config = transformers.AutoConfig.from_pretrained(folder)
        del config.quantization_config
        model = transformers.LlamaForCausalLM._from_config(config, dtype=torch.float32, attn_implementation="eager")
    return model


def main():
    for seed, (name, groups) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        config = transformers.LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                                          max_position_embeddings=64, initializer_range=0.08, attn_implementation="eager")
        model = transformers.LlamaForCausalLM(config).float()
        folder = HERE / "compressed" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        stored, values = pack(model, groups)
        dense = {key: value for key, value in stored.items() if key in model.state_dict()}
        save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
        config_json(model, groups).save_pretrained(folder)
        symmetric = all(args["symmetric"] and args["type"] == "int" for _, args, _, _ in groups)
        loaded = logits_of(folder, values, symmetric)
        if not symmetric:
            loaded.load_state_dict(dense | values)
        ids = torch.randint(0, 64, (2, 24))
        with torch.no_grad():
            logits = loaded(input_ids=ids).logits
        golden.case(name, {"input_ids": ids.numpy(), "logits": logits.numpy()} | {f"value.{key}": value.numpy() for key, value in values.items()},
                    folder=name, loaded_by_transformers=symmetric)
        for file in ("config.json", "model.safetensors"):
            record(f"compressed/{name}/{file}")
    x = torch.randn(16, 32)
    x[3, 5] = -9.0
    golden.put("inputs.x", x.numpy())
    for bits in (4, 8):
        args = QuantizationArgs(**(TOKENS | {"num_bits": bits}))
        scale, zero = calculate_qparams(x.amin(-1, keepdim=True), x.amax(-1, keepdim=True), args)
        golden.put(f"inputs.{bits}", fake_quantize(x, scale, zero, args).numpy())
    golden.save("compressed/expected.safetensors")


main()
