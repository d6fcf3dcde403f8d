"""Fake quantization and CAGE's pull in PyTorch: the formulas of the papers, written as a user would."""
import math
import statistics
import time

import torch

SIZE, BLOCK = 2048, 128
CLIP = 2.513930578568423  # MSE-optimal clipping of N(0,1) at 4 bits (arXiv 2502.05003)
COPY = "copy"


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


def quest_half(x):
    return QuestHalf.apply(x)


def quest_full(x):
    return rotated(QuestHalf.apply(x))


def lsq(x, step):
    return Lsq.apply(x, step)


def int4_groups(x):
    groups = x.view(-1, 32)
    scale = groups.abs().amax(1, keepdim=True) / 7
    return ((groups / scale).round().clamp(-8, 7) * scale).view(x.shape)


def pull(w, strength):
    """CAGE's decoupled term towards QuEST's values, in the weight's own basis."""
    w.sub_(w - rotated(QuestHalf.apply(w)), alpha=strength)


class Kernels:
    """Each kernel as one callable, forward and backward where it says so, after a first call that compiles it. What torch.compile
    could not do is in `failed`, by name, with its cause."""

    def __init__(self, compiled):
        torch.manual_seed(0)
        form = (lambda f: torch.compile(f, dynamic=False)) if compiled else (lambda f: f)
        self.x, self.g = torch.randn(SIZE, SIZE, requires_grad=True), torch.randn(SIZE, SIZE)
        self.step = torch.full((SIZE, 1), 0.3, requires_grad=True)
        self.copy = torch.empty(SIZE, SIZE)
        self.w = torch.randn(SIZE, SIZE)
        self.w.grad = self.g
        self.adamw = torch.optim.AdamW([self.w], lr=1e-3, fused=True)
        half, full, learned, int4, cage = (form(f) for f in (quest_half, quest_full, lsq, int4_groups, pull))
        self.work = {"QuEST half, forward and backward": lambda: self.both(half, self.x),
                     "QuEST rotated back, forward and backward": lambda: self.both(full, self.x),
                     "int4 group 32, forward": lambda: self.without(int4),
                     "LSQ int4 row, forward and backward": lambda: self.both(learned, self.x, self.step),
                     "AdamW, fused": self.adamw.step,
                     "AdamW, CAGE towards QuEST rows": lambda: (self.adamw.step(), self.without(lambda _: cage(self.w, 1e-3)))}
        if compiled:
            del self.work["AdamW, fused"]  # a kernel already
        self.failed = {}
        for name, work in list(self.work.items()):
            try:
                work()
            except Exception as error:  # of torch.compile: whatever it raises is the answer for this row
                if not compiled:
                    raise
                self.failed[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
                del self.work[name]

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


def seconds(work, clock=time.perf_counter):
    begin = clock()
    work()
    return clock() - begin
