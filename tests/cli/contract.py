"""What scripts may rely on: exit codes, JSON shapes, clean stdout, paths of every kind, signals, help."""
import re
import signal

import support
from support import checkpoints, detent, log_lines, start, tiny_config, write_config, write_data
from support.refusal import Refusals, sentences

QUANT = {"weights": {"grid": "int", "bits": 4, "scale": "absmax_signed", "group": 32, "scale_format": "fp16"}}
COMMANDS = ("train", "eval", "generate", "export", "verify", "inspect", "methods", "doctor", "bench", "report")
ODD_FOLDER = "a folder/größer – 大 'quoted'"


def quantized_run(folder, **changes):
    """A finished run in folder/run; returns its configuration's path."""
    write_data(folder / "data")
    config = write_config(folder / "c.json", tiny_config(folder / "data", output=str(folder / "run"), quant=QUANT, **changes))
    done = detent("train", config)
    assert done.code == 0, done.err
    return config


def made(cache={}):
    """A run, its text and its GGUF file, made once for all tests, in a folder with an odd name."""
    if not cache:
        folder = support.shared_folder() / ODD_FOLDER
        quantized_run(folder)
        done = detent("export", folder / "run", "--to", "gguf:q4_0", "--out", folder / "m.gguf")
        assert done.code == 0, done.err
        cache.update(folder=folder, run=folder / "run", gguf=folder / "m.gguf", valid=folder / "data" / "valid.txt")
    return cache


class Contract(Refusals):
    def setUp(self):
        super().setUp()
        for name, path in made().items():
            setattr(self, "made_in" if name == "folder" else name, path)

    def json_of(self, *arguments, code=0, **how):
        """One JSON document on stdout and nothing else."""
        result = self.run_detent(*arguments, "--json", code=code, **how)
        self.assertEqual(result.out.count("\n"), result.out.rstrip("\n").count("\n") + 1, "ends with one newline")
        return result.json()

    def check_shape(self, value, shape, where="document"):
        """shape: a type, a tuple of types, a list of one shape, or a dictionary of them (further keys are welcome)."""
        if isinstance(shape, dict):
            self.assertIsInstance(value, dict, where)
            for key, inner in shape.items():
                self.assertIn(key, value, where)
                self.check_shape(value[key], inner, f"{where}.{key}")
        elif isinstance(shape, list):
            self.assertIsInstance(value, list, where)
            for number, inner in enumerate(value):
                self.check_shape(inner, shape[0], f"{where}[{number}]")
        else:
            self.assertIsInstance(value, shape, where)
            if not (shape is bool or isinstance(shape, tuple) and bool in shape):
                self.assertNotIsInstance(value, bool, where)


NUMBER = (int, float)


