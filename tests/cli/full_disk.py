"""Disks that fill up and file systems that may only be read, each mounted small for the test."""
# label: slow
import support
from support import checkpoints, detent
from support.mounts import enter_own_namespace, mount, remount, unmount
from support.refusal import Machine, contents

STEPS = {"train": {"steps": 12, "batch_size": 4, "threads": 1, "log_every": 1}, "checkpoint": {"every": 2, "keep": 2}}


class FullDisk(Machine):
    def disk(self, kilobytes):
        mount(self, self.folder / "disk", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs")
        return self.folder / "disk"

    def test_a_run_goes_on_when_there_is_room(self):
        """At every size the disk fills somewhere else: shard, log, checkpoint. What is there stays whole."""
        whole = self.folder / "whole"
        self.run_detent("train", self.config(whole, **STEPS))
        expected = (checkpoints(whole)[-1] / "model.safetensors").read_bytes()
        one = sum(path.stat().st_size for path in checkpoints(whole)[-1].iterdir()) // 1024
        filled = 0
        for size in (4, 12, 60, one, one + 100, 2 * one + 60, 2 * one + 120, 3 * one):
            with self.subTest(kilobytes=size):
                disk = self.disk(size)
                config = self.config(disk / "run", **STEPS)
                result = detent("train", config)
                if result.code != 0:
                    filled += 1
                    self.fault(result, str(disk))
                    self.check_newest(disk / "run")
                remount(disk, "size=100m")
                self.run_detent("train", config, *(["--resume"] if (disk / "run").exists() else []))
                self.assertEqual((checkpoints(disk / "run")[-1] / "model.safetensors").read_bytes(), expected)
                self.assertEqual(list(disk.rglob("*.tmp-*")), [])
                unmount(disk)
        support.FACTS.append(f"full disk: {filled} of 8 sizes stopped the run; one checkpoint takes {one} kB")
        self.assertGreaterEqual(filled, 5, "the disks were too large to fill")

    def check_newest(self, run):
        latest = run / "checkpoints" / "latest"
        if latest.exists() and checkpoints(run):
            self.run_detent("eval", checkpoints(run)[-1], "--data", self.folder / "data" / "valid.txt")

    def test_export_keeps_what_was_there(self):
        self.run_detent("train", self.config(self.folder / "run"))
        disk = self.disk(16)
        for target, name in (("gguf:q4_0", "m.gguf"), ("gguf:f32", "m.gguf"), ("safetensors:dequantized", "m")):
            with self.subTest(target):
                (disk / "m.gguf").write_bytes(b"GGUF, an older file")
                before = contents(disk)
                self.fault(detent("export", self.folder / "run", "--to", target, "--out", disk / name), str(disk))
                self.assertEqual(contents(disk), before)

    def test_report(self):
        self.run_detent("train", self.config(self.folder / "run"))
        disk = self.disk(4)
        self.fault(detent("report", self.folder / "run", "--out", disk / "r.html"), str(disk))
        self.assertEqual(contents(disk), {})


class ReadOnly(Machine):
    def setUp(self):
        super().setUp()
        self.run_detent("train", self.config(self.folder / "run"))

    def test_nothing_can_be_written_there(self):
        place = self.folder / "sealed"
        mount(self, place, "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs")
        self.refused("train", self.config(place / "run"), code=4, says=[place / "run"])
        self.refused("export", "run", "--to", "gguf:q4_0", "--out", place / "m.gguf", code=4, says=[place])
        self.refused("export", "run", "--to", "safetensors:dequantized", "--out", place / "m", code=4, says=[place])
        self.refused("report", "run", "--out", place / "r.html", code=4, says=[place])

    def test_a_finished_run_can_be_read_from_there(self):
        sealed = self.folder / "sealed"
        mount(self, sealed, "--bind", str(self.folder / "run"))
        remount(sealed, "bind,ro")
        self.run_detent("eval", sealed, "--data", self.folder / "data" / "valid.txt")
        self.run_detent("inspect", sealed)
        self.run_detent("report", sealed, "--out", self.folder / "r.html")
        self.run_detent("export", sealed, "--to", "gguf:q4_0", "--out", self.folder / "m.gguf")
        self.refused("train", self.config(sealed), "--resume", code=4, says=[sealed])


if __name__ == "__main__":
    enter_own_namespace()
    support.main()
