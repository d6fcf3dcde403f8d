"""What the machine does to a run: limits on files and memory, places that are no folder, readers that leave."""
# label: slow
import os
import resource
from pathlib import Path

import support
from support import checkpoints, detent, start
from support.refusal import Machine, sentences


class Outputs(Machine):
    def setUp(self):
        super().setUp()
        self.run_detent("train", self.config(self.folder / "run"))

    def places(self):
        """Names that nobody can create; modes would not do, because they do not stop root."""
        (self.folder / "file").write_text("a file")
        yield self.folder / "file" / "run"
        yield Path("/proc/nowhere/run")

    def test_below_a_file(self):
        for place in self.places():
            named = place if place.parent.exists() else place.parent  # which export and report would make
            with self.subTest(place):
                self.refused("train", self.config(place), says=[place])
                for target in ("gguf:q4_0", "safetensors:dequantized"):
                    self.refused("export", "run", "--to", target, "--out", place, says=[named])
                self.refused("report", "run", "--out", place, says=[named])

    def test_a_folder_in_place_of_a_file(self):
        (self.folder / "full").mkdir()
        (self.folder / "full" / "thesis.tex").write_text("years of work")
        self.refused("export", "run", "--to", "gguf:q4_0", "--out", "full", says=["full"])
        self.refused("export", "run", "--to", "safetensors:dequantized", "--out", "full", says=["full"])
        self.refused("report", "run", "--out", "full", says=["full"])

    def test_results_that_nobody_received(self):
        valid = self.folder / "data" / "valid.txt"
        for command in (["eval", "run", "--data", valid, "--json"], ["methods"], ["doctor", "--json"], ["inspect", "run"],
                        ["generate", "run", "--prompt", "x"], ["--help"], ["train", "--help"], ["--version"]):
            with self.subTest(command), open("/dev/full", "wb") as full:
                self.fault(detent(*command, stdout=full, cwd=self.folder))

    def test_a_reader_that_leaves(self):
        """detent methods | head -1 is no crash."""
        read, write = os.pipe()
        process = start("methods", stdout=write)
        os.close(write)
        os.close(read)
        _, err = process.communicate(timeout=60)
        self.assertNotIn(b"terminate", err)
        self.assertLessEqual(sentences(err.decode()), 1)


class Limits(Machine):
    def test_on_file_sizes(self):
        """ulimit -f: the signal that kills by default must become the same sentence."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

        self.fault(detent("train", self.config(self.folder / "run"), limits=limit), str(self.folder))
        self.assertEqual(checkpoints(self.folder / "run") if (self.folder / "run").exists() else [], [])

    def test_on_open_files(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))

        result = detent("train", self.config(self.folder / "run"), limits=limit)
        if result.code != 0:
            self.fault(result)

    def test_on_memory(self):
        """Two gigabytes of addresses, libraries included: a training step of this model needs more."""
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))

        model = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 8}
        self.fault(detent("train", self.config(self.folder / "run", model=model), limits=limit), "memory")

    def test_a_model_that_fits_no_machine(self):
        """Refused from its sizes, before anything is allocated."""
        for hidden in (1 << 16, 1 << 20):
            model = {"hidden_size": hidden, "intermediate_size": hidden, "num_hidden_layers": 200,
                     "num_attention_heads": hidden >> 8}
            with self.subTest(hidden):
                self.refused("train", self.config(self.folder / "run", model=model), code=4, says=["memory"])


if __name__ == "__main__":
    support.main()
