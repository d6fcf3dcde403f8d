"""Models made on the spot with transformers, against the program: perplexity, and the way back.

Started as `python3 tests/interop/models.py PROGRAM`, with torch, transformers and safetensors installed. For every family
and choice: transformers saves a random model (every second one in the spelling of transformers 4); `detent eval` must give
its log-probabilities to 2e-4 and its perplexity to 1e-4; a run of no steps from it must leave a checkpoint that
transformers opens without a warning, every tensor bit-equal; and so must the export of a short quantized training, whose
perplexity transformers must find again.
"""
import json
import logging
import math
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import transformers

CONTEXT = 48
CHOICES = [chr(c) for c in range(32, 127)]
SHAPE = {"vocab_size": 300, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": None, "eos_token_id": 256, "pad_token_id": None}


def rope(kind="default", theta=10000.0, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **more}}


CASES = {
    "llama": ("Llama", {}, "float32"),
    "llama 3.1 scaling": ("Llama", {**rope("llama3", 5e5, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                            original_max_position_embeddings=32), "rms_norm_eps": 1e-5}, "bfloat16"),
    "llama linear scaling": ("Llama", rope("linear", factor=2.5), "float32"),
    "llama dynamic scaling": ("Llama", {**rope("dynamic", factor=4.0), "max_position_embeddings": 20}, "float32"),
    "llama dynamic scaling, short": ("Llama", rope("dynamic", factor=4.0), "float32"),
    "llama biases": ("Llama", {"attention_bias": True, "mlp_bias": True, "num_key_value_heads": 4}, "float16"),
    "smollm2": ("Llama", {"tie_word_embeddings": True, "num_key_value_heads": 1, **rope(theta=1e5)}, "bfloat16"),
    "mistral": ("Mistral", {"sliding_window": 11}, "bfloat16"),
    "mistral nemo": ("Mistral", {"sliding_window": None, "head_dim": 32, **rope(theta=1e6)}, "bfloat16"),
    "qwen2": ("Qwen2", {"tie_word_embeddings": True, **rope(theta=1e6)}, "bfloat16"),
    "qwen2 window": ("Qwen2", {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1}, "float32"),
    "qwen3": ("Qwen3", {"head_dim": 32, "tie_word_embeddings": True, **rope(theta=1e6)}, "bfloat16"),
    "qwen3 window": ("Qwen3", {"head_dim": 16, "attention_bias": True, "use_sliding_window": True, "sliding_window": 7,
                               "layer_types": ["full_attention", "sliding_attention", "full_attention"]}, "float32"),
}


def fail(what):
    sys.exit(f"FAILED: {what}")


def detent(*arguments):
    run = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True)
    if run.returncode != 0:
        fail(f"detent {' '.join(map(str, arguments))}: exit {run.returncode}\n{run.stderr[-2000:]}")
    return run.stdout


def make(family, options, dtype, folder):
    config_class, model_class = (getattr(transformers, f"{family}{kind}") for kind in ("Config", "ForCausalLM"))
    model = model_class(config_class(**{**SHAPE, **rope(), **options}))
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.randn_like(p) * (0.3 if p.dim() == 1 else 0.15) + (1 if name.endswith("norm.weight") else 0))
    # In shards, so that both ways of storing weights are used over the cases.
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size="100KB" if dtype == "bfloat16" else "5GB")


def in_older_spelling(folder):
    """As transformers 4 wrote it: rope_theta and rope_scaling beside each other, torch_dtype, no layer_types."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"], config["torch_dtype"] = rope.pop("rope_theta"), config.pop("dtype")
    kind = rope["rope_type"]
    config["rope_scaling"] = None if kind == "default" else rope if kind == "llama3" else {"type": kind, "factor": rope["factor"]}
    config.pop("layer_types", None)
    path.write_text(json.dumps(config))


class Complaints(logging.Handler):
    """Everything that transformers has to say."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


def open_without_warning(folder):
    complaints = Complaints()
    logger = transformers.utils.logging.get_logger("transformers")
    logger.addHandler(complaints)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True)
        transformers.AutoTokenizer.from_pretrained(folder)
        transformers.GenerationConfig.from_pretrained(folder) if (folder / "generation_config.json").exists() else None
    logger.removeHandler(complaints)
    wrong = {key: value for key, value in info.items() if value}
    said = complaints.said + [str(w.message) for w in caught]
    if said or wrong:
        fail(f"transformers opens {folder} with complaints: {said} {wrong}")
    return model.eval()


def forget_lengths(model):
    """Under dynamic scaling it keeps the longest length it has seen in any call; each text is to count for itself."""
    if "dynamic" in str(model.config.rope_parameters):
        model.model.rotary_emb.__init__(config=model.config)


