"""train.device: what is said where there is no GPU, and where there is one that cannot be used.

No machine with a GPU is needed: a library that answers as NVIDIA's driver would stands in for it.
"""
import hashlib
import json
import os
import shutil
import subprocess
import unittest

import support
from support import Case

# As much of NVIDIA's driver as the program asks: one GPU, or an error.
DRIVER = """
#include <stddef.h>
#include <string.h>
int cuInit(unsigned flags) { return ERROR; }
int cuDeviceGetCount(int* count) { *count = 1; return 0; }
int cuDeviceGetName(char* name, int size, int device) { strncpy(name, "Pretended GPU", size); return 0; }
int cuDeviceTotalMem_v2(size_t* bytes, int device) { *bytes = (size_t)8 << 30; return 0; }
"""


def seal(state):
    """Writes down the checksum of a state as the program does: over its compact text."""
    state.pop("state_sha256", None)
    text = json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    state["state_sha256"] = hashlib.sha256(text.encode()).hexdigest()


class Device(Case):
    def setUp(self):
        super().setUp()
        support.write_data(self.folder / "data")
        self.run_folder = self.folder / "run"
        config = support.tiny_config(self.folder / "data", output=str(self.run_folder))
        self.config = support.write_config(self.folder / "config.yaml", config)

    def pretend_driver(self, error):
        """The environment in which the program meets that driver."""
        compiler = shutil.which("gcc") or shutil.which("cc")
        if not compiler:
            self.skipTest("no C compiler for a stand-in of the driver")
        source = self.folder / "driver.c"
        source.write_text(DRIVER.replace("ERROR", str(error)))
        subprocess.run([compiler, "-shared", "-fPIC", "-o", self.folder / "libcuda.so.1", source], check=True)
        before = os.environ.get("LD_LIBRARY_PATH")
        os.environ["LD_LIBRARY_PATH"] = f"{self.folder}:{before}" if before else str(self.folder)
        self.addCleanup(lambda: os.environ.pop("LD_LIBRARY_PATH") if before is None else
                        os.environ.update(LD_LIBRARY_PATH=before))

    def device_of_doctor(self):
        checks = support.detent("doctor", "--json").json()["checks"]
        return next(check for check in checks if check["name"] == "device")

    def refusal(self, *arguments):
        result = self.run_detent("train", self.config, "--set", "train.device=cuda", *arguments, code=4)
        self.assertEqual(len(result.err.strip().splitlines()), 1, result.err)
        self.assertIn("train.device is cuda, but ", result.err)
        self.assertIn("train.device: cpu", result.err)
        self.assertFalse(self.run_folder.exists())
        return result.err

    def skip_on_a_gpu(self):
        if not self.device_of_doctor()["detail"].startswith("cpu"):
            self.skipTest("this machine has a GPU")

    def test_cuda_where_there_is_none(self):
        self.skip_on_a_gpu()
        self.refusal()
        self.refusal("--dry-run")

    def test_auto_and_cpu(self):
        self.skip_on_a_gpu()
        for device in ("auto", "cpu"):
            run = self.folder / device
            result = self.run_detent("train", self.config, "--set", f"train.device={device}", "--set", f"output={run}")
            self.assertIn("training on cpu, 1 thread\n", result.err)
            machine = [line for line in support.log_lines(run) if line["kind"] == "machine"]
            self.assertEqual([(m["step"], m["device"], m["threads"]) for m in machine], [(0, "cpu", 1)])
        same = [support.log_lines(self.folder / device)[-1]["validation_loss"] for device in ("auto", "cpu")]
        self.assertEqual(same[0], same[1])

    def test_the_device_may_change_on_the_way(self):
        self.skip_on_a_gpu()
        self.run_detent("train", self.config, "--set", "train.device=cpu", "--set", "checkpoint.every=3")
        first, last = support.checkpoints(self.run_folder)
        shutil.rmtree(last)
        state = json.loads((first / "state.json").read_text())
        self.assertEqual(state["device"], "cpu")
        for device, said in (("cpu", False), ("cuda:0", True)):
            again = self.folder / ("on " + device)
            shutil.copytree(self.run_folder, again)
            state["device"] = device
            seal(state)
            (again / "checkpoints" / first.name / "state.json").write_text(json.dumps(state))
            result = self.run_detent("train", self.config, "--resume", "--set", "checkpoint.every=3", "--set",
                                     f"output={again}")
            self.assertEqual("steps 1 to 3 were on cuda:0" in result.err, said, result.err)
            machines = [line["step"] for line in support.log_lines(again) if line["kind"] == "machine"]
            self.assertEqual(machines, [0, 3])

    def test_a_driver_without_a_gpu(self):
        self.pretend_driver(100)
        self.assertIn("shows no GPU (error 100)", self.refusal())
        self.assertIn("shows no GPU", self.device_of_doctor()["detail"])

    def test_a_gpu_that_cannot_be_used(self):
        self.pretend_driver(0)
        self.assertIn("LibTorch's CUDA half", self.refusal())
        detail = self.device_of_doctor()["detail"]
        self.assertTrue(detail.startswith("cpu; "), detail)
        result = self.run_detent("train", self.config, "--set", "train.device=auto")
        self.assertIn("training on cpu", result.err)
        self.assertIn("the GPU Pretended GPU is not used: ", result.err)
        machine = next(line for line in support.log_lines(self.run_folder) if line["kind"] == "machine")
        self.assertIn("LibTorch's CUDA half", machine["gpu_not_used"])


if __name__ == "__main__":
    support.main()
