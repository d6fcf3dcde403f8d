"""architectures/: one tiny random model a family and a choice that changes its maths, saved by transformers, with logits and loss.

Biases, norm weights and everything else are random, so that a term left out shows. The loss is the mean cross entropy with
shifted labels. Weights are stored in the dtype of the case; logits are those of the stored values in float32, eager attention.
"""
import json
import shutil
import torch
import transformers
from common import HERE, Golden

torch.set_num_threads(1)
golden = Golden()
VOCAB = 61
SHAPE = {"vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "bos_token_id": 1, "eos_token_id": 2}
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}
# class, options of the config, how it is stored, length of the rows of ids
CASES = {
    "llama_biases": ("Llama", {"attention_bias": True, "mlp_bias": True}, {"gradients": True}, 20),
    "llama_linear": ("Llama", {"rope_parameters": {**ROPE, "rope_type": "linear", "factor": 4.0}}, {}, 24),
    "llama_dynamic": ("Llama", {"rope_parameters": {**ROPE, "rope_type": "dynamic", "factor": 4.0}, "max_position_embeddings": 12},
                      {"older": True, "packed": [20, 12]}, 32),
    "llama_dynamic_short": ("Llama", {"rope_parameters": {**ROPE, "rope_type": "dynamic", "factor": 4.0}}, {"dtype": "float16"}, 20),
    "llama_3": ("Llama", {"rope_parameters": LLAMA3, "head_dim": 16, "max_position_embeddings": 512}, {"older": True}, 40),
    "llama_tied_sharded": ("Llama", {"tie_word_embeddings": True, "num_key_value_heads": 4, "rope_parameters": {**ROPE, "rope_theta": 1e5}},
                           {"dtype": "bfloat16", "shard": "20KB", "extra": {"rope_interleaved": False, "is_llama_config": True}}, 20),
    "mistral_window": ("Mistral", {"sliding_window": 7}, {"packed": [15, 9]}, 24),
    "mistral_no_window": ("Mistral", {"sliding_window": None, "head_dim": 16}, {"dtype": "float16", "older": True}, 20),
    "qwen2": ("Qwen2", {"tie_word_embeddings": True, "rope_parameters": {**ROPE, "rope_theta": 1e6}},
              {"dtype": "bfloat16", "extra": {"use_mrope": False}}, 20),
    "qwen2_window": ("Qwen2", {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}, {"gradients": True}, 20),
    "qwen3": ("Qwen3", {"head_dim": 16, "tie_word_embeddings": True}, {"older": True}, 20),
    "qwen3_window": ("Qwen3", {"head_dim": 8, "attention_bias": True, "use_sliding_window": True, "sliding_window": 6,
                               "layer_types": ["sliding_attention", "full_attention"]}, {"gradients": True}, 20),
}


def in_older_spelling(config):
    """As transformers 4 wrote it: rope_theta and rope_scaling beside each other, torch_dtype."""
    rope = config.pop("rope_parameters")
    config["torch_dtype"] = config.pop("dtype")
    config["rope_theta"] = rope.pop("rope_theta")
    if rope["rope_type"] in ("linear", "dynamic"):
        rope = {"type": rope["rope_type"], "factor": rope["factor"]}
    config["rope_scaling"] = None if rope.get("rope_type") == "default" else rope
    config.pop("layer_types", None)


def make(name, family, options, dtype):
    classes = (getattr(transformers, f"{family}{kind}") for kind in ("Config", "ForCausalLM"))
    config_class, model_class = classes
    config = config_class(**{**SHAPE, "rope_parameters": dict(ROPE), **options})
    model = model_class(config).float()
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.copy_(torch.randn_like(p) * (0.3 if p.dim() == 1 else 0.25) + (1 if key.endswith("norm.weight") else 0))
    return model.to(getattr(torch, dtype))


def packed_logits(model, ids, lengths):
    """Documents side by side in one row must give what each gives alone. A row of them with positions that begin anew is no reference
    under dynamic scaling, where transformers takes one length for the whole row, and the longest it has seen in any call before."""
    segment = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    logits = []
    for document in ids.split(lengths, dim=1):
        model.model.rotary_emb.__init__(config=model.config)  # forgets other lengths
        logits.append(model(input_ids=document).logits)
    return torch.cat(logits, dim=1), segment


for seed, (name, (family, options, how, length)) in enumerate(CASES.items()):
    torch.manual_seed(seed)
    dtype = how.get("dtype", "float32")
    model = make(name, family, options, dtype)
    folder = HERE / "architectures" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, max_shard_size=how.get("shard", "5GB"))
    config = json.loads((folder / "config.json").read_text())
    if how.get("older"):
        in_older_spelling(config)
    config.update(how.get("extra", {}))
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    model = type(model).from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
    ids = torch.randint(0, VOCAB, (2, length))
    out = model(input_ids=ids, labels=ids)
    out.loss.backward()
    arrays = {"input_ids": ids.numpy(), "logits": out.logits.detach().numpy(), "loss": out.loss.detach().reshape(1).numpy()}
    if how.get("gradients"):
        arrays |= {f"grad.{key}": p.grad.numpy() for key, p in model.named_parameters()}
    if "packed" in how:
        logits, segment = packed_logits(model, ids, how["packed"])
        arrays |= {"packed_logits": logits.detach().numpy(), "segments": segment[None].expand(2, -1).numpy()}
    golden.case(name, arrays, folder=name, gradients=bool(how.get("gradients")), packed="packed" in how, dtype=dtype)
golden.save("architectures/logits.safetensors")
