"""Truncated and lying safetensors, GGUF and config.json: every command that reads one says so and stops."""
# label: slow
import json
import random
import shutil
import struct

import support
from support import checkpoints, detent, tiny_config, write_config, write_data
from support.files import (ARCHITECTURE, bad_gguf, bad_safetensors, edited_safetensors, gguf, gguf_tensor, read_safetensors,
                           safetensors)
from support.refusal import Refusals, copied, replaced

QUANT = {"weights": {"grid": "int", "bits": 4, "scale": "absmax_signed", "group": 32, "scale_format": "fp16"}}
CUTS = (0, 1, 7, 8, 9, 100, 0.3, 0.6, 0.95, -1)  # bytes, shares of the file, from its end


def cut(content, at):
    return content[:int(len(content) * at) if isinstance(at, float) else at]


def made(cache={}):
    """One trained model, quantized for q4_0, and its GGUF file; made once."""
    if not cache:
        folder = support.shared_folder()
        write_data(folder / "data")
        config = write_config(folder / "c.json", tiny_config(folder / "data", quant=QUANT, output=str(folder / "run")))
        assert detent("train", config).code == 0
        cache["model"] = checkpoints(folder / "run")[-1]
        cache["gguf"] = folder / "model.gguf"
        done = detent("export", folder / "run", "--to", "gguf:q4_0", "--out", cache["gguf"])
        assert done.code == 0, done.err
    return cache


class BadFiles(Refusals):
    def setUp(self):
        super().setUp()
        write_data(self.folder / "data")

    def model(self, **edits):
        """A Hugging Face folder as others write them, without our checksums; edits: NAME__EXTENSION=bytes -> bytes."""
        shutil.rmtree(self.folder / "model", ignore_errors=True)
        folder = copied(made()["model"], self.folder / "model")
        (folder / "state.json").unlink()
        for name, change in edits.items():
            replaced(folder / name.replace("__", "."), change)
        return folder

    def train_from(self, **how):
        config = tiny_config(self.folder / "data", model={"from": "model"}, output="run")
        write_config(self.folder / "from.json", config)
        return self.refused("train", "from.json", **how)


class Safetensors(BadFiles):
    def test_lies(self):
        for name, content in bad_safetensors().items():
            with self.subTest(name):
                (self.folder / "x.safetensors").write_bytes(content)
                self.refused("inspect", "x.safetensors", says=["x.safetensors"])

    def test_cut(self):
        for at in CUTS:
            with self.subTest(at=at):
                self.model(model__safetensors=lambda content: cut(content, at))
                self.refused("inspect", "model/model.safetensors", says=["model.safetensors"])
        for command in (["eval", "model", "--data", "data/valid.txt"], ["generate", "model", "--prompt", "x"],
                        ["export", "model", "--to", "gguf:f32", "--out", "x.gguf"],
                        ["verify", made()["gguf"], "--against", "model"], ["inspect", "model"]):
            with self.subTest(command[0]):
                self.refused(*command, says=["model.safetensors"])
        self.train_from(says=["model.safetensors"])

    def test_header_edits(self):
        name = "model.layers.0.mlp.down_proj.weight"
        edits = {
            "missing": lambda h: h.update({"other.weight": h.pop(name)}),
            "shape": lambda h: h[name].update(shape=h[name]["shape"][::-1]),
            "dtype": lambda h: h[name].update(dtype="I32"),
        }
        for edit, change in edits.items():
            with self.subTest(edit):
                self.model(model__safetensors=lambda content: edited_safetensors(content, change))
                self.train_from(says=["down_proj"])

    def test_a_weight_that_is_no_number(self):
        def spoil(content):
            header, data = read_safetensors(content)
            start = header["model.layers.0.mlp.up_proj.weight"]["data_offsets"][0]
            return safetensors(header, data[:start] + struct.pack("<f", float("nan")) + data[start + 4:])

        self.model(model__safetensors=spoil)
        for command in (["eval", "model", "--data", "data/valid.txt"], ["generate", "model", "--prompt", "x"],
                        ["export", "model", "--to", "gguf:q4_0", "--out", "x.gguf"]):
            with self.subTest(command[0]):
                self.refused(*command, says=["up_proj"])
        self.train_from(says=["up_proj"])

    def test_parts_of_a_split_model(self):
        folder = self.model()
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        names = read_safetensors((folder / "model-00001-of-00002.safetensors").read_bytes())[0]
        parts = {name: "model-00001-of-00002.safetensors" for name in names if name != "__metadata__"}
        parts["lm_head.weight"] = "model-00002-of-00002.safetensors"
        index = folder / "model.safetensors.index.json"
        for weight_map, says in ((parts, "lm_head.weight"), ({**parts, "lm_head.weight": "../../../etc/passwd"}, "passwd"),
                                 ({"lm_head.weight": 3}, "index.json"), ([], "index.json")):
            with self.subTest(says):
                index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
                self.train_from(says=[says])


