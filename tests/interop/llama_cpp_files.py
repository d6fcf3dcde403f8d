#!/usr/bin/env python3
"""Our GGUF files run by llama.cpp.

Weights: for every target, and for q4_0 of Qwen2 and Qwen3, a byte model is trained for some steps, exported and loaded; its perplexity on windows of text must be within 0.5 % of
what `detent verify --logits` says the file has as llama.cpp multiplies, and the f32 export must go on from prompts with the same greedy ids.
Vocabularies: a llama2.c checkpoint with its sentencepiece vocabulary (where the data folder has one) and models with byte-level BPE and
sentencepiece vocabularies are exported, and llama.cpp must cut texts into the ids that detent trains on.

    python3 tests/interop/llama_cpp_files.py PROGRAM [--data ../shared/data] [--only NAME]

Needs llama-cpp-python, numpy, sentencepiece and tokenizers. Exit 1 on any difference; 77, saying why, where llama.cpp is not there to run.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path = [p for p in sys.path if pathlib.Path(p).resolve() != HERE]
try:
    import llama_cpp
except Exception as error:  # not installed, or its library does not load
    print(f"skipped: llama-cpp-python cannot be imported: {error}")
    sys.exit(77)
import numpy as np  # noqa: E402
from tokenizers import decoders, pre_tokenizers  # noqa: E402

sys.path.append(str(HERE))
import tokenizer_kinds as kinds  # noqa: E402
import tokenizer_texts as texts  # noqa: E402

CONTEXT, TOLERANCE, TOKENS, CACHE_F32 = 128, 0.005, 24, 0  # a cache in 16 bits would round what is none of the file's
TARGETS = ["q4_0", "q5_0", "q8_0", "q2_0", "q1_0", "tq1_0", "tq2_0", "mxfp4", "q2_k", "q3_k", "q4_k"]
PROMPTS = ["The value ", "./run ", "what is trained"]
MODEL = "{architecture: llama, hidden_size: 256, intermediate_size: 256, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2}"
STORY = "Once upon a time, there was a little girl named Lily. She loved to play outside; one day - guess! - it rained...\n"


def detent(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr.decode().strip()}")
    return done.stdout


def known_types():
    """The types this llama.cpp has, by the names of its constants, which name some as elements and some as files."""
    prefixes = ("GGML_TYPE_", "LLAMA_FTYPE_MOSTLY_")
    return {name.removeprefix(prefix) for name in dir(llama_cpp) for prefix in prefixes if name.startswith(prefix)} - {"COUNT"}


def load(path, **options):
    return llama_cpp.Llama(str(path), n_ctx=CONTEXT, n_batch=CONTEXT, n_ubatch=CONTEXT, n_threads=1, verbose=False, **options)


def perplexity(path, windows):
    """Of windows of ids, the first of each unscored."""
    model, nats, count = load(path, logits_all=True, type_k=CACHE_F32, type_v=CACHE_F32), 0.0, 0
    for ids in windows:
        model.reset()
        model.eval(ids)
        logits = np.array(model.scores[: len(ids) - 1], dtype=np.float64)
        logits -= logits.max(-1, keepdims=True)
        chosen = logits[np.arange(len(ids) - 1), ids[1:]] - np.log(np.exp(logits).sum(-1))
        nats, count = nats - chosen.sum(), count + len(ids) - 1
    return float(np.exp(nats / count))


def greedy(model, ids, count):
    model.reset()
    model.eval(ids)
    out = []
    for _ in range(count):
        out.append(int(np.argmax(model.scores[model.n_tokens - 1])))
        model.eval(out[-1:])
    return out


def train(program, scratch, name, text, quant="", tokenizer="bytes", steps=40, architecture="llama"):
    config = scratch / f"{name}.yaml"
    config.write_text(f"model: {MODEL.replace('llama', architecture)}\ndata: {{train: ['{text}'], valid: '{text}', tokenizer: '{tokenizer}', sequence_length: 64}}\n{quant}\n"
                      f"optimizer: {{learning_rate: 3e-3}}\ntrain: {{steps: {steps}, batch_size: 4}}\noutput: '{scratch / name}'\n")
    detent(program, "train", config)
    return scratch / name


def check_target(program, scratch, target, text, types, architecture="llama"):
    if target.upper() not in types:
        print(f"gguf:{target:6} not run: this llama.cpp has no such type")
        return True
    name = f"{architecture}-{target}"
    run, path = train(program, scratch, name, text, f"quant: {{target: 'gguf:{target}'}}", architecture=architecture), scratch / f"{name}.gguf"
    detent(program, "export", run, "--out", path)
    said = json.loads(detent(program, "verify", path, "--against", run, "--logits", text, "--context", CONTEXT, "--json"))["logits"]
    ids = list(text.read_bytes())
    theirs = perplexity(path, [w for i in range(0, len(ids), CONTEXT) if len(w := ids[i:i + CONTEXT]) > 1])
    apart = abs(theirs / said["runtime_perplexity"] - 1)
    print(f"{architecture}, gguf:{target:6} perplexity {theirs:.4f}, detent says {said['runtime_perplexity']:.4f} as run and {said['perplexity']:.4f} as trained: "
          f"{'agrees' if apart <= TOLERANCE else 'FAILED'} ({100 * apart:.3f} %)", flush=True)
    return apart <= TOLERANCE


def same_greedy(program, what, path, prompts, count):
    model, good = load(path, logits_all=True, type_k=CACHE_F32, type_v=CACHE_F32), True
    for prompt, ids in prompts:
        ours = json.loads(detent(program, "generate", path, "--prompt", prompt, "--tokens", count, "--temperature", 0, "--json"))["ids"]
        theirs = greedy(model, ids, len(ours))
        good &= ours == theirs and len(ours) > 0
        print(f"{what}: greedy ids after {prompt!r}: {'the same' if ours == theirs else f'FAILED: {ours} and {theirs}'}", flush=True)
    return good


def check_plain(program, scratch, text, architecture="llama"):
    name = f"{architecture}-f32"
    run, path = train(program, scratch, name, text, architecture=architecture), scratch / f"{name}.gguf"
    detent(program, "export", run, "--to", "gguf:f32", "--out", path)
    return same_greedy(program, f"{architecture}, bytes", path, [(prompt, list(prompt.encode())) for prompt in PROMPTS], TOKENS)


def same_ids(program, scratch, what, folder, path, samples):
    """Texts cut by llama.cpp with the file's vocabulary, and by detent with the tokenizer that it was exported from."""
    model, bad = load(path, vocab_only=True), []
    for i, (name, text) in enumerate(samples):
        file = scratch / "sample.txt"
        file.write_bytes(text.encode())
        ours = json.loads(detent(program, "tokenize", folder, file, "--out", scratch / f"shards-{what}-{i}", "--json", "--ids"))["ids"]
        ours = ours[ours[:1] == [model.token_bos()]:len(ours) - (ours[-1:] == [model.token_eos()])]  # what stands between documents
        theirs = model.tokenize(text.encode(), add_bos=False, special=False)
        if ours != theirs:
            at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
            bad.append(f"{name} at {at}: {ours[at:at + 6]} and {theirs[at:at + 6]}")
    print(f"{what}: ids of {len(samples)} texts: {'the same' if not bad else f'FAILED: {bad}'}", flush=True)
    return not bad


