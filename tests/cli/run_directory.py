"""What a run leaves behind: checkpoints kept, log fields, TensorBoard events, a report that needs no network."""
import html.parser
import json
import math
import re

import support
from support import checkpoints, log_lines, tiny_config, write_config, write_data
from support.events import crc32c, events
from support.refusal import Refusals

CAGE = {"quant": {"weights": {"grid": "int", "bits": 4, "scale": "absmax", "group": 32}}, "cage": {"pull": 0.06, "start": 0.0}}


class RunDirectory(Refusals):
    def run_of(self, name="run", **changes):
        data = self.folder / "data"
        if not data.exists():
            write_data(data)
        config = write_config(self.folder / f"{name}.json", tiny_config(data, output=str(self.folder / name), **changes))
        self.run_detent("train", config)
        return self.folder / name


class Kept(RunDirectory):
    def test_the_last_k(self):
        for keep in (1, 3):
            run = self.run_of(f"keep {keep}", train={"steps": 11, "batch_size": 4, "threads": 1},
                              checkpoint={"every": 2, "keep": keep})
            names = [path.name for path in checkpoints(run)]
            self.assertEqual(names, [f"step-{step:06}" for step in (2, 4, 6, 8, 10, 11)][-keep:])
            self.assertEqual((run / "checkpoints" / "latest").read_text().strip(), "step-000011")

    def test_what_a_checkpoint_holds(self):
        run = self.run_of(**CAGE)
        names = {path.name for path in checkpoints(run)[-1].iterdir()}
        self.assertLessEqual({"config.json", "model.safetensors", "state.json", "state.safetensors"}, names)
        tree = json.loads((checkpoints(run)[-1] / "config.json").read_text())
        self.assertEqual((tree["model_type"], tree["architectures"]), ("llama", ["LlamaForCausalLM"]))


