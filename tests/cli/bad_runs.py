"""Run directories: occupied, damaged, of another version, of other data; resuming what cannot be resumed."""
# label: slow
import json
import re
import shutil
import time

import support
from support import checkpoints, log_lines, start, tiny_config, write_config, write_data
from support.refusal import Refusals, contents

QUANT = {"weights": {"grid": "int", "bits": 4, "scale": "learned", "group": 32, "surrogate": "lsq"}}


class Runs(Refusals):
    def setUp(self):
        super().setUp()
        self.config = self.trained(train={"steps": 6, "batch_size": 4, "threads": 1, "log_every": 1}, quant=QUANT,
                                   checkpoint={"every": 2, "keep": 2})
        self.run_folder = self.folder / "run"

    def resume(self, *more, **how):
        return self.refused("train", self.config, "--resume", "--set", "train.steps=6", *more, **how)

    def shorten(self):
        """Leaves the run as if it had been killed after step 4."""
        shutil.rmtree(self.run_folder / "checkpoints" / "step-000006")
        (self.run_folder / "checkpoints" / "latest").write_text("step-000004\n")
        return self.run_folder / "checkpoints" / "step-000004"


class OneDirectory(Runs):
    def test_a_second_run_needs_resume(self):
        self.refused("train", self.config, says=["run", "--resume"])

    def test_two_at_once(self):
        config = write_config(self.folder / "long.json", tiny_config(
            self.folder / "data", output="busy", train={"steps": 1_000_000, "batch_size": 4, "threads": 1, "log_every": 1}))
        process = start("train", config, cwd=self.folder)
        try:
            log = self.folder / "busy" / "log.jsonl"
            end = time.monotonic() + 60
            while not (log.exists() and log.stat().st_size) and time.monotonic() < end:
                time.sleep(0.02)
            for more in ([], ["--resume"]):
                second = support.detent("train", config, *more, cwd=self.folder)
                self.assertEqual(second.code, 2, second.err)
                self.assertIn(str(process.pid), second.err)
            self.assertIsNone(process.poll(), "the second run stopped the first")
        finally:
            process.kill()
            process.communicate()
        steps = [line["step"] for line in log_lines(self.folder / "busy") if line["kind"] == "train"]
        self.assertEqual(steps, list(range(1, len(steps) + 1)))

    def test_a_folder_of_something_else(self):
        other = self.folder / "other"
        other.mkdir()
        (other / "thesis.tex").write_text("years of work")
        config = write_config(self.folder / "o.json", tiny_config(self.folder / "data", output="other"))
        before = contents(other)
        result = support.detent("train", config, cwd=self.folder)
        self.assertIn(result.code, (0, 2))
        after = contents(other)
        self.assertEqual({name: after.get(name) for name in before}, before)


class Resume(Runs):
    def test_without_a_run(self):
        config = write_config(self.folder / "n.json", tiny_config(self.folder / "data", output="nowhere"))
        self.refused("train", config, "--resume", says=["nowhere", "--resume"])

    def test_another_version(self):
        state = self.shorten() / "state.json"
        tree = json.loads(state.read_text())
        keys = [key for key in tree if "version" in key]
        self.assertEqual(len(keys), 1, f"which of {list(tree)} is the version?")
        for version in (tree[keys[0]] + 1, 0, -1, 1 << 40, "2", None):
            with self.subTest(version=version):
                state.write_text(json.dumps({**tree, keys[0]: version}))
                self.resume(says=["version", "step-000004"])

    def test_damaged_state(self):
        folder = self.shorten()
        for name in ("state.safetensors", "model.safetensors", "quantization.safetensors", "config.json"):
            whole = (folder / name).read_bytes()
            middle = len(whole) // 2
            for damage in (b"", whole[:middle], whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1:], None):
                with self.subTest(f"{name} {None if damage is None else len(damage)}"):
                    (folder / name).unlink()
                    if damage is not None:
                        (folder / name).write_bytes(damage)
                    self.resume(says=[name])
                    (folder / name).write_bytes(whole)
        self.run_detent("train", self.config, "--resume")

    def test_without_its_state_a_folder_is_no_checkpoint(self):
        """As one that was never finished: the run goes on from the one before, and ends as it would have."""
        expected = (self.run_folder / "checkpoints" / "step-000006" / "model.safetensors").read_bytes()
        (self.run_folder / "checkpoints" / "step-000006" / "state.json").unlink()
        self.run_detent("train", self.config, "--resume")
        self.assertEqual((self.run_folder / "checkpoints" / "step-000006" / "model.safetensors").read_bytes(), expected)

    def test_lying_state(self):
        """Numbers that no run writes, under a correct checksum where there is one."""
        state = self.shorten() / "state.json"
        tree = json.loads(state.read_text())
        for key, value in (("step", -1), ("step", "4"), ("step", 1 << 60), ("cursor", {}), ("cursor", None),
                           ("cursor", {"epoch": -1, "position": 0}), ("sha256", {}), ("sha256", None)):
            with self.subTest(f"{key}: {value}"):
                state.write_text(json.dumps({**tree, key: value}))
                self.resume(says=["state.json"])

    def test_latest(self):
        latest = self.run_folder / "checkpoints" / "latest"
        for content in ("", "step-999999\n", "../../data\n", "/etc\n", "\0"):
            with self.subTest(content):
                latest.write_text(content)
                result = support.detent("eval", self.run_folder, "--data", self.folder / "data" / "valid.txt", "--json")
                self.assertIn(result.code, (0, 2), result.err)
                if result.code == 0:
                    latest.write_text("step-000006\n")
                    right = self.run_detent("eval", self.run_folder, "--data", self.folder / "data" / "valid.txt", "--json")
                    self.assertEqual(result.json()["loss"], right.json()["loss"])

    def test_changed_data(self):
        self.shorten()
        text = self.folder / "data" / "a.txt"
        whole = text.read_text()
        for change in (whole[:-1] + "#", whole + "more", whole[:-10]):
            with self.subTest(len(change)):
                text.write_text(change)
                self.resume(says=["data"], after_log=True)
        text.write_text(whole)
        self.run_detent("train", self.config, "--resume")

    def test_changed_configuration(self):
        self.shorten()
        for setting in ("model.hidden_size=64", "optimizer.learning_rate=1e-4", "quant.weights.bits=3", "train.seed=9",
                        "train.batch_size=2", "data.sequence_length=16", "optimizer.name=sgd"):
            with self.subTest(setting):
                self.resume("--set", setting, says=[re.split("[.=]", setting)[-2]])


if __name__ == "__main__":
    support.main()
