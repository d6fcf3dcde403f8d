"""The learning-rate schedules that make_optimizers.py and make_twin.py share."""
import math


def schedule(kind, t, total, peak, warmup, final):
    """Step t = 1..total. Linear from 0 (exclusive) to peak over W = warmup * total steps, then down to final * peak, reached at t = total."""
    first = round(warmup * total)
    if t <= first:
        return peak * t / first
    p = (t - first) / (total - first)
    low = {"cosine": 0.5 * (1 + math.cos(math.pi * p)), "linear": 1 - p, "constant": 1.0}[kind]
    return peak * (final + (1 - final) * low)
