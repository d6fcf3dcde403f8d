"""`detent bench`: what is asked for is measured, and what would have no effect is refused."""
import unittest

import support
from support import detent


class Bench(unittest.TestCase):
    def test_arms_and_their_ratios(self):
        result = detent("bench", "steps", "--quick", "--arm", "fp32", "--arm", "quest_w4a4_half", "--json")
        self.assertEqual(result.code, 0, result.err)
        rows = {row["name"]: row for row in result.json()["benchmarks"]}
        self.assertEqual(set(rows), {f"{what} {arm}" for what in ("step", "evaluation") for arm in ("fp32", "quest_w4a4_half")})
        self.assertEqual(rows["step quest_w4a4_half"]["baseline"], "step fp32")
        for row in rows.values():
            self.assertGreater(row["seconds"], 0)
            self.assertGreater(row["ratio"], 0)

    def test_options_without_effect(self):
        for arguments in (["kernels", "--shape", "small"], ["composites", "--arm", "fp32"], ["steps", "--quick", "--shape", "tiny"],
                          ["steps", "--arm", "no_such_arm"], ["steps", "--shape", "huge"], ["steps", "--size", "256"], ["kernels", "--quick", "--size", "256"],
                          ["kernels", "--size", "200"], ["kernels", "--size", "64"]):
            result = detent("bench", *arguments)
            self.assertEqual(result.code, 2, arguments)
            self.assertIn(arguments[-1] if arguments[-1] in ("no_such_arm", "huge") else "--", result.err)


if __name__ == "__main__":
    support.main()
