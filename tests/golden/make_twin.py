"""twin/: 200 training steps of a tiny Llama: full precision, QuEST W4A4 and W2A2, QuEST + CAGE (the paper's lambda, and one strong enough to show in 200 steps).

QuEST (2502.05003): weights and inputs of q, k, v, o, gate, up, down; Hadamard rotation and back, mid-rise b bits, c = a_b rms + 1e-8 per row / per token,
clip mask |x_h| <= c. CAGE (2510.18784): decoupled, after the AdamW step with the updated W and the same lr; r = t/T, linear ramp from the silence ratio on.
Text: an order-2 Markov chain over 64 symbols. losses[i] is the loss of step i + 1 before its update, on rows 8i..8i+7: inputs [:, :64], targets [:, 1:].
losses64 is the same run in float64: how far codes that fall the other way carry the losses.
"""
import numpy as np
import torch
import transformers
from common import Golden, block_of, hadamard
from lr_schedule import schedule
from quantizer_formulas import A

torch.set_num_threads(1)
STEPS, BATCH, SEQ, PEAK = 200, 8, 64, 1e-3
QUANTIZED = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
# bits, lambda, silence
ARMS = {"full": (None, 0.0, 1.0), "quest": (4, 0.0, 1.0), "quest_cage": (4, 10.0, 0.8), "quest_w2a2": (2, 0.0, 1.0), "quest_w2a2_cage_strong": (2, 300.0, 0.5)}


def rotated(x):
    b = block_of(x.shape[-1])
    h = torch.tensor(hadamard(b), dtype=x.dtype)
    return (x.unflatten(-1, (-1, b)) @ h).flatten(-2)


class Quest(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, bits):
        h = rotated(x)
        c = A[bits] * h.square().mean(-1, keepdim=True).sqrt() + 1e-8
        step = 2 * c / (2**bits - 1)
        ctx.save_for_backward(h.abs() <= c)
        return rotated(torch.round(h.clamp(-c, c) / step + 0.5) * step - step / 2)

    @staticmethod
    def backward(ctx, g):
        return rotated(ctx.saved_tensors[0] * rotated(g)), None


class QuestLinear(torch.nn.Linear):
    def forward(self, x):
        return torch.nn.functional.linear(Quest.apply(x, self.bits), Quest.apply(self.weight, self.bits))


def text(rng):
    """Order-2 Markov: every pair of symbols is followed by one of four, with probabilities 0.6, 0.2, 0.15, 0.05. Bytes 32..95."""
    follow = rng.integers(0, 64, (8, 64, 4))  # the older symbol counts modulo 8, so that 200 steps suffice to learn something
    out, a, b = [], 0, 1
    for choice in rng.choice(4, STEPS * BATCH * (SEQ + 1), p=[0.6, 0.2, 0.15, 0.05]):
        a, b = b, int(follow[a % 8, b, choice])
        out.append(b + 32)
    return np.array(out, np.int16).reshape(STEPS * BATCH, SEQ + 1)


def new_model(state=None):
    config = transformers.LlamaConfig(vocab_size=257, hidden_size=64, intermediate_size=192, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
                                      rms_norm_eps=1e-5, tie_word_embeddings=False, max_position_embeddings=64, initializer_range=0.02,
                                      attn_implementation="eager", rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
    torch.manual_seed(7)
    model = transformers.LlamaForCausalLM(config).float()
    if state:
        model.load_state_dict(state)
    return model


def train(state, data, bits, lam, silence, dtype=torch.float32):
    model = new_model(state)
    if bits:
        for module in model.modules():
            if isinstance(module, torch.nn.Linear) and module is not model.lm_head:
                module.__class__, module.bits = QuestLinear, bits
    model = model.to(dtype)
    matrices = [p for n, p in model.named_parameters() if n.split(".")[-2] in QUANTIZED]
    assert len(matrices) == 14
    groups = [{"params": [p for p in model.parameters() if p.dim() == d], "weight_decay": decay} for d, decay in ((2, 0.1), (1, 0.0))]
    opt = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.95), eps=1e-8)
    losses, norms = [], []
    for t in range(1, STEPS + 1):
        rows = torch.from_numpy(data[(t - 1) * BATCH : t * BATCH].astype(np.int64))
        logits = model(input_ids=rows[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 257), rows[:, 1:].reshape(-1))
        model.zero_grad()
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)))  # g *= min(1, 1 / (norm + 1e-6)), all parameters together
        lr = schedule("cosine", t, STEPS, PEAK, 0.1, 0.1)
        for group in opt.param_groups:
            group["lr"] = lr
        opt.step()
        r = t / STEPS
        if r > silence:
            pull = min(lr * lam * (r - silence) / (1 - silence), 1.0)
            with torch.no_grad():
                for w in matrices:
                    w -= pull * (w - Quest.apply(w, bits))
        losses.append(loss.item())
    with torch.no_grad():
        gap = [float((w - Quest.apply(w, bits or 4)).norm() / w.norm()) for w in matrices]
    return np.array(losses, np.float32), np.array(norms, np.float32), np.array(gap, np.float32)


def main():
    data = text(np.random.default_rng(11))
    state = new_model().state_dict()
    golden = Golden()
    golden.put("data", data)
    for name, array in state.items():
        golden.put("init." + name, array.numpy())
    for identity, (bits, lam, silence) in ARMS.items():
        losses, norms, gap = train(state, data, bits, lam, silence)
        print(identity, losses[[0, 1, 50, 100, 150, 199]], losses[-20:].mean(), gap.mean())
        losses64 = train(state, data, bits, lam, silence, dtype=torch.float64)[0]
        print("float64: largest relative difference per 20 steps", np.abs(losses / losses64 - 1).reshape(-1, 20).max(1))
        golden.case(identity, {"losses": losses, "losses64": losses64, "grad_norms": norms, "final_gap": gap}, bits=bits, steps=STEPS, batch=BATCH, seq=SEQ, lr=PEAK, warmup=0.1,
                    final=0.1, betas=[0.9, 0.95], eps=1e-8, weight_decay=0.1, clip=1.0, silence=silence, **{"lambda": lam})
    golden.save("twin/twin.safetensors")


main()
