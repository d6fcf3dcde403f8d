"""The trainer as a whole: it learns, sums gradients rightly, stops at what is not finite, and knows what it needs."""
import json
import math
import shutil
import struct

import support
from support import checkpoints, detent, log_lines, some_text, tiny_config, write_config, write_data
from support.files import read_safetensors, safetensors
from support.refusal import Refusals, replaced, sentences

INT4 = {"weights": {"grid": "int", "bits": 4, "scale": "absmax_signed", "group": 32, "scale_format": "fp16"}}


class Training(Refusals):
    def setUp(self):
        super().setUp()
        write_data(self.folder / "data")

    def config(self, name="run", **changes):
        return write_config(self.folder / f"{name}.json", tiny_config(
            self.folder / "data", output=str(self.folder / name), **changes))

    def losses(self, name="run", **changes):
        self.run_detent("train", self.config(name, **changes))
        return [line["loss"] for line in log_lines(self.folder / name) if line["kind"] == "train"]


class Learns(Training):
    def test_one_batch_by_heart(self):
        """128 bytes again and again: nothing but a fault in the step keeps the loss from falling to almost nothing."""
        (self.folder / "one.txt").write_text(some_text(4 * 32, 7))
        data = {"train": [str(self.folder / "one.txt")], "valid": str(self.folder / "one.txt"), "sequence_length": 32}
        for name, quant in (("plain", None), ("int4", INT4)):
            with self.subTest(name):
                losses = self.losses(name, data=data, quant=quant, optimizer={"learning_rate": 1e-2},
                                     model={"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
                                            "num_attention_heads": 2},
                                     train={"steps": 150, "batch_size": 3, "threads": 1, "log_every": 1})
                self.assertGreater(losses[0], 4.5, "it starts from nothing: log(257) = 5.5")
                self.assertLess(sum(losses[-5:]) / 5, 0.05)


