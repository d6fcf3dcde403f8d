"""optimizers.safetensors: torch.optim AdamW and SGD, CAGE (2510.18784) and alpha-blending (1903.01061) on top, learning-rate schedules.

A [7,33] tensor, 50 steps, gradient number t given in `grads`[t-1]; no clipping. Steps count t = 1..T. Saved after steps 1, 10, 50 (alpha-blending also
20, 39, 40). CAGE: r = t/T, lambda_t = 0 for r <= sigma, else lambda (r - sigma) / (1 - sigma).
  decoupled: optimizer step with lr_t, then W -= min(lr_t lambda_t, 1) (W - Q(W)) with the updated W.
  coupled:   the optimizer is given g + lambda_t (W - Q(W)) with the W before the step.
Q: int 4 bits, absmax / 7, one float32 scale per row. Alpha-blending: alpha(t) = 1 - ((T1 - t) / (T1 - T0))^3 inside [T0, T1], 0 before, 1 after; the forward sees
(1 - alpha) W + alpha Q(W), the latent weight gets (1 - alpha) g; once alpha is 1 the latent weight is frozen: no step at all, so neither momentum nor decay move it.
"""
import numpy as np
import torch
from common import Golden
from lr_schedule import schedule
from quantizer_formulas import Grid, product, raw_step

torch.set_num_threads(1)
golden, T, SHAPE, GRID = Golden(), 50, (7, 33), Grid("int", 4)
rng = np.random.default_rng(2024)
W0 = (0.1 * rng.standard_normal(SHAPE)).astype(np.float32)
GRADS = (0.02 * rng.standard_normal((T, *SHAPE)) + 0.01 * rng.standard_normal(SHAPE)).astype(np.float32)
golden.put("w0", W0)
golden.put("grads", GRADS)


def q(w):
    """int4 absmax per row, float32 scale."""
    x = w.detach().numpy()
    d = raw_step(x, GRID, "absmax").astype(np.float32)[:, None]
    return torch.from_numpy(product(d, GRID.nearest(x.astype(np.float64) / d), GRID))


def ramp(t, cage):
    r, sigma = t / T, cage["silence"]
    if r <= sigma:
        return 0.0
    return cage["lambda"] * ((r - sigma) / (1 - sigma) if cage["ramp"] == "linear" else 1.0)


def alpha(t, blend):
    t0, t1 = blend["t0"], blend["t1"]
    return 0.0 if t <= t0 else 1.0 if t >= t1 else 1 - ((t1 - t) / (t1 - t0)) ** blend["exponent"]


def run(identity, optimizer, options, lr=None, cage=None, blend=None, save=(1, 10, 50)):
    w = torch.nn.Parameter(torch.from_numpy(W0.copy()))
    opt = getattr(torch.optim, optimizer)([w], foreach=False, **options)
    arrays = {}
    for t in range(1, T + 1):
        rate = schedule(lr["kind"], t, T, options["lr"], lr["warmup"], lr["final"]) if lr else options["lr"]
        opt.param_groups[0]["lr"] = rate
        g = torch.from_numpy(GRADS[t - 1].copy())
        a = alpha(t, blend) if blend else 0.0
        if blend and t in save:
            arrays[f"blended{t}"] = ((1 - a) * w.detach() + a * q(w)).numpy()
        if cage and cage["form"] == "coupled":
            g = g + ramp(t, cage) * (w.detach() - q(w))
        w.grad = g * (1 - a)
        if a < 1:
            opt.step()
        if cage and cage["form"] == "decoupled":
            with torch.no_grad():
                w -= min(rate * ramp(t, cage), 1.0) * (w - q(w))
        if t in save:
            state = opt.state[w]
            arrays[f"w{t}"] = w.detach().numpy().copy()
            for key, name in (("exp_avg", "m"), ("exp_avg_sq", "v"), ("momentum_buffer", "m")):
                if state.get(key) is not None:
                    arrays[f"{name}{t}"] = state[key].numpy().copy()
    golden.case(identity, arrays, kind="optimizer", optimizer=optimizer, options=options, lr_schedule=lr, cage=cage, blend=blend, saved=list(save), steps=T)


ADAMW = {"lr": 3e-3, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.1}
CAGE = {"lambda": 10.0, "silence": 0.2, "ramp": "linear", "form": "decoupled"}
COSINE = {"kind": "cosine", "warmup": 0.1, "final": 0.1}
run("adamw", "AdamW", ADAMW)
run("adamw_no_decay", "AdamW", {"lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0})
run("adamw_cosine", "AdamW", ADAMW, lr=COSINE)
run("sgd", "SGD", {"lr": 0.05})
run("sgd_momentum", "SGD", {"lr": 0.05, "momentum": 0.9})
run("sgd_momentum_decay", "SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01})
run("sgd_nesterov", "SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01})
run("cage_decoupled", "AdamW", ADAMW, cage=CAGE)
run("cage_decoupled_cosine", "AdamW", ADAMW, lr=COSINE, cage={**CAGE, "silence": 0.8})
run("cage_decoupled_constant", "AdamW", ADAMW, cage={**CAGE, "silence": 0.5, "ramp": "constant"})
run("cage_decoupled_cap", "AdamW", ADAMW, cage={**CAGE, "lambda": 500.0})
run("cage_coupled", "AdamW", ADAMW, cage={**CAGE, "lambda": 0.5, "form": "coupled"})
run("cage_sgd", "SGD", {"lr": 0.05, "momentum": 0.9}, cage={**CAGE, "lambda": 0.5})
BLEND, AT = {"t0": 5, "t1": 40, "exponent": 3}, (1, 10, 20, 39, 40, 50)
run("blend_sgd", "SGD", {"lr": 0.05}, blend=BLEND, save=AT)
run("blend_sgd_momentum_decay", "SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}, blend=BLEND, save=AT)
run("blend_sgd_linear", "SGD", {"lr": 0.05}, blend={**BLEND, "exponent": 1}, save=AT)

for n, (kind, total, peak, warmup, final) in enumerate([("cosine", 50, 1e-3, 0.1, 0.1), ("cosine", 200, 3e-4, 0.05, 0.0), ("cosine", 100, 1.0, 0.0, 0.1),
                                                        ("linear", 50, 1e-3, 0.1, 0.1), ("linear", 40, 2e-5, 0.0, 0.0), ("constant", 50, 1e-3, 0.2, 0.1)]):
    rates = np.array([schedule(kind, t, total, peak, warmup, final if kind != "constant" else 1.0) for t in range(1, total + 1)])
    golden.case(f"schedule{n}", {"lr": rates}, kind="schedule", schedule=kind, steps=total, peak=peak, warmup=warmup, final=final)
golden.save("optimizers.safetensors")
