"""`detent bench`: what is asked for is measured, and what would have no effect is refused."""
import math
import statistics
import tempfile
import unittest
from pathlib import Path

import support
from support import detent


class Bench(unittest.TestCase):
    def test_arms_and_their_ratios(self):
        result = detent("bench", "steps", "--quick", "--arm", "fp32", "--arm", "quest_w4a4_half", "--rounds", "1", "--json")
        self.assertEqual(result.code, 0, result.err)
        rows = {row["name"]: row for row in result.json()["benchmarks"]}
        self.assertEqual(set(rows), {f"{what} {arm}" for what in ("step", "evaluation") for arm in ("fp32", "quest_w4a4_half")})
        self.assertEqual(rows["step quest_w4a4_half"]["baseline"], "step fp32")
        for row in rows.values():
            self.assertGreater(row["seconds"], 0)
            self.assertGreater(row["ratio"], 0)
        step = rows["step fp32"]
        parts = sum(step[part] for part in ("forward", "output", "backward", "norm", "optimizer"))
        self.assertAlmostEqual(parts / step["seconds"], 1)  # of one round; medians of more need not add up
        self.assertGreater(sum(step["operations"].values()), 0)
        self.assertNotIn("owners", step)  # of two arms in one process

    def test_owners_of_memory(self):
        rows = detent("bench", "steps", "--quick", "--arm", "fp32", "--rounds", "1", "--json").json()["benchmarks"]
        owners = rows[0]["owners"]
        self.assertEqual(owners["optimizer"], 2 * owners["weights"])  # AdamW's two moments
        self.assertEqual(owners["gradients"], owners["weights"])
        self.assertLessEqual(sum(owners.values()), rows[0]["peak_bytes"] * 1.01)

    def test_sizes_that_blocks_do_not_divide(self):
        rows = detent("bench", "composites", "--size", "33x96", "--size", "7x128", "--json").json()["benchmarks"]
        names = {shape: {row["name"] for row in rows if row["shape"] == shape} for shape in ("33x96", "7x128")}
        self.assertEqual(sum(map(len, names.values())), len(rows))
        self.assertEqual({name for name in names["7x128"] - names["33x96"] if "QuEST" not in name}, {"block Hadamard 128"})
        self.assertTrue(all(row["low"] <= row["ratio"] <= row["high"] for row in rows))

    def test_products_as_shares_of_the_peaks(self):
        result = detent("bench", "products", "--quick", "--json").json()
        self.assertGreater(result["machine"]["float_peak"], 1e8)
        for row in result["benchmarks"]:
            self.assertGreater(row["fraction_of_floor"], 0)
            self.assertGreater(row["baseline_fraction_of_floor"], 0)

    def test_cost_over_size(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        plot = Path(folder.name) / "cost.svg"
        rows = detent("bench", "scaling", "--quick", "--plot", plot, "--json").json()["benchmarks"]
        self.assertEqual(len(rows), 4)
        for row in rows:
            self.assertEqual(len(row["size"]), 4)
            line = statistics.linear_regression([math.log(x) for x in row["size"]], [math.log(y) for y in row["seconds"]])
            self.assertAlmostEqual(row["exponent"], line.slope)
        self.assertIn("<svg", plot.read_text())

    def test_options_without_effect(self):
        for arguments in (["kernels", "--shape", "small"], ["composites", "--arm", "fp32"], ["steps", "--quick", "--shape", "tiny"],
                          ["steps", "--arm", "no_such_arm"], ["steps", "--shape", "huge"], ["steps", "--size", "256"], ["kernels", "--quick", "--size", "256"],
                          ["kernels", "--size", "200"], ["kernels", "--size", "64"],
                          ["composites", "--size", "12y"], ["composites", "--size", "0x8"], ["kernels", "--rounds", "2"], ["steps", "--plot", "x.svg"]):
            result = detent("bench", *arguments)
            self.assertEqual(result.code, 2, arguments)
            self.assertIn(arguments[-1] if arguments[-1] in ("no_such_arm", "huge") else "--", result.err)


if __name__ == "__main__":
    support.main()