def check_stories(program, scratch, data, samples):
    found = sorted(data.rglob("stories260K.bin"))
    if not found:
        print(f"stories260K: not run, there is none in {data}")
        return True
    folder, path = scratch / "stories", scratch / "stories.gguf"
    detent(program, "convert", found[0], "--tokenizer", found[0].parent / "tok512.bin", "--out", folder)
    detent(program, "export", folder, "--to", "gguf:f32", "--out", path)
    good = same_ids(program, scratch, "stories260K", folder, path, samples)
    model = load(path, vocab_only=True)
    return good & same_greedy(program, "stories260K", path, [(STORY[:16], model.tokenize(STORY[:16].encode(), add_bos=True))], 60)


def vocabularies(scratch, lines):
    """Those whose way of cutting text llama.cpp has a name for; it cannot say how tokens beside the vocabulary strip spaces, so there are none."""
    def byte_level(name, pre_tokenizer, **options):
        return name, kinds.made((name, None, pre_tokenizer, options, []), pre_tokenizers.ByteLevel.alphabet(), decoders.ByteLevel(), lines, 1500, scratch)
    yield byte_level("gpt2", kinds.byte_level(True))
    yield byte_level("llama3", kinds.sequence(kinds.cut(kinds.LLAMA3), kinds.byte_level()), ignore_merges=True)
    yield byte_level("smollm", kinds.sequence(pre_tokenizers.Digits(individual_digits=True), kinds.byte_level(True)))
    for name, path, _, _ in kinds.sentencepiece_kinds(lines, scratch, lambda name: name == "sp-bpe-llama"):
        yield name, path


def check_vocabulary(program, scratch, name, tokenizer, text, samples):
    run, path = train(program, scratch, f"vocabulary-{name}", text, tokenizer=tokenizer, steps=1), scratch / f"{name}.gguf"
    detent(program, "export", run, "--to", "gguf:f32", "--out", path)
    return same_ids(program, scratch, name, tokenizer, path, samples)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--data", type=pathlib.Path, default=HERE.parents[2] / "shared" / "data")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    program, good = str(pathlib.Path(options.program).resolve()), True
    types = known_types()
    print(f"llama-cpp-python {llama_cpp.__version__}: types {' '.join(sorted(types))}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        text = scratch / "text.txt"
        text.write_bytes((HERE.parents[1] / "CONTRIBUTING.md").read_bytes())
        samples = [("the guide", text.read_text()), ("code", pathlib.Path(__file__).read_text()), ("a story", STORY), ("spaces", "a  b   c\n\n\n\td \n"),
                   ("scripts", texts.scripts(random.Random(1), 20_000).decode())]
        lines = text.read_text().splitlines(keepends=True) + samples[-1][1].splitlines(keepends=True)
        checks = {"plain": lambda: check_plain(program, scratch, text), "stories": lambda: check_stories(program, scratch, options.data, samples[:4])}
        checks |= {target: lambda target=target: check_target(program, scratch, target, text, types) for target in TARGETS}
        for family in ("qwen2", "qwen3"):
            checks |= {f"{family}-plain": lambda family=family: check_plain(program, scratch, text, family),
                       f"{family}-q4_0": lambda family=family: check_target(program, scratch, "q4_0", text, types, family)}
        for what, check in checks.items():
            good &= options.only not in what or check()
        for what, tokenizer in vocabularies(scratch, lines):
            good &= options.only not in what or check_vocabulary(program, scratch, what, tokenizer, text, samples)
    sys.exit(not good)


if __name__ == "__main__":
    main()
