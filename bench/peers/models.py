"""Loading and evaluating a model, against transformers on the same processor and threads.

    OMP_NUM_THREADS=2 python3 bench/peers/models.py PROGRAM [--layers N] [--windows N]

A random model of SmolLM2-135M's shape (fewer layers on request) is written once; every figure below is a ratio of times
taken in turns within this one run. Times of the program are differences of whole runs (a long text less a short one, a
large model less a tiny one), so that starting it does not count; transformers is timed inside its process, imports apart.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

CONTEXT = 512
# A process starts with its parent's peak memory: it is measured from a small parent, not from one that holds torch.
LAUNCH = """
import resource, subprocess, sys, time
begin = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
SHAPE = {"vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3,
         "max_position_embeddings": 2048, "tie_word_embeddings": True, "rms_norm_eps": 1e-5}
TINY = {**SHAPE, "vocab_size": 300, "hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 4,
        "num_hidden_layers": 1}


def timed(work):
    begin = time.monotonic()
    result = work()
    return time.monotonic() - begin, result


class Program:
    def __init__(self, path):
        self.path = os.path.abspath(path)

    def run(self, *arguments):
        """Seconds and peak bytes of one run."""
        done = subprocess.run([sys.executable, "-S", "-c", LAUNCH, self.path, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"detent {' '.join(map(str, arguments))} failed: {done.stderr.strip()}")
        seconds, kilobytes = done.stdout.split()
        return float(seconds), int(kilobytes) * 1024

    def eval(self, model, text):
        return self.run("eval", model, "--data", text, "--context", CONTEXT, "--batch-size", 1)


def make(folder, program, shape):
    transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape)).save_pretrained(folder)
    text = folder.parent / "any.txt"
    text.write_text("some text " * 200)
    run = folder.parent / f"{folder.name}-run"
    config = {"model": {"hidden_size": 32, "num_hidden_layers": 1}, "data": {"train": [str(text)], "valid": str(text)},
              "train": {"steps": 0}, "output": str(run)}
    (folder.parent / "c.yaml").write_text(json.dumps(config))
    program.run("train", folder.parent / "c.yaml")
    for file in (run / "checkpoints").glob("step-*/*token*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


@torch.no_grad()
def losses(model, data):
    total = 0.0
    for begin in range(0, len(data), CONTEXT):
        ids = torch.tensor([list(data[begin:begin + CONTEXT])])
        logits = model(input_ids=ids, use_cache=False).logits
        total += torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:], reduction="sum").item()
    return total


def construct(folder, weights):
    """The usual way by hand: build the module without filling it, put the tensors in."""
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig.from_pretrained(folder))
    model = model.to_empty(device="cpu")
    model.load_state_dict(weights, strict=False)
    model.tie_weights()
    return model


def table(title, rows):
    print(f"\n{title}")
    width = max(len(name) for name, *_ in rows)
    for name, *cells in rows:
        print(f"  {name:<{width}}  " + "  ".join(cells))


def bench_loading(program, large, tiny, short, rounds):
    ours, theirs, pretrained, peaks = [], [], [], []
    for _ in range(rounds):
        seconds, peak = program.eval(large, short)
        base, base_peak = program.eval(tiny, short)
        ours.append(seconds - base)
        peaks.append(peak - base_peak)
        theirs.append(timed(lambda: construct(large, load_file(large / "model.safetensors")))[0])
        pretrained.append(timed(lambda: transformers.AutoModelForCausalLM.from_pretrained(large, dtype=torch.float32))[0])
    bytes_ = sum(p.numel() * 4 for p in transformers.AutoModelForCausalLM.from_pretrained(large, dtype=torch.float32).parameters())
    mine = statistics.median(ours)
    table(f"Loading {bytes_ / 2**20:.0f} MB of float32 (median of {rounds})", [
        ("detent", f"{mine:.2f} s", f"peak memory {statistics.median(peaks) / bytes_:.2f} x the model"),
        ("load_file + construction", f"{statistics.median(theirs):.2f} s", f"{statistics.median(theirs) / mine:.2f} x detent's time"),
        ("from_pretrained", f"{statistics.median(pretrained):.2f} s", f"{statistics.median(pretrained) / mine:.2f} x detent's time")])


def bench_evaluation(program, large, long, short, rounds):
    data, less = long.read_bytes(), short.read_bytes()
    tokens = len(data) - len(less)
    models = {}
    for name, attention in (("eager attention", "eager"), ("sdpa", "sdpa")):
        models[name] = transformers.AutoModelForCausalLM.from_pretrained(large, attn_implementation=attention, dtype=torch.float32).eval()
    models["torch.compile (sdpa)"] = torch.compile(models["sdpa"])
    for model in models.values():
        losses(model, less)  # compiles and warms up
    times = {name: [] for name in ["detent", *models]}
    for _ in range(rounds):
        times["detent"].append(program.eval(large, long)[0] - program.eval(large, short)[0])
        for name, model in models.items():
            times[name].append(timed(lambda: losses(model, data[len(less):]))[0])
    mine = statistics.median(times["detent"])
    table(f"Evaluating {tokens} tokens in windows of {CONTEXT} on {torch.get_num_threads()} threads (median of {rounds})", [
        (name, f"{tokens / statistics.median(seconds):7.1f} tokens/s", "" if name == "detent" else f"detent is {statistics.median(seconds) / mine:.2f} x as fast")
        for name, seconds in times.items()])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--layers", type=int, default=30)
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    program = Program(arguments.program)
    choose = random.Random(0)
    with tempfile.TemporaryDirectory(prefix="detent bench ") as base:
        base = Path(base)
        large = make(base / "large", program, {**SHAPE, "num_hidden_layers": arguments.layers})
        tiny = make(base / "tiny", program, TINY)
        long, short = base / "long.txt", base / "short.txt"
        text = "".join(choose.choice("abcdefghij \n.,") for _ in range(CONTEXT * (arguments.windows + 1)))
        long.write_text(text)
        short.write_text(text[:CONTEXT])
        few = base / "few.txt"
        few.write_text(text[:8])
        bench_loading(program, large, tiny, few, arguments.rounds)
        bench_evaluation(program, large, long, short, arguments.rounds)


if __name__ == "__main__":
    main()
