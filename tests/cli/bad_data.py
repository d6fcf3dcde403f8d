"""Text that is broken, empty, absent or too little, and token shards that were damaged or changed."""
# label: slow
import json
import shutil
import struct
import subprocess

import support
from support import checkpoints, some_text, tiny_config, write_config, write_data
from support.refusal import Refusals, replaced

BROKEN_LINES = {
    "no json": '{"text": "x"',
    "no object": '["text"]',
    "no text": '{"title": "x"}',
    "text no string": '{"text": 3}',
    "text null": '{"text": null}',
    "two values": '{"text": "x"} {"text": "y"}',
    "half an escape": '{"text": "\\u12"}',
    "deep": '{"text": ' + "[" * 100_000,
    "control character": '{"text": "a\x01b"}',
}


class BadData(Refusals):
    def setUp(self):
        super().setUp()
        write_data(self.folder / "data")

    def refused_data(self, says, files=None, valid=None, sequence_length=32, **changes):
        """files: to train on; changes: whole blocks."""
        block = {"train": files or [str(self.folder / "data" / "a.txt")], "sequence_length": sequence_length,
                 "valid": valid or str(self.folder / "data" / "valid.txt")}
        write_config(self.folder / "c.json", tiny_config(self.folder / "data", data=block, output="run", **changes))
        return self.refused("train", "c.json", says=says)


class Text(BadData):
    def test_a_broken_line_is_named(self):
        good = [json.dumps({"text": some_text(300, i)}) for i in range(6)]
        for name, line in BROKEN_LINES.items():
            with self.subTest(name):
                (self.folder / "x.jsonl").write_text("\n".join([*good[:3], line, *good[3:]]) + "\n")
                self.refused_data(["x.jsonl:4"], files=["x.jsonl"])
        (self.folder / "x.jsonl").write_bytes(b"\n".join(map(str.encode, good)) + b'\n{"text": "\xff\xfe"}\n')
        self.refused_data(["x.jsonl:7"], files=["x.jsonl"])
        (self.folder / "x.jsonl").write_text("\n".join([*good, good[0][:40]]))
        self.refused_data(["x.jsonl:7"], files=["x.jsonl"])

    def test_a_broken_line_of_a_compressed_file(self):
        lines = [json.dumps({"text": some_text(300, i)}) for i in range(6)] + ["{"]
        (self.folder / "x.jsonl").write_text("\n".join(lines) + "\n")
        if not shutil.which("zstd"):
            self.skipTest("no zstd program to compress with")
        subprocess.run(["zstd", "-q", self.folder / "x.jsonl"], check=True)
        self.refused_data(["x.jsonl.zst:7"], files=["x.jsonl.zst"])
        whole = (self.folder / "x.jsonl.zst").read_bytes()
        for cut in (0, 3, 20, len(whole) - 1):
            with self.subTest(cut=cut):
                (self.folder / "x.jsonl.zst").write_bytes(whole[:cut])
                self.refused_data(["x.jsonl.zst"], files=["x.jsonl.zst"])

    def test_no_zstd(self):
        (self.folder / "x.txt.zst").write_bytes(b"this is no zstd frame at all" * 50)
        self.refused_data(["x.txt.zst"], files=["x.txt.zst"])

    def test_nothing_there(self):
        (self.folder / "empty.txt").write_bytes(b"")
        (self.folder / "empty.jsonl").write_bytes(b"")
        (self.folder / "folder").mkdir()
        (self.folder / "x.pdf").write_bytes(b"%PDF-1.4")
        for name in ("empty.txt", "empty.jsonl", "folder", "nowhere.txt", "x.pdf"):
            with self.subTest(name):
                self.refused_data([name], files=[name])
                self.refused_data([name], valid=name)
        self.refused_data(["train"], files=[""])

    def test_validation_shorter_than_a_window(self):
        (self.folder / "short.txt").write_text("x")
        self.refused_data(["short.txt"], valid="short.txt")

    def test_too_little_text(self):
        (self.folder / "little.txt").write_text("five ")
        self.refused_data(["sequence_length", "32"], files=["little.txt"])
        self.refused_data(["sequence_length", "100000"], sequence_length=100_000)

    def test_a_batch_larger_than_the_data(self):
        for batch in (100_000, 1 << 40):
            with self.subTest(batch):
                self.refused_data(["batch_size", str(batch)], train={"steps": 6, "batch_size": batch, "threads": 1})


class Eval(BadData):
    def test_data(self):
        self.trained()
        (self.folder / "empty.txt").write_bytes(b"")
        (self.folder / "one.txt").write_bytes(b"x")
        for data in ("empty.txt", "nowhere.txt", "one.txt"):
            with self.subTest(data):
                self.refused("eval", "run", "--data", data, says=[data if data != "one.txt" else "two"])
        for option, value in (("--context", "1"), ("--context", "0"), ("--context", "-4"), ("--context", "x"),
                              ("--stride", "-1"), ("--stride", "100000")):
            with self.subTest(f"{option} {value}"):
                self.refused("eval", "run", "--data", "data/valid.txt", option, value, says=[option.strip("-")])


class Shard(BadData):
    """A shard is a cache: damage is found by its checksum; the run says so, or builds it anew and is the same run."""

    def test_damage(self):
        config = self.trained()
        expected = (checkpoints(self.folder / "run")[-1] / "model.safetensors").read_bytes()
        shards = [path for path in (self.folder / ".cache").rglob("*") if path.is_file() and path.stat().st_size > 1000]
        self.assertTrue(shards, "where are the token shards?")
        damage = {
            "cut": lambda b: b[:len(b) // 2], "empty": lambda b: b"", "one byte less": lambda b: b[:-1],
            "a byte more": lambda b: b + b"\0", "a bit": lambda b: b[:len(b) // 2] + bytes([b[len(b) // 2] ^ 1]) + b[len(b) // 2 + 1:],
            "magic": lambda b: b"XXXX" + b[4:], "length": lambda b: b[:8] + struct.pack("<Q", 1 << 60) + b[16:],
            "head": lambda b: b"\xff" * 64 + b[64:], "zeros": lambda b: b"\0" * len(b),
        }
        for name, change in damage.items():
            for shard in shards:
                with self.subTest(f"{name} of {shard.name}"):
                    whole = shard.read_bytes()
                    replaced(shard, change)
                    shutil.rmtree(self.folder / "run")
                    result = support.detent("train", config, timeout=60)
                    self.assertIn(result.code, (0, 2), result.err)
                    if result.code == 2:
                        self.assertIn(shard.name, result.err)
                        shard.write_bytes(whole)
                        self.run_detent("train", config)
                    got = (checkpoints(self.folder / "run")[-1] / "model.safetensors").read_bytes()
                    self.assertEqual(got, expected, "trained on damaged tokens")


if __name__ == "__main__":
    support.main()
