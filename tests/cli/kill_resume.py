"""A run that is killed, interrupted or out of luck, and goes on, ends with the bytes of one that was left alone."""
# label: slow
import hashlib
import json
import random
import shutil
import signal
import time

import support
from support import Case, checkpoints, log_lines, start, tiny_config, write_config, write_data

STEPS = 48
MEASURED = ("seconds", "tokens_per_second", "speed_of_light", "moving_codes")  # of this process, or since its last line


def everything(data):
    """Every method and every kind of state at once; the steps make 1.4 epochs of the data."""
    return tiny_config(
        data,
        quant={"weights": {"grid": "int_high", "bits": 2, "scale": "learned", "initial_scale": "absmax_signed",
                           "group": 32, "scale_format": "fp16", "surrogate": "lsq"},
               "activations": {"grid": "int", "bits": 8, "scale": "learned", "group": "tensor", "surrogate": "lsq"},
               "unquantized": "f16", "scale_learning_rate": 0.5},
        cage={"pull": 0.06, "start": 0.3}, winq={"every": 7, "interpolation": 0.4, "noise": 1e-3},
        train={"steps": STEPS, "batch_size": 4, "gradient_accumulation": 2, "threads": 1, "log_every": 1},
        eval={"every": 10, "batches": 2}, checkpoint={"every": 3, "keep": 2})


def alpha_blending(data):
    config = everything(data)
    del config["cage"], config["winq"]
    return config | {"alpha_blending": {"start": 0.1, "end": 0.7}}


def sgd(data):
    return everything(data) | {"optimizer": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
                               "cage": {"lambda": 2, "start": 0.3}}  # pull would be measured against Adam's step


def result_of(run):
    """What must not depend on how often a run was stopped: the last checkpoint's tensors and the log's numbers."""
    last = checkpoints(run)[-1]
    files = {name: (last / name).read_bytes()
             for name in ("model.safetensors", "quantization.safetensors", "state.safetensors")}
    log = [{key: value for key, value in line.items() if key not in MEASURED} for line in log_lines(run)
           if line["kind"] != "machine"]  # one a process
    return files, log


def is_whole(checkpoint):
    sums = json.loads((checkpoint / "state.json").read_text())["sha256"]
    return all(hashlib.sha256((checkpoint / name).read_bytes()).hexdigest() == sum for name, sum in sums.items())


def resume_of(run):
    """The option, once there is something to resume: a kill may come before the run has begun."""
    return ["--resume"] if (run / "config.yaml").exists() else []


def unfinished(run):
    """Temporary names of the run folder, its checkpoints and the cache beside it."""
    return [path for folder in (run, run / "checkpoints", run.parent / ".cache") for path in folder.glob("*.tmp-*")]


class Killer:
    """Waits for a moment drawn from the seed, then kills."""

    def __init__(self, choose, seconds):
        self.choose, self.seconds = choose, seconds

    def at_random_time(self, process, run):
        self.wait(process, lambda end=time.monotonic() + self.choose.uniform(0, self.seconds): time.monotonic() > end)

    def while_writing_a_checkpoint(self, process, run):
        """The nth staging folder that appears, some microseconds into its life."""
        seen, wanted = set(), self.choose.randint(1, 8)

        def is_time():
            seen.update(path.name for path in (run / "checkpoints").glob("*.tmp-*"))
            return len(seen) >= wanted

        self.wait(process, is_time, pause=0)
        time.sleep(self.choose.choice([0, 0, 0.0005, 0.002, 0.005]))

    def after_a_line_of_the_log(self, process, run):
        wanted, log = self.choose.randint(1, STEPS + 6), run / "log.jsonl"
        self.wait(process, lambda: log.exists() and log.read_bytes().count(b"\n") >= wanted, pause=0.001)

    @staticmethod
    def wait(process, is_time, pause=0.002):
        while process.poll() is None and not is_time():
            time.sleep(pause)


class Resumed(Case):
    """Undisturbed runs, made once for all tests, and what is compared with them."""
    alone = {}

    def setUp(self):
        super().setUp()
        self.shared = support.shared_folder()

    def undisturbed(self, make):
        """Configuration, result and seconds of the run; the run itself is in shared/NAME/run."""
        if make not in self.alone:
            self.alone[make] = self.run_alone(make)
        return self.alone[make]

    def copy_of_undisturbed(self, make):
        config, expected, _ = self.undisturbed(make)
        shutil.copytree(self.shared / make.__name__, self.folder / "copy")
        return config, expected, self.folder / "copy" / "run"

    def run_alone(self, make):
        if not (self.shared / "data").exists():
            write_data(self.shared / "data")
        config = write_config(self.shared / f"{make.__name__}.yaml", make(self.shared / "data"))
        run = self.shared / make.__name__ / "run"
        taken = self.run_detent("train", config, "--set", f"output={run}").seconds
        steps = [line["step"] for line in log_lines(run) if line["kind"] == "train"]
        self.assertEqual(steps, list(range(1, STEPS + 1)))
        cursor = json.loads((checkpoints(run)[-1] / "state.json").read_text())["cursor"]
        self.assertGreaterEqual(cursor["epoch"], 1, "the data must be small enough for a second epoch")
        return config, result_of(run), taken

    def resume_to_the_end(self, config, run):
        self.run_detent("train", config, "--set", f"output={run}", *resume_of(run))

    def check_remains(self, run):
        """After a kill: every checkpoint that is named is whole, and `latest` names one of them."""
        names = [checkpoint.name for checkpoint in checkpoints(run)]
        latest = run / "checkpoints" / "latest"
        if latest.exists():
            self.assertIn(latest.read_text().strip(), names)
        for name in names[-1:]:
            self.assertTrue(is_whole(run / "checkpoints" / name), name)

    def check_equal(self, run, expected):
        files, log = result_of(run)
        for name, content in expected[0].items():
            self.assertEqual(files[name], content, f"{name} differs from the undisturbed run's")
        self.assertEqual([(line["kind"], line["step"]) for line in log],
                         [(line["kind"], line["step"]) for line in expected[1]])
        self.assertEqual(log, expected[1])
        self.assertEqual(unfinished(run), [])
        self.assertEqual(len(checkpoints(run)), 2)