@torch.no_grad()
def log_probabilities_differ(folder, model, data):
    """Largest difference over all printable characters after the text's beginnings, which `detent eval` scores as choices."""
    lengths = [n for n in range(1, CONTEXT) if data[n - 1] not in b" \n"]  # white space at the end would join the choice
    task, samples = folder.parent / "task.jsonl", folder.parent / "samples.jsonl"
    task.write_text("".join(json.dumps({"context": data[:n].decode(), "choices": CHOICES, "answer": 0}) + "\n" for n in lengths))
    detent("eval", folder, "--task", task, "--samples", samples)
    worst = 0
    for n, line in zip(lengths, samples.read_text().splitlines(), strict=True):
        forget_lengths(model)
        theirs = model(input_ids=torch.tensor([list(data[:n])])).logits[0, -1].log_softmax(-1)[[ord(c) for c in CHOICES]]
        worst = max(worst, (torch.tensor(json.loads(line)["log_likelihoods"]) - theirs).abs().max().item())
    if not worst <= 2e-4:
        fail(f"{folder}: a log-probability is {worst} from transformers'")
    return worst


@torch.no_grad()
def perplexity(model, data):
    """As `detent eval` counts without a BOS: consecutive windows, the first id of each not scored."""
    nats, count = 0.0, 0
    for begin in range(0, len(data), CONTEXT):
        ids = torch.tensor([list(data[begin:begin + CONTEXT])])
        if ids.shape[1] < 2:
            continue
        forget_lengths(model)
        logits = model(input_ids=ids[:, :-1]).logits[0].double()  # as there, the last id is scored, not read
        nats -= logits.log_softmax(-1).gather(1, ids[0, 1:, None]).sum().item()
        count += ids.shape[1] - 1
    return math.exp(nats / count)


def same_perplexity(what, ours, theirs):
    if not abs(ours / theirs - 1) <= 1e-4:
        fail(f"{what}: perplexity {ours} here, {theirs} in transformers")
    return abs(ours / theirs - 1)


def evaluate(path, text):
    return json.loads(detent("eval", path, "--data", text, "--context", CONTEXT, "--json"))["perplexity"]


def training(folder, model, text, steps, **blocks):
    config = {"model": {"from": str(model)}, "data": {"train": [str(text)], "valid": str(text), "sequence_length": CONTEXT},
              "train": {"steps": steps, "batch_size": 2}, "output": str(folder), **blocks}
    path = folder.with_suffix(".yaml")
    path.write_text(json.dumps(config))
    detent("train", path)
    return folder / "checkpoints" / (folder / "checkpoints" / "latest").read_text().strip()


def expect_equal(folder, model, source):
    for (name, ours), (_, theirs) in zip(sorted(model.state_dict().items()), sorted(source.state_dict().items()), strict=True):
        if ours.dtype != torch.float32 or not torch.equal(ours.view(torch.int32), theirs.view(torch.int32)):
            fail(f"{folder}: {name} is not bit-equal to the source's")


def check(name, case, older, folder, text):
    source = folder / "source"
    make(*case, source)
    if older:
        in_older_spelling(source)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(source, attn_implementation="eager", dtype=torch.float32).eval()
    fresh = training(folder / "none", source, text, 0)  # gives the byte tokenizer's files, too
    for file in fresh.glob("*token*"):
        (source / file.name).write_bytes(file.read_bytes())
    worst = log_probabilities_differ(source, theirs, text.read_bytes())
    wrong = same_perplexity(name, evaluate(source, text), perplexity(theirs, text.read_bytes()))

    saved = open_without_warning(fresh)
    expect_equal(fresh, saved, theirs)
    if (source / "generation_config.json").read_bytes() != (fresh / "generation_config.json").read_bytes():
        fail(f"{fresh}: generation_config.json is not the source's")

    quant = {"weights": {"grid": "int", "bits": 4, "group": 32, "scale": "absmax_signed", "scale_format": "fp16"}, "skip": []}
    run = training(folder / "quantized", source, text, 3, quant=quant, optimizer={"learning_rate": 1e-3})
    open_without_warning(run)
    detent("export", run, "--to", "safetensors:dequantized", "--out", folder / "shipped")
    detent("verify", folder / "shipped", "--against", run)
    shipped = open_without_warning(folder / "shipped")
    if theirs.config.tie_word_embeddings and shipped.lm_head.weight.data_ptr() != shipped.model.embed_tokens.weight.data_ptr():
        fail(f"{name}: the head is no longer tied")
    same_perplexity(f"{name}, quantized", evaluate(run, text), perplexity(shipped, text.read_bytes()))
    return worst, wrong


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    choose = random.Random(0)
    with tempfile.TemporaryDirectory(prefix="detent interop ") as base:
        text = Path(base) / "text.txt"
        text.write_text("".join(choose.choice("abcdefghij \n.,") for _ in range(1500)))
        for i, (name, case) in enumerate(CASES.items()):
            older = i % 2 == 1 and "layer_types" not in case[1]  # which the older spelling cannot say
            worst, wrong = check(name, case, older, Path(base) / name, text)
            print(f"{name}{' (older spelling)' if older else ''}: log-probabilities equal to {worst:.1e}, perplexity to {wrong:.1e}, "
                  "saved and exported folders open without a warning, tensors bit-equal", flush=True)
    print(f"transformers {transformers.__version__}: {len(CASES)} models agree")


if __name__ == "__main__":
    main()
