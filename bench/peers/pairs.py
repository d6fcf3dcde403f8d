"""Samples taken in turns, and what is said of them: medians, and medians of the ratios within each turn."""
import json
import os
import statistics
import subprocess
import sys

# Blocks freed are kept for the next tensor instead of going back to the system, which would have to clear their pages each
# time: PyTorch's best form on a CPU. It takes effect when a process starts.
RECYCLING = {"MALLOC_MMAP_THRESHOLD_": str(1 << 40), "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_TOP_PAD_": str(1 << 26)}


def start_again_recycling():
    """This script in a process whose allocator recycles; returns in that process alone."""
    if not RECYCLING.keys() <= os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **RECYCLING})


def say(text):
    print(text, file=sys.stderr, flush=True)


class Program:
    def __init__(self, path):
        self.path = path
        self.machine = None  # as the program describes it

    def rows(self, threads, *arguments):
        """What `detent bench` measured, on so many threads; by name where names are unique."""
        environment = {name: value for name, value in os.environ.items() if name not in RECYCLING} | {"OMP_NUM_THREADS": str(threads)}
        result = subprocess.run([self.path, "bench", *arguments, "--json"], env=environment, capture_output=True, text=True)
        if result.returncode:
            raise SystemExit(f"detent bench {' '.join(arguments)}: {result.stderr.strip()}")
        answer = json.loads(result.stdout)
        self.machine = answer["machine"]
        return answer["benchmarks"]

    def by_name(self, threads, *arguments):
        return {row["name"]: row for row in self.rows(threads, *arguments)}


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def median_of_each(samples):
    """Of dictionaries with the same keys."""
    return {name: statistics.median(each[name] for each in samples) for name in samples[0]}


def ratios(turns, name, to):
    """Spread of name over to, each pair from one turn; None where one of them was not measured."""
    pairs = [turn[name] / turn[to] for turn in turns if turn.get(name) and turn.get(to)]
    return spread(pairs) if pairs else None