class Json(Contract):
    def test_train(self):
        config = write_config(self.folder / "c.json", tiny_config(self.made_in / "data", output=str(self.folder / "run"),
                                                                  eval={"every": 3, "batches": 2}))
        line = self.json_of("train", config)
        self.check_shape(line, {"final_loss": NUMBER, "validation_loss": NUMBER, "tokens_per_second": NUMBER, "run": str})
        self.assertEqual(line["run"], str(self.folder / "run"))
        losses = [line["loss"] for line in log_lines(self.folder / "run") if line["kind"] == "train"]
        self.assertAlmostEqual(line["final_loss"], losses[-1], delta=1e-6)

    def test_eval(self):
        shape = {"loss": NUMBER, "perplexity": NUMBER, "bits_per_byte": NUMBER, "tokens": int, "bytes": int, "windows": int}
        for model in (self.run, checkpoints(self.run)[-1], self.gguf):
            with self.subTest(model.name):
                answer = self.json_of("eval", model, "--data", self.valid, "--context", "32")
                self.check_shape(answer, shape)
                size = self.valid.stat().st_size  # bytes are tokens, and the first of each window is not scored
                self.assertEqual(answer["windows"], -(-size // 32))
                self.assertEqual([answer["tokens"], answer["bytes"]], [size - answer["windows"]] * 2)
                self.assertAlmostEqual(answer["perplexity"], 2.718281828459045 ** answer["loss"], delta=1e-3)

    def test_generate(self):
        answer = self.json_of("generate", self.gguf, "--prompt", "the ", "--tokens", "7", "--temperature", "1",
                              "--seed", "1")
        self.check_shape(answer, {"text": str, "ids": [int], "tokens_per_second": NUMBER})
        self.assertEqual(answer["ids"], self.json_of("generate", self.gguf, "--prompt", "the ", "--tokens", "7",
                                                     "--temperature", "1", "--seed", "1")["ids"])

    def test_verify(self):
        answer = self.json_of("verify", self.gguf, "--against", self.run)
        self.check_shape(answer, {"equal": bool, "sha256": str,
                                  "tensors": [{"name": str, "type": str, "equal": bool, "differing": int}]})
        self.assertTrue(answer["equal"] and all(tensor["equal"] for tensor in answer["tensors"]))
        self.assertRegex(answer["sha256"], "^[0-9a-f]{64}$")

    def test_inspect(self):
        shape = {"format": str, "lossless_targets": [str], "tensors": [{"name": str, "dtype": str, "shape": [int]}]}
        for path in (self.run, checkpoints(self.run)[-1], checkpoints(self.run)[-1] / "model.safetensors", self.gguf):
            with self.subTest(path.name):
                answer = self.json_of("inspect", path)
                self.check_shape(answer, shape)
                self.assertTrue(answer["tensors"])
        projection = [tensor for tensor in self.json_of("inspect", self.gguf)["tensors"] if re.search("ffn_down|down_proj", tensor["name"])]
        self.check_shape(projection, [{"grid": {"name": str, "group": (int, str), "exact_fraction": NUMBER}}])
        self.assertEqual(projection[0]["grid"]["exact_fraction"], 1)
        self.assertEqual(projection[0]["grid"]["group"], 32)

    def test_methods(self):
        answer = self.json_of("methods")
        self.check_shape(answer, {
            "methods": [{"name": str, "kind": str, "source": str, "options": [{"name": str}]}],
            "presets": list, "targets": [{"name": str, "accepts": [str]}]})
        kinds = {method["kind"] for method in answer["methods"]}
        self.assertLessEqual(kinds, {"surrogate", "optimizer_term", "noise", "reset", "blend"})
        for option in (option for method in answer["methods"] for option in method["options"]):
            self.assertIn("default", option)
            self.assertIn("range", option)
        self.assertLessEqual({"ste", "clip", "trust", "lsq", "seq", "binary", "ternary"},
                             {method["name"] for method in answer["methods"]})

    def test_doctor(self):
        answer = self.json_of("doctor")
        self.check_shape(answer, {"ok": bool, "checks": [{"name": str, "ok": bool, "detail": str, "fix": str}]})
        self.assertTrue(answer["checks"])

    def test_an_answer_of_no_is_json_too(self):
        broken = self.folder / "m.gguf"
        broken.write_bytes(self.gguf.read_bytes()[:-1] + bytes([self.gguf.read_bytes()[-1] ^ 1]))
        answer = self.json_of("verify", broken, "--against", self.run, code=1)
        self.assertFalse(answer["equal"])

    def test_errors_leave_stdout_empty(self):
        for command in (["eval", "nowhere", "--data", self.valid], ["verify", "nowhere", "--against", self.run],
                        ["inspect", "nowhere"], ["generate", "nowhere", "--prompt", "x"], ["train", "nowhere.yaml"],
                        ["methods", "nowhere"], ["bench", "nowhere"]):
            with self.subTest(command[0]):
                self.refused(*command, "--json", says=["nowhere"])


class Usage(Contract):
    def test_help_of_every_command_shows_an_example(self):
        main = self.run_detent("--help").out
        listed = re.findall(r"^ {1,4}([a-z]+) {2,}\S", main, re.MULTILINE)
        for command in COMMANDS:
            self.assertIn(command, listed)
        for command in listed:
            with self.subTest(command):
                text = self.run_detent(command, "--help")
                self.assertRegex(text.out, rf"[Ee]xample[^\n]*(\n[^\n]*)?detent {command}\b")
                self.assertEqual(text.err, "")

    def test_examples_of_help_use_options_that_exist(self):
        for command in COMMANDS:
            text = self.run_detent(command, "--help").out
            example = re.search(rf"detent {command}\b.*", text).group()
            for option in re.findall(r"--[a-z-]+", example):
                with self.subTest(f"{command} {option}"):
                    self.assertIn(option, text.replace(example, ""))

    def test_wrong_usage(self):
        for arguments, says in (([], "command"), (["trian"], "train"), (["train"], "config"), (["train", "a", "b"], "b"),
                                (["eval", "m"], "--data"), (["export", "m"], "--out"),
                                (["export", self.run, "--to", "gguf:q4_0"], "--out"), (["verify", self.gguf], "--against"),
                                (["generate", self.gguf], "--prompt"), (["report"], "path"), (["inspect"], "path"),
                                (["export", self.run, "--to", "gguf:q4_O", "--out", "x"], "gguf:q4_0"),
                                (["export", self.run, "--skip", "down_proj", "--out", "x"], "--from-float"),
                                (["methods", "trsut"], "trust"), (["bench", "nothing_like_this"], "nothing_like_this")):
            with self.subTest(arguments):
                self.refused(*arguments, says=[says])

    def test_options_out_of_range(self):
        for option, value in (("--tokens", "-1"), ("--tokens", "x"), ("--temperature", "-1"), ("--temperature", "nan"),
                              ("--top-k", "-3"), ("--top-p", "1.5"), ("--top-p", "nan"), ("--seed", "x")):
            with self.subTest(f"{option} {value}"):
                self.refused("generate", self.gguf, "--prompt", "x", option, value, says=[option])

    def test_a_target_that_does_not_fit(self):
        self.refused("export", self.run, "--to", "gguf:q2_0", "--out", self.folder / "x.gguf", says=["q2_0", "q4_0"])


class Everywhere(Contract):
    """From another folder; with spaces, quotes and letters of any alphabet in every name."""

    def test_relative_paths_belong_to_the_folder_one_stands_in(self):
        place = self.folder / ODD_FOLDER
        write_data(place / "data")
        config = tiny_config(self.folder / "unused", quant=QUANT, output="läufe/erster lauf",
                             data={"train": ["data/a.txt", "data/c.jsonl"], "valid": "data/valid.txt", "sequence_length": 32})
        write_config(place / "konfig.json", config)
        self.run_detent("train", "konfig.json", cwd=place)
        run = "läufe/erster lauf"
        for target, out in (("gguf:q4_0", "ein modell.gguf"), ("safetensors:dequantized", "ein modell")):
            self.run_detent("export", run, "--to", target, "--out", out, cwd=place)
            self.assertTrue((place / out).exists())
            self.run_detent("verify", out, "--against", run, cwd=place)
            self.run_detent("eval", out, "--data", "data/valid.txt", cwd=place)
            self.run_detent("inspect", out, cwd=place)
            self.run_detent("generate", out, "--prompt", "größe ", "--tokens", "3", cwd=place)
        self.run_detent("report", run, "--out", "bericht 1.html", cwd=place)
        self.assertTrue((place / "bericht 1.html").exists())

    def test_the_resolved_configuration_repeats_the_run(self):
        """From its own folder it needs an output elsewhere; the data is found from wherever the run was started."""
        again = self.folder / "again"
        self.run_detent("train", self.run / "config.yaml", "--set", f"output={again}", cwd=self.folder)
        for name in ("model.safetensors", "quantization.safetensors"):
            first, second = (checkpoints(run)[-1] / name for run in (self.run, again))
            if first.exists():
                self.assertEqual(first.read_bytes(), second.read_bytes())

    def test_a_dry_run_writes_nothing(self):
        config = write_config(self.folder / "c.json", tiny_config(self.made_in / "data", output=str(self.folder / "run")))
        before = sorted(self.folder.rglob("*"))
        self.run_detent("train", config, "--dry-run")
        self.assertEqual(sorted(self.folder.rglob("*")), before)


class Verify(Contract):
    def test_one_flipped_nibble(self):
        """In the codes of a q4_0 tensor: 18 bytes a block, two of them the scale."""
        from support.files import gguf_tensors
        whole = self.gguf.read_bytes()
        tensors = gguf_tensors(whole)
        name = next(name for name in tensors if "ffn_down" in name)
        for place in (2, 17, 18 * 5 + 9):
            for bit in (0x01, 0x80):
                with self.subTest(f"byte {place}, bit {bit}"):
                    spoiled = bytearray(whole)
                    spoiled[tensors[name] + place] ^= bit
                    broken = self.folder / "m.gguf"
                    broken.write_bytes(spoiled)
                    answer = self.json_of("verify", broken, "--against", self.run, code=1)
                    differing = {t["name"]: t["differing"] for t in answer["tensors"] if not t["equal"]}
                    self.assertEqual(list(differing.values()), [1])
                    self.assertRegex(next(iter(differing)), "ffn_down|down_proj")
                    text = self.run_detent("verify", broken, "--against", self.run, code=1)
                    self.assertRegex(text.out + text.err, "ffn_down|down_proj")

    def test_a_scale(self):
        from support.files import gguf_tensors
        spoiled = bytearray(self.gguf.read_bytes())
        spoiled[gguf_tensors(spoiled)["blk.0.attn_q.weight"]] ^= 1
        (self.folder / "m.gguf").write_bytes(spoiled)
        answer = self.json_of("verify", self.folder / "m.gguf", "--against", self.run, code=1)
        self.assertGreaterEqual(sum(t["differing"] for t in answer["tensors"]), 20, "a scale moves its group")

    def test_another_run(self):
        quantized_run(self.folder, train={"steps": 7, "batch_size": 4, "threads": 1})
        self.json_of("verify", self.gguf, "--against", self.folder / "run", code=1)


class Interrupted(Contract):
    def interrupt(self, number, config, steps, *more):
        """Sends the signal once the log has that many steps, and checks that the state was saved."""
        process = start("train", config, *more)
        log = self.folder / "run" / "log.jsonl"
        support.wait_until(lambda: log.exists() and log.read_bytes().count(b'"train"') >= steps)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 3, err)
        last = err.decode().strip().splitlines()[-1]
        self.assertEqual(sentences(last), 1, last)
        self.assertIn("--resume", last)
        done = [line["step"] for line in log_lines(self.folder / "run") if line["kind"] == "train"]
        self.assertEqual(done, list(range(1, len(done) + 1)), "every step once")
        self.assertEqual(checkpoints(self.folder / "run")[-1].name, f"step-{done[-1]:06}")
        return len(done)

    def test_the_state_is_saved_and_resume_goes_on(self):
        config = write_config(self.folder / "c.json", tiny_config(
            self.made_in / "data", output=str(self.folder / "run"), quant=QUANT,
            train={"steps": 1_000_000, "batch_size": 4, "threads": 1, "log_every": 1}))
        first = self.interrupt(signal.SIGINT, config, 3)
        second = self.interrupt(signal.SIGTERM, config, first + 3, "--resume")
        self.assertGreater(second, first)


class Configuration(Contract):
    def test_methods_config_lists_every_key(self):
        """Every key that a resolved configuration holds, and every one of the contract that this version has."""
        text = self.run_detent("methods", "--config").out
        resolved = (self.run / "config.yaml").read_text()
        keys = set(re.findall(r"([A-Za-z_0-9]+):", resolved))
        missing = [key for key in sorted(keys) if not re.search(rf"\b{re.escape(key)}\b", text)]
        self.assertEqual(missing, [])
        self.assertGreater(len(keys), 40)

    def test_a_resolved_configuration_holds_the_defaults(self):
        resolved = (self.run / "config.yaml").read_text()
        for key in ("betas", "weight_decay", "max_grad_norm", "warmup", "gradient_accumulation", "seed", "keep", "output"):
            self.assertRegex(resolved, rf"\b{key}:")


if __name__ == "__main__":
    support.main()
