"""llama/: three tiny random LlamaForCausalLM models saved by transformers, with their logits, loss and (the first) gradients.

The loss is the mean cross entropy with shifted labels: position i predicts input_ids[i + 1], 23 targets per row.
"""
import shutil
import torch
import transformers
from common import HERE, Golden

torch.set_num_threads(1)
golden = Golden()
SHARED = {"vocab_size": 257, "num_hidden_layers": 2, "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "initializer_range": 0.08,
          "bos_token_id": 256, "eos_token_id": 256, "attn_implementation": "eager"}
MODELS = {
    "tied_gqa": {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True, "rope_theta": 10000.0},
    "untied_mha": {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 4, "tie_word_embeddings": False, "rope_theta": 500000.0},
    "wide_head": {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": False, "rope_theta": 10000.0},
}

for seed, (name, options) in enumerate(MODELS.items()):
    torch.manual_seed(seed)
    options = dict(options)
    theta = options.pop("rope_theta")
    config = transformers.LlamaConfig(**SHARED, **options, rope_parameters={"rope_type": "default", "rope_theta": theta})
    model = transformers.LlamaForCausalLM(config).float()
    with torch.no_grad():
        for key, p in model.named_parameters():
            if p.dim() == 1:  # norm weights other than one, or a forgotten norm would not show
                p.add_(0.2 * torch.randn_like(p))
    shutil.rmtree(HERE / "llama" / name, ignore_errors=True)
    model.save_pretrained(HERE / "llama" / name)
    model = transformers.LlamaForCausalLM.from_pretrained(HERE / "llama" / name, attn_implementation="eager", dtype=torch.float32)
    assert model.config.rope_parameters["rope_theta"] == theta
    ids = torch.randint(0, 257, (2, 24))
    out = model(input_ids=ids, labels=ids)
    out.loss.backward()
    arrays = {"input_ids": ids.numpy(), "logits": out.logits.detach().numpy(), "loss": out.loss.detach().reshape(1).numpy()}
    if seed == 0:
        arrays |= {f"grad.{key}": p.grad.numpy() for key, p in model.named_parameters()}
    golden.case(name, arrays, folder=name, gradients=seed == 0, rope_theta=theta, **options)
golden.save("llama/logits.safetensors")
