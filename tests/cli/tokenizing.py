"""`detent tokenize` as a user meets it: what it prints, what it refuses, and folders that are the same after any kill."""
# label: slow
import array
import hashlib
import json
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import support
from support import detent, start, tiny_config, wait_until, write_config
from support.refusal import Refusals, contents, replaced

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "golden" / "tokenizers"
LLAMA3 = GOLDEN / "llama3.json"  # a small tokenizer with a BOS and an end of text
WORDS = ["the", "quick", "fox's", "don't", "1234567", "naïve", "漢字かな", "한국어", "👩\u200d👧", "e\u0301", "  ", "\t", "x+=1;", "\r\n", "½", "<|im_end|>"]


def text(size, seed):
    choose = random.Random(seed)
    words = "".join(choose.choice(WORDS) + choose.choice([" ", " ", "\n", ", "]) for _ in range(3000))
    return (words * (size // len(words.encode()) + 1)).encode()[:size].decode(errors="ignore")


def corpus(folder, size):
    """Files of all kinds, some documents of them long, some empty; bytes of text in all."""
    folder.mkdir()
    for i in range(6):
        (folder / f"{i}.txt").write_text(text(size * (i % 3 + 1), i), newline="")
    lines = [{"text": text(40 * i, i)} for i in range(200)]
    (folder / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "module.py").write_text("def f(x):\n    return x\n")
    (folder / "broken.txt").write_bytes(b"caf\xc3 \xff\xfe \xed\xa0\x80 end")
    return sorted(folder.iterdir())


class Tokenize(Refusals):
    def tokenize(self, *arguments, out="out", tokenizer=LLAMA3, **how):
        return self.run_detent("tokenize", tokenizer, *arguments, "--out", self.folder / out, **how)

    def test_ids_of_bytes_are_bytes(self):
        files = corpus(self.folder / "text", 1000)
        found = self.tokenize(*files, "--json", "--ids", "--check", tokenizer="bytes").json()
        documents = [path.read_bytes() for path in files if path.suffix != ".jsonl"]
        documents += [json.loads(line)["text"].encode() for line in (self.folder / "text/lines.jsonl").read_text().splitlines()]
        everything = b"".join(path.read_bytes() if path.suffix != ".jsonl" else
                              b"".join(json.loads(line)["text"].encode() for line in path.read_text().splitlines()) for path in files)
        self.assertEqual(found["ids"], list(everything))
        self.assertEqual(found["ids_sha256"], hashlib.sha256(array.array("i", list(everything)).tobytes()).hexdigest())
        self.assertEqual((found["tokens"], found["bytes"]), (len(everything), len(everything)))
        self.assertEqual(found["documents"], sum(1 for document in documents if document))
        self.assertEqual(found["round_trip"]["documents"], found["documents"])
        self.assertEqual(found["round_trip"]["equal"], found["documents"])
        self.assertEqual((found["shards"], found["kept_shards"], found["vocab_size"]), (len(files), 0, 257))

    def test_json_alone_is_printed_and_text_tells_the_same(self):
        files = corpus(self.folder / "text", 1000)
        result = self.tokenize(*files, "--json")
        self.assertEqual(result.err, "")
        found = result.json()
        result = self.tokenize(*files, out="again")
        self.assertIn(f"{found['tokens']} tokens of {found['documents']} documents, "
                      f"{found['bytes'] / found['tokens']:.3f} bytes a token", result.out)
        self.assertRegex(result.err, r"^tokenize: \S+/\S+ B  \S+ B/s  0s left")
        self.assertEqual(contents(self.folder / "out"), contents(self.folder / "again"))
        result = self.tokenize(*files, out="again")
        self.assertIn(f"{len(files)} there before", result.out)

    def test_a_terminal_shows_a_bar_with_rate_and_time_left(self):
        files = corpus(self.folder / "text", 600_000)
        main, other = pty.openpty()
        shown = []

        def read():
            try:
                while chunk := os.read(main, 4096):
                    shown.append(chunk)
            except OSError:
                pass  # the other end is closed

        reader = threading.Thread(target=read)
        reader.start()
        code = subprocess.run([support.PROGRAM, "tokenize", LLAMA3, *files, "--out", self.folder / "out", "--threads", "1"],
                              stdout=subprocess.DEVNULL, stderr=other).returncode
        os.close(other)
        reader.join()
        os.close(main)
        self.assertEqual(code, 0)
        drawn = b"".join(shown).decode().split("\r\x1b[2K")[1:]
        self.assertGreater(len(drawn), 2)
        places = []
        for line in drawn:
            match = re.match(r"tokenize [█░]* ([\d.]+)([kMB]?)/\S+ B  ([\d.]+)[kM]? B/s  \d+\S* left", line)
            self.assertIsNotNone(match, line)
            places.append(float(match[1]) * {"": 1, "k": 1e3, "M": 1e6, "B": 1e9}[match[2]])
        self.assertEqual(places, sorted(places))

    def test_threads_change_no_byte(self):
        files = corpus(self.folder / "text", 60_000)
        folders = []
        for threads in (1, 2, 5):
            self.tokenize(*files, "--threads", threads, out=f"{threads}")
            folders.append(contents(self.folder / str(threads)))
        self.assertEqual(folders[0], folders[1])
        self.assertEqual(folders[0], folders[2])

    def test_killed_at_random_and_taken_up_it_is_the_same_folder(self):
        files = corpus(self.folder / "text", 100_000)
        whole = self.tokenize(*files, "--json", "--threads", 2, out="whole")
        expected, choose, killed, kept = contents(self.folder / "whole"), random.Random(3), 0, 0
        for round in range(14):
            out = self.folder / f"out{round}"
            process = start("tokenize", LLAMA3, *files, "--out", out, "--json", "--threads", 1 + round % 2)
            time.sleep(choose.uniform(0.01, whole.seconds * 0.9))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
            found = self.tokenize(*files, "--json", out=out.name).json()
            kept += found["kept_shards"] > 0
            self.assertEqual(contents(out), expected)
            self.assertEqual(found["ids_sha256"], whole.json()["ids_sha256"])
            shutil.rmtree(out)
        self.assertGreaterEqual(killed, 10, "too few kills came in time")
        self.assertGreaterEqual(kept, 3, "no kill left a whole shard")
        support.FACTS.append(f"tokenize: {killed} kills of 14 in time, shards kept after {kept} of 14 rounds")

    def test_interrupted_it_says_so_and_goes_on(self):
        files = corpus(self.folder / "text", 600_000)
        process = start("tokenize", LLAMA3, *files, "--out", self.folder / "out", "--json", "--threads", 1)
        self.assertTrue(wait_until(lambda: list((self.folder / "out").glob("*.tokens")), pause=0.002))
        process.send_signal(signal.SIGINT)
        out, error = process.communicate()
        self.assertEqual((process.returncode, out), (3, b""), error)
        self.assertIn(b"the same command goes on", error)
        self.assertEqual(list((self.folder / "out").glob("*.tmp-*")), [])
        self.assertGreater(self.tokenize(*files, "--json").json()["kept_shards"], 0)
        self.tokenize(*files, "--json", out="whole")
        self.assertEqual(contents(self.folder / "out"), contents(self.folder / "whole"))

    def test_one_process_at_a_time(self):
        files = corpus(self.folder / "text", 600_000)
        process = start("tokenize", LLAMA3, *files, "--out", self.folder / "out", "--threads", 1)
        self.assertTrue(wait_until(lambda: (self.folder / "out" / "tokens.json").exists(), pause=0.002))
        second = detent("tokenize", LLAMA3, *files, "--out", self.folder / "out")
        process.kill()
        process.communicate()
        self.assertIn(second.code, (2, 4), second.err)
        self.assertIn(str(self.folder / "out"), second.err)

    def test_damaged_shards_are_written_again_and_never_trained_on(self):
        files = corpus(self.folder / "text", 3000)
        self.tokenize(*files)
        expected, out = contents(self.folder / "out"), self.folder / "out"
        shards = sorted(out.glob("*.tokens"))
        damages = {"cut": lambda b: b[:-1], "half": lambda b: b[:len(b) // 2], "empty": lambda b: b"",
                   "longer": lambda b: b + b"\0", "id": lambda b: b[:len(b) // 2] + bytes([b[len(b) // 2] ^ 1]) + b[len(b) // 2 + 1:],
                   "head": lambda b: bytes([b[0] ^ 1]) + b[1:]}
        for what, damage in damages.items():
            with self.subTest(what):
                replaced(shards[2], damage)
                self.refused("train", self.config(out), says=[shards[2].name])
                self.assertEqual(self.tokenize(*files, "--json").json()["kept_shards"], len(files) - 1)
                self.assertEqual(contents(out), expected)
        with self.subTest("missing"):
            shards[1].unlink()
            self.refused("train", self.config(out), says=[shards[1].name])
            self.tokenize(*files)
        with self.subTest("another file's shard"):
            shutil.copy(shards[0], shards[1])
            self.refused("train", self.config(out), says=[shards[1].name])
            self.tokenize(*files)
        self.assertEqual(contents(out), expected)

    def test_a_damaged_list_is_refused(self):
        files = corpus(self.folder / "text", 1000)
        self.tokenize(*files)
        good, path = (self.folder / "out/tokens.json").read_text(), self.folder / "out/tokens.json"
        tree = json.loads(good)
        for what, bad in {"cut": good[:-40], "no list": "[]", "version": json.dumps(tree | {"version": 9}),
                          "key": json.dumps({k: v for k, v in tree.items() if k != "shards"}),
                          "outside": good.replace("00000-", "../00000-"), "deep": "[" * 100000,
                          "number": good.replace('"documents": ', '"documents": -')}.items():
            with self.subTest(what):
                path.write_text(bad)
                self.refused("tokenize", LLAMA3, *files, "--out", self.folder / "out", says=["tokens.json"])
        self.refused("train", self.config(self.folder / "out"), says=["tokens.json"])
        path.write_text(good)
        self.tokenize(*files)

    def config(self, folder, **changes):
        valid = self.folder / "valid.txt"
        valid.write_text(text(3000, 99))
        changes.setdefault("data", {"train": [str(folder)]})
        changes["data"] = {"valid": str(valid), "tokenizer": str(LLAMA3), "sequence_length": 32} | changes["data"]
        return write_config(self.folder / "c.json", tiny_config(self.folder, output=str(self.folder / "run"), **changes))

    def test_the_folder_trains_as_its_text_does(self):
        files = corpus(self.folder / "text", 3000)
        self.tokenize(*files)
        losses = []
        for data in ([str(self.folder / "out")], [str(path) for path in files]):
            for packing in ("stream", "documents"):
                options = {"data": {"train": data, "packing": packing}}
                shutil.rmtree(self.folder / "run", ignore_errors=True)
                if len(data) == 1:
                    self.run_detent("train", self.config(None, **options), "--dry-run")
                self.run_detent("train", self.config(None, **options))
                losses.append([line.get("loss") for line in support.log_lines(self.folder / "run")])
        self.assertEqual(losses[:2], losses[2:])

    def test_what_is_refused(self):
        files = corpus(self.folder / "text", 1000)
        self.tokenize(*files)
        out, new, file = self.folder / "out", self.folder / "new", files[0]
        (self.folder / "empty.txt").write_text("")
        (self.folder / "bad.json").write_text("{")
        (self.folder / "bad.jsonl").write_text('{"txt": "a"}\n')
        self.refused("tokenize", GOLDEN / "gpt2-prefix.json", *files, "--out", out, says=["other text, another tokenizer", str(out)])
        self.refused("tokenize", LLAMA3, *files[1:], "--out", out, says=["other text", str(out)])
        self.refused("tokenize", LLAMA3, *files, "--out", out, "--separator", "x", says=["other options", str(out)])
        self.refused("tokenize", "nothing", file, "--out", new, says=["nothing", "bytes"])
        self.refused("tokenize", self.folder / "bad.json", file, "--out", new, says=["bad.json"])
        self.refused("tokenize", LLAMA3, self.folder / "none.txt", "--out", new, says=["none.txt", "does not exist"])
        self.refused("tokenize", LLAMA3, self.folder / "*.nothing", "--out", new, says=["no file matches"])
        self.refused("tokenize", LLAMA3, file, "--out", new, "--ids", says=["--json"])
        self.refused("tokenize", LLAMA3, file, "--out", file, says=[str(file)], code=4)
        for arguments, says in ((["--threads", "0"], ["--threads"]), (["--threads", "x"], ["--threads"]), (["--fields", "x"], ["--fields"])):
            self.refused("tokenize", LLAMA3, file, "--out", new, *arguments, says=says)
        self.refused("tokenize", LLAMA3, file, says=["--out"])
        for name, says in (("empty.txt", ["empty.txt", "no text"]), ("bad.jsonl", ["bad.jsonl", "text"])):
            result = detent("tokenize", LLAMA3, self.folder / name, "--out", self.folder / name.replace(".", "-"))
            self.assertEqual(result.code, 2, result.err)
            for word in says:
                self.assertIn(word, result.err)


if __name__ == "__main__":
    support.main()
