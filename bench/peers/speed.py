"""Fake quantization, CAGE and a whole W4A4 training step against the same formulas in PyTorch, eager and compiled.

    OMP_NUM_THREADS=2 python3 bench/peers/speed.py PROGRAM [kernels] [step] [--shape small|tiny] [--no-compile] [--rounds N] [--record FILE.json]

Kernels run on one thread and 2048 x 2048 floats, timed by the processor time of that thread, and are quoted in copies: the
time of PyTorch's copy_ of that tensor, measured between the runs, for both sides. The last row is a ratio to torch's fused
AdamW for both sides as well. PyTorch's forms are the formulas of the papers written as a user would; its rotation is a matrix product
with blocks of 128. The step is a Llama, small (hidden 512, 8 layers, vocabulary 4096, 4 x 256 tokens) or tiny (hidden 128, 4 layers,
vocabulary 256, 16 x 256 tokens), linear layers W4A4 (QuEST: half rotation, clip), forward, backward, clipping and AdamW; ratios are to PyTorch's eager step without quantization. Program
and PyTorch take turns; every figure is a median over those turns. Peak memory is of a process that takes steps of one kind.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

SIZE, BLOCK = 2048, 128
CLIP = 2.513930578568423  # MSE-optimal clipping of N(0,1) at 4 bits (arXiv 2502.05003)
COPY = "copy"
QUEST_ARM, PLAIN_ARM = "quest_w4a4_half", "fp32"


def hadamard():
    h = torch.ones(1, 1)
    while h.size(0) < BLOCK:
        h = torch.cat([torch.cat([h, h], 1), torch.cat([h, -h], 1)])
    return h / math.sqrt(BLOCK)


H = hadamard()


def rotated(x):
    return (x.view(-1, BLOCK) @ H).view(x.shape)


class QuestHalf(torch.autograd.Function):
    """Rotate, quantize to the 4-bit mid-rise grid, stay rotated; gradients pass within the clipping points."""
    @staticmethod
    def forward(ctx, x):
        y = rotated(x)
        clip = CLIP * y.square().mean(-1, keepdim=True).sqrt() + 1e-8
        step = 2 * clip / 15
        ctx.save_for_backward(y.abs() <= clip)
        return (torch.clamp(torch.floor(y / step), -8, 7) + 0.5) * step

    @staticmethod
    def backward(ctx, g):
        mask, = ctx.saved_tensors
        return rotated(g * mask)


class Lsq(torch.autograd.Function):
    """Learned steps a row, int4 (arXiv 1902.08153)."""
    @staticmethod
    def forward(ctx, x, step):
        u = x / step
        q = u.round().clamp(-8, 7)
        ctx.save_for_backward(u, q)
        return q * step

    @staticmethod
    def backward(ctx, g):
        u, q = ctx.saved_tensors
        inside = (u >= -8) & (u <= 7)
        slope = torch.where(inside, q - u, q)
        return g * inside, (g * slope).sum(-1, keepdim=True) / math.sqrt(g.size(-1) * 7)


def int4_groups(x):
    groups = x.view(-1, 32)
    scale = groups.abs().amax(1, keepdim=True) / 7
    return ((groups / scale).round().clamp(-8, 7) * scale).view(x.shape)


def pull(w, strength):
    """CAGE's decoupled term towards QuEST's values, in the weight's own basis."""
    w.sub_(w - rotated(QuestHalf.apply(w)), alpha=strength)


def seconds(work, clock=time.perf_counter):
    begin = clock()
    work()
    return clock() - begin


class Kernels:
    """Each kernel as one callable; forward and backward where it says so."""

    def __init__(self, compiled):
        torch.manual_seed(0)
        self.form = torch.compile if compiled else lambda f: f
        self.x, self.g = torch.randn(SIZE, SIZE, requires_grad=True), torch.randn(SIZE, SIZE)
        self.step = torch.full((SIZE, 1), 0.3, requires_grad=True)
        self.copy = torch.empty(SIZE, SIZE)
        self.w = torch.randn(SIZE, SIZE)
        self.w.grad = self.g
        self.adamw = torch.optim.AdamW([self.w], lr=1e-3, fused=True)
        half, full = self.form(QuestHalf.apply), self.form(lambda x: rotated(QuestHalf.apply(x)))
        lsq, int4, cage = self.form(Lsq.apply), self.form(int4_groups), self.form(pull)
        self.work = {"QuEST half, forward and backward": lambda: self.both(half, self.x),
                     "QuEST rotated back, forward and backward": lambda: self.both(full, self.x),
                     "int4 group 32, forward": lambda: self.without(int4),
                     "LSQ int4 row, forward and backward": lambda: self.both(lsq, self.x, self.step),
                     "AdamW, fused": self.adamw.step,
                     "AdamW, CAGE towards QuEST rows": lambda: (self.adamw.step(), self.without(lambda _: cage(self.w, 1e-3)))}

    def both(self, function, *inputs):
        for each in inputs:
            each.grad = None
        function(*inputs).backward(self.g)

    @torch.no_grad()
    def without(self, function):
        function(self.x.detach())

    def measure(self):
        """Seconds of this thread for each kernel, and for a copy, as the median of those taken before each."""
        copies, times = [], {}
        for name, work in self.work.items():
            copies.append(seconds(lambda: self.copy.copy_(self.g), time.thread_time))
            times[name] = seconds(work, time.thread_time)
        return times | {COPY: statistics.median(copies)}