class Checksums(BadFiles):
    def test_a_changed_bit_of_a_checkpoint(self):
        """It may be a sound file still; the checkpoint's own checksum tells."""
        folder = copied(made()["model"], self.folder / "model")
        replaced(folder / "model.safetensors", lambda content: content[:-1] + bytes([content[-1] ^ 1]))
        for command in (["eval", "model", "--data", "data/valid.txt"], ["generate", "model", "--prompt", "x"],
                        ["export", "model", "--to", "gguf:q4_0", "--out", "x.gguf"],
                        ["verify", made()["gguf"], "--against", "model"]):
            with self.subTest(command[0]):
                self.refused(*command, says=["model.safetensors", "checksum"])
        self.train_from(says=["model.safetensors", "checksum"])


class ConfigJson(BadFiles):
    def edit(self, **changes):
        def change(content):
            tree = {**json.loads(content), **changes}
            return json.dumps({key: value for key, value in tree.items() if value is not ...}).encode()

        self.model(config__json=change)

    def test_no_json(self):
        for content in (b"", b"{", b"[]", b"\xff", b"nul", b"[" * 100_000):
            with self.subTest(content[:8]):
                self.model(config__json=lambda _: content)
                self.train_from(says=["config.json"])
                self.refused("eval", "model", "--data", "data/valid.txt", says=["config.json"])

    def test_what_changes_the_maths(self):
        for key, value in (("model_type", "bert"), ("hidden_act", "quick"), ("attention_bias", True),
                           ("rope_scaling", {"type": "linear", "factor": 2.0}), ("mlp_bias", True),
                           ("hidden_size", "32"), ("hidden_size", -32), ("hidden_size", 1 << 40),
                           ("num_hidden_layers", 2), ("num_hidden_layers", 1 << 40), ("num_attention_heads", 3),
                           ("vocab_size", 1 << 40), ("vocab_size", 7), ("rms_norm_eps", "small"), ("hidden_size", ...),
                           ("a_key_of_the_future", 3)):
            with self.subTest(f"{key}: {value}"):
                self.edit(**{key: value})
                missing = {"attention_bias": "q_proj.bias", "mlp_bias": "gate_proj.bias", "num_hidden_layers": "model"}
                self.train_from(says=["embed_tokens" if value == 7 else missing.get(key, key)])

    def test_folders_without_a_model(self):
        (self.folder / "empty").mkdir()
        for command in (["eval", "empty", "--data", "data/valid.txt"], ["generate", "empty", "--prompt", "x"],
                        ["export", "empty", "--to", "gguf:f32", "--out", "x.gguf"], ["inspect", "empty"],
                        ["verify", "empty", "--against", "empty"]):
            with self.subTest(command[0]):
                self.refused(*command, says=["empty"])
                self.refused(*[word.replace("empty", "nowhere") for word in command], says=["nowhere"])
                self.refused(*[word.replace("empty", "data/a.txt") for word in command], says=["a.txt"])
        (self.model() / "model.safetensors").unlink()
        self.train_from(says=["model.safetensors"])
        self.refused("eval", "model", "--data", "data/valid.txt", says=["model.safetensors"])


class Gguf(BadFiles):
    def test_lies(self):
        for name, content in bad_gguf().items():
            with self.subTest(name):
                (self.folder / "x.gguf").write_bytes(content)
                self.refused("inspect", "x.gguf", says=["x.gguf"])

    def test_cut(self):
        content = made()["gguf"].read_bytes()
        for at in CUTS:
            with self.subTest(at=at):
                (self.folder / "x.gguf").write_bytes(cut(content, at))
                self.refused("inspect", "x.gguf", says=["x.gguf"])
        for command in (["verify", "x.gguf", "--against", made()["model"]], ["eval", "x.gguf", "--data", "data/valid.txt"],
                        ["generate", "x.gguf", "--prompt", "x"]):
            with self.subTest(command[0]):
                self.refused(*command, says=["x.gguf"])

    def test_no_model(self):
        """A sound GGUF file that is not a language model."""
        (self.folder / "x.gguf").write_bytes(gguf([ARCHITECTURE], [gguf_tensor(b"x", (32,), 0, 0)], b"\0" * 128))
        self.run_detent("inspect", self.folder / "x.gguf")
        for command in (["eval", "x.gguf", "--data", "data/valid.txt"], ["generate", "x.gguf", "--prompt", "x"]):
            with self.subTest(command[0]):
                self.refused(*command, says=["x.gguf"])

    def test_bytes_changed_at_random(self):
        """Never a crash, a hang or more memory than the file needs; a changed weight may well be read."""
        content, choose = made()["gguf"].read_bytes(), random.Random(5)
        table = content.find(b"token_embd")
        for number in range(30):
            with self.subTest(number):
                spoiled = bytearray(content)
                for _ in range(choose.randint(1, 3)):
                    spoiled[choose.randrange(table + 400)] = choose.randrange(256)
                (self.folder / "x.gguf").write_bytes(spoiled)
                result = detent("inspect", self.folder / "x.gguf", timeout=60)
                self.assertIn(result.code, (0, 2), result.err[-500:])
                self.assertLess(result.peak_bytes, 1 << 30)


if __name__ == "__main__":
    support.main()
