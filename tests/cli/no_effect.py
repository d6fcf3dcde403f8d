"""Options and keys that would change nothing, and checks that come before the work: said in one sentence, not passed over."""
# label: slow
import json
import shutil
from pathlib import Path

import support
from support import checkpoints, detent, tiny_config, write_config, write_data
from support.refusal import Refusals, contents, sentences

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "golden" / "tokenizers"
OWN = GOLDEN / "llama3.json"  # the tokenizer of the model that is gone on from
QUANT = {"weights": {"grid": "int", "bits": 4, "scale": "absmax_signed", "group": 32, "scale_format": "fp16"}}


def made(cache={}):
    """A run on bytes with its GGUF file, and one with a tokenizer of its own, made once."""
    if not cache:
        folder = support.shared_folder()
        write_data(folder / "data")
        for name, data in (("run", {}), ("worded", {"tokenizer": str(OWN)})):
            config = tiny_config(folder / "data", output=str(folder / name), quant=QUANT)
            config["data"] |= data
            done = detent("train", write_config(folder / f"{name}.json", config))
            assert done.code == 0, done.err
        done = detent("export", folder / "run", "--to", "gguf:q4_0", "--out", folder / "m.gguf")
        assert done.code == 0, done.err
        cache.update({name: folder / name for name in ("data", "run", "worded", "m.gguf")})
    return cache


class Case(Refusals):
    def setUp(self):
        super().setUp()
        self.data, self.run_folder, self.worded, self.gguf = (made()[n] for n in ("data", "run", "worded", "m.gguf"))

    def config(self, data=None, **changes):
        tree = tiny_config(self.data, **{"output": str(self.folder / "new")} | changes)
        tree["data"] |= data or {}
        return write_config(self.folder / "c.json", tree)


class OwnTokenizer(Case):
    def go_on(self, model, *more, **data):
        return ["train", self.config(data, model={"from": str(model)}), *more]

    def test_another_vocabulary(self):
        for name, says in (("bytes", "'bytes'"), (str(GOLDEN / "words.json"), "words.json"), (str(self.run_folder), "/run'")):
            for more in ([], ["--dry-run"]):
                with self.subTest(name, more=more):
                    self.refused(*self.go_on(self.worded, *more, tokenizer=name),
                                 says=["c.json", "data.tokenizer", says, "worded", "drop data.tokenizer"])
        self.refused(*self.go_on(self.run_folder, tokenizer=str(OWN)), says=["data.tokenizer", "llama3.json", "drop"])

    def test_its_own_by_any_name(self):
        own = checkpoints(self.worded)[-1]
        for name in (None, self.worded, own, own / "tokenizer.json", OWN):
            with self.subTest(name):
                data = {} if name is None else {"tokenizer": str(name)}
                self.run_detent(*self.go_on(self.worded, "--dry-run", **data))
        for model in (self.run_folder, self.gguf):
            self.run_detent(*self.go_on(model, "--dry-run", tokenizer="bytes"))

    def test_reserved_tokens_may_be_renamed(self):
        text = OWN.read_text()
        reserved = [token["content"] for token in json.loads(text)["added_tokens"]][-1]
        renamed = self.folder / "renamed.json"
        renamed.write_text(text.replace(json.dumps(reserved), json.dumps("<|mine|>")))
        self.run_detent(*self.go_on(self.worded, "--dry-run", tokenizer=str(renamed)))

    def test_shards_made_with_it(self):
        self.run_detent("tokenize", self.worded, self.data / "a.txt", "--out", self.folder / "shards")
        self.run_detent(*self.go_on(self.worded, "--dry-run", train=[str(self.folder / "shards")]))
        self.run_detent("tokenize", "bytes", self.data / "a.txt", "--out", self.folder / "byte shards")
        self.refused(*self.go_on(self.worded, "--dry-run", train=[str(self.folder / "byte shards")]), says=["byte shards"])

    def test_a_model_without_one(self):
        """Then the ids have to fit; nobody can know more."""
        model = self.folder / "model"
        shutil.copytree(checkpoints(self.worded)[-1], model)
        for path in [*model.glob("*token*"), model / "state.json"]:
            path.unlink()
        self.run_detent(*self.go_on(model, "--dry-run", tokenizer="bytes"))
        self.refused(*self.go_on(model, tokenizer=str(GOLDEN / "llama2.json")), says=["data.tokenizer", "llama2.json", "tokens"])