class QuestLinear(torch.nn.Linear):
    def forward(self, x):
        return F.linear(QuestHalf.apply(x), QuestHalf.apply(self.weight))


class Block(torch.nn.Module):
    def __init__(self, linear, hidden, heads):
        super().__init__()
        self.heads = heads
        self.norms = torch.nn.ModuleList(torch.nn.RMSNorm(hidden, eps=1e-5) for _ in range(2))
        self.q, self.k, self.v, self.o = (linear(hidden, hidden, bias=False) for _ in range(4))
        self.gate, self.up = (linear(hidden, 3 * hidden, bias=False) for _ in range(2))
        self.down = linear(3 * hidden, hidden, bias=False)

    def forward(self, x, cos, sin):
        def heads(y):
            return y.view(*y.shape[:2], self.heads, -1).transpose(1, 2)

        def rope(y):
            left, right = y.chunk(2, -1)
            return torch.cat([left * cos - right * sin, right * cos + left * sin], -1)
        y = self.norms[0](x)
        mixed = F.scaled_dot_product_attention(rope(heads(self.q(y))), rope(heads(self.k(y))), heads(self.v(y)), is_causal=True)
        x = x + self.o(mixed.transpose(1, 2).reshape(x.shape))
        y = self.norms[1](x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Model(torch.nn.Module):
    def __init__(self, linear, hidden, layers, vocabulary, heads, length=256):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, hidden)
        self.blocks = torch.nn.ModuleList(Block(linear, hidden, heads) for _ in range(layers))
        self.norm, self.head = torch.nn.RMSNorm(hidden, eps=1e-5), torch.nn.Linear(hidden, vocabulary, bias=False)
        frequency = 10000.0 ** (-torch.arange(0, hidden // heads, 2) / (hidden // heads))
        angle = torch.outer(torch.arange(length), frequency)
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def forward(self, ids, targets):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


class Step:
    def __init__(self, shape, quantized, compiled):
        torch.manual_seed(0)
        sizes = dict(SHAPES[shape])
        batch, vocabulary = sizes.pop("batch"), sizes["vocabulary"]
        self.model = Model(QuestLinear if quantized else torch.nn.Linear, **sizes)
        self.run = torch.compile(self.model) if compiled else self.model
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
        self.ids, self.targets = (torch.randint(vocabulary, (batch, 256)) for _ in range(2))

    def __call__(self):
        self.optimizer.zero_grad()
        self.run(self.ids, self.targets).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()


def program_rows(program, threads, *arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    text = subprocess.run([program, "bench", *arguments, "--json"], env=environment, check=True, capture_output=True, text=True).stdout
    return {row["name"]: row for row in json.loads(text)["benchmarks"]}


def medians(samples):
    return {name: statistics.median(each[name] for each in samples) for name in samples[0]}


def show(title, columns, rows):
    print(f"\n{title}\n| | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for name, values in rows.items():
        print(f"| {name} | {' | '.join('' if value is None else f'{value:.2f}' for value in values)} |")


def our_seconds(rows):
    took = {name: row["seconds"] for name, row in rows.items()}
    return {"QuEST half, forward and backward": took["QuEST half, forward to codes and mask"] + took["QuEST half, backward"],
            "QuEST rotated back, forward and backward": took["QuEST rotated back, forward"] + took["QuEST rotated back, backward"],
            "int4 group 32, forward": took["quantize int4 absmax group 32"],
            "LSQ int4 row, forward and backward": took["LSQ int4 row, forward"] + took["LSQ int4 row, backward"],
            "AdamW, fused": took["adamw"],
            "AdamW, CAGE towards QuEST rows": took["adamw, CAGE towards QuEST rows"]}


def bench_kernels(arguments):
    torch.set_num_threads(1)
    forms = {"eager": Kernels(False)} | ({} if arguments.no_compile else {"torch.compile": Kernels(True)})
    for kernels in forms.values():
        kernels.measure()  # compiles and warms up
    samples, ours = {name: [] for name in forms}, []
    for _ in range(arguments.rounds):
        ours.append(our_seconds(program_rows(arguments.program, 1, "kernels")))
        for name, kernels in forms.items():
            samples[name] += [kernels.measure() for _ in range(3)]
    eager = medians(samples["eager"])
    copy, fused = eager[COPY], eager["AdamW, fused"]
    all_of = {"detent": medians(ours)} | {name: medians(each) for name, each in samples.items()}
    rows = {name: [values[name] / copy for values in all_of.values()] for name in eager if name != COPY}
    rows["AdamW with CAGE / torch's fused AdamW"] = [
        values["AdamW, CAGE towards QuEST rows"] / fused for values in all_of.values()]
    show(f"Copies, {SIZE} x {SIZE}, 1 thread", list(all_of), rows)
    return {"seconds": all_of, "copies": rows}


SHAPES = {"small": {"hidden": 512, "layers": 8, "vocabulary": 4096, "heads": 8, "batch": 4},
          "tiny": {"hidden": 128, "layers": 4, "vocabulary": 256, "heads": 4, "batch": 16}}


def peak_of(arguments, quantized, compiled):
    """Peak resident megabytes of a process of its own that takes two steps."""
    command = [sys.executable, __file__, arguments.program, "peak", f"--shape={arguments.shape}", f"--quantized={int(quantized)}", f"--compiled={int(compiled)}"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def print_peak(arguments):
    step = Step(arguments.shape, bool(arguments.quantized), bool(arguments.compiled))
    step()
    step()
    status = Path("/proc/self/status").read_text()  # getrusage would start from the peak of the parent
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def bench_step(arguments):
    threads = torch.get_num_threads()
    forms = {"eager, unquantized": (False, False), "eager, W4A4": (True, False)}
    if not arguments.no_compile:
        forms["torch.compile, W4A4"] = (True, True)
    steps = {name: Step(arguments.shape, *form) for name, form in forms.items()}
    for step in steps.values():
        step()
    taken = []
    for _ in range(arguments.rounds):
        ours = program_rows(arguments.program, threads, "steps", "--shape", arguments.shape, "--arm", PLAIN_ARM, "--arm", QUEST_ARM)
        now = {f"detent, {label}": ours[f"step {arm}"]["seconds"] for label, arm in (("unquantized", PLAIN_ARM), ("W4A4", QUEST_ARM))}
        for name, step in steps.items():
            now[name] = statistics.median(seconds(step) for _ in range(3))
        taken.append(now)
    times = medians(taken)
    ratios = medians([{name: value / now["eager, unquantized"] for name, value in now.items()} for now in taken])
    peaks = {name: peak_of(arguments, *form) for name, form in forms.items()}
    for label, arm in (("unquantized", PLAIN_ARM), ("W4A4", QUEST_ARM)):
        alone = program_rows(arguments.program, threads, "steps", "--shape", arguments.shape, "--arm", arm)
        peaks[f"detent, {label}"] = alone[f"step {arm}"]["peak_bytes"] / 2**20
    show(f"Training step, {arguments.shape}, {threads} thread(s)", ["ms", "x eager unquantized", "peak MB"],
         {name: [1e3 * times[name], ratios[name], peaks[name]] for name in times})
    return {"shape": arguments.shape, "ms": times, "ratios": ratios, "peak_mb": peaks}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("what", nargs="*", metavar="kernels | step", help="default: both")
    parser.add_argument("--shape", choices=list(SHAPES), default="small", help="of the step")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--record", help="write the figures to this JSON file as well")
    parser.add_argument("--quantized", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--compiled", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.what = arguments.what or ["kernels", "step"]
    if unknown := set(arguments.what) - {"kernels", "step", "peak"}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if "peak" in arguments.what:
        return print_peak(arguments)
    threads, record = torch.get_num_threads(), {"torch": torch.__version__}
    if "step" in arguments.what:
        record["step"] = {"threads": threads, **bench_step(arguments)}
    if "kernels" in arguments.what:
        record["kernels"] = bench_kernels(arguments)
    if arguments.record:
        with open(arguments.record, "w") as file:
            json.dump(record, file, indent=1)


if __name__ == "__main__":
    main()
