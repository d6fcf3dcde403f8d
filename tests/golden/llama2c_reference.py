"""llama2.c's file formats, arithmetic and tokenizer, restated in numpy from the descriptions in its export.py, run.c and tokenizer.py
(karpathy/llama2.c): RoPE rotates neighbouring pairs, RMSNorm adds 1e-5, the tokenizer merges the best-scoring pair, leftmost first."""
import struct
import numpy as np

MAGIC = 0x616B3432
V0 = ["token_embedding_table", "rms_att_weight", "wq", "wk", "wv", "wo", "rms_ffn_weight", "w1", "w2", "w3", "rms_final_weight"]
V1 = ["rms_att_weight", "rms_ffn_weight", "rms_final_weight", "token_embedding_table", "wq", "wk", "wv", "wo", "w1", "w2", "w3"]


def shapes(p):
    kv = p["dim"] // p["n_heads"] * p["n_kv_heads"]
    d, h, n = p["dim"], p["hidden_dim"], p["n_layers"]
    return {"token_embedding_table": (p["vocab_size"], d), "rms_att_weight": (n, d), "wq": (n, d, d), "wk": (n, kv, d), "wv": (n, kv, d),
            "wo": (n, d, d), "rms_ffn_weight": (n, d), "w1": (n, h, d), "w2": (n, d, h), "w3": (n, h, d), "rms_final_weight": (d,),
            "wcls": (p["vocab_size"], d)}


KEYS = ["dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "max_seq_len"]


def angles(p):
    size = p["dim"] // p["n_heads"]
    frequencies = 1 / 10000 ** (np.arange(0, size, 2) / size)
    return np.outer(np.arange(p["max_seq_len"]), frequencies)


def write(path, p, w, version):
    tied = "wcls" not in w
    with open(path, "wb") as f:
        if version == 0:
            f.write(struct.pack("7i", *[(-p[k] if k == "vocab_size" and not tied else p[k]) for k in KEYS]))
        else:
            header = struct.pack("Ii7iB", MAGIC, 1, *[p[k] for k in KEYS], tied)
            f.write(header + bytes(256 - len(header)))
        for name in V0 if version == 0 else V1:
            f.write(w[name].astype("<f4").tobytes())
        if version == 0:
            for table in (np.cos, np.sin):
                f.write(table(angles(p)).astype("<f4").tobytes())
        if not tied:
            f.write(w["wcls"].astype("<f4").tobytes())


def read_v0(path):
    data = open(path, "rb").read()
    p = dict(zip(KEYS, struct.unpack_from("7i", data)))
    assert p["vocab_size"] > 0
    at, w = 28, {}
    for name in V0:
        shape = shapes(p)[name]
        w[name] = np.frombuffer(data, "<f4", int(np.prod(shape)), at).reshape(shape)
        at += w[name].nbytes
    assert at + 4 * p["max_seq_len"] * p["dim"] // p["n_heads"] == len(data)
    return p, w


def rms(x, weight):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * weight


def rotate(x, angle):
    """x [tokens, heads, size]; angle [tokens, size / 2]."""
    even, odd, cos, sin = x[..., ::2], x[..., 1::2], np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)


def logits(p, w, ids):
    """float64, [tokens, vocabulary]."""
    w = {k: v.astype(np.float64) for k, v in w.items()}
    n, heads, kv, size = len(ids), p["n_heads"], p["n_kv_heads"], p["dim"] // p["n_heads"]
    angle, x = angles(p)[:n], w["token_embedding_table"][ids]
    future = np.triu(np.full((n, n), -np.inf), 1)
    for i in range(p["n_layers"]):
        y = rms(x, w["rms_att_weight"][i])
        q = rotate((y @ w["wq"][i].T).reshape(n, heads, size), angle)
        k = np.repeat(rotate((y @ w["wk"][i].T).reshape(n, kv, size), angle), heads // kv, 1)
        v = np.repeat((y @ w["wv"][i].T).reshape(n, kv, size), heads // kv, 1)
        scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(size) + future
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = np.einsum("hij,jhd->ihd", scores / scores.sum(-1, keepdims=True), v)
        x = x + mixed.reshape(n, -1) @ w["wo"][i].T
        y = rms(x, w["rms_ffn_weight"][i])
        gate = y @ w["w1"][i].T
        x = x + (gate / (1 + np.exp(-gate)) * (y @ w["w3"][i].T)) @ w["w2"][i].T
    return rms(x, w["rms_final_weight"]) @ w.get("wcls", w["token_embedding_table"]).T


class Tokenizer:
    def __init__(self, path):
        data, at, self.tokens, self.scores = open(path, "rb").read(), 4, [], []
        while at < len(data):
            score, length = struct.unpack_from("<fi", data, at)
            self.tokens.append(data[at + 8 : at + 8 + length])
            self.scores.append(score)
            at += 8 + length
        self.ids = {}
        for i, token in enumerate(self.tokens):
            self.ids.setdefault(token, i)

    def encode(self, text):
        """Without BOS. A text begins with a space of its own; a character that is no token becomes its bytes."""
        ids = [self.ids[b" "]] if text else []
        for c in text:
            c = c.encode()
            ids += [self.ids[c]] if c in self.ids else [b + 3 for b in c]
        while True:
            pairs = [(self.scores[m], -i, m) for i in range(len(ids) - 1)
                     if (m := self.ids.get(self.tokens[ids[i]] + self.tokens[ids[i + 1]])) is not None]
            if not pairs:
                return ids
            _, at, merged = max(pairs)
            ids[-at : 2 - at] = [merged]


def write_tokenizer(path, tokens, scores):
    with open(path, "wb") as f:
        f.write(struct.pack("<i", max(map(len, tokens))))
        for token, score in zip(tokens, scores):
            f.write(struct.pack("<fi", score, len(token)) + token)