class Options(Case):
    def test_generate(self):
        for option, value in (("--seed", 1), ("--top-k", 5), ("--top-p", 0.9)):
            with self.subTest(option):
                self.refused("generate", self.run_folder, "--prompt", "x", option, value, says=[option, "--temperature"])
                self.run_detent("generate", self.run_folder, "--prompt", "x", "--tokens", 2, option, value, "--temperature", 1)

    def test_eval(self):
        text, lines = self.data / "valid.txt", self.data / "c.jsonl"
        for arguments, says in ((["--data", text, "--field", "text"], ["--field", ".jsonl"]),
                                (["--data", lines, "--separator", "x"], ["--separator", ".txt"]),
                                (["--data", lines, "--format", "text", "--chat-format", "chatml"], ["--chat-format"]),
                                (["--data", text, "--context", 9999], ["--context", "2048"])):
            with self.subTest(arguments):
                self.refused("eval", self.run_folder, *arguments, says=says)
        self.run_detent("eval", self.run_folder, "--data", text, lines, "--field", "text", "--separator", "\n")
        result = self.run_detent("eval", self.run_folder, "--data", text, "--fail-above", 0, code=1)
        self.assertIn("loss", result.out)

    def test_eval_without_a_bos_to_leave_out(self):
        task = self.folder / "task.jsonl"
        task.write_text(json.dumps({"context": "a", "choices": [" b", " c"], "answer": 0}) + "\n")
        self.refused("eval", self.run_folder, "--task", task, "--no-bos", says=["--no-bos", "BOS"])
        self.run_detent("eval", self.worded, "--task", task, "--no-bos")

    def test_one_is_one(self):
        (self.folder / "short.txt").write_text("ab")
        out = self.run_detent("eval", self.run_folder, "--data", self.folder / "short.txt").out
        self.assertIn("1 token in 1 window,", out)

    def test_tokenize(self):
        for option, name in (("--field", "a.txt"), ("--separator", "c.jsonl")):
            self.refused("tokenize", "bytes", self.data / name, "--out", self.folder / "out", option, "x", says=[option])

    def test_verify(self):
        self.refused("verify", self.gguf, "--against", self.run_folder, "--logits", self.data / "valid.txt", "--context", 9999,
                     says=["--context", "2048"])

    def test_methods(self):
        self.assertEqual(list(self.run_detent("methods", "--targets", "--json").json()), ["targets"])
        keys = self.run_detent("methods", "--config", "--json").json()["config"]
        self.assertIn("quant.skip", [key["name"] for key in keys])

    def test_an_unknown_one(self):
        self.refused("generate", self.run_folder, "--prompt", "x", "--tokns", 3, says=["--tokns", "did you mean --tokens"])
        self.refused("train", "c.json", "--dryrun", says=["--dryrun", "did you mean --dry-run"])


class Keys(Case):
    def refused_keys(self, says, **changes):
        self.refused("train", self.config(**changes), "--dry-run", says=["c.json:", *says])

    def test_data(self):
        text = {"train": [str(self.data / "a.txt")]}
        self.refused_keys(["data.field", ".jsonl"], data=text | {"field": "body"})
        lines = {"train": [str(self.data / "c.jsonl")], "valid": str(self.data / "c.jsonl")}
        self.refused_keys(["data.separator", ".txt"], data=lines | {"separator": "\n\n"})

    def test_layers(self):
        def layers(*entries):
            return {"quant": QUANT | {"layers": [{"match": match, "weights": {"bits": 8}} for match in entries]}}

        self.refused_keys(["lm_head", "no effect", "quant.skip"], **layers("lm_head"))
        self.refused_keys(["*.down_proj", "no effect", "first match"], **layers("*_proj", "*.down_proj"))
        self.run_detent("train", self.config(**layers("*.down_proj", "*_proj")), "--dry-run")

    def test_skip(self):
        """Part of a name, or a pattern; a list in place of the default quantizes the embedding, which is said."""
        def quantized(skip):
            self.run_detent("train", self.config(quant=QUANT | {"skip": skip}))
            tree = json.loads((checkpoints(self.folder / "new")[-1] / "quantization.json").read_text())
            shutil.rmtree(self.folder / "new")
            return json.dumps(tree)

        for entry in ("down_proj", "*.down_proj", "*.mlp.down_*"):
            found = quantized(["embed_tokens", "lm_head", entry])
            self.assertNotIn("down_proj", found)
            self.assertIn("up_proj", found)
        self.refused_keys(["quant.skip", "*.no_such"], quant=QUANT | {"skip": ["*.no_such"]})
        told = self.run_detent("train", self.config(quant=QUANT | {"skip": ["down_proj"]})).err.splitlines()
        told = [line for line in told if "quant.skip" in line]
        self.assertEqual(len(told), 1)
        self.assertRegex(told[0], "embed_tokens.weight and lm_head.weight are quantized too")


