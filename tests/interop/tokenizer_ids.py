#!/usr/bin/env python3
"""Ids and decoded text of `detent tokenize` against Hugging Face's tokenizers and sentencepiece, byte for byte.

    python3 tests/interop/tokenizer_ids.py PROGRAM [--data ../shared/data/text] [--only NAME]

Needs the PyPI packages tokenizers and sentencepiece, the latter in a version like that PROGRAM links (Debian 12: 0.1.97; 0.1.98 agrees, 0.2.3 does not): versions
choose differently among segmentations of equal score in unigram models. Trains every tokenizer on the spot, writes text in many
scripts and runs PROGRAM on it: each corpus is one document, so places where the program cuts a long text are compared
too. Prints counts; exit 1 on any difference.
"""
import argparse
import hashlib
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:] = [path for path in sys.path if pathlib.Path(path or ".").resolve() != HERE]
import tokenizers  # noqa: E402,F401  the library, not this file
sys.path.append(str(HERE))
from tokenizer_kinds import hugging_face_kinds, sentencepiece_kinds  # noqa: E402
from tokenizer_texts import corpora, training_lines  # noqa: E402


def sha256_of_ids(ids):
    return hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest()


def run(program, tokenizer, text_file, threads, *options):
    with tempfile.TemporaryDirectory() as out:
        command = [program, "tokenize", str(tokenizer), str(text_file), "--out", out, "--json", "--threads", str(threads)]
        done = subprocess.run(command + list(options), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def first_difference(program, tokenizer, text_file, expected, show):
    got = run(program, tokenizer, text_file, 1, "--ids")["ids"]
    at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
    return f"id {at}: {got[at:at + 6]} expected {expected[at:at + 6]} near {show(expected[max(0, at - 3):at + 6])!r}"


def compare(program, name, file, text_name, text_file, encode, decode, text):
    started = time.time()
    ids = encode(text)
    library_seconds = time.time() - started
    mine = run(program, file, text_file, 2, "--check")
    faults = []
    if mine["ids_sha256"] != sha256_of_ids(ids):
        faults.append(first_difference(program, file, text_file, ids, decode))
    back = decode(ids)
    if mine["round_trip"]["text_sha256"] != hashlib.sha256(back.encode("utf-8", errors="replace")).hexdigest():
        faults.append("decoded text differs")
    print(f"{name:24} {text_name:12} {len(ids):9} ids {'round trip' if back == text else 'lossy':10} "
          f"{'DIFFERS: ' + '; '.join(faults) if faults else 'equal'} ({library_seconds:.1f} s)", flush=True)
    return not faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--data", default=str(HERE.parents[2] / "shared" / "data" / "text"))
    parser.add_argument("--only", default="", help="tokenizers whose name holds this")
    parser.add_argument("--texts", default="", help="texts whose name holds this")
    arguments = parser.parse_args()
    good, total, size = 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        texts = []
        for name, content in corpora(pathlib.Path(arguments.data)):
            if arguments.texts not in name:
                continue
            path = folder / f"{name}.txt"
            path.write_bytes(content)
            texts.append((name, path, content.decode("utf-8", errors="replace")))
            size += len(content)
        lines = training_lines(pathlib.Path(arguments.data))
        for kinds in (hugging_face_kinds, sentencepiece_kinds):
            for name, file, encode, decode in kinds(lines, folder, lambda name: arguments.only in name):
                for text_name, text_file, text in texts:
                    total += 1
                    good += compare(arguments.program, name, file, text_name, text_file, encode, decode, text)
    print(f"{good} of {total} comparisons equal, over {size / 1e6:.1f} MB of text each tokenizer")
    return 0 if good == total and total > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
