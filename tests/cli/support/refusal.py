"""What a refusal must look like: the exit code, one sentence that names things, nothing damaged, little time and memory."""
import hashlib
import os
import re
import shutil

from support import Case, detent, tiny_config, write_config, write_data

SECONDS = 20  # far more than any refusal needs on a busy machine, far less than a hang
BYTES = 1 << 30  # the program's libraries alone take a third of this
CRASH = ("terminate called", "what():", "Assertion", "Segmentation", "std::", "Traceback", "Backtrace", "c10::")


def contents(folder):
    """Every path below a folder with the hash of its bytes; a cache of token shards and locks may come and go."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if ".cache" in name.parts or path.name == ".lock":
            continue
        if path.is_symlink():
            found[str(name)] = os.readlink(path)
        elif path.is_dir():
            found[str(name)] = "folder"
        elif path.is_file():
            found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def sentences(text):
    """How many there seem to be: lines, and capitals after a full stop."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return sum(1 + len(re.findall(r"[.!?] +[A-Z]", line)) for line in lines)


class Refusals(Case):
    """Tests of what the program must not do. Commands run in self.folder unless told otherwise."""

    def refused(self, *arguments, says=(), code=2, within=None, after_log=False, **how):
        """within: the folder that must stay as it is (all of self.folder); after_log: log lines may come first."""
        within = within or self.folder
        before = contents(within)
        how.setdefault("cwd", self.folder)
        result = detent(*arguments, timeout=SECONDS * 3, **how)
        told = f"detent {' '.join(map(str, arguments))}\nexit {result.code}: {result.err[-1500:]}"
        self.assertEqual(result.code, code, told)
        last = result.err.strip().splitlines()[-1] if after_log else result.err
        self.assertEqual(sentences(last), 1, f"not one sentence: {told}")
        self.assertLessEqual(len(re.findall(r"\.(?:ya?ml|json):\d+:", last)), 1, f"its place more than once: {told}")
        self.assertEqual(result.out, "", told)
        for word in CRASH:
            self.assertNotIn(word, result.err, told)
        for word in says:
            if hasattr(word, "search"):
                self.assertRegex(last, word, told)
            else:
                self.assertIn(str(word).lower(), last.lower(), told)
        self.assertEqual(contents(within), before, f"something changed: {told}")
        self.assertLess(result.seconds, SECONDS, told)
        self.assertLess(result.peak_bytes, BYTES, told)
        return result

    def trained(self, name="run", **changes):
        """A finished tiny run in self.folder/NAME; a copy where the same one was made before. Returns its configuration."""
        data = self.folder / "data"
        if not data.exists():
            write_data(data)
        config = write_config(self.folder / f"{name}.json", tiny_config(data, output=str(self.folder / name), **changes))
        self.run_detent("train", config)
        return config


def replaced(path, change):
    """Rewrites a file with change(its bytes); returns the path."""
    path.write_bytes(change(path.read_bytes()))
    return path


def copied(folder, to):
    shutil.copytree(folder, to)
    return to


class Machine(Refusals):
    """Faults of the machine: exit 4, and one sentence behind the log."""
    QUANT = {"weights": {"grid": "int", "bits": 4, "scale": "absmax_signed", "group": 32, "scale_format": "fp16"}}

    def setUp(self):
        super().setUp()
        write_data(self.folder / "data")

    def config(self, output, **changes):
        return write_config(self.folder / "c.json", tiny_config(self.folder / "data", output=str(output), quant=self.QUANT,
                                                                **changes))

    def fault(self, result, *says):
        self.assertEqual(result.code, 4, result.err[-2000:])
        last = result.err.strip().splitlines()[-1]
        self.assertEqual(sentences(last), 1, last)
        for word in says:
            self.assertIn(word, last)
