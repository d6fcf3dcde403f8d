"""A whole training step of the program beside PyTorch's, in turns."""
import statistics
import subprocess
import sys

import llama
from formulas import seconds
from pairs import ratios, say, spread

ARMS = {"unquantized": "fp32", "W4A4": "quest_w4a4_half"}


def peak_of(shape, quantized, compiled):
    command = [sys.executable, llama.__file__, shape, str(int(quantized)), str(int(compiled))]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def peer_steps(shape, arguments):
    """Steps by name, each after two that compile and warm up; their forms; and what did not compile."""
    kinds = {"eager, unquantized": (False, False), "eager, W4A4": (True, False), "torch.compile, W4A4": (True, True)}
    steps, failed = {}, {}
    for name, kind in kinds.items():
        if kind[1] and arguments.no_compile:
            continue
        say(f"{shape}: first steps of {name}")
        try:
            step = llama.Step(shape, *kind)
            step()
            step()
            steps[name] = step
        except Exception as error:  # of torch.compile: whatever it raises is the answer
            if not kind[1]:
                raise
            failed[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return steps, {name: kinds[name] for name in steps}, failed


def bench_steps(program, shape, arguments):
    steps, kinds, failed = peer_steps(shape, arguments)
    chosen = [argument for arm in ARMS.values() for argument in ("--arm", arm)]
    turns = []
    for turn in range(arguments.rounds):
        say(f"{shape} step, turn {turn + 1} of {arguments.rounds}")
        ours = program.by_name(arguments.threads, "steps", "--shape", shape, "--rounds", "2", *chosen)
        taken = {f"detent, {what}": ours[f"step {arm}"]["seconds"] for what, arm in ARMS.items()}
        if arguments.threads > 1:
            alone = program.by_name(1, "steps", "--shape", shape, "--rounds", "2", *chosen)
            taken |= {f"one thread, {what}": alone[f"step {arm}"]["seconds"] for what, arm in ARMS.items()}
        for name, step in steps.items():
            taken[name] = statistics.median(seconds(step) for _ in range(2))
        turns.append(taken)
    rows = {name: {"ms": spread([1e3 * turn[name] for turn in turns]), "over_eager": ratios(turns, name, "eager, unquantized")}
            for name in turns[0] if not name.startswith("one thread")}
    if arguments.threads > 1:
        for what in ARMS:
            rows[f"detent, {what}"]["over_one_thread"] = ratios(turns, f"one thread, {what}", f"detent, {what}")
    say(f"{shape}: peak memory, each in a process of its own")
    for what, arm in ARMS.items():
        alone = program.by_name(arguments.threads, "steps", "--shape", shape, "--rounds", "2", "--arm", arm)[f"step {arm}"]
        rows[f"detent, {what}"] |= {"peak_mb": alone["peak_bytes"] / 2**20, "alone": alone}
    for name, kind in kinds.items():
        rows[name]["peak_mb"] = peak_of(shape, *kind)
    return {"threads": arguments.threads, "turns": len(turns), "rows": rows} | ({"failed": failed} if failed else {})
