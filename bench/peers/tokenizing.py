"""Tokenizing text against Hugging Face's Rust library, on one thread each, and detent on more.

    python3 bench/peers/tokenizing.py PROGRAM [--text FILE ...] [--megabytes 12] [--rounds 3]

Needs the PyPI package tokenizers, which trains every tokenizer on the spot. The text (English, code and, where FILEs name
some, theirs) is a jsonl file of documents of some kB. The library gets the documents as a list in memory and is timed in its
fastest form of those below, without reading back ids; detent runs as `detent tokenize FILE.jsonl --threads 1`, parsing,
hashing and shard included, less the same for a file of one line. Ids are compared first. Speeds on one thread are MB a second
of processor time, so that other programs do not count; threads are compared by the clock. Ratios are of medians of runs taken
in turns.
"""
import argparse
import hashlib
import json
import math
import os
import resource
import statistics
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"  # before the library starts its threads
HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "tests" / "interop"))
from tokenizer_kinds import all_kinds, made  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

KINDS = ["gpt2", "llama3", "qwen2-nfc", "smollm", "deepseek3", "gpt4o", "llama2", "metaspace-first"]
VOCABULARY = 16000


def documents_of(files, size):
    """Documents of about 4 kB: the files' text and the standard library's source, in turns."""
    code = "".join(path.read_text() for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")))
    texts = [Path(file).read_text(errors="replace") for file in files] + [code]
    pieces, at = [], 0
    while sum(map(len, pieces)) < size and at < max(map(len, texts)):
        pieces += [text[at:at + 4000] for text in texts if at < len(text)]
        at += 4000
    return pieces


def detent(program, tokenizer, file, threads):
    with tempfile.TemporaryDirectory() as out:
        begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([program, "tokenize", tokenizer, file, "--out", out, "--threads", str(threads), "--json"],
                              stdout=subprocess.PIPE, check=True)
        clock, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, clock, json.loads(done.stdout)


def timed(work):
    begin = time.process_time()  # of all its threads
    work()
    return time.process_time() - begin


def forms(tokenizer, documents):
    """The library's ways to encode many documents."""
    yield "encode_batch", lambda: tokenizer.encode_batch(documents, add_special_tokens=False)
    yield "encode_batch_fast", lambda: tokenizer.encode_batch_fast(documents, add_special_tokens=False)
    yield "encode", lambda: [tokenizer.encode(document, add_special_tokens=False) for document in documents]


def compare(program, name, path, documents, large, small, rounds, threads):
    tokenizer = Tokenizer.from_file(str(path))
    ids = [i for encoding in tokenizer.encode_batch(documents, add_special_tokens=False) for i in encoding.ids]
    equal = detent(program, path, large, 1)[2]["ids_sha256"] == hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest()
    theirs, ours, scaling = {}, [], []
    for _ in range(rounds):
        (start, start_clock, _), (one, one_clock, _) = detent(program, path, small, 1), detent(program, path, large, 1)
        ours.append(one - start)
        many = detent(program, path, large, threads)[1] - start_clock
        scaling.append((one_clock - start_clock) / many if many > 0.5 else math.nan)
        for form, work in forms(tokenizer, documents):
            theirs.setdefault(form, []).append(timed(work))
    form, best = min(((form, statistics.median(seconds)) for form, seconds in theirs.items()), key=lambda pair: pair[1])
    size, mine = sum(len(d.encode()) for d in documents) / 1e6, statistics.median(ours)
    print(f"{name:16} {size / mine:7.1f} {size / best:9.1f}  {best / mine:6.2f} x  {'too short' if math.isnan(scaling[0]) else f'{statistics.median(scaling):6.2f} x'}  "
          f"{'equal' if equal else 'IDS DIFFER'}  ({form})", flush=True)
    return equal


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--text", nargs="*", default=[])
    parser.add_argument("--megabytes", type=float, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="tokenizers whose name holds this")
    arguments = parser.parse_args()
    documents = documents_of(arguments.text, arguments.megabytes * 1e6)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        large, small = folder / "large.jsonl", folder / "small.jsonl"
        large.write_text("".join(json.dumps({"text": document}) + "\n" for document in documents))
        small.write_text(json.dumps({"text": "a"}) + "\n")
        print(f"{len(documents)} documents; MB a second of one thread; ratios: detent's speed over the library's, "
              f"{arguments.threads} threads over one ({os.cpu_count()} processors)")
        print(f"{'':16} {'detent':>7} {'library':>9}  {'ratio':>8}  {'threads':>8}")
        for kind, letters, decoder in all_kinds():
            if kind[0] in KINDS and arguments.only in kind[0]:
                path = made(kind, letters, decoder, documents[::4], VOCABULARY, folder)
                good &= compare(arguments.program, kind[0], path, documents, large, small, arguments.rounds, arguments.threads)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
