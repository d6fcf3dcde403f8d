"""A Llama in PyTorch whose linear layers are W4A4 (QuEST: half rotation, clip) or plain, and its training step."""
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

from formulas import QuestHalf

SHAPES = {"small": {"hidden": 512, "layers": 8, "vocabulary": 4096, "heads": 8, "batch": 4},
          "tiny": {"hidden": 128, "layers": 4, "vocabulary": 256, "heads": 4, "batch": 16}}
LENGTH = 256


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
    def __init__(self, linear, hidden, layers, vocabulary, heads):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, hidden)
        self.blocks = torch.nn.ModuleList(Block(linear, hidden, heads) for _ in range(layers))
        self.norm, self.head = torch.nn.RMSNorm(hidden, eps=1e-5), torch.nn.Linear(hidden, vocabulary, bias=False)
        frequency = 10000.0 ** (-torch.arange(0, hidden // heads, 2) / (hidden // heads))
        angle = torch.outer(torch.arange(LENGTH), frequency)
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def forward(self, ids, targets):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


class Step:
    """Forward, backward, clipping and AdamW on a fixed batch."""

    def __init__(self, shape, quantized, compiled):
        torch.manual_seed(0)
        sizes = dict(SHAPES[shape])
        batch, vocabulary = sizes.pop("batch"), sizes["vocabulary"]
        self.model = Model(QuestLinear if quantized else torch.nn.Linear, **sizes)
        self.run = torch.compile(self.model, dynamic=False) if compiled else self.model
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
        self.ids, self.targets = (torch.randint(vocabulary, (batch, LENGTH)) for _ in range(2))

    def __call__(self):
        self.optimizer.zero_grad()
        self.run(self.ids, self.targets).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()


def peak_of_steps(shape, quantized, compiled):
    """Highest resident megabytes of this process in steps after the first, which compiles."""
    step = Step(shape, quantized, compiled)
    step()
    Path("/proc/self/clear_refs").write_text("5")  # the kernel counts the peak from here on
    step()
    step()
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":  # a process of its own for steps.py: SHAPE QUANTIZED COMPILED
    print(peak_of_steps(sys.argv[1], sys.argv[2] == "1", sys.argv[3] == "1"))