class Accumulation(Training):
    def test_two_halves_are_a_batch(self):
        """Same windows, same sums up to their order: in float32 over eight steps of AdamW a relative 1e-4 is generous."""
        for name, quant in (("plain", None), ("int4", INT4)):
            one = self.losses(f"{name} one", quant=quant, train={"steps": 8, "batch_size": 8, "threads": 1, "log_every": 1})
            for parts in (2, 4):
                with self.subTest(f"{name} in {parts}"):
                    sums = self.losses(f"{name} {parts}", quant=quant, train={
                        "steps": 8, "batch_size": 8 // parts, "gradient_accumulation": parts, "threads": 1, "log_every": 1})
                    for step, (a, b) in enumerate(zip(one, sums, strict=True)):
                        self.assertLess(abs(a - b), (1e-5 if step == 0 else 1e-4 if quant is None else 1e-2) * a, step)


class NotFinite(Training):
    def stopped(self, result, *says):
        self.assertIn(result.code, (2,), result.err)
        last = result.err.strip().splitlines()[-1]
        self.assertEqual(sentences(last), 1, last)
        for word in says:
            self.assertRegex(last, word)

    def test_a_huge_learning_rate(self):
        """Weights beyond what a product can hold, or beyond any number. What is named as good must be good."""
        for rate, warmup in (("1e19", 0.5), ("1e39", 0)):
            with self.subTest(rate):
                name = f"run {rate}"
                config = self.config(name, optimizer={"learning_rate": float(rate), "max_grad_norm": 0},
                                     schedule={"name": "linear", "warmup": warmup}, checkpoint={"every": 1, "keep": 9},
                                     train={"steps": 8, "batch_size": 4, "threads": 1, "log_every": 1})
                result = detent("train", config)
                self.stopped(result, r"step \d+", r"the last good checkpoint is .*step-\d+|there is no checkpoint yet")
                for checkpoint in checkpoints(self.folder / name):
                    self.assert_finite(checkpoint / "model.safetensors")

    def test_the_last_step_of_all(self):
        """No later step would notice; the run must not end as if it were well."""
        result = detent("train", self.config(optimizer={"learning_rate": 1e39, "max_grad_norm": 0},
                                             schedule={"name": "constant", "warmup": 0},
                                             train={"steps": 1, "batch_size": 4, "threads": 1}))
        self.stopped(result, "step 1", "no checkpoint")

    def assert_finite(self, path):
        header, data = read_safetensors(path.read_bytes())
        for name, tensor in header.items():
            if name != "__metadata__" and tensor["dtype"] == "F32":
                begin, end = tensor["data_offsets"]
                values = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
                self.assertTrue(all(map(math.isfinite, values)), f"{path} {name}")

    def test_a_gradient_too_large(self):
        """A finite weight whose forward or gradient overflows is found at the first step, and no checkpoint is spoilt."""
        self.run_detent("train", self.config("first"))
        model = self.folder / "model"
        shutil.copytree(checkpoints(self.folder / "first")[-1], model)
        (model / "state.json").unlink()  # with it the checksum would tell first
        name = "model.layers.0.mlp.up_proj.weight"

        def spoil(content):
            header, data = read_safetensors(content)
            begin, end = header[name]["data_offsets"]
            return safetensors(header, data[:begin] + struct.pack("<f", 3e38) * ((end - begin) // 4) + data[end:])

        replaced(model / "model.safetensors", spoil)
        result = detent("train", self.config(model={"from": str(model)}))
        self.stopped(result, r"step [01]\b", r"loss|gradient")
        self.assertEqual(checkpoints(self.folder / "run") if (self.folder / "run" / "checkpoints").exists() else [], [])


class DryRun(Training):
    SHAPES = {
        "small": {},
        "wide": {"model": {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 4, "num_attention_heads": 8}},
        "long": {"model": {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4},
                 "sequence": 512, "batch": 8},
        "batch": {"model": {"hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 4},
                  "sequence": 128, "batch": 32},
        "quantized": {"model": {"hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 4, "num_attention_heads": 4},
                      "sequence": 128, "batch": 16, "quant": {
                          "weights": {"grid": "midrise", "bits": 4, "scale": "rms", "rotation": "hadamard", "group": "row",
                                      "surrogate": "trust"},
                          "activations": {"grid": "midrise", "bits": 4, "scale": "rms", "rotation": "hadamard",
                                          "group": "token", "surrogate": "trust"}}, "cage": {"pull": 0.06}},
    }

    def test_memory_within_a_fifth(self):
        """The program's whole resident memory, libraries included, as the system counts it."""
        text = self.folder / "long.txt"
        text.write_text(some_text(200_000, 11))
        for name, shape in self.SHAPES.items():
            with self.subTest(name):
                changes = {key: value for key, value in shape.items() if key in ("model", "quant", "cage")}
                config = self.config(name, data={"train": [str(text)], "valid": str(self.folder / "data" / "valid.txt"),
                                                 "sequence_length": shape.get("sequence", 32)},
                                     train={"steps": 3, "batch_size": shape.get("batch", 4), "threads": 2}, **changes)
                estimate = self.estimate(self.run_detent("train", config, "--dry-run", "--json"))
                measured = self.run_detent("train", config).peak_bytes
                support.FACTS.append(f"memory, {name}: estimated {estimate / 2**20:.0f} MiB, "
                                     f"measured {measured / 2**20:.0f} MiB ({estimate / measured - 1:+.0%})")
                self.assertLess(abs(estimate / measured - 1), 0.2)

    def estimate(self, result):
        return json.loads(result.out)["memory_bytes"]

    def test_counts(self):
        """Worked out by hand: a vocabulary of 256 bytes and the end of a text, head and embedding apart."""
        answer = json.loads(self.run_detent("train", self.config(), "--dry-run", "--json").out)
        block = 4 * 32 * 32 + 3 * 32 * 64 + 2 * 32
        self.assertEqual(answer["parameters"], 2 * 257 * 32 + block + 32)
        self.assertEqual((answer["steps"], answer["tokens"]), (6, 6 * 4 * 32))
        self.assertFalse((self.folder / "run").exists())


if __name__ == "__main__":
    support.main()
