#!/usr/bin/env python3
"""A trained llama2.c checkpoint, converted: `detent eval` and `detent tokenize` against llama2.c's own arithmetic and tokenizer, restated in
numpy (tests/golden/llama2c_reference.py); `transformers` opens the folder and gives the same logits.

    python3 tests/interop/llama2c.py PROGRAM [--data ../shared/data] [--stories 40]

Needs numpy, tokenizers, transformers and torch. Prints the figures; exit 1 on any difference beyond the tolerances below, 77 without the
checkpoint.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "golden"))
import llama2c_reference as reference  # noqa: E402

SEPARATOR = "<|endoftext|>"
CONTEXT, BOS = 256, 1


def detent(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def reference_loss(p, w, tokenizer, stories):
    """As `detent eval` counts: windows of CONTEXT ids, the first of them a BOS, every other id scored once."""
    total, count = 0.0, 0
    for story in stories:
        ids = tokenizer.encode(story)
        for at in range(0, len(ids), CONTEXT - 1):
            window = np.array([BOS] + ids[at : at + CONTEXT - 1])
            logits = reference.logits(p, w, window[:-1])
            top = logits.max(-1, keepdims=True)
            log_probability = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
            total -= log_probability[np.arange(len(window) - 1), window[1:]].sum()
            count += len(window) - 1
    return total / count, count


def check_transformers(folder, p, w, ids):
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].numpy()
    return np.abs(logits - reference.logits(p, w, np.array(ids))).max(), tokenizer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--data", default=ROOT.parent / "shared" / "data", type=pathlib.Path)
    parser.add_argument("--stories", default=40, type=int)
    options = parser.parse_args()
    checkpoint = options.data / "checkpoints" / "stories260K"
    if not checkpoint.exists():
        print(f"skipped: there is no {checkpoint}")
        sys.exit(77)
    p, w = reference.read_v0(checkpoint / "stories260K.bin")
    tokenizer = reference.Tokenizer(checkpoint / "tok512.bin")
    stories = (options.data / "text" / "tinystories-sample.txt").read_text().split(SEPARATOR)[: options.stories]
    good = True

    def report(what, value, limit):
        nonlocal good
        good &= value <= limit
        print(f"{what}: {value:.3g} (limit {limit:g}) {'ok' if value <= limit else 'TOO LARGE'}", flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        folder, text = pathlib.Path(scratch) / "stories", pathlib.Path(scratch) / "stories.txt"
        text.write_text(SEPARATOR.join(stories))
        detent(options.program, "convert", checkpoint / "stories260K.bin", "--tokenizer", checkpoint / "tok512.bin", "--out", folder)
        ids = [i for story in stories for i in tokenizer.encode(story)]
        got = json.loads(detent(options.program, "tokenize", folder, text, "--separator", SEPARATOR, "--out", f"{scratch}/ids", "--json", "--ids"))["ids"]
        report(f"ids of {len(ids)} that differ", float(sum(a != b for a, b in zip(ids, [i for i in got if i > 2])) + abs(len(ids) - sum(i > 2 for i in got))), 0)
        evaluated = json.loads(detent(options.program, "eval", folder, "--data", text, "--separator", SEPARATOR, "--context", CONTEXT, "--json"))
        loss, count = reference_loss(p, w, tokenizer, stories)
        print(f"perplexity of {count} ids: llama2.c {math.exp(loss):.6f}, detent {evaluated['perplexity']:.6f} of {evaluated['tokens']} ids")
        report("relative difference of perplexity", abs(evaluated["perplexity"] / math.exp(loss) - 1), 1e-4)
        report("ids scored that differ", abs(evaluated["tokens"] - count), 0)
        difference, hugging_face = check_transformers(folder, p, w, [BOS] + ids[:200])
        report("logits of transformers, largest difference", difference, 2e-4)
        same = all(hugging_face.encode(story, add_special_tokens=False) == tokenizer.encode(story) for story in stories)
        report("stories that transformers' tokenizer reads otherwise", float(not same), 0)
        print(detent(options.program, "generate", folder, "--prompt", "Once upon a time", "--tokens", 120, "--temperature", 0))
    sys.exit(not good)


if __name__ == "__main__":
    main()
