"""One of each kind of bad input and bad luck: the exit code, one sentence, nothing damaged. The slow scripts have more of each."""
import json
import shutil
import struct

import support
from support import checkpoints, detent, start, tiny_config, write_config, write_data
from support.files import bad_gguf, bad_safetensors, read_safetensors, safetensors
from support.mounts import enter_own_namespace, mount
from support.refusal import Machine, contents, copied, replaced


def made(cache={}):
    """A run with two checkpoints, its configuration and its GGUF file, made once."""
    if not cache:
        folder = support.shared_folder()
        write_data(folder / "data")
        config = write_config(folder / "c.json", tiny_config(folder / "data", output="run", quant=Machine.QUANT,
                                                             checkpoint={"every": 4, "keep": 2}))
        for command in (["train", config], ["export", "run", "--to", "gguf:q4_0", "--out", "m.gguf"]):
            done = detent(*command, cwd=folder)
            assert done.code == 0, done.err
        cache.update(folder=folder, run=folder / "run", gguf=folder / "m.gguf")
    return cache


class BadInput(Machine):
    def setUp(self):
        super().setUp()
        copied(made()["run"], self.folder / "run")
        shutil.copy(made()["gguf"], self.folder / "m.gguf")

    def train(self, *more, says, config=None, **how):
        if config is not None:
            write_config(self.folder / "c.json", tiny_config(self.folder / "data", **{"output": "new"} | config))
        return self.refused("train", "c.json", *more, says=says, **how)

    def text(self, name, content):
        (self.folder / name).write_text(content)
        return {"train": [name], "valid": "data/valid.txt", "sequence_length": 32}


class Configuration(BadInput):
    def test_keys(self):
        for text, says in (("train: {step: 6}", ["c.json:2:", "train.step'", "train.steps"]),
                           ("train: {steps: many}", ["c.json:2:", "train.steps", "many"]),
                           ("train: {batch_size: 0}", ["c.json:2:", "train.batch_size", "at least 1"]),
                           ("quant: {weights: {surrogate: clip, surrogate_options: {factr: 2}}}", ["c.json:2:", "factr"]),
                           ("cage: {pull: 0.06}", ["c.json:2:", "cage", "no effect", "quant.weights"])):
            with self.subTest(text):
                (self.folder / "c.json").write_text(f"data: {{train: [data/a.txt], valid: data/valid.txt}}\n{text}\n"
                                                    "model: {hidden_size: 32, num_attention_heads: 2}\noutput: new\n")
                self.train(says=says)

    def test_no_yaml(self):
        (self.folder / "c.json").write_text("model: {hidden_size: 32\n")
        self.train(says=["c.json:2"])
        self.refused("train", "nowhere.yaml", says=["nowhere.yaml"])

    def test_usage(self):
        for arguments, says in ((["trian"], ["trian", "'train'"]), (["eval", "run"], ["--data", "detent eval --help"]),
                                (["generate", "run", "--prompt", "x", "--tokens", "-1"], ["--tokens"]),
                                (["export", "run", "--to", "gguf:q4_O", "--out", "x"], ["gguf:q4_O", "gguf:q4_0"]),
                                (["export", "run", "--to", "gguf:q2_0", "--out", "x"], ["q2_0", "q4_0"])):
            with self.subTest(arguments):
                self.refused(*arguments, says=says)


class Files(BadInput):
    def test_another_file_is_not_replaced(self):
        (self.folder / "notes.txt").write_text("mine\n")
        self.refused("export", "run", "--to", "gguf:q4_0", "--out", "notes.txt", says=["notes.txt exists", "GGUF"])
        self.refused("report", "run", "--out", "notes.txt", says=["notes.txt exists", "page"])

    def test_safetensors(self):
        (self.folder / "x.safetensors").write_bytes(bad_safetensors()["shape overflows"])
        self.refused("inspect", "x.safetensors", says=["x.safetensors"])
        folder = copied(checkpoints(self.folder / "run")[-1], self.folder / "model")
        replaced(folder / "model.safetensors", lambda content: content[:-9])
        self.refused("eval", "model", "--data", "data/valid.txt", says=["model.safetensors", "checksum"])
        (folder / "state.json").unlink()
        self.refused("eval", "model", "--data", "data/valid.txt", says=["model.safetensors"])
        self.train(config={"model": {"from": "model"}}, says=["model.safetensors"])

    def test_gguf(self):
        (self.folder / "x.gguf").write_bytes(bad_gguf()["tensor count"])
        self.refused("inspect", "x.gguf", says=["x.gguf"])
        replaced(self.folder / "m.gguf", lambda content: content[:-9])
        self.refused("verify", "m.gguf", "--against", "run", says=["m.gguf"])

    def test_shard(self):
        """Damage of the cache of tokens is found by its checksum, and the text is read again."""
        config = write_config(self.folder / "c.json", tiny_config(self.folder / "data", output="first"))
        self.run_detent("train", config, cwd=self.folder)
        for shard in (self.folder / ".cache").glob("*.tokens"):
            replaced(shard, lambda content: content[:99] + bytes([content[99] ^ 1]) + content[100:])
        self.run_detent("train", config, "--set", "output=second", cwd=self.folder)
        first, second = (checkpoints(self.folder / name)[-1] / "model.safetensors" for name in ("first", "second"))
        self.assertEqual(first.read_bytes(), second.read_bytes())


