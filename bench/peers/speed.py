"""Fake quantization, CAGE, products of codes and a whole W4A4 training step against the same formulas in PyTorch, eager and compiled.

    python3 bench/peers/speed.py PROGRAM [kernels] [steps] [shapes] [scaling] [--rounds N] [--no-compile] [--record FILE.json]

`./run bench --peers` runs all of it. kernels: one thread, 2048 x 2048 floats, timed by the processor time of that thread and quoted in
copies, the time of PyTorch's copy_ of that tensor taken between the runs. steps: a Llama (llama.py), forward, backward, clipping and
AdamW, as ratios to PyTorch's eager step without quantization; peak memory is of a process that takes steps of one kind. shapes: the
program's kernels and products against ATen's, on one thread and on all. scaling: a step over tokens and parameters. Program and PyTorch
take turns; a ratio is the median of those within each turn, with the lowest and the highest. PyTorch rotates by a dense product with
blocks of 128 and, like the program, keeps freed blocks for the next tensor.
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import torch

import llama
import pairs
from formulas import COPY, SIZE, Kernels
from pairs import median_of_each, ratios, say
from steps import bench_steps

SHAPES = ("1024", "2048", "4096", "8192", "997x1024", "1000x1056", "4099x896", "1x4096", "31x11008")
FUSED = "AdamW, fused"


def our_seconds(rows):
    took = {name: row["seconds"] for name, row in rows.items()}
    return {"QuEST half, forward and backward": took["QuEST half, forward to codes and mask"] + took["QuEST half, backward"],
            "QuEST rotated back, forward and backward": took["QuEST rotated back, forward"] + took["QuEST rotated back, backward"],
            "int4 group 32, forward": took["quantize int4 absmax group 32"],
            "LSQ int4 row, forward and backward": took["LSQ int4 row, forward"] + took["LSQ int4 row, backward"],
            FUSED: took["adamw"],
            "AdamW, CAGE towards QuEST rows": took["adamw, CAGE towards QuEST rows"]}


def bench_kernels(program, arguments):
    torch.set_num_threads(1)
    forms = {"eager": Kernels(False)}
    if not arguments.no_compile:
        say("torch.compile of the kernels")
        forms["torch.compile"] = Kernels(True)
    turns = []
    for turn in range(arguments.rounds):
        say(f"kernels, turn {turn + 1} of {arguments.rounds}")
        taken = {"detent": our_seconds(program.by_name(1, "kernels"))}
        taken |= {name: median_of_each([kernels.measure() for _ in range(3)]) for name, kernels in forms.items()}
        turns.append(taken)
    torch.set_num_threads(arguments.threads)
    rows = {}
    for name in turns[0]["detent"]:
        to = {form: [{"it": turn[form].get(name), COPY: turn["eager"][COPY], "ours": turn["detent"][name], FUSED: turn["eager"][FUSED]} for turn in turns]
              for form in turns[0]}
        rows[name] = {"copies": {form: ratios(each, "it", COPY) for form, each in to.items()},
                      "over_detent": {form: ratios(each, "it", "ours") for form, each in to.items() if form != "detent"},
                      "over_fused_adamw": {form: ratios(each, "it", FUSED) for form, each in to.items()}}
        if not name.startswith("AdamW"):
            del rows[name]["over_fused_adamw"]
    failed = {name: kernels.failed for name, kernels in forms.items() if kernels.failed}
    return {"threads": 1, "size": SIZE, "turns": len(turns), "rows": rows} | ({"failed": failed} if failed else {})


def bench_shapes(program, arguments):
    rows = []
    sizes = [argument for shape in arguments.shapes for argument in ("--size", shape)]
    for threads in sorted({1, arguments.threads}):
        say(f"shapes against ATen, {threads} thread(s)")
        rows += program.rows(threads, "composites", *sizes)
        say(f"products of codes, {threads} thread(s)")
        rows += program.rows(threads, "products") + program.rows(threads, "products", *sizes)
    return rows


def bench_scaling(program, arguments):
    say("steps over tokens and parameters")
    plot = ["--plot", arguments.plot] if arguments.plot else []
    return program.rows(arguments.threads, "scaling", *plot)


def describe_machine(program, threads):
    program.rows(threads, "scaling", "--quick")  # for the limits of all threads
    names = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {"cpu": names[0] if names else platform.machine(), "cores": os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30), **program.machine}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("what", nargs="*", metavar="kernels | steps | shapes | scaling", help="default: all")
    parser.add_argument("--shape", choices=list(llama.SHAPES), help="of the steps; default: both")
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="ROWSxCOLUMNS", help="of shapes")
    parser.add_argument("--rounds", type=int, default=4, help="turns that program and PyTorch take")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of steps; default: all")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--record", help="a JSON file, or a folder for one named after the machine's integer products; parts not measured now stay in it")
    parser.add_argument("--plot", help="an SVG file of the scaling")
    parser.add_argument("--command", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    pairs.start_again_recycling()
    torch.set_num_threads(arguments.threads)
    what = arguments.what or ["kernels", "steps", "shapes", "scaling"]
    if unknown := set(what) - {"kernels", "steps", "shapes", "scaling"}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if arguments.record and (arguments.shape or arguments.shapes is not SHAPES):
        parser.error("a record holds all shapes of a part: leave --shape and --shapes out, or --record")
    program, record = pairs.Program(arguments.program), {}
    if "kernels" in what:
        record["kernels"] = bench_kernels(program, arguments)
    if "steps" in what:
        shapes = [arguments.shape] if arguments.shape else list(llama.SHAPES)
        record["steps"] = {shape: bench_steps(program, shape, arguments) for shape in shapes}
    if "shapes" in what:
        record["shapes"] = bench_shapes(program, arguments)
    if "scaling" in what:
        record["scaling"] = bench_scaling(program, arguments)
    write(record, describe_machine(program, arguments.threads), arguments)


def write(measured, machine, arguments):
    """Each part keeps the command and the day it is of; parts not measured now stay as they are."""
    version = subprocess.run([arguments.program, "--version"], check=True, capture_output=True, text=True).stdout.split()
    of = {"command": arguments.command or " ".join(["bench/peers/speed.py", *sys.argv[1:]]), "date": datetime.date.today().isoformat(),
          "versions": {"detent": version[-1], "torch": torch.__version__.split("+")[0], "python": platform.python_version()}}
    if not arguments.record:
        return print(json.dumps({"machine": machine, "measured": {name: of for name in measured}} | measured, indent=1))
    path = Path(arguments.record)
    if path.is_dir():
        path /= machine["integer_products"].lower() + ".json"
    record = json.loads(path.read_text()) if path.exists() else {"measured": {}}
    record |= measured | {"machine": machine, "measured": record["measured"] | {name: of for name in measured}}
    path.write_text(json.dumps(record, indent=1) + "\n")
    say(f"wrote {path}")


if __name__ == "__main__":
    main()