class DryRun(Case):
    def refused_dry(self, says, *more, code=2, **changes):
        """As the run itself would, and nothing is written."""
        config = self.config(**changes)
        dry = self.refused("train", config, "--dry-run", *more, says=says, code=code, within=self.folder)
        real = detent("train", config, *more, cwd=self.folder)
        self.assertEqual(real.code, code)
        self.assertEqual(real.err.strip().splitlines()[-1], dry.err.strip())

    def test_data(self):
        (self.folder / "empty.txt").write_text("")
        (self.folder / "broken.jsonl").write_text('{"text": "a"}\n{"text": \n')
        for data, says in (({"train": ["nowhere.txt"]}, ["nowhere.txt"]), ({"valid": "nowhere.txt"}, ["nowhere.txt"]),
                           ({"train": ["empty.txt"]}, ["empty.txt"]), ({"valid": "empty.txt"}, ["empty.txt"]),
                           ({"train": ["broken.jsonl"]}, ["broken.jsonl:2", "at column"])):
            with self.subTest(data):
                self.refused_dry(says, data=data)
        self.refused_dry(["train.batch_size", "9999"], train={"steps": 6, "batch_size": 9999})

    def test_output(self):
        shutil.copytree(self.run_folder, self.folder / "run")
        (self.folder / "file").write_text("mine")
        self.refused_dry(["already holds a run", "--resume"], output="run")
        self.refused_dry(["output", "file/new"], output="file/new")
        self.refused_dry(["nowhere", "--resume"], "--resume", output="nowhere")

    def test_resume(self):
        """The changed keys by name; a run that may go on passes."""
        shutil.copytree(self.run_folder, self.folder / "run")
        self.refused_dry(["train.seed: 0 -> 9", "quant.weights.bits: 4 -> 3"], "--resume", "--set", "train.seed=9", "--set",
                         "quant.weights.bits=3", output="run", quant=QUANT)
        self.run_detent("train", self.config(output=str(self.folder / "run"), quant=QUANT), "--resume", "--dry-run")

    def test_text_is_read_and_nothing_kept(self):
        before = contents(self.folder)
        result = self.run_detent("train", self.config(), "--dry-run")
        self.assertIn("nothing was written", result.err)
        self.assertFalse((self.folder / "new").exists() or (self.folder / ".cache").exists())
        self.assertEqual(set(contents(self.folder)) - set(before), {"c.json"})


class Words(Case):
    def test_targets_by_their_type(self):
        self.refused("export", self.run_folder, "--to", "q4_0", "--out", "x", says=["'q4_0'", "did you mean 'gguf:q4_0'"])

    def test_verify_against_another_model(self):
        self.run_detent("train", self.config(model={"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 2}))
        told = self.run_detent("verify", self.gguf, "--against", self.folder / "new", code=1).out.splitlines()
        self.assertLess(len(told), 22)
        self.assertTrue(any("more; --json lists all" in line for line in told))
        self.assertEqual(len(told), len(set(told)))

    def test_folders_that_are_missing_are_made(self):
        self.run_detent("export", self.run_folder, "--to", "gguf:q4_0", "--out", self.folder / "a" / "b" / "m.gguf")
        self.run_detent("export", self.run_folder, "--to", "safetensors:dequantized", "--out", self.folder / "c" / "m")
        self.run_detent("convert", self.gguf, "--out", self.folder / "d" / "e" / "m")
        self.run_detent("report", self.run_folder, "--out", self.folder / "f" / "page.html")
        for path in ("a/b/m.gguf", "c/m/config.json", "d/e/m/config.json", "f/page.html"):
            self.assertTrue((self.folder / path).exists(), path)
        (self.folder / "file").write_text("mine")
        self.refused("export", self.run_folder, "--to", "gguf:q4_0", "--out", "file/x/m.gguf", says=["file/x"])
        self.refused("export", self.run_folder, "--to", "gguf:q2_0", "--out", "g/m.gguf", says=["q2_0"])

    def test_arms_json_is_described(self):
        text = self.run_detent("report", "--help").out
        for word in ("arms.json", "role", "control", "rounding", "baseline"):
            self.assertIn(word, text)


if __name__ == "__main__":
    support.main()