class Data(BadInput):
    def test_text(self):
        line = json.dumps({"text": "some words to learn " * 9}) + "\n"
        self.train(config={"data": self.text("x.jsonl", line * 3 + '{"text": 3}\n' + line)}, says=["x.jsonl:4"],
                   after_log=True)
        self.train(config={"data": self.text("x.txt", "")}, says=["x.txt"], after_log=True)
        self.train(config={"data": self.text("x.txt", "too little ") | {"valid": "x.txt", "sequence_length": 4096}},
                   says=["c.json", "data", "4096"], after_log=True)

    def test_nothing_to_validate_on(self):
        self.text("empty.txt", "")
        data = {"train": ["data/a.txt"], "valid": "empty.txt", "sequence_length": 32}
        self.train(config={"data": data}, says=["empty.txt"], after_log=True)

    def test_a_batch_larger_than_the_data(self):
        self.train(config={"train": {"steps": 6, "batch_size": 9999}}, says=["c.json", "train.batch_size", "9999"],
                   after_log=True)


class Runs(BadInput):
    def test_occupied(self):
        config = {"quant": self.QUANT, "output": "run", "checkpoint": {"every": 4, "keep": 2}}
        self.train(config=config, says=["run", "--resume"])
        process = start("train", self.config("busy", train={"steps": 1_000_000, "batch_size": 4, "threads": 1}),
                        cwd=self.folder)
        try:
            support.wait_until(lambda: (self.folder / "busy" / "log.jsonl").exists())
            second = detent("train", "c.json", "--resume", cwd=self.folder)
            self.assertEqual(second.code, 2)
            self.assertIn(f"in use by process {process.pid}", second.err)
            self.assertIsNone(process.poll())
        finally:
            process.kill()
            process.communicate()

    def test_nothing_to_resume(self):
        self.train("--resume", config={}, says=["new", "--resume"])

    def test_another_version(self):
        config = {"quant": self.QUANT, "output": "run", "checkpoint": {"every": 4, "keep": 2}}
        state = checkpoints(self.folder / "run")[-1] / "state.json"
        tree = json.loads(state.read_text())
        state.write_text(json.dumps(tree | {"version": tree["version"] + 1}))
        self.train("--resume", config=config, says=["version", str(tree["version"] + 1), "step-000006"])

    def test_other_data_or_configuration(self):
        shutil.copytree(made()["folder"] / "data", self.folder / "data", dirs_exist_ok=True)
        config = json.loads((made()["folder"] / "c.json").read_text())
        config["data"] = {**config["data"], "train": [str(made()["folder"] / "data" / name) for name in ("a.txt", "b.txt")]}
        write_config(self.folder / "c.json", config)
        self.refused("train", "c.json", "--resume", says=["--resume", "b.txt"])
        write_config(self.folder / "c.json", json.loads((made()["folder"] / "c.json").read_text()))
        self.refused("train", "c.json", "--resume", "--set", "train.seed=9", says=["--resume", "train.seed: 0 -> 9"])


class NotFinite(BadInput):
    def test_weights(self):
        folder = copied(checkpoints(self.folder / "run")[-1], self.folder / "model")
        (folder / "state.json").unlink()

        def spoil(content):
            header, data = read_safetensors(content)
            begin = header["model.layers.0.mlp.up_proj.weight"]["data_offsets"][0]
            return safetensors(header, data[:begin] + struct.pack("<f", float("nan")) + data[begin + 4:])

        replaced(folder / "model.safetensors", spoil)
        self.refused("export", "model", "--to", "gguf:q4_0", "--out", "x.gguf", says=["up_proj"])
        self.train(config={"model": {"from": "model"}}, says=["up_proj", "not finite"], after_log=True,
                   within=self.folder / "data")


class TheMachine(BadInput):
    def test_a_full_disk(self):
        disk = self.folder / "disk"
        mount(self, disk, "-t", "tmpfs", "-o", "size=400k", "tmpfs")
        self.fault(detent("train", self.config(disk / "run", checkpoint={"every": 2, "keep": 2})), str(disk))
        (disk / "old.gguf").write_bytes(b"GGUF, an older file")
        shutil.rmtree(disk / "run")
        (disk / "ballast").write_bytes(b"\0" * (disk_free(disk) - 8192))
        before = contents(disk)
        self.fault(detent("export", "run", "--to", "gguf:q4_0", "--out", disk / "old.gguf", cwd=self.folder), str(disk))
        self.assertEqual(contents(disk), before)

    def test_a_read_only_place(self):
        sealed = self.folder / "sealed"
        mount(self, sealed, "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs")
        self.refused("train", self.config(sealed / "new"), code=4, says=[sealed])
        self.refused("export", "run", "--to", "gguf:q4_0", "--out", sealed / "m.gguf", code=4, says=[sealed])

    def test_below_a_file(self):
        self.refused("train", self.config(self.folder / "m.gguf" / "new"), says=["m.gguf/new"])
        self.refused("export", "run", "--to", "gguf:q4_0", "--out", "m.gguf/x", says=["m.gguf/x"])

    def test_a_model_that_fits_no_machine(self):
        model = {"hidden_size": 1 << 16, "intermediate_size": 1 << 16, "num_hidden_layers": 200, "num_attention_heads": 64}
        self.train(config={"model": model}, code=4, says=["memory", "TB"])


def disk_free(path):
    return shutil.disk_usage(path).free


if __name__ == "__main__":
    enter_own_namespace()
    support.main()