class Log(RunDirectory):
    def test_fields(self):
        run = self.run_of(train={"steps": 8, "batch_size": 4, "gradient_accumulation": 2, "threads": 1, "log_every": 1},
                          eval={"every": 4, "batches": 2}, **CAGE)
        lines = log_lines(run)
        train = [line for line in lines if line["kind"] == "train"]
        valid = [line for line in lines if line["kind"] == "eval"]
        self.assertEqual([line["step"] for line in train], list(range(1, 9)))
        self.assertEqual([line["step"] for line in valid], [0, 4, 8])
        self.assertEqual([line["kind"] for line in lines[-2:]], ["eval", "final"])
        self.assertEqual(lines[-1]["validation_loss"], valid[-1]["validation_loss"])
        machine = [line for line in lines if line["kind"] == "machine"]
        self.assertEqual([line["step"] for line in machine], [0])
        for key in ("least_step_seconds", "float_operations_per_second", "bytes_per_second"):
            self.assertGreater(machine[0][key], 0, key)
        for line in [*train, lines[-1]]:  # a tiny model is far from what the machine can do
            self.assertGreater(line["speed_of_light"], 0)
            self.assertLess(line["speed_of_light"], 1)
        for line in train:
            for key in ("loss", "lr", "grad_norm", "tokens", "tokens_per_second", "speed_of_light", "lambda_t"):
                self.assertIsInstance(line[key], (int, float), key)
                self.assertTrue(math.isfinite(line[key]), key)
            # Learned targets: the last window of the text is short.
            self.assertLessEqual(line["tokens"], line["step"] * 4 * 2 * 32)
            self.assertGreater(line["tokens"], line["step"] * 4 * 2 * 32 - 32 * (1 + line["step"] // 16))

    def test_a_process_without_a_step_has_no_speed(self):
        run = self.run_of(train={"steps": 3, "batch_size": 4, "threads": 1})
        self.assertIn("speed_of_light", log_lines(run)[-1])
        answer = self.run_detent("train", self.folder / "run.json", "--resume", "--json").json()
        self.assertNotIn("speed_of_light", answer)
        last = log_lines(run)[-1]
        self.assertEqual((last["kind"], last["step"]), ("final", 3))
        self.assertNotIn("speed_of_light", last)

    def test_every_line_is_strict_json(self):
        """No NaN or Infinity, which JSON does not have."""
        def refuse(word):
            raise ValueError(word)

        for line in (self.run_of(**CAGE) / "log.jsonl").read_text().splitlines():
            json.loads(line, parse_constant=refuse)


class Events(RunDirectory):
    def test_the_walker(self):
        """Test values of RFC 3720: without them the walker might agree with a wrong writer."""
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        self.assertEqual(crc32c(b"\0" * 32), 0x8A9136AA)
        self.assertEqual(crc32c(b"\xff" * 32), 0x62A8AB43)

    def test_the_same_numbers_as_the_log(self):
        run = self.run_of(eval={"every": 3, "batches": 2}, **CAGE)
        files = list(run.glob("events.out.tfevents.*"))
        self.assertEqual(len(files), 1)
        found = list(events(files[0].read_bytes()))
        self.assertEqual(found[0].get("version"), "brain.Event:2")
        times = [event["wall_time"] for event in found]
        self.assertEqual(times, sorted(times))
        losses = {event["step"]: value for event in found for tag, value in event["scalars"].items()
                  if re.search(r"loss$", tag) and "valid" not in tag and "eval" not in tag}
        expected = {line["step"]: line["loss"] for line in log_lines(run) if line["kind"] == "train"}
        self.assertEqual(losses.keys(), expected.keys())
        for step, loss in expected.items():
            self.assertAlmostEqual(losses[step], loss, delta=1e-5 * abs(loss))
        valid = [event["step"] for event in found for tag in event["scalars"] if "valid" in tag or "eval" in tag]
        self.assertEqual(sorted(set(valid)), [0, 3, 6])

    def test_after_a_resume(self):
        """Every step is there, and each file is whole."""
        run = self.run_of(checkpoint={"every": 3, "keep": 2})
        self.run_detent("train", self.folder / "run.json", "--resume")
        steps = {event["step"] for path in run.glob("events.out.tfevents.*") for event in events(path.read_bytes())
                 for tag in event["scalars"] if tag == "train/loss"}
        self.assertEqual(steps, set(range(1, 7)))


class Page(html.parser.HTMLParser):
    """Checks that what is opened is closed, in order, and collects what points outside."""
    VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.links, self.text, self.seen = [], [], [], [], set()

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        if len({name for name, _ in attributes}) != len(attributes):
            self.faults.append(f"an attribute twice in {tag}")
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href", "data", "action", "poster")]

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at line {self.getpos()[0]}")

    def handle_data(self, text):
        self.text.append(text)


class Report(RunDirectory):
    def page(self, *paths):
        out = self.folder / "report.html"
        self.run_detent("report", *paths, "--out", out)
        text = out.read_text(encoding="utf-8")
        page = Page()
        page.feed(text)
        page.close()
        return text, page

    def check(self, text, page):
        self.assertEqual((page.faults, page.open), ([], []))
        self.assertLessEqual({"html", "head", "title", "body", "svg", "table"}, page.seen)
        self.assertTrue(text.lower().startswith("<!doctype html>"))
        self.assertEqual([link for link in page.links if not link.startswith("#") and not link.startswith("data:")], [])
        outside = re.sub(r'xmlns(:\w+)?="http://www\.w3\.org/[^"]*"', "", text)
        self.assertNotRegex(outside, r"https?:|@import|url\(\s*['\"]?(?!#|data:)|\bfetch\(|XMLHttpRequest")

    def test_one_run_and_several(self):
        first = self.run_of("first", eval={"every": 2, "batches": 2})
        second = self.run_of("second", eval={"every": 2, "batches": 2}, **CAGE)
        for paths in ([first], [first, second]):
            text, page = self.page(*paths)
            self.check(text, page)
            for path in paths:
                self.assertIn(path.name, "".join(page.text))
        loss = log_lines(second)[-1]["validation_loss"]
        self.assertIn(f"{loss:.4f}", "".join(page.text), "the last validation loss is in the table")

    def test_names_that_look_like_markup(self):
        run = self.run_of("<b>&amp; \"run\" </td><script>", eval={"every": 2, "batches": 2})
        text, page = self.page(run)
        self.check(text, page)
        self.assertIn("</td><script>", "".join(page.text))

    def test_bad_runs(self):
        run = self.run_of()
        log = run / "log.jsonl"
        whole = log.read_text()
        lines = whole.splitlines(keepends=True)
        (self.folder / "empty").mkdir()
        for path in ("nowhere", "empty", "data/a.txt"):
            self.refused("report", path, "--out", "r.html", says=[path])
        log.write_text("".join(lines[:2]) + "{broken\n" + "".join(lines[2:]))
        self.refused("report", "run", "--out", "r.html", says=["log.jsonl:3"])
        log.unlink()
        self.refused("report", "run", "--out", "r.html", says=["log.jsonl"])


if __name__ == "__main__":
    support.main()