class KillAndResume(Resumed):
    def kill_runs(self, make, count):
        config, expected, seconds = self.undisturbed(make)
        kills = torn = 0
        for seed in range(count):
            choose = random.Random(seed)
            killer = Killer(choose, seconds)
            run = self.folder / f"killed {seed}" / "run"
            moments = [killer.while_writing_a_checkpoint, killer.at_random_time, killer.after_a_line_of_the_log]
            with self.subTest(seed=seed):
                for attempt in range(choose.choice([1, 1, 2, 3])):
                    process = start("train", config, "--set", f"output={run}", *resume_of(run))
                    moments[(seed + attempt) % 3](process, run)
                    kills += process.poll() is None
                    process.kill()
                    process.communicate()
                    torn += any(path.parent.name == "checkpoints" for path in unfinished(run))
                    self.check_remains(run)
                self.resume_to_the_end(config, run)
                self.check_equal(run, expected)
        support.FACTS.append(f"{make.__name__}: {count} runs, {kills} kills, {torn} of them left a half-written checkpoint")
        return kills, torn

    def test_everything_on(self):
        kills, torn = self.kill_runs(everything, 21)
        self.assertGreaterEqual(kills, 20)
        self.assertGreaterEqual(torn, 3, "too few kills hit the writing of a checkpoint")

    def test_alpha_blending(self):
        self.assertGreaterEqual(self.kill_runs(alpha_blending, 5)[0], 3)

    def test_sgd(self):
        self.assertGreaterEqual(self.kill_runs(sgd, 5)[0], 3)


class InterruptAndResume(Resumed):
    def wait_for_steps(self, process, run, steps):
        log = run / "log.jsonl"
        Killer.wait(process, lambda: log.exists() and log.read_bytes().count(b"\n") >= steps)
        self.assertIsNone(process.poll(), "the run ended before it could be interrupted")

    def test_signals_save_and_resume(self):
        config, expected, _ = self.undisturbed(everything)
        for name in ("SIGTERM", "SIGINT"):
            with self.subTest(signal=name):
                run = self.folder / name / "run"
                process = start("train", config, "--set", f"output={run}")
                self.wait_for_steps(process, run, 9)
                process.send_signal(getattr(signal, name))
                _, err = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 3, err)
                self.assertIn(b"--resume", err)
                step = log_lines(run)[-1]["step"]
                self.assertEqual(checkpoints(run)[-1].name, f"step-{step:06}")
                self.resume_to_the_end(config, run)
                self.check_equal(run, expected)

    def test_a_signal_before_the_first_step_is_not_lost(self):
        config, expected, _ = self.undisturbed(everything)
        run = self.folder / "early" / "run"
        process = start("train", config, "--set", f"output={run}")
        Killer.wait(process, lambda: (run / "config.yaml").exists(), pause=0)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 3, err)
        self.resume_to_the_end(config, run)
        self.check_equal(run, expected)

    def test_threads_do_not_change_the_bytes(self):
        config, expected, _ = self.undisturbed(everything)
        run = self.folder / "threads" / "run"
        self.run_detent("train", config, "--set", f"output={run}", "--set", "train.threads=2")
        self.check_equal(run, expected)

    def test_resuming_a_finished_run_changes_nothing(self):
        config, expected, run = self.copy_of_undisturbed(everything)
        self.resume_to_the_end(config, run)
        self.check_equal(run, expected)

    def test_one_process_a_run(self):
        config, _, _ = self.undisturbed(everything)
        run = self.folder / "busy" / "run"
        process = start("train", config, "--set", f"output={run}", "--set", "train.steps=100000")
        self.wait_for_steps(process, run, 2)
        for more in ([], ["--resume"]):
            second = self.run_detent("train", config, "--set", f"output={run}", *more, code=2)
            self.assertIn(f"in use by process {process.pid}", second.err)
        self.assertIsNone(process.poll())
        process.kill()
        process.communicate()

    def test_an_existing_run_needs_resume(self):
        config, _, run = self.copy_of_undisturbed(everything)
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}
        again = self.run_detent("train", config, "--set", f"output={run}", code=2)
        self.assertIn("already holds a run; go on with --resume", again.err)
        after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}
        self.assertEqual(before, after)


if __name__ == "__main__":
    support.main()
