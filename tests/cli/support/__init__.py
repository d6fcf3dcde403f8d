"""What the end-to-end tests share: running the program, tiny data and configurations, a summary at the end.

A test file is started as `python3 tests/cli/contract.py PROGRAM [unittest arguments]`.
"""
import atexit
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from dataclasses import dataclass
from pathlib import Path

PROGRAM = ""  # set by main()
FACTS = []  # sentences for the summary
SKIPPED = 77  # exit code with which ctest names the file among the tests that did not run


@dataclass
class Result:
    code: int
    out: str
    err: str
    seconds: float
    peak_bytes: int  # highest resident memory
    processor_seconds: float  # its own, whatever else the machine does

    def json(self):
        return json.loads(self.out)


def start(*arguments, cwd=None, stdout=subprocess.PIPE, limits=None):
    """The program as a process; limits: called in the child before it starts, for setrlimit."""
    return subprocess.Popen([PROGRAM, *map(str, arguments)], cwd=cwd, stdout=stdout, stderr=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, preexec_fn=limits)


def wait_until(is_time, seconds=60, pause=0.02):
    """Whether it came to that before the time was up."""
    end = time.monotonic() + seconds
    while not is_time():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def finish(process, begin, timeout):
    """Waits, reading both pipes, and asks the system for the memory that was used."""
    taken = {}

    def read(name, pipe):
        taken[name] = pipe.read().decode(errors="replace") if pipe else ""

    readers = [threading.Thread(target=read, args=a) for a in (("out", process.stdout), ("err", process.stderr))]
    for reader in readers:
        reader.start()
    killer = threading.Timer(timeout, process.kill)
    killer.start()
    _, status, usage = os.wait4(process.pid, 0)
    killer.cancel()
    for reader in readers:
        reader.join()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    return Result(process.returncode, taken["out"], taken["err"], time.monotonic() - begin, usage.ru_maxrss * 1024,
                  usage.ru_utime + usage.ru_stime)


def detent(*arguments, cwd=None, timeout=300, **how):
    begin = time.monotonic()
    return finish(start(*arguments, cwd=cwd, **how), begin, timeout)


def some_text(size, seed):
    """Repeatable text of a small vocabulary, so that there is something to learn."""
    choose = random.Random(seed)
    words = ["".join(choose.choices("abcdefghijklmnopqrstuvwxyz", k=choose.randint(2, 8))) for _ in range(60)]
    text = ""
    while len(text) < size:
        text += choose.choice(words) + choose.choice([" ", " ", " ", ". ", "\n"])
    return text[:size]


def write_data(folder):
    """Two text files and one of lines for training (8.5 kB, 270 windows of 32), one for validation."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.txt").write_text(some_text(3000, 1))
    (folder / "b.txt").write_text(some_text(2500, 2))
    lines = [json.dumps({"text": some_text(300, 10 + i)}) + "\n" for i in range(10)]
    (folder / "c.jsonl").write_text("".join(lines))
    (folder / "valid.txt").write_text(some_text(2000, 3))


def tiny_config(data, /, **changes):
    """A run of a second or two as a tree; changes: whole blocks. Files are named in full, so any folder will do."""
    config = {
        "model": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2},
        "data": {"train": [str(data / n) for n in ("a.txt", "b.txt", "c.jsonl")], "valid": str(data / "valid.txt"),
                 "sequence_length": 32},
        "optimizer": {"learning_rate": 3e-3},
        "train": {"steps": 6, "batch_size": 4, "threads": 1, "log_every": 1},
        "eval": {"every": 0, "batches": 0},
        "checkpoint": {"every": 0},
    }
    config.update(changes)
    return {key: value for key, value in config.items() if value is not None}


def write_config(path, config):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config, indent=1) + "\n")  # YAML reads JSON
    return path


def checkpoints(run):
    """Complete ones, oldest first."""
    return sorted(path for path in (run / "checkpoints").glob("step-*") if ".tmp-" not in path.name)


def log_lines(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def shared_folder(made=[]):
    """A folder that all tests of a file share, removed at the end of the program."""
    if not made:
        made.append(Path(tempfile.mkdtemp(prefix="detent-cli-")))
        atexit.register(shutil.rmtree, made[0], ignore_errors=True)
    return made[0]


class Case(unittest.TestCase):
    """A test with a folder of its own, removed afterwards."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="detent-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def run_detent(self, *arguments, code=0, **how):
        result = detent(*arguments, **how)
        self.assertEqual(result.code, code, f"detent {' '.join(map(str, arguments))}\n{result.err[-2000:]}")
        return result


def main():
    """unittest's main with the program's path as the first argument, and a summary."""
    global PROGRAM
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(f"usage: {sys.argv[0]} PATH/TO/detent [unittest arguments]")
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    begin = time.monotonic()
    program = unittest.main(module="__main__", exit=False)
    for fact in FACTS:
        print(fact)
    ran = program.result
    print(f"{Path(sys.argv[0]).name}: {ran.testsRun} tests, {len(ran.failures) + len(ran.errors)} failed, "
          f"{len(ran.skipped)} skipped, {time.monotonic() - begin:.0f} s")
    for test, reason in ran.skipped:
        print(f"skipped: {test.id()}: {reason}")
    sys.exit(1 if not ran.wasSuccessful() else SKIPPED if ran.skipped else 0)
